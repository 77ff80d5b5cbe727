//! Numbers as people read them.

use std::time::Duration;

/// A whole number as a fraction, for arithmetic with figures.
///
/// # Panics
///
/// If it does not fit into 64 bits.
#[expect(clippy::cast_precision_loss, reason = "counts of jobs and bytes are far below 2^53")]
pub fn number<N: TryInto<u64>>(n: N) -> f64 {
    n.try_into().ok().expect("a count fits into 64 bits") as f64
}

/// The nearest whole number of something; nothing, if it is negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, and the cast saturates"
)]
pub fn whole(n: f64) -> u64 {
    n.round() as u64
}

/// With three digits that mean something, and a comma before each three: `0.27`, `5.6`, `48`, `3,420`.
pub fn amount(n: f64) -> String {
    let digits = match n.abs() {
        size if size >= 20.0 => 0,
        size if size >= 2.0 => 1,
        size if size >= 0.1 || size == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{n:.digits$}");
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

/// With a prefix instead of noughts, for axes: `100`, `10k`, `3M`.
pub fn short(n: f64) -> String {
    let (n, prefix) = match n.abs() {
        size if size >= 1e9 => (n / 1e9, "G"),
        size if size >= 1e6 => (n / 1e6, "M"),
        size if size >= 1e3 => (n / 1e3, "k"),
        _ => (n, ""),
    };
    // What a logarithm and its inverse leave behind a rounder number.
    let n = (n * 1e6).round() / 1e6;
    format!("{n}{prefix}")
}

/// A time of so many microseconds in the unit that suits it, with two digits.
pub fn time(micros: f64) -> String {
    let micros = format!("{micros:.1e}").parse().unwrap_or(micros);
    match micros {
        t if t < 0.999 => format!("{} ns", short(t * 1e3)),
        t if t < 999.0 => format!("{} µs", short(t)),
        t if t < 999_000.0 => format!("{} ms", short(t / 1e3)),
        t => format!("{} s", short(t / 1e6)),
    }
}

/// A size of so many bytes, for axes and tables.
pub fn bytes(n: f64) -> String {
    match n {
        n if n < 1024.0 => format!("{} B", short(n)),
        n if n < 1_048_576.0 => format!("{} KiB", short((n / 1024.0).round())),
        n => format!("{} MiB", short((n / 1_048_576.0).round())),
    }
}

/// A duration in microseconds.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A duration in milliseconds.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_about_three_digits() {
        let texts = [0.0, 0.0271, 0.271, 5.64, 48.2, 3420.4, 1_234_567.0, -1500.0].map(amount);
        assert_eq!(texts, ["0.00", "0.027", "0.27", "5.6", "48", "3,420", "1,234,567", "-1,500"]);
    }

    #[test]
    fn marks_of_axes_are_short() {
        assert_eq!([0.5, 100.0, 10_000.0, 3e6, 2e9].map(short), ["0.5", "100", "10k", "3M", "2G"]);
        assert_eq!([0.1, 2.04, 5321.0, 2e6].map(time), ["100 ns", "2 µs", "5.3 ms", "2 s"]);
        assert_eq!([1.0, 1024.0, 268_435_456.0].map(bytes), ["1 B", "1 KiB", "256 MiB"]);
    }
}
