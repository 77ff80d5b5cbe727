//! The program `supervisor`: everything is in [`brigade_supervisor::cli`].

fn main() -> std::process::ExitCode {
    brigade_supervisor::cli::main()
}
