//! The wire, looked at from outside: golden bytes of every message, round trips, hostile bytes, the
//! handshake, the scoreboard.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p brigade-protocol --test wire` is the long form.

#![expect(clippy::unwrap_used, reason = "every unwrap here is an assertion")]

mod allocations;
mod board;
mod errors;
mod golden;
mod handshake;
mod hostile;
mod limits;
mod strategies;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;
