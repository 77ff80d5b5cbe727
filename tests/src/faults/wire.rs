//! Tasks that meddle with their worker's channels.
//!
//! A channel is a socket for packets. A worker has one from which it receives and one to which it
//! sends; a task cannot tell them apart from outside, so these tasks do their mischief to both.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::{fs, process};

use brigade_protocol::codec;
use brigade_protocol::id::{JobId, Ticket};
use brigade_protocol::message::{FromWorker, Reply, Value};
use brigade_worker::{Context, task};
use nix::libc;
use nix::sys::socket::{self, MsgFlags, SockType, getsockopt, sockopt};

use super::endings::sleep_for_ever;

/// Closes its worker's channels, and then does what THEN says: `return` or `hang`.
#[task(unlisted)]
pub fn close(then: String) {
    for channel in channels() {
        // SAFETY: none: what belongs to somebody else is closed, which is the point of this task.
        unsafe { libc::close(channel) };
    }
    if then == "hang" {
        sleep_for_ever();
    }
}

/// Sends so many packets of noise on its worker's channels, each a message as the transport has
/// them with a content that means nothing; then never ends.
#[task(unlisted)]
pub fn garble(packets: u32) {
    for _ in 0..packets {
        send(&[0xff; 100]);
    }
    sleep_for_ever();
}

/// Answers for a job that its worker does not have; WHOSE is `another` job, or another `attempt`
/// at its own. Then never ends.
#[task(unlisted)]
pub fn lie(context: &Context, whose: String) {
    let own = Ticket { job: context.job(), attempt: context.attempt() };
    let ticket = match &*whose {
        "another" => Ticket { job: JobId(own.job.0 + 1_000_000), ..own },
        _ => Ticket { attempt: own.attempt + 1, ..own },
    };
    let result = Ok(Value::Inline(b"\"a lie\""));
    let reply = Reply { ticket, started: 0, elapsed: 0, result };
    let message = codec::encode(&FromWorker::Replies(vec![reply]));
    send(&message.expect("it is a message"));
    sleep_for_ever();
}

/// Writes so many BYTES on its worker's channels that are no packet of the transport at all; then
/// never ends.
#[task(unlisted)]
pub fn scribble(bytes: usize) {
    for channel in channels() {
        let _ = socket::send(channel, &vec![b'x'; bytes], MsgFlags::MSG_DONTWAIT);
    }
    sleep_for_ever();
}

/// A packet as the transport makes it: its own length, the length of the content, the content.
fn send(content: &[u8]) {
    let header = 2 * size_of::<usize>();
    let mut packet = (header + content.len()).to_ne_bytes().to_vec();
    packet.extend(content.len().to_ne_bytes());
    packet.extend(content);
    for channel in channels() {
        // What is only received from takes it all the same: nobody reads it there.
        let _ = socket::send(channel, &packet, MsgFlags::MSG_DONTWAIT);
    }
}

/// The sockets for packets that this process has.
fn channels() -> Vec<RawFd> {
    let listing = fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let numbers = listing.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let channels: Vec<RawFd> =
        numbers.filter(|number| *number > 2 && is_channel(*number)).collect();
    if channels.is_empty() {
        process::exit(99);
    }
    channels
}

fn is_channel(number: RawFd) -> bool {
    // SAFETY: the number was listed as open; if it is closed meanwhile, asking for it fails.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    debug_assert_eq!(descriptor.as_raw_fd(), number);
    getsockopt(&descriptor, sockopt::SockType).is_ok_and(|kind| kind == SockType::SeqPacket)
}
