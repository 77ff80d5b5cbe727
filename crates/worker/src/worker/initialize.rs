//! A call that belongs to no job: what a fork server, or a worker, runs before anything else.

use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::{Initializer, TaskError, TaskErrorKind};

use super::call::cut;
use brigade_task::{Context, Registry, panics};

/// Runs an initializer in this thread; a panic in it becomes an error. Makes panics of jobs be noted
/// instead of printed, as [`panics::install_hook`] does.
pub(crate) fn initialize(registry: &Registry, initializer: &Initializer) -> Result<(), TaskError> {
    let Some(task) = registry.get(initializer.task) else {
        let message = format!("no task number {}", initializer.task);
        return Err(TaskError::new(TaskErrorKind::BadArguments, message));
    };
    panics::install_hook();
    let Initializer { form, arguments, .. } = initializer;
    // Real jobs are counted from one.
    let context = Context::new(Ticket::from(JobId(0)));
    let mut output = Vec::new();
    let result = panics::catch(|| (task.entry)(&context, *form, arguments, &mut output));
    result.and_then(|result| result).map_err(cut)
}
