//! How a program becomes a worker program.

use std::process::ExitCode;

use brigade_protocol::VARIABLE;
use brigade_protocol::message::TaskInfo;
use brigade_task::Registry;

use crate::complain::{BROKEN, complain};
use crate::fork_server;
use crate::os;

/// Makes this process a fork server if a supervisor started it as one: then it serves every
/// [`#[task]`](macro@crate::task) of this program, and does not return. Otherwise it returns at once.
///
/// It must be called before any other thread starts, best as the first thing in `main`. A process that
/// cannot serve says why on standard error and exits with code 70; its supervisor quotes that. So it does
/// if it has another thread, or if two of its tasks have one name.
///
/// ```
/// use brigade::{ProcessPool, task};
///
/// #[task]
/// fn double(x: u64) -> u64 {
///     2 * x
/// }
///
/// fn main() -> brigade::Result<()> {
///     brigade::init(); // first of all
///     let pool = ProcessPool::builder().workers(1).build()?;
///     assert_eq!(pool.submit(double(21)).result()?, 42);
///     Ok(())
/// }
/// ```
pub fn init() {
    if is_fork_server() {
        std::process::exit(fork_server::run(&gathered()));
    }
}

/// As [`init()`], but serves the tasks of this registry.
///
/// ```
/// use brigade::{Job, ProcessPool, builtin};
///
/// fn main() -> brigade::Result<()> {
///     brigade::init_with(&builtin::registry());
///     let pool = ProcessPool::builder().workers(1).build()?;
///     assert_eq!(pool.submit(Job::json("pow", "[2, 10]")).result()?, "1024");
///     Ok(())
/// }
/// ```
pub fn init_with(registry: &Registry) {
    if is_fork_server() {
        std::process::exit(fork_server::run(registry));
    }
}

/// The whole `main` of a program that is a worker program and nothing else, with every
/// [`#[task]`](macro@crate::task) of this program.
///
/// If no supervisor started it, it tells how to, and what tasks it has.
///
/// ```no_run
/// use std::process::ExitCode;
/// use brigade::task;
///
/// /// Says hello.
/// #[task]
/// fn hello(name: String) -> String {
///     format!("hello, {name}")
/// }
///
/// fn main() -> ExitCode {
///     brigade::serve()
/// }
/// ```
pub fn serve() -> ExitCode {
    serve_with(&gathered())
}

/// As [`serve()`], but with the tasks of this registry.
///
/// ```no_run
/// use std::process::ExitCode;
/// use brigade::{Registry, builtin};
///
/// fn main() -> ExitCode {
///     let registry = Registry::new(&[&builtin::double::TASK, &builtin::pow::TASK]);
///     brigade::serve_with(&registry.expect("their names differ"))
/// }
/// ```
pub fn serve_with(registry: &Registry) -> ExitCode {
    init_with(registry);
    let program = std::env::args().next().unwrap_or_else(|| "worker".into());
    let tasks: Vec<String> = registry.infos().iter().map(describe).collect();
    complain(format_args!(
        "worker: this program is a worker, which a supervisor starts:\n\n  \
         supervisor --worker {program} --task NAME\n\nIts tasks:\n\n{}",
        tasks.join("\n")
    ));
    ExitCode::from(2)
}

/// As [`init()`], called before `main` and so before the standard library has set the process up: what
/// it does for signals is done here.
///
/// Not done is its handler for stack overflows: a job that overflows its stack in a worker of such a
/// program ends it by SIGSEGV without words, instead of by SIGABRT with some.
#[doc(hidden)]
pub fn init_before_main() {
    if is_fork_server() {
        if let Err(errno) = os::ignore_broken_pipes() {
            complain(format_args!("fork server: cannot ignore SIGPIPE: {}", errno.desc()));
            std::process::exit(BROKEN);
        }
        init();
    }
}

fn is_fork_server() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

fn gathered() -> Registry {
    Registry::gathered().unwrap_or_else(|error| {
        complain(format_args!("worker program: {error}"));
        std::process::exit(BROKEN);
    })
}

fn describe(task: &TaskInfo) -> String {
    let parameters: Vec<String> = task
        .parameters
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, parameter.kind))
        .collect();
    format!("  {}({})  {}", task.name, parameters.join(", "), task.doc)
}
