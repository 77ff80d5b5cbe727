//! Being a worker.
pub mod builtin;
pub mod task;
