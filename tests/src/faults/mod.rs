//! Tasks that misbehave in every way that is known, and a few that tell where they ran.
//!
//! * [`plain`]: tasks that behave, and say which attempt they were;
//! * [`endings`]: tasks that take their worker down, or themselves;
//! * [`gathering`]: tasks that gather the results of other jobs;
//! * [`kin`]: tasks that leave processes behind;
//! * [`options`]: tasks that tell what their worker was made like, and that use much;
//! * [`wire`]: tasks that meddle with their worker's channels.

pub mod endings;
pub mod gathering;
pub mod kin;
pub mod nested;
pub mod options;
pub mod plain;
pub mod wire;

use brigade_worker::{Registry, Task, builtin};

/// The built-in tasks and all of these.
pub fn registry() -> Registry {
    let own: &[&'static Task] = &[
        &plain::tell::TASK,
        &plain::hold::TASK,
        &plain::log::TASK,
        &plain::fill::TASK,
        &plain::measure::TASK,
        &plain::say::TASK,
        &plain::flood::TASK,
        &plain::read_all::TASK,
        &endings::panic::TASK,
        &endings::fail::TASK,
        &endings::exit::TASK,
        &endings::exit_in_thread::TASK,
        &endings::abort::TASK,
        &endings::raise::TASK,
        &endings::segfault::TASK,
        &endings::overflow::TASK,
        &endings::hang::TASK,
        &endings::kill_group::TASK,
        &endings::fail_until::TASK,
        &nested::fib::TASK,
        &nested::await_other::TASK,
        &nested::heed::TASK,
        &nested::advance::TASK,
        &gathering::gather::TASK,
        &kin::fork::TASK,
        &kin::leave::TASK,
        &options::load::TASK,
        &options::loaded::TASK,
        &options::mutter::TASK,
        &options::panic_twice::TASK,
        &options::need::TASK,
        &options::surroundings::TASK,
        &options::policies::TASK,
        &options::thread_behind::TASK,
        &options::eat::TASK,
        &options::burn::TASK,
        &options::claim_growth::TASK,
        &wire::close::TASK,
        &wire::garble::TASK,
        &wire::lie::TASK,
        &wire::meddle::TASK,
        &wire::mumble::TASK,
        &wire::offer::TASK,
        &wire::scribble::TASK,
    ];
    Registry::new(&[builtin::ALL, own].concat()).expect("their names differ")
}
