//! A block: some thousand lines of an app, packed by column (times, kinds, processes, lengths, texts), which is both
//! smaller than line by line and quicker to search, since all texts lie behind one another.

use std::collections::HashMap;

use super::frame::{Frame, level_code, level_of, source_code, source_of};
use super::index::{Contents, Entry};

/// A seventh smaller than the quickest level, at half a microsecond a line.
const LEVEL: i32 = 9;
/// Largest block that is unpacked, in bytes: what claims to be larger is damaged.
const MAX_RAW: usize = 64 * 1024 * 1024;
const CONTINUES: u8 = 1;
/// Times that are whole microseconds are kept as such.
const MICROSECOND: i64 = 1_000;
/// Lengths of the columns before the texts.
const COLUMNS: usize = 5;
/// Between two texts, so that nothing found in one goes over into the next.
const GAP: u8 = b'\n';

/// Packs blocks, one after the other.
pub(crate) struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self(zstd::bulk::Compressor::new(LEVEL)?))
    }

    /// Packs lines whose numbers follow each other. The entry's place is the beginning of the file.
    pub(crate) fn pack(&mut self, frames: &[Frame<'_>], sealed: i64) -> std::io::Result<(Entry, Vec<u8>)> {
        let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
            return Err(std::io::Error::other("a block without lines"));
        };
        let oldest = frames.iter().map(|frame| frame.at).min().unwrap_or_default();
        let newest = frames.iter().map(|frame| frame.at).max().unwrap_or_default();
        let (raw, contents) = lay_out(frames, oldest);
        let packed = self.0.compress(&raw)?;
        let too_large = |_| std::io::Error::other("a block of more than 4 GiB");
        let entry = Entry {
            first: first.seq,
            last: last.seq,
            oldest,
            newest,
            sealed,
            offset: 0,
            packed: u32::try_from(packed.len()).map_err(too_large)?,
            raw: u32::try_from(raw.len()).map_err(too_large)?,
            sum: crc32fast::hash(&packed),
            contents,
        };
        Ok((entry, packed))
    }
}

fn lay_out<'a>(frames: &[Frame<'a>], oldest: i64) -> (Vec<u8>, Contents) {
    let unit = if frames.iter().all(|frame| frame.at % MICROSECOND == 0) { MICROSECOND } else { 1 };
    let mut contents = Contents::default();
    let mut known: HashMap<&'a str, u64> = HashMap::new();
    let mut columns: [Vec<u8>; COLUMNS] = Default::default();
    let [names, times, kinds, processes, lengths] = &mut columns;
    let text_length: usize = frames.iter().map(|frame| frame.text.len() + 1).sum();
    let mut texts = Vec::with_capacity(text_length);
    let mut before = oldest;
    put_number(times, unit.unsigned_abs());
    for frame in frames {
        contents.add(frame);
        put_number(times, zigzag((frame.at / unit).wrapping_sub(before / unit)));
        before = frame.at;
        let flags = if frame.continues { CONTINUES } else { 0 };
        kinds.push(flags | source_code(frame.source) << 1 | level_code(frame.level) << 4);
        let next = known.len() as u64;
        let process = *known.entry(frame.process).or_insert_with(|| {
            contents.add_process(frame.process);
            put_number(names, frame.process.len() as u64);
            names.extend_from_slice(frame.process.as_bytes());
            next
        });
        put_number(processes, process);
        put_number(lengths, frame.text.len() as u64);
        texts.extend_from_slice(frame.text);
        texts.push(GAP);
    }
    let mut raw = Vec::with_capacity(columns.iter().map(Vec::len).sum::<usize>() + texts.len() + 64);
    for column in &columns {
        put_number(&mut raw, column.len() as u64);
    }
    for column in &columns {
        raw.extend_from_slice(column);
    }
    raw.append(&mut texts);
    (raw, contents)
}

/// A block, unpacked.
#[derive(Debug)]
pub(crate) struct Block {
    raw: Vec<u8>,
    first: u64,
    processes: Vec<std::ops::Range<usize>>,
    rows: Vec<Row>,
    /// Where the texts begin.
    texts: usize,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    at: i64,
    /// Where its text ends, from the beginning of all texts.
    end: u32,
    process: u32,
    kind: u8,
}

impl Block {
    /// Unpacks what an entry told of; none where it is damaged.
    pub(crate) fn unpack(entry: &Entry, packed: &[u8]) -> Option<Self> {
        let raw_length = entry.raw as usize;
        if crc32fast::hash(packed) != entry.sum || raw_length > MAX_RAW {
            return None;
        }
        let raw = zstd::bulk::decompress(packed, raw_length).ok().filter(|raw| raw.len() == raw_length)?;
        Self::read(raw, entry)
    }

    fn read(raw: Vec<u8>, entry: &Entry) -> Option<Self> {
        let mut rest = raw.as_slice();
        let mut sizes = [0_usize; COLUMNS];
        for size in &mut sizes {
            *size = usize::try_from(take_number(&mut rest)?).ok()?;
        }
        let mut columns = [[].as_slice(); COLUMNS];
        for (column, size) in columns.iter_mut().zip(sizes) {
            (*column, rest) = rest.split_at_checked(size)?;
        }
        let texts = raw.len() - rest.len();
        let [mut names, mut times, kinds, mut process_column, mut lengths] = columns;
        let mut processes = Vec::new();
        while !names.is_empty() {
            let length = usize::try_from(take_number(&mut names)?).ok()?;
            let (name, left) = names.split_at_checked(length)?;
            std::str::from_utf8(name).ok()?;
            let begin = name.as_ptr() as usize - raw.as_ptr() as usize;
            processes.push(begin..begin + length);
            names = left;
        }
        if kinds.len() as u64 != entry.lines() {
            return None;
        }
        let unit = i64::try_from(take_number(&mut times)?).ok().filter(|unit| *unit > 0)?;
        let mut rows = Vec::with_capacity(kinds.len());
        let (mut before, mut begin) = (entry.oldest / unit, 0_u64);
        for kind in kinds {
            before = before.wrapping_add(unzigzag(take_number(&mut times)?));
            let process = u32::try_from(take_number(&mut process_column)?).ok()?;
            processes.get(process as usize)?;
            let end = begin.checked_add(take_number(&mut lengths)?)?;
            source_of(kind >> 1 & 7)?;
            level_of(kind >> 4).ok()?;
            rows.push(Row { at: before.wrapping_mul(unit), end: u32::try_from(end).ok()?, process, kind: *kind });
            begin = end + 1;
        }
        (usize::try_from(begin).ok()? == rest.len()).then_some(Self { raw, first: entry.first, processes, rows, texts })
    }

    /// How many lines it holds.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All texts, with one byte between two.
    pub(crate) fn texts(&self) -> &[u8] {
        &self.raw[self.texts..]
    }

    /// Where a line's text begins and ends within all texts.
    pub(crate) fn span(&self, line: usize) -> std::ops::Range<usize> {
        let begin = line.checked_sub(1).map_or(0, |before| self.rows[before].end as usize + 1);
        begin..self.rows[line].end as usize
    }

    /// The line at or before which this place within all texts lies.
    pub(crate) fn line_at(&self, place: usize) -> usize {
        self.rows.partition_point(|row| (row.end as usize) < place)
    }

    /// One of its lines, from 0.
    pub(crate) fn line(&self, line: usize) -> Frame<'_> {
        let row = &self.rows[line];
        let process = &self.raw[self.processes[row.process as usize].clone()];
        Frame {
            seq: self.first + line as u64,
            at: row.at,
            source: source_of(row.kind >> 1 & 7).unwrap_or(skypanel_core::logs::LogSource::System),
            level: level_of(row.kind >> 4).ok().flatten(),
            continues: row.kind & CONTINUES != 0,
            process: std::str::from_utf8(process).unwrap_or_default(),
            text: &self.texts()[self.span(line)],
        }
    }
}

/// LEB128.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "less than 0x80")]
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skypanel_core::logs::{LogLevel, LogSource};

    use super::*;

    type Line = (i64, usize, usize, bool, String, Vec<u8>);

    fn frame((seq, line): (usize, &Line)) -> Frame<'_> {
        let (at, source, level, continues, process, text) = line;
        Frame {
            seq: 7 + seq as u64,
            at: *at,
            source: LogSource::ALL[*source],
            level: LogLevel::ALL.get(*level).copied(),
            continues: *continues,
            process,
            text,
        }
    }

    fn lines() -> impl Strategy<Value = Vec<Line>> {
        let time =
            prop_oneof![any::<i64>(), (0_i64..1 << 50).prop_map(|at| at * 1_000), Just(i64::MIN), Just(i64::MAX)];
        let text = proptest::collection::vec(any::<u8>(), 0..40);
        let line = (time, 0..LogSource::ALL.len(), 0..=LogLevel::ALL.len(), any::<bool>(), "[a-z.é]{0,9}", text);
        proptest::collection::vec(line, 1..50)
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(lines in lines()) {
            let frames: Vec<Frame<'_>> = lines.iter().enumerate().map(frame).collect();
            let (entry, packed) = Packer::new().expect("zstd").pack(&frames, 0).expect("packs");
            let block = Block::unpack(&entry, &packed).expect("unpacks");
            prop_assert_eq!(block.len(), frames.len());
            for (line, frame) in frames.iter().enumerate() {
                prop_assert_eq!(&block.line(line), frame);
                prop_assert_eq!(block.line_at(block.span(line).start), line);
            }
        }

        #[test]
        fn no_bytes_break_reading(raw in proptest::collection::vec(any::<u8>(), 0..200), lines in 1_u64..5) {
            let entry = Entry {
                first: 1, last: lines, oldest: 5, newest: 9, sealed: 0, offset: 0, packed: 0, raw: 0, sum: 0,
                contents: Contents::default(),
            };
            let _ = Block::read(raw, &entry);
        }

        #[test]
        fn numbers_keep_their_value(number in any::<i64>()) {
            let mut bytes = Vec::new();
            put_number(&mut bytes, zigzag(number));
            prop_assert_eq!(take_number(&mut bytes.as_slice()).map(unzigzag), Some(number));
        }
    }
}
