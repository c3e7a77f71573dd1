//! Tables in plain text: columns as wide as their widest cell, the last one as it is.

use std::fmt::Write as _;

/// Lays out rows under their headings.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Lays out names and values, one pair a line.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count() + 1).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in pairs {
        let name = format!("{name}:");
        let _ = writeln!(text, "{name:width$}  {value}");
    }
    text
}

/// A time for people, to the second, in UTC.
pub(crate) fn time(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Text of a user's making as a terminal may show it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let rows = [vec!["a".to_owned(), "running".to_owned()], vec!["long-name".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["NAME", "STATUS"], &rows), "NAME       STATUS\na          running\nlong-name  x\n");
        assert_eq!(pairs(&[("A", "1".to_owned()), ("Bcd", "2".to_owned())]), "A:    1\nBcd:  2\n");
    }
}
