//! Large values on their way from one worker: in parts, or read from its memory. Bounded in number by its run
//! threads, and in size by the limit of outputs.

use brigade_protocol::id::Ticket;
use brigade_protocol::message::{Length, MOST_PIECES, Piece};
use brigade_task::outside::{Blobs, Encoding};
use brigade_task::{Blob, buffers};
use rustc_hash::FxHashMap;

use super::direct::{Copied, Direct};
use super::link::Violation;

/// See the [module documentation](self).
pub(super) struct Arrivals {
    values: FxHashMap<Ticket, Arrival>,
    /// How many there may be at once.
    most: usize,
    max_output: u64,
}

enum Arrival {
    /// The parts that have come, blobs first.
    Parts(Vec<u8>),
    Whole(Encoding),
}

impl Arrivals {
    /// Those of a worker with so many run threads.
    pub(super) fn new(threads: u16, max_output: u64) -> Self {
        Self { values: FxHashMap::default(), most: usize::from(threads), max_output }
    }

    /// Puts in a part.
    pub(super) fn gather(&mut self, ticket: Ticket, bytes: &[u8]) -> Result<(), Violation> {
        if self.values.len() >= self.most && !self.values.contains_key(&ticket) {
            return Err(Violation);
        }
        let arrival = self.values.entry(ticket).or_insert_with(|| Arrival::Parts(Vec::new()));
        let Arrival::Parts(parts) = arrival else { return Err(Violation) };
        if (parts.len() + bytes.len()) as u64 > self.max_output {
            return Err(Violation);
        }
        parts.extend_from_slice(bytes);
        Ok(())
    }

    /// Reads a value from the worker's memory.
    pub(super) fn fetch(
        &mut self,
        direct: &Direct,
        ticket: Ticket,
        length: Length,
        pieces: &[Piece],
    ) -> Result<Copied, Violation> {
        let sum = pieces.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.length));
        let is_right = sum == Some(length.bytes)
            && length.bytes <= self.max_output
            && length.blobs <= length.bytes
            && pieces.len() <= MOST_PIECES
            && self.values.len() < self.most
            && !self.values.contains_key(&ticket);
        if !is_right {
            return Err(Violation);
        }
        let buffer = |bytes: u64| usize::try_from(bytes).map(buffers::take).map_err(|_| Violation);
        let mut blobs = buffer(length.blobs)?;
        let mut bytes = buffer(length.bytes - length.blobs)?;
        let copied = direct.read(pieces, [&mut blobs, &mut bytes]);
        if copied == Copied::Whole {
            let blobs = Blobs::from(Blob::from(blobs));
            self.values.insert(ticket, Arrival::Whole(Encoding { bytes, blobs }));
        }
        Ok(copied)
    }

    /// Takes out a value, which is this long.
    pub(super) fn take(&mut self, ticket: Ticket, length: Length) -> Result<Encoding, Violation> {
        let value = match self.values.remove(&ticket).ok_or(Violation)? {
            Arrival::Whole(value) => value,
            Arrival::Parts(parts) if length.blobs == 0 => parts.into(),
            Arrival::Parts(parts) => {
                let blobs = usize::try_from(length.blobs).map_err(|_| Violation)?;
                let bytes = parts.get(blobs..).ok_or(Violation)?.to_vec();
                Encoding { bytes, blobs: Blob::from(parts).slice(..blobs).into() }
            }
        };
        if value.length() == length { Ok(value) } else { Err(Violation) }
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::id::JobId;

    use super::*;

    const ONE: Ticket = Ticket { job: JobId(1), attempt: 1 };
    const TWO: Ticket = Ticket { job: JobId(2), attempt: 1 };

    fn here() -> Direct {
        let direct = Direct::default();
        direct.open(std::process::id());
        direct
    }

    #[test]
    fn parts_become_a_value_and_its_blobs() {
        let mut arrivals = Arrivals::new(1, 10);
        assert_eq!(arrivals.gather(ONE, &[1, 2, 3]), Ok(()));
        assert_eq!(arrivals.gather(TWO, &[1]), Err(Violation), "one at a time");
        assert_eq!(arrivals.gather(ONE, &[4; 8]), Err(Violation), "too long");
        let value = arrivals.take(ONE, Length { bytes: 3, blobs: 2 }).unwrap();
        assert_eq!((value.bytes, value.blobs), (vec![3], Blob::from(&[1, 2]).into()));
        assert_eq!(arrivals.gather(ONE, &[1, 2]), Ok(()));
        assert_eq!(arrivals.take(ONE, Length::plain(3)), Err(Violation));
        assert_eq!(arrivals.gather(ONE, &[1, 2]), Ok(()));
        assert_eq!(arrivals.take(ONE, Length { bytes: 2, blobs: 3 }), Err(Violation));
        assert_eq!(arrivals.take(ONE, Length::plain(0)), Err(Violation), "nothing came");
    }

    #[test]
    fn an_offer_is_read_once_and_only_as_it_was_told() {
        let (direct, memory) = (here(), [1, 2, 3, 4]);
        let mut arrivals = Arrivals::new(1, 4);
        let pieces = [Piece::of(&memory[..3]), Piece::of(&memory[3..])];
        let length = Length { bytes: 4, blobs: 3 };
        for wrong in [
            Length { bytes: 3, ..length },
            Length { bytes: 5, ..length },
            Length { blobs: 5, ..length },
        ] {
            assert_eq!(arrivals.fetch(&direct, ONE, wrong, &pieces), Err(Violation), "{wrong:?}");
        }
        assert_eq!(arrivals.fetch(&direct, ONE, length, &pieces), Ok(Copied::Whole));
        assert_eq!(arrivals.fetch(&direct, ONE, length, &pieces), Err(Violation), "twice");
        assert_eq!(arrivals.fetch(&direct, TWO, length, &pieces), Err(Violation), "two at once");
        assert_eq!(arrivals.gather(ONE, &[5]), Err(Violation), "it is whole");
        let value = arrivals.take(ONE, length).unwrap();
        assert_eq!((value.bytes, value.blobs), (vec![4], Blob::from(&[1, 2, 3]).into()));
        let long = [Piece::of(&[0; 5])];
        assert_eq!(arrivals.fetch(&direct, ONE, Length::plain(5), &long), Err(Violation));
        let astray = [Piece { address: 1, length: 4 }];
        let copied = arrivals.fetch(&direct, ONE, Length::plain(4), &astray);
        assert_eq!(copied, Ok(Copied::Astray));
        assert_eq!(arrivals.take(ONE, Length::plain(4)), Err(Violation));
    }
}
