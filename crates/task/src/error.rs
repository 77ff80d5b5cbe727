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
/// fn parse(text: &str) -> brigade::Result<u64> {
///     let number: u64 = text.parse()?;
///     if number == 0 {
///         return Err(brigade::Error::new("zero will not do"));
///     }
///     Ok(number)
/// }
///
/// assert_eq!(parse("0").unwrap_err().to_string(), "zero will not do");
/// assert_eq!(format!("{:?}", parse("x").unwrap_err()), "invalid digit found in string");
/// ```
pub struct Error(Box<dyn StdError + Send + Sync>);

/// A result with any [`Error`], or another one.
///
/// ```
/// use brigade::JobError;
///
/// fn parse(text: &str) -> brigade::Result<u64> {
///     Ok(text.parse()?)
/// }
/// fn count() -> brigade::Result<u64, JobError> {
///     brigade::builtin::prime_count(0, 100).run()
/// }
///
/// assert_eq!((parse("7")?, count()?), (7, 25));
/// # Ok::<(), brigade::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this text.
    ///
    /// ```
    /// use brigade::Error;
    ///
    /// assert_eq!(Error::new("no such city").to_string(), "no such city");
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// The error of a job, if it is one.
    ///
    /// ```
    /// use brigade::builtin::prime_count;
    ///
    /// fn count(to: u64) -> brigade::Result<u64> {
    ///     Ok(prime_count(0, to).run()?)
    /// }
    ///
    /// let error = count(u64::MAX).unwrap_err();
    /// assert!(error.as_job().is_some_and(|error| error.is_failed()));
    /// ```
    pub fn as_job(&self) -> Option<&JobError> {
        self.0.downcast_ref()
    }

    /// The error as what it is, if it is an `E`.
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use brigade::Error;
    ///
    /// let error = Error::from("x".parse::<u64>().unwrap_err());
    /// assert!(error.downcast_ref::<ParseIntError>().is_some());
    /// ```
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
