//! From the engine's entries to lines: pieces of a long line are marked as such, and no character stands across two.

use bytes::Bytes;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};

use super::entry::{Entry, Output, PIECE};
use super::level::level_of;

/// Makes lines of what one process writes.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    process: String,
    unfinished: Unfinished,
}

/// What is known of the long lines whose end has not come: kept with the place in the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unfinished {
    stdout: LongLine,
    stderr: LongLine,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LongLine {
    /// The beginning of a character whose rest comes with the next piece.
    cut: Vec<u8>,
    /// How grave the line's beginning said that it is.
    level: Option<String>,
    /// Whether a piece of it has come.
    begun: bool,
}

impl Lines {
    /// Lines of the process `web.1`, going on after `unfinished`.
    pub(super) fn new(process: String, unfinished: Unfinished) -> Self {
        Self { process, unfinished }
    }

    /// What the next entries depend on.
    pub(super) fn unfinished(&self) -> &Unfinished {
        &self.unfinished
    }

    /// The line, or the part of one, that an entry is.
    pub(super) fn line(&mut self, entry: Entry) -> LogRecord {
        let long = match entry.output {
            Output::Stdout => &mut self.unfinished.stdout,
            Output::Stderr => &mut self.unfinished.stderr,
        };
        // The engine does not call the last piece so where the process ended within the line.
        let continues = entry.piece.is_some_and(|piece| !piece.last && entry.text.len() >= PIECE);
        let mut text = entry.text;
        if !long.cut.is_empty() {
            text = Bytes::from([&long.cut, &text[..]].concat());
            long.cut.clear();
        }
        let level =
            if long.begun { long.level.as_deref().and_then(|level| level.parse().ok()) } else { level_of(&text) };
        if continues {
            let whole = text.len() - cut_character(&text);
            long.cut = text.split_off(whole).to_vec();
            long.level = level.map(|level: LogLevel| level.as_str().to_owned());
            long.begun = true;
        } else {
            if text.last() == Some(&b'\r') {
                text.truncate(text.len() - 1);
            }
            *long = LongLine::default();
        }
        // All pieces of a line have one time; this keeps them in order, and apart where they are the same.
        let piece = entry.piece.map_or(0, |piece| piece.ordinal.saturating_sub(1).clamp(0, 999_999));
        LogRecord {
            at: DateTime::from_timestamp_nanos(entry.at.saturating_add(piece)),
            source: LogSource::App,
            process: self.process.clone(),
            level,
            continues,
            text,
        }
    }
}

/// How many bytes at the end are the beginning of a character whose rest is missing.
pub(super) fn cut_character(text: &[u8]) -> usize {
    let tail = &text[text.len().saturating_sub(3)..];
    for length in 1..=tail.len() {
        let end = &tail[tail.len() - length..];
        let begins = end[0] >= 0xc0;
        if begins {
            let missing =
                std::str::from_utf8(end).is_err_and(|error| error.error_len().is_none() && error.valid_up_to() == 0);
            return if missing { length } else { 0 };
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::Piece;
    use super::*;

    /// The entries that the engine makes of what is written.
    fn entries(written: &[u8]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for line in written.split_inclusive(|byte| *byte == b'\n') {
            let (line, ended) = line.strip_suffix(b"\n").map_or((line, false), |line| (line, true));
            let mut pieces: Vec<&[u8]> = line.chunks(PIECE).collect();
            if pieces.is_empty() || (line.len() % PIECE == 0 && ended) {
                pieces.push(b"");
            }
            let long = pieces.len() > 1 || !ended;
            let count = pieces.len();
            for (index, text) in pieces.into_iter().enumerate() {
                let last = ended && index + 1 == count;
                let ordinal = i64::try_from(index).expect("is short") + 1;
                let piece = long.then_some(Piece { last, ordinal });
                entries.push(Entry { output: Output::Stdout, at: 1_000, text: Bytes::copy_from_slice(text), piece });
            }
        }
        entries
    }

    fn lines(written: &[u8]) -> Vec<LogRecord> {
        let mut lines = Lines::new("web.1".to_owned(), Unfinished::default());
        entries(written).into_iter().map(|entry| lines.line(entry)).collect()
    }

    #[test]
    fn lines_are_as_they_were_written() {
        let records = lines(b"one\r\n\nERROR two\x00\xff\nunended");
        let texts: Vec<&[u8]> = records.iter().map(|record| &record.text[..]).collect();
        assert_eq!(texts, [&b"one"[..], b"", b"ERROR two\x00\xff", b"unended"]);
        assert!(records.iter().all(|record| !record.continues && record.process == "web.1"));
        assert_eq!(records[2].level, Some(LogLevel::Error));
    }

    #[test]
    fn long_lines_are_split_between_characters_and_marked() {
        let written = format!("WARN {}\nshort\n", "€".repeat(20_000));
        let records = lines(written.as_bytes());
        let long = &records[..records.len() - 1];
        assert_eq!(long.len(), 4);
        assert_eq!(long.iter().map(|record| record.continues).collect::<Vec<_>>(), [true, true, true, false]);
        for record in long {
            assert!(std::str::from_utf8(&record.text).is_ok() && record.text.len() <= PIECE + 3);
            assert_eq!(record.level, Some(LogLevel::Warn));
        }
        let joined: Vec<u8> = long.iter().flat_map(|record| record.text.to_vec()).collect();
        assert_eq!(joined, written.split('\n').next().expect("is there").as_bytes());
        assert!(long.is_sorted_by_key(|record| record.at) && long[0].at < long[3].at);
        assert_eq!((&records[4].text[..], records[4].level), (&b"short"[..], None));
    }

    #[test]
    fn both_outputs_have_long_lines_of_their_own() {
        let mut lines = Lines::new("web.1".to_owned(), Unfinished::default());
        let mut text = |output, text: &[u8], last| {
            let piece = Some(Piece { last, ordinal: 1 });
            let record = lines.line(Entry { output, at: 1, text: Bytes::copy_from_slice(text), piece });
            // Only what is kept is there after a restart.
            let kept = serde_json::to_string(lines.unfinished()).expect("is written");
            lines = Lines::new("web.1".to_owned(), serde_json::from_str(&kept).expect("is read"));
            record.text
        };
        let filling = "x".repeat(PIECE - 1);
        let (begin, end) = "é".as_bytes().split_at(1);
        assert_eq!(text(Output::Stdout, &[filling.as_bytes(), begin].concat(), false), filling);
        assert_eq!(text(Output::Stderr, b"other", true), "other");
        assert_eq!(text(Output::Stdout, end, true), "é");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_cut(
            prefix in "[a-z]{0,3}", character in "\\PC", count in 0_usize..20_000, bytes in any::<[u8; 3]>(),
        ) {
            let text = format!("{prefix}{}", character.repeat(count));
            let written = [text.as_bytes(), b"\n"].concat();
            let records = lines(&written);
            prop_assert!(records.iter().all(|record| std::str::from_utf8(&record.text).is_ok()));
            let joined: Vec<u8> = records.iter().flat_map(|record| record.text.to_vec()).collect();
            prop_assert_eq!(joined, text.as_bytes());
            prop_assert!(cut_character(&bytes) <= 3);
        }
    }
}
