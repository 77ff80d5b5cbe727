//! What `#[task]` writes in terms of: a task together with its types, and what these must be able to do.
//!
//! A type that cannot travel is refused where it stands in the user's signature, in words about tasks:
//! so all that is demanded of a type is demanded in one place of the generated code, in traits of this
//! module's own, and only once.

use std::fmt;
use std::marker::PhantomData;

use brigade_protocol::message::{Form, TaskError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::{Decode, Job, decode_bincode};
use crate::json;
use crate::task::{self, Task};

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
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
}

/// Demands that a type can be an argument.
pub const fn argument<T: Argument>() {}

/// Demands that a type can be a result, and gives what reads it.
pub const fn output<T: Output>() -> Decode<T> {
    decode_bincode::<T>
}

/// Demands that this type is a `Result` of `T`.
pub const fn success<R: Fallible<Value = T>, T>() {}

/// Reads arguments of these types, if they are such that they can be read.
///
/// If not, [`argument`] says so. That this cannot be done either would be said at another place and in
/// other words; so in that case [`Unreadable`] provides a method of the same name, which never runs.
pub struct Reader<A>(PhantomData<fn() -> A>);

impl<A> Reader<A> {
    /// A reader of these types.
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<A: json::Arguments> Reader<A> {
    /// Decodes the arguments.
    #[inline]
    pub fn read(&self, task: &Task, form: Form, arguments: &[u8]) -> Result<A, TaskError> {
        task::read(task, form, arguments)
    }
}

/// See [`Reader`].
pub trait Unreadable<A> {
    /// Takes the place of [`Reader::read`] in code that is refused for other reasons.
    fn read(&self, task: &Task, form: Form, arguments: &[u8]) -> Result<A, TaskError>;
}

impl<A> Unreadable<A> for Reader<A> {
    fn read(&self, _: &Task, _: Form, _: &[u8]) -> Result<A, TaskError> {
        unreachable!("types that cannot be read are refused by the compiler")
    }
}
