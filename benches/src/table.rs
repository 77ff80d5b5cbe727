//! Tables, for a terminal and for a page.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// A table with a title and a head.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// One without rows.
    pub fn new(title: impl Into<String>, head: &[&str]) -> Self {
        let head = head.iter().map(|&cell| cell.into()).collect();
        Self { title: title.into(), rows: vec![head] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// For a terminal: the first column to the left, the others to the right.
    pub fn plain(&self) -> String {
        let mut text = format!("{}\n\n", self.title);
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell: &String| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let _ = match column {
                    0 => write!(line, "{cell:<width$}"),
                    _ => write!(line, "  {cell:>width$}"),
                };
            }
            let _ = writeln!(text, "  {}", line.trim_end());
        }
        text
    }

    /// For a page, in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("**{}**\n\n", self.title);
        for (index, row) in self.rows.iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|---|{}", "---:|".repeat(row.len().saturating_sub(1)));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_column_stands_left_and_the_others_right() {
        let mut table = Table::new("Times", &["who", "ms"]);
        table.row(["a peer".into(), "1,234".into()]);
        assert_eq!(table.plain(), "Times\n\n  who        ms\n  a peer  1,234\n");
        let page = "**Times**\n\n| who | ms |\n|---|---:|\n| a peer | 1,234 |\n";
        assert_eq!(table.markdown(), page);
    }
}
