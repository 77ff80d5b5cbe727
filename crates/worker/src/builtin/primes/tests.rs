//! Counts that are known, and counts that another way of counting gives.

use proptest::prelude::*;

use super::*;

fn is_prime(number: u64) -> bool {
    number >= 2 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

/// One by one, with the test that has tests of its own.
fn count_one_by_one(from: u64, to: u64) -> u64 {
    let is_prime = |number| match number {
        0 | 1 => false,
        2 => true,
        _ => number % 2 == 1 && miller_rabin::is_prime(number),
    };
    (from..to).map(|number| u64::from(is_prime(number))).sum()
}

#[test]
fn powers_of_ten_have_the_known_counts() {
    // OEIS A006880.
    let known = [4, 25, 168, 1_229, 9_592, 78_498, 664_579, 5_761_455];
    for (exponent, count) in (1..).zip(known) {
        let to = 10_u64.pow(exponent);
        assert_eq!(super::count(0, to), Ok(count), "up to {to}");
    }
}

#[test]
fn every_small_range_is_right() {
    let below: Vec<u64> = (0..300)
        .scan(0, |count, number| {
            let before = *count;
            *count += u64::from(is_prime(number));
            Some(before)
        })
        .collect();
    for from in 0..300 {
        for to in 0..300 {
            let expected = below[to].saturating_sub(below[from]);
            assert_eq!(count(from as u64, to as u64), Ok(expected), "{from}..{to}");
        }
    }
}

#[test]
fn edges_of_words_and_blocks_are_right() {
    // A word is 128 numbers, the smallest block 4096 words; ranges begin at a word, not at a block.
    for edge in [128_u64, 256, 524_288, 1_048_576, 1 << 32] {
        for from in edge - 3..edge + 3 {
            for to in edge - 3..edge + 3 {
                assert_eq!(count(from, to), Ok(count_one_by_one(from, to)), "{from}..{to}");
            }
        }
        let (from, to) = (edge - 64, edge + 524_288);
        for (from, to) in [(from, to), (from, to - 1), (from + 1, to + 1), (from - 1, to + 127)] {
            assert_eq!(count(from, to), Ok(count_one_by_one(from, to)), "{from}..{to}");
        }
    }
}

#[test]
fn squares_of_primes_are_not_primes() {
    for prime in [61_u64, 67, 997, 65_537, 99_999_989, 3_037_000_493] {
        let square = prime * prime;
        assert_eq!(count(square, square + 1), Ok(0), "{prime}");
        assert_eq!(count_with(square, square + 1, prime.min(LARGEST_BASE)), 0, "{prime}");
        assert_eq!(count(square - 50, square + 50), Ok(count_one_by_one(square - 50, square + 50)));
    }
}

#[test]
fn the_end_of_the_numbers_is_right() {
    assert_eq!(count(LIMIT - 25, LIMIT), Ok(1));
    assert_eq!(count(LIMIT - 24, LIMIT), Ok(0));
    assert_eq!(count(LIMIT - 25, LIMIT - 24), Ok(1));
    assert_eq!(count(LIMIT - 5_000, LIMIT), Ok(count_one_by_one(LIMIT - 5_000, LIMIT)));
    assert_eq!(count(0, LIMIT + 1), Err(BeyondLimit { to: LIMIT + 1 }));
}

#[test]
fn an_empty_range_has_none() {
    assert_eq!(count(7, 7), Ok(0));
    assert_eq!(count(8, 7), Ok(0));
    assert_eq!(count(u64::MAX, 0), Ok(0));
}

#[test]
fn both_ways_agree_where_they_meet() {
    // The root is 10^6, so the switch is at a length of 15625.
    let from = 1_000_000_000_000 - 20_000;
    for length in [15_623, 15_624, 15_625, 15_626] {
        let to = from + length;
        let pure = count_with(from, to, 1_000_000);
        assert_eq!(pure, count_one_by_one(from, to), "{length}");
        for largest in [256, 999_998] {
            assert_eq!(count_with(from, to, largest), pure, "{length}");
        }
        assert_eq!(count(from, to), Ok(pure), "{length}");
    }
}

#[test]
fn base_primes_larger_than_a_block_are_carried_over() {
    // The root is 3.2·10^7; the largest block has 2^24 numbers, and half as many bits.
    let from = 1_000_000_000_000_000_u64;
    let (middle, to) = (from + (1 << 24) - 20_000, from + (1 << 24) + 20_000);
    let root = to.isqrt();
    let last = count_with(from, to, root) - count_with(from, middle, root);
    assert_eq!(last, count_with(middle, to, 256));
}

#[test]
fn base_primes_grow_in_any_steps() {
    let mut base = BasePrimes { primes: Vec::new(), known: FIRST_BASE_PRIME - 1 };
    for largest in [10, 61, 62, 100, 5_000, 5_001, 100_000] {
        base.grow(largest);
        assert!(base.known >= largest);
        let expected: Vec<u32> =
            (60..=u32::try_from(base.known).unwrap()).filter(|n| is_prime(u64::from(*n))).collect();
        assert_eq!(base.primes, expected, "{largest}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_range_is_as_its_numbers(exponent in 0_u32..63, seed: u64, length in 0_u64..3_000) {
        let from = (seed >> 1 >> exponent).min(LIMIT - length);
        let to = from + length;
        prop_assert_eq!(count(from, to), Ok(count_one_by_one(from, to)));
    }

    #[test]
    fn a_range_is_the_sum_of_its_parts(from in 0_u64..1 << 40, first in 0_u64..1_000_000, second in 0_u64..1_000_000) {
        let (cut, to) = (from + first, from + first + second);
        let parts = count(from, cut).unwrap() + count(cut, to).unwrap();
        prop_assert_eq!(count(from, to), Ok(parts));
    }
}
