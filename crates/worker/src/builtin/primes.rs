//! How many primes there are in a range.
//!
//! The range is cut into blocks that fit a cache. A block is a bitmap of its odd numbers; composites
//! are struck out by the base primes, as Eratosthenes did, and what is left is counted. The sieve
//! is segmented as in C. Bays and R. Hudson, "The segmented sieve of Eratosthenes and primes in
//! arithmetic progressions to 10^12", BIT 17 (1977): memory does not grow with the range.
//!
//! Far out, base primes up to the square root would be more work than the range itself (there are
//! 146 million of them below the root of 2^63). Then the sieve stops early and what it leaves is put
//! to the Miller–Rabin test.
//!
//! ```text
//!  from                                                             to
//!   │ < 60: a list │ block │ block │ block │ …                │ block │
//!                    copy the pattern of 3 … 59, strike out 61, 67, … , count
//! ```
//!
//! It does not use several threads: to do so is the business of who cuts a range into jobs.

mod miller_rabin;
mod patterns;
mod sieve;

use std::cell::RefCell;

use sieve::{Blocks, FIRST_BASE_PRIME};

/// Where counting ends: 2^63.
pub const LIMIT: u64 = 1 << 63;

/// The primes that the sieve does not look for.
const SMALL: [u64; 17] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59];

/// No base prime is larger, which bounds the memory of a thread: 5.8 million primes, 23 MB.
const LARGEST_BASE: u64 = 100_000_000;

/// How many times the length of the range its root may be for a pure sieve. One Miller–Rabin test of
/// a prime takes as long as placing some four hundred base primes, so that both ways are equally
/// long at about 100; somewhat less, because base primes must be found first.
const ROOT_PER_LENGTH: u64 = 64;

/// The range reaches beyond what is counted.
///
/// ```
/// use brigade::builtin::primes::{BeyondLimit, count};
///
/// assert_eq!(count(0, u64::MAX), Err(BeyondLimit { to: u64::MAX }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("primes are counted up to {LIMIT} (2^63), not up to {to}")]
pub struct BeyondLimit {
    /// The end of the range.
    pub to: u64,
}

/// Counts the primes p with `from <= p < to`, for `to` up to [`LIMIT`]. An empty range has none.
///
/// ```
/// use brigade::builtin::primes::count;
///
/// assert_eq!(count(0, 1_000_000)?, 78_498);
/// assert_eq!(count(14, 17)?, 0);
/// # Ok::<(), brigade::Error>(())
/// ```
pub fn count(from: u64, to: u64) -> Result<u64, BeyondLimit> {
    if to > LIMIT {
        return Err(BeyondLimit { to });
    }
    if from >= to {
        return Ok(0);
    }
    let root = (to - 1).isqrt();
    let length = to - from;
    let pure = root <= LARGEST_BASE && root / ROOT_PER_LENGTH <= length;
    let largest = if pure { root } else { root.min(length.clamp(256, LARGEST_BASE)) };
    Ok(count_small(from, to) + count_with(from, to, largest))
}

fn count_small(from: u64, to: u64) -> u64 {
    SMALL.iter().map(|prime| u64::from((from..to).contains(prime))).sum()
}

/// Counts the primes beyond the small ones, with base primes up to `largest`.
fn count_with(from: u64, to: u64, largest: u64) -> u64 {
    let from = from.max(FIRST_BASE_PRIME);
    if from >= to {
        return 0;
    }
    let complete = largest >= (to - 1).isqrt();
    with_base_primes(largest, |primes| {
        let mut blocks = Blocks::new(from, to, primes);
        let mut count = 0;
        while let Some(block) = blocks.next() {
            count += if complete {
                block.count()
            } else {
                block.odd_numbers().map(|number| u64::from(miller_rabin::is_prime(number))).sum()
            };
        }
        count
    })
}

/// The primes from [`FIRST_BASE_PRIME`] to `known`, in order.
struct BasePrimes {
    primes: Vec<u32>,
    known: u64,
}

thread_local! {
    /// Kept from job to job: jobs of one range have almost the same base primes.
    static BASE_PRIMES: RefCell<BasePrimes> =
        const { RefCell::new(BasePrimes { primes: Vec::new(), known: FIRST_BASE_PRIME - 1 }) };
}

fn with_base_primes<T>(largest: u64, work: impl FnOnce(&[u32]) -> T) -> T {
    BASE_PRIMES.with_borrow_mut(|base| {
        base.grow(largest);
        let count = base.primes.partition_point(|prime| u64::from(*prime) <= largest);
        work(&base.primes[..count])
    })
}

impl BasePrimes {
    /// Learns the primes up to `largest`, a root at a time: the primes up to a number are sieved
    /// with those up to its root.
    fn grow(&mut self, largest: u64) {
        if largest <= self.known {
            return;
        }
        self.grow(largest.isqrt());
        // Twice what is known, so that growing in small steps does not take quadratic time.
        let goal = largest.max(2 * self.known).min(LARGEST_BASE).max(largest);
        let mut found = Vec::new();
        let mut blocks = Blocks::new(self.known + 1, goal + 1, &self.primes);
        while let Some(block) = blocks.next() {
            found.extend(block.odd_numbers().map(|prime| {
                u32::try_from(prime).expect("base primes are below 2^32, the root of 2^64")
            }));
        }
        self.primes.extend(found);
        self.known = goal;
    }
}

#[cfg(test)]
mod tests;
