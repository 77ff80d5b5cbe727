//! The bulk road: jobs in on one side, settlements out on the other, in order of completion.
//!
//! No future per job, and a bounded read-ahead: [`Feed::push`] blocks while as many jobs are under
//! way as the workers can use, so that an input of any length needs the same memory.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};

use crate::capacity::Capacity;
use crate::sync::channel::{self, Receiver, Sender, select};
use crate::sync::{Condvar, Mutex, MutexGuard};
use brigade_task::host::Host;
use brigade_task::{Arguments, Job, Settlement};

use crate::host::Shared;
use crate::shell::{Message, Submission};
use crate::sink::Sink;

/// How many jobs are handed to the pool at once.
const BATCH: usize = 256;

/// The most bytes of arguments under way.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// How far the input is ahead of the reported results.
#[derive(Debug, Default)]
pub(crate) struct Window {
    held: Mutex<Held>,
    room: Condvar,
    pub(crate) capacity: Arc<Capacity>,
}

#[derive(Debug, Default)]
struct Held {
    jobs: usize,
    bytes: usize,
    /// Nobody reports any more: the receiving side is gone.
    closed: bool,
    /// The feed waits for room: `notify` is a system call even if nobody does.
    awaited: bool,
}

impl Window {
    /// Takes a place, or tells that there is no room.
    fn try_enter(&self, bytes: usize) -> bool {
        let mut held = self.lock();
        let entered = self.has_room(&held);
        if entered {
            held.jobs += 1;
            held.bytes += bytes;
        }
        entered
    }

    fn enter(&self, bytes: usize) {
        let mut held = self.lock();
        while !self.has_room(&held) {
            held.awaited = true;
            held = self.room.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        held.jobs += 1;
        held.bytes += bytes;
    }

    fn leave(&self, jobs: usize, bytes: usize) {
        let mut held = self.lock();
        held.jobs = held.jobs.saturating_sub(jobs);
        held.bytes = held.bytes.saturating_sub(bytes);
        // A quarter at a time: otherwise each job that ends would wake the feed, and that the loop.
        let appetite = self.capacity.appetite();
        let worth_it =
            held.jobs <= appetite - appetite / 4 && held.bytes <= MOST_BYTES - MOST_BYTES / 4;
        let awaited = worth_it && std::mem::take(&mut held.awaited);
        drop(held);
        if awaited {
            self.room.notify_one();
        }
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
    }

    fn has_room(&self, held: &Held) -> bool {
        let appetite = self.capacity.appetite().max(1);
        held.closed || held.jobs == 0 || (held.jobs < appetite && held.bytes < MOST_BYTES)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the jobs of a stream go in. Dropping it ends the input.
///
/// ```
/// use brigade::{Job, ThreadPool, builtin};
///
/// let pool = ThreadPool::builder().workers(2).registry(builtin::registry()).build()?;
/// let (mut feed, settlements) = pool.stream();
/// std::thread::spawn(move || {
///     (0..10_000).for_each(|n| feed.push(n, Job::json("double", n.to_string())));
/// });
/// let mut sum = 0;
/// while let Some(settlement) = settlements.wait_next() {
///     sum += settlement.tag;
///     settlements.dealt_with(1, settlement.tag.to_string().len());
/// }
/// assert_eq!(sum, 10_000 * 9_999 / 2);
/// # Ok::<(), brigade::Error>(())
/// ```
pub struct Feed {
    shared: Arc<Shared>,
    window: Arc<Window>,
    to: Sender<Settlement>,
    batch: Vec<Submission>,
}

impl Feed {
    /// Submits a job; `tag` comes back with its settlement. It may wait in a batch of up to 256 until
    /// [`Feed::flush`]. Blocks while the pool has enough to do. Once the [`Settlements`] are dropped,
    /// jobs are dropped too.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).registry(brigade::builtin::registry()).build()?;
    /// let (mut feed, settlements) = pool.stream();
    /// feed.push(100, prime_count(0, 100));
    /// drop(feed);
    /// assert_eq!(settlements.wait_next().map(|settlement| settlement.tag), Some(100));
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn push<T, A: Arguments>(&mut self, tag: u64, job: Job<T, A>) {
        if self.window.is_closed() {
            return;
        }
        let (task, form, arguments, options) = job.into_parts();
        let bytes = arguments.as_ref().map_or(0, |arguments| arguments.length().bytes);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if !self.window.try_enter(bytes) {
            // What is held back here may be what the window waits for.
            self.flush();
            self.window.enter(bytes);
        }
        let sink = Sink::stream(self.shared.new_id(), tag, self.to.clone());
        let submission = self.shared.submission(&task, None, form, arguments, options, sink);
        self.batch.extend(submission);
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    /// Hands over what is held back; call it before waiting for more input.
    ///
    /// ```
    /// # use brigade::{ThreadPool, builtin::prime_count};
    /// # let pool = ThreadPool::builder().workers(1).registry(brigade::builtin::registry()).build()?;
    /// let (mut feed, settlements) = pool.stream();
    /// feed.push(1, prime_count(0, 100));
    /// feed.flush(); // or this would wait for the next 255 jobs
    /// assert!(settlements.wait_next().is_some());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn flush(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.shared.inbox.send(Message::Submit(batch));
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.flush();
        self.shared.inbox.send(Message::InputEnded);
    }
}

/// Where the settlements of a stream come out, in order of completion. It ends when the [`Feed`] is
/// dropped and every job is settled, or when the pool is over.
///
/// The feed goes on only as settlements are [dealt with](Settlements::dealt_with): when they have been
/// written, for example, rather than when they are put aside to be written in order.
///
/// ```
/// use brigade::{ThreadPool, builtin, builtin::prime_count, protocol::codec};
///
/// let pool = ThreadPool::builder().workers(1).registry(builtin::registry()).build()?;
/// let (mut feed, settlements) = pool.stream();
/// feed.push(0, prime_count(0, 100));
/// feed.push(1, prime_count(0, u64::MAX));
/// drop(feed);
/// while let Some(settlement) = settlements.wait_next() {
///     match settlement.result {
///         Ok(output) => assert_eq!(codec::decode_value::<u64>(&output)?, 25),
///         Err(error) => assert!(error.is_failed() && settlement.tag == 1),
///     }
/// }
/// # Ok::<(), brigade::Error>(())
/// ```
pub struct Settlements {
    window: Arc<Window>,
    from: Receiver<Settlement>,
    over: Receiver<Infallible>,
}

impl Settlements {
    /// Tells that this many settlements, with this many bytes of arguments, have been dealt with:
    /// that makes room for as many new jobs.
    ///
    /// ```
    /// # use brigade::{Job, ThreadPool};
    /// # let pool = ThreadPool::builder().workers(1).registry(brigade::builtin::registry()).build()?;
    /// let (mut feed, settlements) = pool.stream();
    /// feed.push(0, Job::json("double", "21"));
    /// drop(feed);
    /// while settlements.wait_next().is_some() {
    ///     settlements.dealt_with(1, "21".len());
    /// }
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn dealt_with(&self, jobs: usize, bytes: usize) {
        self.window.leave(jobs, bytes);
    }

    /// Waits for the next settlement; `None` at the end.
    ///
    /// ```
    /// # use brigade::{Job, ThreadPool};
    /// # let pool = ThreadPool::builder().workers(1).registry(brigade::builtin::registry()).build()?;
    /// let (mut feed, settlements) = pool.stream();
    /// feed.push(0, Job::json("double", "21"));
    /// drop(feed);
    /// let settlement = settlements.wait_next().expect("one job was pushed");
    /// assert_eq!(settlement.result?, b"42");
    /// assert!(settlements.wait_next().is_none());
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn wait_next(&self) -> Option<Settlement> {
        if let Some(settlement) = self.try_next() {
            return Some(settlement);
        }
        select! {
            recv(self.from) -> settlement => settlement.ok(),
            // Every job that the pool had was settled before; what it did not take is refused.
            recv(self.over) -> _ => self.try_next(),
        }
    }

    /// The next settlement if one is there now.
    ///
    /// ```
    /// # use brigade::{Job, ThreadPool};
    /// # let pool = ThreadPool::builder().workers(1).registry(brigade::builtin::registry()).build()?;
    /// let (mut feed, settlements) = pool.stream();
    /// assert!(settlements.try_next().is_none());
    /// feed.push(0, Job::json("double", "21"));
    /// feed.flush();
    /// while settlements.try_next().is_none() {
    ///     std::thread::yield_now(); // or something useful
    /// }
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn try_next(&self) -> Option<Settlement> {
        self.from.try_recv().ok()
    }
}

impl Drop for Settlements {
    fn drop(&mut self) {
        self.window.close();
    }
}

pub(crate) fn stream(shared: Arc<Shared>) -> (Feed, Settlements) {
    let (to, from) = channel::unbounded();
    let window = Arc::new(Window { capacity: Arc::clone(&shared.capacity), ..Window::default() });
    shared.inbox.send(Message::InputOpened);
    let over = shared.over.clone();
    let feed = Feed { shared, window: Arc::clone(&window), to, batch: Vec::new() };
    (feed, Settlements { window, from, over })
}
