//! Tasks that misbehave in every way that is known, and a few that tell where they ran.
//!
//! * [`plain`]: tasks that behave, and say which attempt they were;
//! * [`endings`]: tasks that take their worker down, or themselves;
//! * [`gathering`]: tasks that gather the results of other jobs;
//! * [`kin`]: tasks that leave processes behind;
//! * [`wire`]: tasks that meddle with their worker's channels.

pub mod endings;
pub mod gathering;
pub mod kin;
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
        &gathering::gather::TASK,
        &kin::fork::TASK,
        &kin::leave::TASK,
        &wire::close::TASK,
        &wire::garble::TASK,
        &wire::lie::TASK,
        &wire::scribble::TASK,
    ];
    Registry::new(&[builtin::ALL, own].concat()).expect("their names differ")
}
