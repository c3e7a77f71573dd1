//! A line as it lies in an app's active file: one frame behind the other, each with its own checksum, so that a file
//! that was cut off anywhere is good up to there.

use skypanel_core::logs::{LogLevel, LogRecord, LogSource};

/// What an active file begins with.
pub(crate) const MAGIC: &[u8; 8] = b"SKLOGA1\n";
/// Length and checksum.
const HEAD: usize = 8;
/// Sequence number, time, source, level, flags, length of the process.
const FIXED: usize = 8 + 8 + 1 + 1 + 1 + 1;
/// In place of a length: nothing comes behind it any more, in this file.
const END: u32 = u32::MAX;
/// Longest text of one frame; longer lines go on in the next.
pub(crate) const MAX_TEXT: usize = 256 * 1024;
/// Longest name of a process, in bytes.
const MAX_PROCESS: usize = 255;
const CONTINUES: u8 = 1;

/// A line as it was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) seq: u64,
    /// Nanoseconds since 1970.
    pub(crate) at: i64,
    pub(crate) source: LogSource,
    pub(crate) level: Option<LogLevel>,
    pub(crate) continues: bool,
    pub(crate) process: &'a str,
    pub(crate) text: &'a [u8],
}

/// What stands at a place of an active file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole frame of this length in bytes.
    Frame(Frame<'a>, usize),
    /// The mark that the file has ended and another goes on.
    End,
    /// Nothing, or not yet: the file ends here, within a frame or behind one.
    Short,
    /// Something that is no frame.
    Damaged,
}

/// Adds the frames of a record to `bytes`; answers how many those are.
pub(crate) fn encode(record: &LogRecord, first: u64, bytes: &mut Vec<u8>) -> u64 {
    let pieces = record.text.len().div_ceil(MAX_TEXT).max(1);
    for piece in 0..pieces {
        let from = piece * MAX_TEXT;
        let to = (from + MAX_TEXT).min(record.text.len());
        let continues = record.continues || piece + 1 < pieces;
        encode_piece(record, first + piece as u64, &record.text[from..to], continues, bytes);
    }
    pieces as u64
}

fn encode_piece(record: &LogRecord, seq: u64, text: &[u8], continues: bool, bytes: &mut Vec<u8>) {
    let process = &record.process[..record.process.floor_char_boundary(MAX_PROCESS)];
    let begin = bytes.len();
    bytes.extend_from_slice(&[0; HEAD]);
    bytes.extend_from_slice(&seq.to_le_bytes());
    bytes.extend_from_slice(&nanoseconds(record.at).to_le_bytes());
    bytes.push(source_code(record.source));
    bytes.push(level_code(record.level));
    bytes.push(if continues { CONTINUES } else { 0 });
    #[expect(clippy::cast_possible_truncation, reason = "cut to fit just above")]
    bytes.push(process.len() as u8);
    bytes.extend_from_slice(process.as_bytes());
    bytes.extend_from_slice(text);
    let body = &bytes[begin + HEAD..];
    #[expect(clippy::cast_possible_truncation, reason = "a piece is far below 4 GiB")]
    let length = body.len() as u32;
    let sum = crc32fast::hash(body);
    bytes[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
    bytes[begin + 4..begin + HEAD].copy_from_slice(&sum.to_le_bytes());
}

/// The mark behind the last frame of a file that another one follows.
pub(crate) const fn end_mark() -> [u8; 4] {
    END.to_le_bytes()
}

/// What stands at the beginning of `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Found<'_> {
    let Some(length) = bytes.first_chunk::<4>() else { return Found::Short };
    let length = match u32::from_le_bytes(*length) {
        END => return Found::End,
        length => length as usize,
    };
    if !(FIXED..=FIXED + MAX_PROCESS + MAX_TEXT).contains(&length) {
        return Found::Damaged;
    }
    let Some(body) = bytes.get(HEAD..HEAD + length) else { return Found::Short };
    if crc32fast::hash(body).to_le_bytes() != bytes[4..HEAD] {
        return Found::Damaged;
    }
    match parse(body) {
        Some(frame) => Found::Frame(frame, HEAD + length),
        None => Found::Damaged,
    }
}

fn parse(body: &[u8]) -> Option<Frame<'_>> {
    let (seq, rest) = body.split_first_chunk::<8>()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let ([source, level, flags, process], rest) = rest.split_first_chunk::<4>()?;
    let (process, text) = rest.split_at_checked(usize::from(*process))?;
    Some(Frame {
        seq: u64::from_le_bytes(*seq),
        at: i64::from_le_bytes(*at),
        source: source_of(*source)?,
        level: level_of(*level).ok()?,
        continues: flags & CONTINUES != 0,
        process: std::str::from_utf8(process).ok()?,
        text,
    })
}

/// All frames at the beginning of `bytes`, and how many bytes those are.
pub(crate) fn decode_all(bytes: &[u8]) -> (Vec<Frame<'_>>, usize, Found<'_>) {
    let (mut frames, mut at) = (Vec::new(), 0);
    loop {
        match decode(&bytes[at..]) {
            Found::Frame(frame, length) => {
                frames.push(frame);
                at += length;
            }
            end => return (frames, at, end),
        }
    }
}

/// Nanoseconds since 1970; what lies too far off for that (1677, 2262) is moved to there.
pub(crate) fn nanoseconds(at: chrono::DateTime<chrono::Utc>) -> i64 {
    at.timestamp_nanos_opt().unwrap_or(if at.timestamp() < 0 { i64::MIN } else { i64::MAX })
}

/// The number of a source in files, which never changes.
pub(crate) fn source_code(source: LogSource) -> u8 {
    match source {
        LogSource::App => 0,
        LogSource::Router => 1,
        LogSource::Build => 2,
        LogSource::Release => 3,
        LogSource::System => 4,
    }
}

/// The source of a number in a file.
pub(crate) fn source_of(code: u8) -> Option<LogSource> {
    LogSource::ALL.iter().copied().find(|source| source_code(*source) == code)
}

/// The number of a level in files, which never changes; 0 for none.
pub(crate) fn level_code(level: Option<LogLevel>) -> u8 {
    match level {
        None => 0,
        Some(LogLevel::Trace) => 1,
        Some(LogLevel::Debug) => 2,
        Some(LogLevel::Info) => 3,
        Some(LogLevel::Warn) => 4,
        Some(LogLevel::Error) => 5,
        Some(LogLevel::Fatal) => 6,
    }
}

/// A number in a file that no level has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnknownLevel;

/// The level of a number in a file.
pub(crate) fn level_of(code: u8) -> Result<Option<LogLevel>, UnknownLevel> {
    let known = || LogLevel::ALL.iter().copied().find(|level| level_code(Some(*level)) == code);
    if code == 0 { Ok(None) } else { known().map(Some).ok_or(UnknownLevel) }
}
