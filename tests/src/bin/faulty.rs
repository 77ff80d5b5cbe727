//! The program under test: supervisor and worker program in one, like `supervisor`, but with tasks
//! that misbehave beside the built-in ones.

fn main() -> std::process::ExitCode {
    brigade_supervisor::cli::main_with(&brigade_tests::faults::registry())
}
