//! What can go wrong with what is run before the first worker or the first job.

use std::time::Duration;

use brigade_protocol::message::{BuildId, Exit, TaskError, TaskErrorKind};

use super::quote;

/// Why an initializer did not do its work.
///
/// ```
/// use brigade::{InitializerError, ProcessPool, StartError, task};
/// # brigade::test_support!();
///
/// #[task]
/// fn open(file: String) -> std::io::Result<()> {
///     std::fs::File::open(file).map(drop)
/// }
///
/// # fn main() {
/// let builder = ProcessPool::builder().workers(1).initializer(open("/no/such/file".to_owned()));
/// let error = builder.build().unwrap_err();
/// let StartError::Initializer { source: InitializerError::Failed(why), .. } = error else {
///     panic!("{error}");
/// };
/// assert!(why.message.starts_with("No such file"));
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitializerError {
    /// The worker program has no such task.
    #[error("no such task; the worker program offers {offered}")]
    NotOffered {
        /// The names of those that it has.
        offered: String,
    },
    /// Its arguments are typed, and the worker program is of another build.
    #[error(
        "the worker program is of another build ({theirs}) than this program ({ours}), so typed \
         arguments would be misread; pass them as JSON"
    )]
    OtherBuild {
        /// The build of the worker program.
        theirs: BuildId,
        /// The build of this program.
        ours: BuildId,
    },
    /// Its arguments do not encode.
    #[error("{0}")]
    Arguments(Box<TaskError>),
    /// Its arguments, with those of the other initializer, are too long.
    #[error(
        "the arguments of both initializers have {length} bytes, the limit is {limit}; let it read \
         them from a file"
    )]
    TooLong {
        /// How many bytes they have.
        length: usize,
        /// How many they may have.
        limit: usize,
    },
    /// The task returned an error or panicked.
    #[error("{}", failed(.0))]
    Failed(Box<TaskError>),
    /// The task left threads running, so that no worker can be forked.
    #[error(
        "left {0} threads running, and a process with threads cannot be forked safely; end them, or \
         start them in a worker_initializer"
    )]
    LeftThreads(u32),
    /// The task did not end in time.
    #[error("did not end within {patience:?}; raise start_timeout{}", quote(last_words))]
    TooSlow {
        /// How long it was awaited.
        patience: Duration,
        /// The last lines it printed.
        last_words: Vec<String>,
    },
    /// The worker program ended while it ran.
    #[error("the worker program {exit} while it ran{}", quote(last_words))]
    Died {
        /// How it ended.
        exit: Exit,
        /// The last lines it printed.
        last_words: Vec<String>,
    },
}

fn failed(error: &TaskError) -> String {
    match (error.kind, &error.location) {
        (TaskErrorKind::Panicked, Some(location)) => {
            format!("panicked at {location}: {}", error.message)
        }
        (TaskErrorKind::Panicked, None) => format!("panicked: {}", error.message),
        _ => format!("failed: {}", error.message),
    }
}
