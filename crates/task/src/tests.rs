//! The gathering of results, over a host that runs nothing by itself: it ends jobs only while somebody
//! waits, one at a time, so that every order is the test's own.

mod async_runtimes;
mod callbacks;
pub(crate) mod fake;
mod gather;
mod map;
mod pack;
mod scope;
