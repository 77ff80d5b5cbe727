//! One error for whatever a program that uses pools propagates.

use std::fmt;

use brigade_supervisor::{JobError, StartError};

/// A result whose error is an [`enum@Error`] unless another is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a pool did not start, or why a job gave no result.
///
/// Its `Debug` is its `Display`: a `main` that returns it ends with a sentence.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no pool.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no result.
    #[error(transparent)]
    Job(#[from] JobError),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
