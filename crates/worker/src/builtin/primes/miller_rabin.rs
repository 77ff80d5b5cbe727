//! Whether a single number of 64 bits is prime.
//!
//! The strong probable-prime test of Miller and Rabin with the seven bases that Jim Sinclair found
//! (2011, <https://miller-rabin.appspot.com>): no composite below 2^64 passes them all, which was
//! verified with Jan Feitsma's list of base-2 pseudoprimes. Products modulo n are taken as in
//! P. Montgomery, "Modular multiplication without trial division", Mathematics of Computation 44
//! (1985).

const BASES: [u64; 7] = [2, 325, 9375, 28_178, 450_775, 9_780_504, 1_795_265_022];

/// Whether an odd number above 1 is prime.
pub(super) fn is_prime(number: u64) -> bool {
    let field = Montgomery::new(number);
    let twos = (number - 1).trailing_zeros();
    let odd = (number - 1) >> twos;
    BASES.iter().all(|base| {
        let base = base % number;
        // A multiple of the number tells nothing of it.
        base == 0 || passes(&field, field.enter(base), odd, twos)
    })
}

/// Whether base^odd is 1, or one of its first `twos` squares is -1.
fn passes(field: &Montgomery, base: u64, odd: u64, twos: u32) -> bool {
    let minus_one = field.modulus - field.one;
    let mut power = field.pow(base, odd);
    if power == field.one || power == minus_one {
        return true;
    }
    for _ in 1..twos {
        power = field.multiply(power, power);
        if power == minus_one {
            return true;
        }
    }
    false
}

/// Arithmetic modulo an odd number; x is kept as x·2^64.
struct Montgomery {
    modulus: u64,
    /// -1 / modulus, modulo 2^64.
    negative_inverse: u64,
    /// 2^64 and 2^128, modulo the modulus.
    one: u64,
    square: u64,
}

impl Montgomery {
    fn new(modulus: u64) -> Self {
        // Newton's iteration doubles the correct bits; x·x = 1 modulo 8 gives the first three.
        let mut inverse = modulus;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(modulus.wrapping_mul(inverse)));
        }
        let one = (u64::MAX % modulus + 1) % modulus;
        let square = low(u128::from(one) * u128::from(one) % u128::from(modulus));
        Self { modulus, negative_inverse: inverse.wrapping_neg(), one, square }
    }

    fn enter(&self, number: u64) -> u64 {
        self.multiply(number, self.square)
    }

    /// a·b / 2^64, less than the modulus. That has at most 63 bits, so the sum does not overflow.
    fn multiply(&self, a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b);
        let factor = low(product).wrapping_mul(self.negative_inverse);
        let sum = product + u128::from(factor) * u128::from(self.modulus);
        let high = low(sum >> 64);
        if high >= self.modulus { high - self.modulus } else { high }
    }

    fn pow(&self, base: u64, exponent: u64) -> u64 {
        let mut power = base;
        for bit in (0..exponent.ilog2()).rev() {
            power = self.multiply(power, power);
            if exponent >> bit & 1 == 1 {
                power = self.multiply(power, base);
            }
        }
        power
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low(number: u128) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_prime_by_trial(number: u64) -> bool {
        (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
    }

    #[test]
    fn small_numbers_are_as_trial_division_says() {
        for number in (3..20_000).step_by(2) {
            assert_eq!(is_prime(number), is_prime_by_trial(number), "{number}");
        }
    }

    #[test]
    fn primes_among_the_factors_of_bases_are_prime() {
        // 9375 = 3·5^5, 28178 = 2·73·193, 450775 = 5^2·13·19·73, and so on.
        for prime in [73, 193, 407_521, 299_210_837] {
            assert!(is_prime(prime), "{prime}");
        }
    }

    #[test]
    fn strong_pseudoprimes_are_composite() {
        // The least that pass the first 1, 2, … primes as bases: OEIS A014233.
        for number in [
            2_047,
            1_373_653,
            25_326_001,
            3_215_031_751,
            2_152_302_898_747,
            3_474_749_660_383,
            341_550_071_728_321,
            3_825_123_056_546_413_051,
        ] {
            assert!(!is_prime(number), "{number}");
        }
    }

    #[test]
    fn the_largest_numbers_are_told_apart() {
        let largest = (1 << 63) - 25;
        assert!(is_prime(largest));
        for number in (largest + 2..1 << 63).step_by(2) {
            assert!(!is_prime(number), "{number}");
        }
        // The square of the largest prime below the root of 2^63.
        assert!(!is_prime(3_037_000_493 * 3_037_000_493));
    }
}
