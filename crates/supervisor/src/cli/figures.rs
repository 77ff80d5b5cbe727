//! Figures as people read them.

use std::time::Duration;

/// A number in groups of three digits: `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration: `3.2 s`, `2 min 5 s`, `1 h 2 min`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// How much of a whole is done, so many characters wide: `██████▌░░░░░░`.
pub(super) fn bar(done: u64, whole: u64, width: u64) -> String {
    let halves = u128::from(done.min(whole)) * u128::from(width) * 2 / u128::from(whole.max(1));
    let cell = |index: u64| match halves.saturating_sub(u128::from(index) * 2) {
        0 => '░',
        1 => '▌',
        _ => '█',
    };
    (0..width).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn spans_have_the_units_people_use() {
        assert_eq!(span(Duration::from_millis(3249)), "3.2 s");
        assert_eq!(span(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(span(Duration::from_secs(3600 + 120 + 5)), "1 h 2 min");
    }

    #[test]
    fn a_bar_fills_by_halves() {
        let bars = [(0, "░░░░"), (1, "▌░░░"), (4, "██░░"), (7, "███▌"), (8, "████"), (9, "████")];
        for (done, expected) in bars {
            assert_eq!(bar(done, 8, 4), expected);
        }
        assert_eq!(bar(0, 0, 2), "░░");
        assert_eq!(bar(u64::MAX, u64::MAX, 2), "██");
    }
}
