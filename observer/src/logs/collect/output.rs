//! Lines of what a deployment writes into its live stream: of its build, and of its release process.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::logs::{LogLevel, LogRecord, LogSource, RELEASE_STEP};
use skypanel_core::store::{QueuedStream, StoredChunk};

use super::entry::PIECE;
use super::level::level_of;
use super::lines::cut_character;

/// What begins a step, and an error.
const STEP: &[u8] = b"-----> ";
const ERROR: &[u8] = b" !";

/// The lines in `chunks`, which are the next of the stream, up to the last whole one; with `is_end` up to the end.
/// Moves the stream behind them.
pub(super) fn lines(stream: &mut QueuedStream, chunks: &[StoredChunk], is_end: bool) -> Vec<LogRecord> {
    let mut records = Vec::new();
    let mut line = Vec::new();
    let mut at = None;
    for chunk in chunks {
        let begin =
            if chunk.seq == stream.seq && line.is_empty() { usize::try_from(stream.bytes).unwrap_or(0) } else { 0 };
        for (place, byte) in chunk.data.iter().enumerate().skip(begin) {
            // By its place a line has a time of its own, and the same whenever it is read.
            let time = chunk.created_at + TimeDelta::nanoseconds(i64::try_from(place).unwrap_or(0));
            at = Some(time);
            let ends = *byte == b'\n';
            if !ends {
                line.push(*byte);
            }
            if !ends && line.len() < PIECE {
                continue;
            }
            let cut = if ends { 0 } else { cut_character(&line) };
            let rest = line.split_off(line.len() - cut);
            records.push(record(stream, std::mem::replace(&mut line, rest), time, !ends));
            // What was cut off is read again with what follows.
            move_behind(stream, chunk, place + 1 - cut.min(place + 1));
        }
    }
    if is_end && !line.is_empty() {
        let end = at.unwrap_or_default();
        records.push(record(stream, line, end, false));
    }
    records
}

fn move_behind(stream: &mut QueuedStream, chunk: &StoredChunk, bytes: usize) {
    let is_whole = bytes == chunk.data.len();
    stream.seq = if is_whole { chunk.seq + 1 } else { chunk.seq };
    stream.bytes = if is_whole { 0 } else { i32::try_from(bytes).unwrap_or(0) };
}

fn record(stream: &mut QueuedStream, mut line: Vec<u8>, at: DateTime<Utc>, continues: bool) -> LogRecord {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let step = line.strip_prefix(STEP);
    if step.is_some() || line.starts_with(ERROR) {
        stream.in_release = false;
    }
    let source = if stream.in_release { LogSource::Release } else { LogSource::Build };
    if step == Some(RELEASE_STEP.as_bytes()) {
        stream.in_release = true;
    }
    let level = if line.starts_with(ERROR) { Some(LogLevel::Error) } else { level_of(&line) };
    LogRecord { at, source, process: source.as_str().to_owned(), level, continues, text: Bytes::from(line) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skypanel_core::model::{AppId, StreamId};

    use super::*;

    fn stream() -> QueuedStream {
        QueuedStream {
            id: StreamId(uuid::Uuid::nil()),
            application_id: AppId::new(),
            seq: 0,
            bytes: 0,
            in_release: false,
            closed: false,
        }
    }

    fn chunks(texts: &[&str]) -> Vec<StoredChunk> {
        let chunk = |(index, text): (usize, &&str)| {
            let seq = i64::try_from(index).expect("is short");
            StoredChunk {
                seq,
                data: text.as_bytes().to_vec(),
                created_at: DateTime::from_timestamp_nanos((seq + 1) * 1_000_000),
            }
        };
        texts.iter().enumerate().map(chunk).collect()
    }

    fn shown(records: &[LogRecord]) -> Vec<(&'static str, String)> {
        records
            .iter()
            .map(|record| (record.source.as_str(), String::from_utf8(record.text.to_vec()).expect("is text")))
            .collect()
    }

    #[test]
    fn lines_are_put_together_and_sorted_by_what_wrote_them() {
        let mut stream = stream();
        let all = chunks(&[
            "-----> Node.js\n       npm W",
            "ARN old\n-----> Running the release command\n       migrat",
            "ed\n\n-----> Launching v2\n !     It failed",
        ]);
        let first = lines(&mut stream, &all[..1], false);
        assert_eq!(shown(&first), [("build", "-----> Node.js".to_owned())]);
        assert_eq!((stream.seq, stream.bytes), (0, 15));
        let records = lines(&mut stream, &all, false);
        assert_eq!(
            shown(&records),
            [
                ("build", "       npm WARN old".to_owned()),
                ("build", "-----> Running the release command".to_owned()),
                ("release", "       migrated".to_owned()),
                ("release", String::new()),
                ("build", "-----> Launching v2".to_owned()),
            ]
        );
        assert_eq!((records[0].level, records[2].level), (Some(LogLevel::Warn), None));
        assert!(records.is_sorted_by(|one, next| one.at < next.at));
        let rest: Vec<StoredChunk> = all.iter().filter(|chunk| chunk.seq >= stream.seq).cloned().collect();
        assert_eq!(lines(&mut stream, &rest, false), []);
        let last = lines(&mut stream, &rest, true);
        assert_eq!(shown(&last), [("build", " !     It failed".to_owned())]);
        assert_eq!(last[0].level, Some(LogLevel::Error));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_all_of_it_comes_once(
            text in "(\\PC{0,5}|€{5000,6000}|\n|\r\n){0,12}", size in 3_000_usize..20_000, looks in 1_usize..4,
        ) {
            let text = text.replace('\r', "");
            let mut pieces = Vec::new();
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let end = (0..=size.min(rest.len())).rev().find(|end| *end > 0 && rest.is_char_boundary(*end));
                let (piece, more) = rest.split_at(end.unwrap_or_else(|| rest.chars().next().map_or(0, char::len_utf8)));
                pieces.push(piece);
                rest = more;
            }
            let all = chunks(&pieces);
            let mut stream = stream();
            let mut joined = String::new();
            for seen in 1..=all.len() {
                if seen % looks != 0 && seen != all.len() {
                    continue;
                }
                let there: Vec<StoredChunk> = all[..seen].iter().filter(|chunk| chunk.seq >= stream.seq).cloned().collect();
                for record in lines(&mut stream, &there, seen == all.len()) {
                    joined += std::str::from_utf8(&record.text).expect("is text");
                    joined += if record.continues { "" } else { "\n" };
                }
            }
            prop_assert_eq!(joined.trim_end_matches('\n'), text.trim_end_matches('\n'));
        }
    }
}
