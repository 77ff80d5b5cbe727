//! The sieve proper: the blocks of a range, one after the other, in one bitmap.

use super::patterns;

/// Below it are the primes of the [patterns], which would strike out themselves.
pub(super) const FIRST_BASE_PRIME: u64 = 61;

/// Numbers in a word: 64 odd ones and the even ones between.
const WORD: u64 = 128;

/// The words of a block while the base primes are small: 32 KiB, within any first-level cache.
const SMALLEST_BLOCK: usize = 1 << 12;

/// The words of the largest block, 1 MiB, within most second-level caches.
const LARGEST_BLOCK: usize = 1 << 17;

/// The blocks of a range, sieved one by one with base primes.
pub(super) struct Blocks<'p> {
    from: u64,
    to: u64,
    /// Where the next block begins, in words from zero.
    word: u64,
    words: Vec<u64>,
    primes: &'p [u32],
    /// For each base prime whose square has been reached, the bit of its next odd multiple, from
    /// the beginning of the next block.
    next: Vec<u32>,
}

/// The numbers of a block that no base prime struck out.
pub(super) struct Block<'w> {
    word: u64,
    words: &'w [u64],
}

impl<'p> Blocks<'p> {
    /// Blocks for the numbers from `from`, which is [`FIRST_BASE_PRIME`] or more, to `to`.
    pub(super) fn new(from: u64, to: u64, primes: &'p [u32]) -> Self {
        let word = from / WORD;
        let needed = (to.div_ceil(WORD) - word).max(1);
        let largest_prime = primes.last().map_or(0, |prime| *prime as usize);
        // A prime above the number of bits is visited in vain in most blocks.
        let wanted = (largest_prime / 128).next_power_of_two().clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        let words = usize::try_from(needed).map_or(wanted, |needed| needed.min(wanted));
        Self { from, to, word, words: vec![0; words], primes, next: Vec::new() }
    }

    /// Sieves the next block.
    pub(super) fn next(&mut self) -> Option<Block<'_>> {
        let begin = self.word * WORD;
        if begin >= self.to {
            return None;
        }
        let left = (self.to - begin).div_ceil(WORD);
        let count =
            usize::try_from(left).map_or(self.words.len(), |left| left.min(self.words.len()));
        let words = &mut self.words[..count];
        patterns::fill(self.word, words);
        start_primes(self.primes, &mut self.next, begin, begin + count as u64 * WORD);
        strike_out(self.primes, &mut self.next, words);
        keep_range(begin, self.from, self.to, words);
        let word = self.word;
        self.word += count as u64;
        Some(Block { word, words })
    }
}

/// Finds the first multiples of the base primes whose squares are reached in this block.
fn start_primes(primes: &[u32], next: &mut Vec<u32>, begin: u64, end: u64) {
    for prime in &primes[next.len()..] {
        let prime = u64::from(*prime);
        let square = prime * prime;
        if square >= end {
            break;
        }
        let multiple = if square >= begin { square } else { odd_multiple(prime, begin) };
        let bit = (multiple - begin) / 2;
        next.push(u32::try_from(bit).expect("it is within the block or one prime beyond"));
    }
}

/// The first odd multiple of an odd prime that is at least `begin`.
fn odd_multiple(prime: u64, begin: u64) -> u64 {
    let factor = begin.div_ceil(prime) | 1;
    factor * prime
}

fn strike_out(primes: &[u32], next: &mut [u32], words: &mut [u64]) {
    let bits = words.len() * 64;
    for (prime, next) in primes.iter().zip(next) {
        let (mut bit, step) = (*next as usize, *prime as usize);
        while bit < bits {
            words[bit / 64] &= !(1 << (bit % 64));
            bit += step;
        }
        #[expect(clippy::cast_possible_truncation, reason = "less than one prime beyond the end")]
        let rest = (bit - bits) as u32;
        *next = rest;
    }
}

/// Clears the numbers of the first and the last word that are outside of the range.
fn keep_range(begin: u64, from: u64, to: u64, words: &mut [u64]) {
    // Bit i is the number begin + 2i + 1.
    if let Some(before) = from.checked_sub(begin) {
        words[0] &= u64::MAX.checked_shl(u32::try_from(before / 2).unwrap_or(64)).unwrap_or(0);
    }
    let end = begin + words.len() as u64 * WORD;
    if let (Some(beyond), Some(last)) = (end.checked_sub(to), words.last_mut()) {
        let beyond = u32::try_from(beyond.div_ceil(2)).unwrap_or(64);
        *last &= u64::MAX.checked_shr(beyond).unwrap_or(0);
    }
}

impl Block<'_> {
    /// How many numbers are left.
    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The numbers that are left, in order.
    pub(super) fn odd_numbers(&self) -> impl Iterator<Item = u64> {
        self.words.iter().zip(self.word..).flat_map(|(word, index)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = u64::from(left.trailing_zeros());
                (left != 0).then(|| {
                    left &= left - 1;
                    index * WORD + 2 * bit + 1
                })
            })
        })
    }
}
