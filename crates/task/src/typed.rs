//! What `#[task]` writes in terms of: a task together with its types, and what these must be able to do.
//!
//! A type that cannot travel is refused where it stands in the user's signature, in words about tasks:
//! so all that is demanded of a type is demanded by [`argument`] or [`output`], in one place of the
//! generated code. It runs nothing.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::{Decode, Job, decode_bincode};
use crate::task::Task;

/// A task and its types: `A` is the tuple of its arguments, `T` its result.
pub struct Typed<A, T> {
    /// The task.
    pub task: Task,
    decode: Decode<T>,
    arguments: PhantomData<fn(A)>,
}

impl<A, T> Typed<A, T> {
    /// A task of these types, with what [`output`] gives for them.
    pub const fn new(task: Task, decode: Decode<T>) -> Self {
        Self { task, decode, arguments: PhantomData }
    }

    /// A call of `task`, which is this one.
    pub fn job(&self, task: &'static Task, arguments: A) -> Job<T, A> {
        Job::typed(task, self.decode, arguments)
    }
}

/// What an argument of a task must be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a task",
    label = "it does not implement both `Serialize` and `Deserialize`",
    note = "arguments travel between processes: add `#[derive(serde::Serialize, serde::Deserialize)]` to the type"
)]
pub trait Argument: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Argument for T {}

/// What the result of a task must be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a task",
    label = "it does not implement both `Serialize` and `Deserialize`",
    note = "results travel between processes: add `#[derive(serde::Serialize, serde::Deserialize)]` to the type"
)]
pub trait Output: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Output for T {}

/// What the error of a task must be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a task",
    label = "it does not implement `Display`",
    note = "what a task's error says is sent as text"
)]
pub trait Complaint: fmt::Display {}

impl<E: fmt::Display> Complaint for E {}

/// A `Result`, by whatever name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`",
    note = "`#[task]` takes a return type named `Result` for one"
)]
pub trait Fallible {
    /// What it is when all goes well.
    type Value;
    /// What it is otherwise.
    type Error;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// Demands that a type can be an argument.
pub const fn argument<T: Argument>() {}

/// Demands that a type can be a result, and gives what reads it.
pub const fn output<T: Output>() -> Decode<T> {
    decode_bincode::<T>
}

/// Demands that this type is a `Result` of `T`, and that its error can be told.
pub const fn success<R: Fallible<Value = T, Error: Complaint>, T>() {}
