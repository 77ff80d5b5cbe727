//! What the smallest odd primes leave of the odd numbers: a pattern that repeats.
//!
//! These primes would strike out most bits of a block, one by one. Instead their pattern is made
//! once and copied 64 bits at a time. The pattern of several primes repeats after their product, in
//! words as in bits (64 and an odd product share no factor), so they are grouped such that all
//! patterns together (240 KB) stay in the second-level cache.

use std::sync::OnceLock;

/// Whose patterns there are: all odd primes below [`FIRST_BASE_PRIME`](super::FIRST_BASE_PRIME).
const GROUPS: [&[usize]; 6] =
    [&[3, 5, 7, 11, 13], &[17, 19, 23], &[29, 31], &[37, 41], &[43, 47], &[53, 59]];

static PATTERNS: OnceLock<Vec<Vec<u64>>> = OnceLock::new();

/// Sets the bits of the odd numbers that none of these primes divides. Bit `i` of word `w` is the
/// number `2 * (64 * (first + w) + i) + 1`.
pub(super) fn fill(first: u64, words: &mut [u64]) {
    let patterns = PATTERNS.get_or_init(|| GROUPS.iter().map(|group| pattern(group)).collect());
    words.fill(u64::MAX);
    for pattern in patterns {
        let phase = usize::try_from(first % pattern.len() as u64);
        let mut rest = &pattern[phase.expect("it is less than the length, which is a usize")..];
        let mut words = &mut *words;
        while !words.is_empty() {
            let length = rest.len().min(words.len());
            let (now, later) = words.split_at_mut(length);
            for (word, pattern) in now.iter_mut().zip(rest) {
                *word &= pattern;
            }
            (words, rest) = (later, pattern);
        }
    }
}

fn pattern(primes: &[usize]) -> Vec<u64> {
    let mut words = vec![u64::MAX; primes.iter().product()];
    for prime in primes {
        let single = single_pattern(*prime);
        for (word, single) in words.iter_mut().zip(single.iter().cycle()) {
            *word &= single;
        }
    }
    words
}

fn single_pattern(prime: usize) -> Vec<u64> {
    let mut words = vec![u64::MAX; prime];
    // The first odd multiple of p is p itself, and that is bit (p - 1) / 2.
    for bit in (prime / 2..64 * prime).step_by(prime) {
        words[bit / 64] &= !(1 << (bit % 64));
    }
    words
}
