//! How a program becomes a worker program.

use std::process::ExitCode;

use brigade_protocol::VARIABLE;
use brigade_protocol::message::TaskInfo;

use crate::complain::complain;
use crate::fork_server;
use brigade_task::Registry;

/// Makes this process a fork server if a supervisor started it as one: then it serves, and does
/// not return. Otherwise it returns at once.
///
/// It must be called before any other thread starts, best as the first thing in `main`.
pub fn init(registry: &Registry) {
    if std::env::var_os(VARIABLE).is_some() {
        std::process::exit(fork_server::run(registry));
    }
}

/// The whole `main` of a program that is a worker program and nothing else.
///
/// If no supervisor started it, it tells how to, and what tasks it has.
pub fn serve(registry: &Registry) -> ExitCode {
    init(registry);
    let program = std::env::args().next().unwrap_or_else(|| "worker".into());
    let tasks: Vec<String> = registry.infos().iter().map(describe).collect();
    complain(format_args!(
        "worker: this program is a worker, which a supervisor starts:\n\n  \
         supervisor --worker {program} --task NAME\n\nIts tasks:\n\n{}",
        tasks.join("\n")
    ));
    ExitCode::from(2)
}

fn describe(task: &TaskInfo) -> String {
    let parameters: Vec<String> = task
        .parameters
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, parameter.kind))
        .collect();
    format!("  {}({})  {}", task.name, parameters.join(", "), task.doc)
}
