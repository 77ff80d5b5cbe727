//! What a running task can know of its job, and ask of its pool.

use std::fmt;
use std::sync::{Arc, OnceLock};

use brigade_protocol::id::{JobId, Ticket};

use crate::executor::Executor;
use crate::host::{Host, Place};
use crate::in_place;

/// What a running task can know of its job, and ask of its pool.
///
/// A task whose first parameter is a `&Context` is given the one of its job. It is an [`Executor`]: jobs
/// that are submitted to it run on the pool that runs this one. A job that waits for others gives its
/// place to another worker meanwhile, so a pool of one worker is enough.
///
/// ```
/// use brigade::{Context, ThreadPool, task};
///
/// #[task]
/// fn fib(context: &Context, n: u64) -> brigade::Result<u64> {
///     if n < 2 {
///         return Ok(n);
///     }
///     let (a, b) = (context.submit(fib(n - 1)), context.submit(fib(n - 2)));
///     Ok(context.wait(a)? + context.wait(b)?)
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let pool = ThreadPool::builder().workers(1).build()?;
/// assert_eq!(pool.submit(fib(10)).result()?, 55);
/// # Ok(())
/// # }
/// ```
pub struct Context {
    ticket: Ticket,
    label: Option<Box<str>>,
    place: Arc<dyn Place>,
    host: OnceLock<Arc<dyn Host>>,
}

impl Context {
    /// The context of one attempt, which runs in this place and whose jobs do.
    ///
    /// ```
    /// use brigade::{Context, protocol::id::JobId, task};
    ///
    /// #[task]
    /// fn which_try(context: &Context) -> u32 {
    ///     context.attempt()
    /// }
    ///
    /// # fn main() {
    /// // A test of the task, without a pool.
    /// let context = Context::new(JobId(7).into());
    /// assert_eq!(which_try::call(&context), 1);
    /// # }
    /// ```
    pub fn new(ticket: Ticket) -> Self {
        Self::at(in_place::place(), ticket, None)
    }

    /// The context of one attempt that runs in this place.
    #[doc(hidden)]
    pub fn at(place: Arc<dyn Place>, ticket: Ticket, label: Option<&str>) -> Self {
        Self { ticket, label: label.map(Into::into), place, host: OnceLock::new() }
    }

    /// The attempt has ended: no more jobs can be submitted in its name.
    #[doc(hidden)]
    #[inline]
    pub fn close(&mut self) {
        if let Some(host) = self.host.take() {
            host.close();
        }
    }

    /// Becomes the context of the next attempt in this place, after that of the last one was
    /// [closed](Self::close).
    #[doc(hidden)]
    #[inline]
    pub fn renew(&mut self, ticket: Ticket, label: Option<&str>) {
        self.ticket = ticket;
        if self.label.is_some() || label.is_some() {
            self.label = label.map(Into::into);
        }
    }

    /// The job's id.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let future = pool.submit_with(|context| context.job());
    /// let job = future.job();
    /// assert_eq!(future.result()?, job);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn job(&self) -> JobId {
        self.ticket.job
    }

    /// Which try at the job this is, counted from one.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// assert_eq!(pool.submit_with(|context| context.attempt()).result()?, 1);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn attempt(&self) -> u32 {
        self.ticket.attempt
    }

    /// The label that the job was given.
    ///
    /// ```
    /// use brigade::{Context, task};
    ///
    /// #[task]
    /// fn who_am_i(context: &Context) -> Option<String> {
    ///     context.label().map(str::to_owned)
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// assert_eq!(who_am_i().label("Ada").run()?.as_deref(), Some("Ada"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Whether somebody wants this job to stop: its cancellation was asked for while it ran, or its pool
    /// is being stopped. A long task looks now and then, and returns an error.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # use std::sync::mpsc::channel;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// let (start, started) = channel();
    /// let future = pool.submit_with(move |context| {
    ///     drop(start.send(()));
    ///     while !context.is_cancelled() {
    ///         std::thread::yield_now(); // a piece of the work
    ///     }
    ///     "stopped"
    /// });
    /// started.recv()?;
    /// assert!(!future.cancel(), "it has been started");
    /// assert_eq!(future.result()?, "stopped");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.place.is_cancelled(self.ticket)
    }

    /// Tells how far this job has come: `done` of `total`, in any unit. It costs two stores to memory,
    /// whatever reads it.
    ///
    /// ```
    /// use brigade::{Context, ThreadPool, task};
    ///
    /// #[task]
    /// fn sum_up(context: &Context, numbers: Vec<u64>) -> u64 {
    ///     let total = numbers.len() as u64;
    ///     (0..total).zip(numbers).inspect(|(done, _)| context.progress(*done, total)).map(|(_, n)| n).sum()
    /// }
    ///
    /// # fn main() -> brigade::Result<()> {
    /// let pool = ThreadPool::builder().workers(1).build()?;
    /// assert_eq!(pool.submit(sum_up(vec![1, 2, 3])).result()?, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn progress(&self, done: u64, total: u64) {
        self.place.progress(done, total);
    }

    /// The most bytes that the job's output may have when it is encoded: a task that gathers much can stop
    /// before it fills the memory with what would be refused. On a thread there is no limit.
    ///
    /// ```
    /// # use brigade::ThreadPool;
    /// # let pool = ThreadPool::builder().workers(1).build()?;
    /// assert_eq!(pool.submit_with(|context| context.max_output()).result()?, u64::MAX);
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn max_output(&self) -> u64 {
        self.place.max_output()
    }

    crate::executor_methods!();
}

impl Executor for Context {
    fn host(&self) -> &Arc<dyn Host> {
        self.host.get_or_init(|| self.place.host(self.ticket))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", self.ticket)
    }
}
