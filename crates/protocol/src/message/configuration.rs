//! What a fork server and all its workers can be told to be like, before there are workers.

use serde::{Deserialize, Serialize};

use super::{Form, TaskError};
use crate::id::TaskId;

/// How a fork server and all its workers are to be. The default changes nothing.
///
/// ```
/// use brigade_protocol::message::{Configuration, Request};
///
/// let configuration = Configuration { nice: 10, ..Configuration::default() };
/// let request = Request::Configure(configuration);
/// # assert!(matches!(request, Request::Configure(_)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// What is added to the niceness, from 0 to 19.
    pub nice: i32,
    /// The resident size, in bytes, above which a worker says that it has [`FromWorker::Grown`](super::FromWorker::Grown).
    pub max_rss: Option<u64>,
    /// What the fork server runs once, now, so that its workers share what it loads.
    pub initializer: Option<Initializer>,
    /// What each worker runs before it is ready.
    pub worker_initializer: Option<Initializer>,
}

/// A call that belongs to no job; its output is not wanted.
///
/// ```
/// use brigade_protocol::id::TaskId;
/// use brigade_protocol::message::{Configuration, Form, Initializer};
///
/// let load = Initializer { task: TaskId(0), form: Form::Json, arguments: b"[\"table\"]".to_vec() };
/// let configuration = Configuration { initializer: Some(load), ..Configuration::default() };
/// # assert_eq!(configuration.worker_initializer, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initializer {
    /// What to run.
    pub task: TaskId,
    /// How the arguments are written.
    pub form: Form,
    /// The arguments; both initializers' together fit a message.
    #[serde(with = "serde_bytes")]
    pub arguments: Vec<u8>,
}

/// Why a fork server cannot be as [`Request::Configure`](super::Request::Configure) said.
///
/// ```
/// use brigade_protocol::message::ConfigurationError;
///
/// let error = ConfigurationError::Threads(2);
/// assert_eq!(error.to_string(), "its initializer left 2 threads running");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ConfigurationError {
    /// The niceness cannot be changed; the system's error number.
    #[error("its niceness cannot be changed: error {0} of the system")]
    Nice(i32),
    /// The initializer returned an error or panicked.
    #[error("its initializer failed: {0}")]
    Failed(TaskError),
    /// The initializer left so many threads behind, so nothing can be forked any more.
    #[error("its initializer left {0} threads running")]
    Threads(u32),
}
