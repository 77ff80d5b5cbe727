//! One error for programs and tasks that do not want to name each kind.

use std::error::Error as StdError;
use std::fmt;

use brigade_protocol::error::JobError;

/// Any error, as the `E` of a `main` or of a task that uses `?` on all sorts of them.
///
/// Whatever implements [`std::error::Error`] becomes one by `?`. It shows the message with its causes,
/// as `Display` and as `Debug`, because `main` prints the latter.
///
/// ```
/// fn parse(text: &str) -> brigade_task::Result<u64> {
///     let number: u64 = text.parse()?;
///     if number == 0 {
///         return Err(brigade_task::Error::new("zero will not do"));
///     }
///     Ok(number)
/// }
///
/// assert_eq!(parse("0").unwrap_err().to_string(), "zero will not do");
/// assert_eq!(format!("{:?}", parse("x").unwrap_err()), "invalid digit found in string");
/// ```
pub struct Error(Box<dyn StdError + Send + Sync>);

/// A result with any [`Error`], or another one.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// The error of a job, if it is one.
    pub fn as_job(&self) -> Option<&JobError> {
        self.0.downcast_ref()
    }

    /// The error as what it is, if it is an `E`.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }
}

// It does not implement `std::error::Error` itself, so that this can be here (the way of anyhow).
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            // Many errors have the message of their cause in their own.
            let message = error.to_string();
            if !text.contains(&message) {
                write!(f, ": {message}")?;
            }
            text = message;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
