//! The methods of an executor as methods of a type, so that its users need not import the trait.

/// Writes them into an `impl` block of an [`Executor`](crate::Executor).
#[doc(hidden)]
#[macro_export]
macro_rules! executor_methods {
    () => {
        /// Submits a job. What prevents it from running is told by the future. Blocks while the queue is
        /// full, if it has a bound. See `Executor::submit`.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(1).build()?;
        /// let future = pool.submit(prime_count(0, 100));
        /// assert_eq!(future.result()?, 25);
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn submit<T, A: $crate::Arguments>(&self, job: $crate::Job<T, A>) -> $crate::Future<T> {
            $crate::Executor::submit(self, job)
        }

        /// Submits a job unless the queue is full. See
        /// `Executor::try_submit`.
        ///
        /// # Errors
        ///
        /// The job itself, if the queue is full.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(1).max_queued(8).build()?;
        /// let future = pool.try_submit(prime_count(0, 100)).expect("there is room");
        /// assert_eq!(future.result()?, 25);
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn try_submit<T, A: $crate::Arguments>(
            &self,
            job: $crate::Job<T, A>,
        ) -> Result<$crate::Future<T>, $crate::Job<T, A>> {
            $crate::Executor::try_submit(self, job)
        }

        /// The results of jobs, in the order of the jobs, which may be endless. See
        /// `Executor::map` and `Map`.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(2).build()?;
        /// let counts = pool.map((1..4).map(|n| prime_count(0, 10 * n)));
        /// assert_eq!(counts.collect::<Result<Vec<_>, _>>()?, [4, 8, 10]);
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn map<T, A: $crate::Arguments, I>(&self, jobs: I) -> $crate::Map<T, I::IntoIter>
        where
            I: IntoIterator<Item = $crate::Job<T, A>>,
        {
            $crate::Executor::map(self, jobs)
        }

        /// The results of jobs, each with the number of its job, in the order in which these end. See
        /// `Executor::map_unordered`.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(2).build()?;
        /// let mut counts = [0; 3];
        /// for (number, count) in pool.map_unordered((1..4).map(|n| prime_count(0, 10 * n))) {
        ///     counts[number] = count?;
        /// }
        /// assert_eq!(counts, [4, 8, 10]);
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn map_unordered<T, A: $crate::Arguments, I>(
            &self,
            jobs: I,
        ) -> $crate::MapUnordered<T, I::IntoIter>
        where
            I: IntoIterator<Item = $crate::Job<T, A>>,
        {
            $crate::Executor::map_unordered(self, jobs)
        }

        /// A seat for a job to come, whose handle can be given to other jobs before it is submitted. See
        /// `Executor::reserve`.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(1).build()?;
        /// let seat = pool.reserve();
        /// let handle = seat.handle(); // can be an argument of other jobs, before there is this one
        /// pool.submit_as(seat, prime_count(0, 100));
        /// assert_eq!(pool.wait(handle)?, 25);
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn reserve<T>(&self) -> $crate::Reserved<T> {
            $crate::Executor::reserve(self)
        }

        /// Submits the job for which a seat was reserved, with the same executor. See
        /// `Executor::submit_as`.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(1).build()?;
        /// let seat = pool.reserve();
        /// let job = seat.job();
        /// assert_eq!(pool.submit_as(seat, prime_count(0, 100)).job(), job);
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn submit_as<T, A: $crate::Arguments>(
            &self,
            seat: $crate::Reserved<T>,
            job: $crate::Job<T, A>,
        ) -> $crate::Future<T> {
            $crate::Executor::submit_as(self, seat, job)
        }

        /// Waits for a job's result, by its future or its handle. See
        /// `Executor::wait`.
        ///
        /// # Errors
        ///
        /// The error of the job, or why it must not be waited for.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(1).build()?;
        /// let future = pool.submit(prime_count(0, 100));
        /// assert_eq!(pool.wait(&future)?, 25);
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn wait<T, F: $crate::handle::Awaitable<T>>(
            &self,
            job: F,
        ) -> Result<T, $crate::JobError> {
            $crate::Executor::wait(self, job)
        }

        /// Calls `block` with an executor of the same jobs, and returns when all that was submitted
        /// through it is settled. See `Executor::scope`.
        ///
        /// ```
        /// use brigade::{ThreadPool, builtin::prime_count};
        ///
        /// let pool = ThreadPool::builder().workers(2).build()?;
        /// let futures = pool.scope(|scope| [10, 100].map(|to| scope.submit(prime_count(0, to))));
        /// assert!(futures.iter().all(|future| future.done()));
        /// # Ok::<(), brigade::Error>(())
        /// ```
        pub fn scope<R>(&self, block: impl FnOnce(&$crate::Scope) -> R) -> R {
            $crate::Executor::scope(self, block)
        }
    };
}
