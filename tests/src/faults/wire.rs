//! Tasks that meddle with their worker's channels.
//!
//! A channel is a socket for packets. A worker has one from which it receives and one to which it
//! sends; a task cannot tell them apart from outside, so these tasks do their mischief to both.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;
use std::{fs, process};

use brigade_protocol::codec;
use brigade_protocol::id::{JobId, TaskId, Ticket, WorkerId};
use brigade_protocol::message::{
    Form, FromWorker, Length, MOST_AWAITED, MOST_HANDLES, MOST_SHARES, Options, Piece, Question,
    Reply, Submit, Value,
};
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

/// Says something about other jobs that no honest worker says, as WHAT tells, and never ends.
#[task(unlisted)]
pub fn meddle(context: &Context, what: String) {
    let own = Ticket { job: context.job(), attempt: context.attempt() };
    for message in mischief(own, &what) {
        say(&message);
    }
    sleep_for_ever();
}

/// Says something odd that a worker may say, as WHAT tells.
#[task(unlisted)]
pub fn mumble(context: &Context, what: String) {
    let own = Ticket { job: context.job(), attempt: context.attempt() };
    for message in oddity(own, &what) {
        say(&message);
    }
}

/// Says something about large values that no honest worker says, as WHAT tells, and never ends.
#[task(unlisted)]
pub fn offer(context: &Context, what: String) {
    let ticket = Ticket { job: context.job(), attempt: context.attempt() };
    let bytes = vec![b'x'; 1_000_000];
    let (whole, length) = (Piece::of(&bytes), Length::plain(1_000_000));
    let offer = |length, piece| FromWorker::Offer { ticket, length, pieces: vec![piece] };
    let messages = match &*what {
        "what is not there" => vec![offer(length, Piece { address: 4096, ..whole })],
        "what does not end" => vec![offer(length, Piece { address: u64::MAX - 7, ..whole })],
        "more than is there" => {
            let piece = Piece { length: 1 << 62, ..whole };
            vec![offer(Length::plain(1 << 62), piece)]
        }
        "another length" => vec![offer(Length::plain(999_999), whole)],
        "more blobs than bytes" => vec![offer(Length { blobs: 1_000_001, ..length }, whole)],
        "twice" => vec![offer(length, whole), offer(length, whole)],
        "room that nobody wants" => vec![FromWorker::Room { ticket, address: whole.address }],
        "and mention something else" => {
            let result = Ok(Value::Parts(Length::plain(2)));
            let reply = Reply { ticket, started: 0, elapsed: 0, result };
            vec![offer(length, whole), FromWorker::Replies(vec![reply])]
        }
        _ => panic!("no such offer: {what}"),
    };
    for message in messages {
        say(&message);
    }
    sleep_for_ever();
}

/// Something that is not allowed.
fn mischief(own: Ticket, what: &str) -> Vec<FromWorker<'static>> {
    let (waiter, asker, parent) = (own, own, own);
    let unheld = Ticket { job: JobId(own.job.0 + 1_000_000), attempt: 1 };
    let submit = |parent, job| submit(parent, job, "hang", b"[]");
    let reserve = FromWorker::Reserve { parent, job: id(1) };
    let wait = |jobs: Vec<JobId>| FromWorker::Wait { waiter, jobs };
    match what {
        "submit for another job" => vec![FromWorker::Submit(submit(unheld, id(1)))],
        "submit for another attempt" => {
            let later = Ticket { attempt: own.attempt + 1, ..own };
            vec![FromWorker::Submit(submit(later, id(1)))]
        }
        "submit an outsider" => vec![FromWorker::Submit(submit(own, JobId(1 << 31)))],
        "submit a job of another worker" => {
            vec![FromWorker::Submit(submit(own, JobId::nested(WorkerId(1 << 30), 1)))]
        }
        "submit twice" => [id(1); 2].map(|job| FromWorker::Submit(submit(own, job))).into(),
        "submit parts that never came" => {
            let arguments = Value::Parts(Length::plain(1_000_000));
            vec![FromWorker::Submit(Submit { arguments, ..submit(own, id(1)) })]
        }
        "submit a long label" => {
            let label = Some("x".repeat(60_000).into());
            let options = Options { label, ..Options::default() };
            vec![FromWorker::Submit(Submit { options, ..submit(own, id(1)) })]
        }
        "submit many handles" => {
            let handles = vec![JobId(1); MOST_HANDLES + 1];
            vec![FromWorker::Submit(Submit { handles, ..submit(own, id(1)) })]
        }
        "submit many shares" => {
            let shares = vec![1; MOST_SHARES + 1];
            vec![FromWorker::Submit(Submit { shares, ..submit(own, id(1)) })]
        }
        "reserve twice" => vec![reserve.clone(), reserve],
        "reserve for another job" => {
            vec![FromWorker::Reserve { parent: unheld, job: id(1) }]
        }
        "abandon an outsider" => vec![FromWorker::Abandon(own.job)],
        "wait for nothing" => vec![wait(vec![])],
        "wait for too many" => vec![wait(vec![id(1); MOST_AWAITED + 1])],
        "wait for another job" => vec![FromWorker::Wait { waiter: unheld, jobs: vec![own.job] }],
        "wait twice" => {
            vec![FromWorker::Submit(submit(own, id(1))), wait(vec![id(1)]), wait(vec![id(1)])]
        }
        "ask and ask" => {
            let question = Question::HasEnded;
            vec![FromWorker::Ask { asker, job: own.job, question }; 2000]
        }
        _ => panic!("no such mischief: {what}"),
    }
}

/// Something that is allowed, and about which nobody must stumble.
fn oddity(own: Ticket, what: &str) -> Vec<FromWorker<'static>> {
    let submit = |job| FromWorker::Submit(submit(own, job, "double", b"[1]"));
    let reserve = |job| FromWorker::Reserve { parent: own, job };
    match what {
        "submit an unknown task" => {
            let unknown = self::submit(own, id(1), "double", b"[1]");
            vec![FromWorker::Submit(Submit { task: TaskId(u32::MAX), ..unknown })]
        }
        "submit at the limits" => {
            let options = Options {
                timeout: Some(Duration::MAX),
                retries: Some(u32::MAX),
                crash_retries: Some(u32::MAX),
                priority: i8::MIN,
                label: Some("x".repeat(256).into()),
            };
            let plain = self::submit(own, id(1), "double", b"[1]");
            let handles = vec![id(1); MOST_HANDLES];
            // Of none of these has anybody heard.
            let shares = vec![1; MOST_SHARES];
            vec![FromWorker::Submit(Submit { options, handles, shares, ..plain })]
        }
        "cancel a seat and use it" => {
            vec![reserve(id(1)), FromWorker::Cancel(vec![id(1)]), submit(id(1))]
        }
        "abandon a seat and use it" => {
            vec![reserve(id(1)), FromWorker::Abandon(id(1)), submit(id(1))]
        }
        "abandon what is no seat" => vec![submit(id(1)), FromWorker::Abandon(id(1))],
        "cancel anything" => vec![FromWorker::Cancel((0..5000).map(|n| JobId(n << 30)).collect())],
        "stop waiting for nothing" => vec![FromWorker::WaitOver(own)],
        _ => panic!("no such oddity: {what}"),
    }
}

/// An id that this worker may give.
fn id(count: u32) -> JobId {
    let worker = std::env::var(brigade_protocol::WORKER_VARIABLE).ok();
    let worker = worker.and_then(|number| number.parse().ok()).expect("a worker has a number");
    // Far from those that its host gives.
    JobId::nested(WorkerId(worker), (1 << 31) + count)
}

fn submit(parent: Ticket, job: JobId, task: &str, arguments: &'static [u8]) -> Submit<'static> {
    let index = super::registry().names().position(|name| name == task).expect("it is ours");
    let task = TaskId(u32::try_from(index).expect("there are not that many"));
    let (form, arguments) = (Form::Json, Value::Inline(arguments));
    let (options, handles, shares) = (Options::default(), Vec::new(), Vec::new());
    Submit { parent, job, task, form, arguments, options, handles, shares }
}

fn say(message: &FromWorker<'_>) {
    send(&codec::encode(message).expect("it is a message"));
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
pub(super) fn send(content: &[u8]) {
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
