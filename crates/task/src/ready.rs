//! A job whose arguments are encoded, on its way to a host: by itself, or as a plain call that joins a run.

use std::borrow::Cow;
use std::cell::Cell as Scratch;
use std::sync::Arc;

use brigade_protocol::id::JobId;
use brigade_protocol::message::{Form, Options, TaskError};

use crate::blob::outside::Blobs;
use crate::bound::Permit;
use crate::cell::Cell;
use crate::handle::Handles;
use crate::host::{Call, LONGEST, Submission};
use crate::job::Decode;
use crate::task::Task;

/// The most bytes of a buffer that serves again.
const MOST_SCRATCH: usize = 256;

thread_local! {
    /// Where arguments are encoded of which nobody keeps the buffer.
    static SCRATCH: Scratch<Vec<u8>> = const { Scratch::new(Vec::new()) };
}

/// See the [module documentation](self).
pub(crate) struct Ready<T> {
    task: Cow<'static, str>,
    known: Option<&'static Task>,
    form: Form,
    arguments: Result<Vec<u8>, TaskError>,
    handles: Handles,
    blobs: Blobs,
    options: Option<Box<Options>>,
    decode: Decode<T>,
}

impl<T> Ready<T> {
    /// A call of this task, whose arguments `encode` writes; it tells which handles and blobs are in them.
    pub(crate) fn new(
        (task, known, form, decode): (Cow<'static, str>, Option<&'static Task>, Form, Decode<T>),
        options: Option<Box<Options>>,
        encode: impl FnOnce(&mut Vec<u8>) -> ((Result<(), TaskError>, Handles), Blobs),
    ) -> Self {
        let mut bytes = SCRATCH.take();
        let ((encoded, handles), blobs) = encode(&mut bytes);
        let arguments = encoded.map(|()| bytes);
        Self { task, known, form, arguments, handles, blobs, options, decode }
    }

    /// It as a call that can travel in a run, if it is one.
    pub(crate) fn as_call(&self) -> Option<Call<'_>> {
        let arguments = self.arguments.as_ref().ok().filter(|bytes| bytes.len() <= LONGEST)?;
        let is_plain = self.options.is_none() && self.handles.is_empty() && self.blobs.is_empty();
        let Self { task, known, form, .. } = self;
        is_plain.then_some(Call { task, known: *known, form: *form, arguments })
    }

    /// How many bytes of arguments it brings.
    pub(crate) fn bytes(&self) -> usize {
        let blobs = usize::try_from(self.blobs.bytes()).unwrap_or(usize::MAX);
        self.arguments.as_ref().map_or(0, Vec::len).saturating_add(blobs)
    }

    /// What is needed to read its result. It was submitted as a call.
    pub(crate) fn called(self) -> (Cow<'static, str>, Decode<T>) {
        // A large one would be kept by the next job that takes its buffer with it.
        if let Ok(mut bytes) = self.arguments
            && bytes.capacity() <= MOST_SCRATCH
        {
            bytes.clear();
            SCRATCH.set(bytes);
        }
        (self.task, self.decode)
    }

    /// It as its host takes it, and what is needed to read its result.
    pub(crate) fn into_submission(
        self,
        job: JobId,
        cell: Arc<Cell>,
        permit: Option<Permit>,
    ) -> (Submission, Cow<'static, str>, Decode<T>) {
        let Self { task, known, form, arguments, handles, blobs, options, decode } = self;
        let options = options.map(|options| *options).unwrap_or_default();
        let name = task.clone();
        let submission =
            Submission { job, task, known, form, arguments, blobs, options, handles, cell, permit };
        (submission, name, decode)
    }
}
