//! Values that are too large for a message, on their way in and out.
//!
//! On their way in there is room made for them, which the supervisor fills; on their way out they lie where
//! they are until the supervisor has read them. Where that is not possible they travel in parts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use brigade_protocol::codec::{self, MAX_VALUE};
use brigade_protocol::id::Ticket;
use brigade_protocol::message::{DIRECT, FromWorker, Length, Piece};
use brigade_task::outside::{Blobs, Encoding};
use brigade_task::{Blob, buffers};

use super::converse::Answer;
use super::desk::Desk;
use super::packet::Part;
use super::queue::Violation;

/// Large values on their way in.
#[derive(Default)]
pub(super) struct Rooms {
    /// Which the supervisor fills.
    rooms: HashMap<Ticket, Vec<u8>>,
    /// The parts that have come.
    parts: HashMap<Ticket, Vec<u8>>,
}

/// A large value that is here.
pub(super) struct Gathered {
    /// What was encoded. In a blob, so that its memory serves again.
    bytes: Blob,
    /// What that left outside, until it is taken: it is the job's alone, which may change it where it is.
    blobs: Mutex<Blobs>,
}

impl Rooms {
    /// Makes room for a value. Gives its address.
    pub(super) fn expect(&mut self, ticket: Ticket, length: u64) -> Result<u64, Violation> {
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_VALUE);
        let mut room = buffers::take(length.ok_or(Violation::Length(ticket))?);
        // Another process is going to write there: the compiler must not know better.
        let address = room.as_mut_ptr().expose_provenance() as u64;
        self.rooms.insert(ticket, room);
        Ok(address)
    }

    /// Puts in a piece of a value.
    pub(super) fn gather(&mut self, part: &Part) -> Result<(), Violation> {
        let Self { rooms, parts } = self;
        // There may have been made room for it which could not be filled.
        let whole = parts.entry(part.ticket).or_insert_with(|| {
            let mut room = rooms.remove(&part.ticket).unwrap_or_default();
            room.clear();
            room
        });
        if whole.len() + part.bytes().len() > MAX_VALUE {
            return Err(Violation::Length(part.ticket));
        }
        whole.extend_from_slice(part.bytes());
        Ok(())
    }

    /// Takes the value for an attempt, if it is this long.
    pub(super) fn take(&mut self, ticket: Ticket, length: Length) -> Result<Gathered, Violation> {
        let whole = self.parts.remove(&ticket).or_else(|| self.rooms.remove(&ticket));
        let whole = whole.filter(|whole| whole.len() as u64 == length.bytes);
        let blobs = usize::try_from(length.blobs).ok().filter(|_| length.blobs <= length.bytes);
        match (whole, blobs) {
            (Some(whole), Some(blobs)) => Ok(Gathered::split(whole, blobs)),
            _ => Err(Violation::Sum(ticket)),
        }
    }
}

impl Gathered {
    /// First come the blobs, one behind the other; then what was encoded.
    fn split(mut whole: Vec<u8>, blobs: usize) -> Self {
        if blobs == 0 {
            return Self { bytes: whole.into(), blobs: Mutex::default() };
        }
        let bytes = Blob::from(&whole[blobs..]);
        whole.truncate(blobs);
        Self { bytes, blobs: Mutex::new(Blob::from(whole).into()) }
    }

    /// What was encoded.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes what that left outside.
    pub(super) fn take_blobs(&self) -> Blobs {
        std::mem::take(&mut *self.blobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Both, without a copy.
    pub(super) fn into_encoding(self) -> Encoding {
        let blobs = self.take_blobs();
        Encoding { bytes: self.bytes.into(), blobs }
    }
}

/// Sends a value ahead of the message that will mention it. The memory is free again when this returns.
pub(super) fn send(desk: &Desk, ticket: Ticket, bytes: &[u8], blobs: &Blobs) -> Length {
    let blob_bytes = blobs.bytes();
    let length = Length { bytes: blob_bytes + bytes.len() as u64, blobs: blob_bytes };
    let pieces = || blobs.pieces().chain([bytes]);
    if length.bytes >= DIRECT && desk.is_direct() {
        let pieces = pieces().map(Piece::of).collect();
        let offer = FromWorker::Offer { ticket, length, pieces };
        if let Some(Answer::Fetched(true)) = desk.ask(ticket, &offer, None) {
            return length;
        }
        desk.forbid_direct();
    }
    for bytes in pieces().flat_map(|piece| piece.chunks(codec::PART)) {
        desk.wire().lock().send(&FromWorker::Part { ticket, bytes });
    }
    length
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::JobId;
    use brigade_protocol::message::ToWorker;

    use super::super::packet::Message;
    use super::*;

    const TICKET: Ticket = Ticket { job: JobId(7), attempt: 1 };

    fn part(bytes: &[u8]) -> Part {
        let message = ToWorker::Part { ticket: TICKET, bytes };
        match Message::read(codec::encode(&message).unwrap()) {
            Ok(Message::Part(part)) => part,
            _ => panic!("it was a part"),
        }
    }

    #[test]
    fn a_value_that_came_in_parts_is_split_into_blobs_and_the_rest() {
        let mut rooms = Rooms::default();
        rooms.gather(&part(b"blo")).unwrap();
        rooms.gather(&part(b"brest")).unwrap();
        let value = rooms.take(TICKET, Length { bytes: 8, blobs: 4 }).unwrap();
        assert_eq!(value.bytes(), b"rest");
        assert_eq!(value.into_encoding().blobs, Blob::from(b"blob").into());
    }

    #[test]
    fn a_room_that_was_not_filled_serves_the_parts() {
        let mut rooms = Rooms::default();
        assert!(rooms.expect(TICKET, 300_000).is_ok());
        rooms.gather(&part(b"part")).unwrap();
        assert_eq!(rooms.take(TICKET, Length::plain(4)).unwrap().bytes(), b"part");
    }

    #[test]
    fn what_no_supervisor_says_is_a_violation() {
        let mut rooms = Rooms::default();
        let too_long = rooms.expect(TICKET, MAX_VALUE as u64 + 1);
        assert_eq!(too_long, Err(Violation::Length(TICKET)));
        for length in [Length::plain(3), Length { bytes: 4, blobs: 5 }] {
            rooms.expect(TICKET, 4).unwrap();
            assert_eq!(rooms.take(TICKET, length).err(), Some(Violation::Sum(TICKET)));
        }
        assert_eq!(rooms.take(TICKET, Length::plain(0)).err(), Some(Violation::Sum(TICKET)));
    }
}
