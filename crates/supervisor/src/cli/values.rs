//! Values on the command line: whole numbers as people write them, and durations.

use std::time::Duration;

/// The largest number that is taken.
const MOST: u128 = 1 << 63;

/// Reads a whole number up to 2^63, written `1000000`, `1_000_000` or `1e6`. Exact: no detour by
/// floating point.
pub(super) fn count(text: &str) -> Result<u64, String> {
    if text.starts_with('-') {
        return Err("it must not be negative".to_owned());
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let decimals = fraction.bytes().filter(u8::is_ascii_digit).count() as u128;
    let (Some(digits), Some(exponent)) = (digits(whole, fraction), digits(exponent, "")) else {
        return Err("not a number; write it as 1000000, 1_000_000 or 1e6".to_owned());
    };
    if digits > 0 && exponent < decimals {
        return Err("not a whole number".to_owned());
    }
    let scale = u32::try_from(exponent.saturating_sub(decimals)).unwrap_or(u32::MAX);
    let value = digits.saturating_mul(10_u128.saturating_pow(scale));
    u64::try_from(value)
        .ok()
        .filter(|_| value <= MOST)
        .ok_or_else(|| format!("more than 2^63, which is {MOST}"))
}

/// As [`count`], but zero is refused.
pub(super) fn positive(text: &str) -> Result<u64, String> {
    match count(text)? {
        0 => Err("it must be at least 1".to_owned()),
        value => Ok(value),
    }
}

/// The number that these digits make, or the largest there is if that has no room for it. An
/// underscore may stand between digits.
fn digits(whole: &str, fraction: &str) -> Option<u128> {
    let well_placed = |text: &str| !text.starts_with('_') && !text.ends_with('_');
    if whole.is_empty() || !well_placed(whole) || !well_placed(fraction) {
        return None;
    }
    let digits = whole.bytes().chain(fraction.bytes()).filter(|byte| *byte != b'_');
    digits.map(|byte| char::from(byte).to_digit(10)).try_fold(0_u128, |value, digit| {
        Some(value.saturating_mul(10).saturating_add(u128::from(digit?)))
    })
}

/// Reads a duration: a plain number is seconds, otherwise `500ms`, `2m`, `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    if text.starts_with('-') {
        return Err("it must not be negative".to_owned());
    }
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    if plain && let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    humantime::parse_duration(text)
        .map_err(|_| "not a duration; write it as 2.5 (seconds), 500ms, 2m or 1h30m".to_owned())
}

/// As [`duration`], but zero is refused.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be more than 0".to_owned()),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact() {
        let cases = [
            ("0", 0),
            ("0e99", 0),
            ("1000000", 1_000_000),
            ("1_000_000", 1_000_000),
            ("1e9", 1_000_000_000),
            ("1E+9", 1_000_000_000),
            ("2.5e3", 2500),
            ("1.50e1", 15),
            ("7.0", 7),
            ("9007199254740993", 9_007_199_254_740_993),
            ("9223372036854775808", 1 << 63),
            ("0.0000000000000000000000001e25", 1),
        ];
        for (text, value) in cases {
            assert_eq!(count(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_count_is_refused_with_the_reason() {
        let cases = [
            ("", "not a number"),
            ("abc", "not a number"),
            ("1e", "not a number"),
            ("1 000", "not a number"),
            ("0x10", "not a number"),
            ("_1", "not a number"),
            ("1_", "not a number"),
            ("inf", "not a number"),
            ("1.2.3", "not a number"),
            ("-1", "negative"),
            ("1.5", "not a whole number"),
            ("1e-3", "not a number"),
            ("0.0001e3", "not a whole number"),
            ("9223372036854775809", "more than 2^63"),
            ("1e19", "more than 2^63"),
            ("1e999999999999", "more than 2^63"),
            ("99999999999999999999999999999999999999999", "more than 2^63"),
        ];
        for (text, reason) in cases {
            let error = count(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(positive("0").is_err());
    }

    #[test]
    fn durations_are_seconds_or_have_units() {
        let cases = [("5", 5000), ("0.25", 250), (".5", 500), ("0", 0), ("500ms", 500)];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        for text in ["", "-1", "soon", "5 parsecs", "1e400", "nan", "inf", "1..2"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(positive_duration("0s").is_err());
    }
}
