//! What crosses the process boundary between a Brigade supervisor and its workers, and only that.
//!
//! Any program can be a worker program, or drive one, with nothing but this crate: it holds the
//! [ids](id), the [messages](message), their [codec], the [handshake] that opens a conversation and
//! the layout of the [scoreboard](board). It starts no process, keeps no state and makes no decision.
//!
//! ```text
//!  supervisor                                 fork server                        worker
//!      │ ── starts it, with VARIABLE set ─────────▶ │
//!      │ ◀──────────── Greeting: Hello ──────────── │   (handshake, one-shot)
//!      │ ── Request: Configure ───────────────────▶ │   (only if anything is to be configured)
//!      │ ◀──────────── Report: Configured ───────── │
//!      │ ── Request: Spawn + far channel ends ────▶ │ ── fork ─────────────────────▶ │
//!      │ ◀──────────── Report: Spawned ──────────── │                                │
//!      │ ◀───────────────────────────────────────────────────── FromWorker: Ready ── │
//!      │ ── ToWorker: Frame of calls ──────────────────────────────────────────────▶ │
//!      │ ◀─────────────────────────────────────────────────── FromWorker: Replies ── │
//!      │                                            │                                │
//!      │ ── ToWorker: Expect ──────────────────────────────────────────────────────▶ │   (large values,
//!      │ ◀────────────────────────────────────────────────────── FromWorker: Room ── │   copied directly)
//!      │ ◀───────────────────────────────────────────────────── FromWorker: Offer ── │
//!      │ ── ToWorker: Fetched ─────────────────────────────────────────────────────▶ │
//!      │                                            │                                │
//!      │ ◀──────────────────────── FromWorker: Submit, Reserve, Abandon, Cancel ──── │   (a running job
//!      │ ── ToWorker: Accepted, now and then ──────────────────────────────────────▶ │   and others)
//!      │ ◀────────────────────────────────────────────────────── FromWorker: Wait ── │
//!      │ ── ToWorker: Settled, or WaitFailed ──────────────────────────────────────▶ │
//!      │ ◀─────────────────────────────────────────────────────── FromWorker: Ask ── │
//!      │ ── ToWorker: Told ────────────────────────────────────────────────────────▶ │
//!      │ ◀────────────────────────────────── FromWorker: Taken, for each of these ── │
//!      │                                            │                                │
//!      │ ── Request: Reap ────────────────────────▶ │ ◀─ exit ────────────────────── │
//!      │ ◀──────────── Report: Reaped ───────────── │
//! ```
//!
//! # The rules of the wire
//!
//! * Arguments and outputs are bincode with numbers as long as their type (see
//!   [`encode_value`](codec::encode_value)), if they are not JSON.
//! * Every message is bincode (standard configuration) in one packet of at most
//!   [`MAX_MESSAGE`](codec::MAX_MESSAGE) bytes; what is larger travels in
//!   [parts](message::ToWorker::Part), or is copied by the supervisor alone from one address space to the
//!   other, in both directions: see [`Expect`](message::ToWorker::Expect) and
//!   [`Offer`](message::FromWorker::Offer). A length that lies costs a bounded allocation at most (see
//!   [`codec`]), and bytes that trail a message are an error.
//! * What the supervisor has under way to a worker fits the channel's buffer, so that sending never
//!   blocks: unanswered frames of 118,784 bytes in all, counted with 2,048 for each; or half of that
//!   beside two unread parts. What a job asked for counts as a part: it is answered with
//!   [`Taken`](message::FromWorker::Taken). So do `Expect` and `Fetched`.
//! * A worker may only answer a [`Ticket`](id::Ticket) that it holds, and only in the name of one may it
//!   submit jobs, wait for them or ask about them. Anything else is a violation, upon which it is killed.
//! * A worker gives [ids of its own](id::JobId::nested) to the jobs that its jobs submit. What it wants of
//!   the supervisor is counted: see [`MOST_UNACCEPTED`](message::MOST_UNACCEPTED); and an attempt waits for
//!   one answer at a time.
//! * An attempt that waits runs on: its worker goes on reading, and answers recalls.
//! * A reader never sends, on either side.
//! * A fork server may be given descriptors that ipc-channel cannot carry: its standard input is then a
//!   socket, on which one byte with one descriptor comes for the scoreboard and for each worker's output.
//!   A program that needs neither, like the one below, leaves it alone; `brigade-worker` insists on it.
//! * The first twelve bytes of a [`Hello`](message::Hello) never change from version to version.
//!
//! # A worker program in some forty lines
//!
//! It serves one worker, in its own process, which is enough for a driver that asks for one, and it
//! knows bincode only: the program `supervisor`, which asks in JSON, is told so.
//!
//! ```no_run
#![doc = include_str!("../examples/tiny_worker.rs")]
//! ```
//!
//! # A driver in some forty lines
//!
//! A real one bounds the wait for the hello: see [`handshake::withdraw`].
//!
//! `cargo run -p brigade-protocol --example tiny_driver -- target/debug/examples/tiny_worker`
//! prints `21 twice is 42`.
//!
//! ```no_run
#![doc = include_str!("../examples/tiny_driver.rs")]
//! ```

pub mod board;
pub mod codec;
pub mod error;
pub mod handshake;
pub mod id;
pub mod message;

pub use ipc_channel;

/// The version of this protocol. Supervisor and worker program must agree on it.
pub const VERSION: u32 = 4;

/// The environment variable that makes a process a fork server: it holds the name at which the
/// supervisor waits. A process that carries it must not build a pool, so nothing can multiply.
pub const VARIABLE: &str = "BRIGADE_FORK_SERVER";

/// The environment variable that every worker and its descendants carry: the [`WorkerId`](id::WorkerId) they
/// belong to, so that a process which left its worker's group can still be told whose it was.
pub const WORKER_VARIABLE: &str = "BRIGADE_WORKER";

/// The environment variable that tells the fork server the soft limit of open descriptors which its
/// workers are to have: the supervisor raised its own before it started it.
pub const DESCRIPTORS_VARIABLE: &str = "BRIGADE_NOFILE";
