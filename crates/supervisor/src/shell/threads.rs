//! Threads of this process: the crew of a thread pool.
