//! Text from elsewhere (arguments, error messages, what tasks print) on its way to a terminal.
//!
//! Whoever writes such text must not be able to move the cursor, change colours or pretend to be
//! another line.

use std::fmt::Write as _;

/// One line: control characters are written as escapes, line breaks among them.
pub(super) fn line(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut escaped, c);
    }
    escaped
}

/// Several lines: as [`line`], but line breaks stay and the lines after the first are indented, so
/// that none can be taken for a message of its own.
pub(super) fn lines(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, part) in text.trim_end_matches('\n').split('\n').enumerate() {
        if index > 0 {
            escaped.push('\n');
            if !part.starts_with("  ") {
                escaped.push_str("  ");
            }
        }
        part.trim_end_matches('\r').chars().for_each(|c| push(&mut escaped, c));
    }
    escaped
}

/// One line, escaped and cut to this many characters; an ellipsis shows the cut.
pub(super) fn short(text: &str, longest: usize) -> String {
    // Looks at no more of a text of megabytes than can be shown.
    let end = text.char_indices().nth(longest + 1).map_or(text.len(), |(index, _)| index);
    let escaped = line(&text[..end]);
    if escaped.chars().nth(longest).is_none() {
        return escaped;
    }
    escaped.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

fn push(escaped: &mut String, c: char) {
    match c {
        '\n' => escaped.push_str("\\n"),
        '\r' => escaped.push_str("\\r"),
        '\t' => escaped.push('\t'),
        // Marks that change the direction of writing make a line read as another.
        _ if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "{}", c.escape_unicode());
        }
        _ => escaped.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(line("plain — ünïcode\t|"), "plain — ünïcode\t|");
        assert_eq!(line("\x1b[31mred\x07\r\n"), "\\u{1b}[31mred\\u{7}\\r\\n");
        assert_eq!(line("\u{9b}2J\u{7f}\u{202e}"), "\\u{9b}2J\\u{7f}\\u{202e}");
    }

    #[test]
    fn further_lines_are_indented() {
        assert_eq!(lines("one\r\nerror: two\n  | three\n"), "one\n  error: two\n  | three");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(short("12345", 5), "12345");
        assert_eq!(short("123456", 5), "1234…");
        assert_eq!(short("äöü€ß", 4), "äöü…");
        assert_eq!(short("\n\n\n", 4), "\\n\\…");
        assert_eq!(short(&"x".repeat(1 << 20), 3), "xx…");
    }
}
