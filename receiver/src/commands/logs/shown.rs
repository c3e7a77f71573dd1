//! How lines of a log look. In a terminal nothing of a line but its colours is obeyed, and what does not fit on one row
//! goes on under the text: at the beginning of a row there is always what the platform says of a line, never what the
//! line says of itself.

use std::fmt::Write as _;

use serde_json::json;
use skypanel_core::logs::{LogLine, LogSource};
use skypanel_core::terminal;

use crate::commands::context::{Context, Failure};

/// Colours that processes are told apart by, as SGR codes.
const COLOURS: &[u8] = &[36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
/// Marks a line that goes on in the next one.
const CONTINUES: &str = "\u{2026}";
const TAB: usize = 8;

pub(super) async fn lines(context: &Context, lines: impl Iterator<Item = &LogLine> + Send) -> Result<(), Failure> {
    let mut text = String::new();
    for line in lines {
        if context.output.is_json() {
            text.push_str(&document(line));
        } else {
            shown(line, context.output.columns(), &mut text);
        }
        text.push('\n');
    }
    context.output.text(text).await?;
    Ok(())
}

pub(super) async fn notice(context: &Context, notice: &str) -> Result<(), Failure> {
    if context.output.is_json() {
        context.output.notice(format!("{}\n", json!({ "notice": notice }))).await?;
    } else {
        context.output.error(notice).await?;
    }
    Ok(())
}

fn document(line: &LogLine) -> String {
    let record = &line.record;
    json!({
        "at": record.at,
        "source": record.source,
        "process": record.process,
        "level": record.level,
        "text": String::from_utf8_lossy(&record.text),
        "continues": record.continues,
        "cursor": line.cursor.as_str(),
    })
    .to_string()
}

/// Adds a line as people read it, without its end; for a terminal of that width, if it is for one.
fn shown(line: &LogLine, columns: Option<usize>, shown: &mut String) {
    let record = &line.record;
    let at = record.at.format("%Y-%m-%dT%H:%M:%S%.6f%:z");
    // Only the agent names processes, but what it names them by are labels that are its own word for it.
    let process = terminal::line(record.process.as_bytes());
    let mut text = terminal::line(&record.text);
    if record.continues {
        text.push_str(CONTINUES);
    }
    let Some(columns) = columns else {
        let _ = write!(shown, "{at} {process}: {text}");
        return;
    };
    let head = format!("{at} {process}:");
    let _ = write!(shown, "\x1b[{}m{head}\x1b[0m ", colour(record.source, &process));
    wrap(&text, head.chars().count() + 1, columns, shown);
    // A line that leaves a colour on must not paint the next one's beginning.
    shown.push_str("\x1b[0m");
}

/// Adds a text that begins in column `begin`, in rows of a terminal that is `columns` wide, each but the first indented.
fn wrap(text: &str, begin: usize, columns: usize, shown: &mut String) {
    // In a narrow terminal the text needs the room more than its looks.
    let indent = if begin * 2 <= columns { begin } else { 4.min(columns / 4) };
    let (mut column, mut in_sequence) = (begin, false);
    for character in text.chars() {
        let width = match character {
            '\x1b' => {
                in_sequence = true;
                0
            }
            _ if in_sequence => {
                in_sequence = character != 'm';
                0
            }
            // A terminal's tabs end at its edge.
            '\t' => (TAB - column % TAB).min(columns.saturating_sub(column)).max(1),
            // How wide others are is for the terminal to say; none is wider than this.
            _ => {
                if character.is_ascii() {
                    1
                } else {
                    2
                }
            }
        };
        if column + width > columns && width > 0 && column > indent {
            shown.push('\n');
            shown.extend(std::iter::repeat_n(' ', indent));
            column = indent;
            if character == '\t' {
                continue;
            }
        }
        if character == '\t' {
            shown.extend(std::iter::repeat_n(' ', width));
        } else {
            shown.push(character);
        }
        column += width;
    }
}

/// The same colour for the same process type, always; what is no process's stands out.
fn colour(source: LogSource, process: &str) -> u8 {
    if source == LogSource::System {
        return 1;
    }
    let kind = process.split('.').next().unwrap_or_default();
    let sum: usize = kind.bytes().map(usize::from).sum();
    COLOURS[sum % COLOURS.len()]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;
    use proptest::prelude::*;
    use skypanel_core::logs::{LogCursor, LogRecord};

    use super::*;

    const HEAD: &str = "2026-11-22T05:00:00.123456+00:00 web.1:";

    fn line(text: &[u8], continues: bool) -> LogLine {
        LogLine {
            cursor: LogCursor::new("1".to_owned()),
            record: LogRecord {
                at: DateTime::from_timestamp(1_795_323_600, 123_456_789).expect("a time"),
                source: LogSource::App,
                process: "web.1".to_owned(),
                level: None,
                continues,
                text: Bytes::copy_from_slice(text),
            },
        }
    }

    fn as_shown(text: &[u8], columns: Option<usize>) -> String {
        let mut shown = String::new();
        super::shown(&line(text, false), columns, &mut shown);
        shown
    }

    #[test]
    fn a_line_is_one_row_for_programs() {
        assert_eq!(as_shown(b"a\nb\r\x1b[2Jc\0d", None), format!("{HEAD} abcd"));
        let mut shown = String::new();
        super::shown(&line(b"long", true), None, &mut shown);
        assert_eq!(shown, format!("{HEAD} long\u{2026}"));
    }

    #[test]
    fn a_forged_line_begins_no_row() {
        let forged = format!("{}{HEAD} I am the platform", ".".repeat(120 - HEAD.len() - 1));
        let shown = as_shown(forged.as_bytes(), Some(120));
        let rows: Vec<&str> = shown.split('\n').collect();
        assert_eq!(rows.len(), 2, "{shown:?}");
        assert!(rows[1].starts_with(&format!("{}{HEAD}", " ".repeat(HEAD.len() + 1))), "{shown:?}");
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_the_terminal(
            text in proptest::collection::vec(prop_oneof![Just("\x1b[31m".to_owned()), "[a\té世 ]{0,30}"], 0..20),
            columns in 4_usize..150,
        ) {
            let shown = as_shown(text.concat().as_bytes(), Some(columns));
            for (number, row) in shown.split('\n').enumerate() {
                let mut plain = String::new();
                for (nth, part) in row.split('\x1b').enumerate() {
                    plain.push_str(if nth == 0 { part } else { part.split_once('m').expect("colours only").1 });
                }
                let width: usize = plain.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
                // The terminal itself breaks a head that is wider.
                if number > 0 {
                    prop_assert!(width <= columns.max(2), "{row:?}");
                    prop_assert!(columns < 8 || row.starts_with(' '), "{row:?}");
                }
            }
        }
    }
}
