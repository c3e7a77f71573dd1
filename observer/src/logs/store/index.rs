//! The index of a segment: one entry of fixed size for each of its blocks, which says where the block lies and which
//! lines it can hold, so that readers unpack only what they may find something in.

use super::frame::{Frame, level_code, source_code};

/// Length of an entry in bytes.
pub(crate) const ENTRY: usize = 96;
const MAGIC: u32 = u32::from_le_bytes(*b"SKB1");
/// Where an entry's checksum is.
const SUM: usize = ENTRY - 4;

/// What is known of a block without unpacking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Time of its oldest and newest line, in nanoseconds since 1970.
    pub(crate) oldest: i64,
    pub(crate) newest: i64,
    /// When it was sealed, in nanoseconds since 1970.
    pub(crate) sealed: i64,
    /// Where it begins in the file of blocks.
    pub(crate) offset: u64,
    /// Its length there.
    pub(crate) packed: u32,
    /// Its length unpacked.
    pub(crate) raw: u32,
    /// Checksum of what lies there.
    pub(crate) sum: u32,
    pub(crate) contents: Contents,
}

/// What kinds of lines a block holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// A bit for each source that some line is from.
    pub(crate) sources: u8,
    /// A bit for each level that some line has; the lowest for lines without one.
    pub(crate) levels: u8,
    /// A few bits for each process and process type that some line is of; others can share them.
    pub(crate) processes: u64,
}

impl Contents {
    /// Adds a line's.
    pub(crate) fn add(&mut self, frame: &Frame<'_>) {
        self.sources |= 1 << source_code(frame.source);
        self.levels |= 1 << level_code(frame.level);
    }

    /// Adds a process and its type.
    pub(crate) fn add_process(&mut self, process: &str) {
        self.processes |= process_bits(process);
        if let Some((kind, _)) = process.split_once('.') {
            self.processes |= process_bits(kind);
        }
    }
}

/// The bits that stand for a process or process type.
pub(crate) fn process_bits(name: &str) -> u64 {
    // FNV-1a: it is written to disk, so it must never change, as the standard library's may.
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1 << (hash & 63)) | (1 << ((hash >> 6) & 63))
}

impl Entry {
    /// The bytes it has in a file.
    pub(crate) fn encode(&self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&MAGIC.to_le_bytes());
        put(&self.packed.to_le_bytes());
        put(&self.raw.to_le_bytes());
        put(&self.sum.to_le_bytes());
        put(&self.first.to_le_bytes());
        put(&self.last.to_le_bytes());
        put(&self.oldest.to_le_bytes());
        put(&self.newest.to_le_bytes());
        put(&self.sealed.to_le_bytes());
        put(&self.offset.to_le_bytes());
        put(&self.contents.processes.to_le_bytes());
        put(&[self.contents.sources, self.contents.levels]);
        let sum = crc32fast::hash(&bytes[..SUM]);
        bytes[SUM..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The entry of these bytes; none where they are none's.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; ENTRY] = bytes.try_into().ok()?;
        if crc32fast::hash(&bytes[..SUM]).to_le_bytes() != bytes[SUM..] {
            return None;
        }
        let small = |at: usize| bytes[at..].first_chunk().copied().map(u32::from_le_bytes);
        let large = |at: usize| bytes[at..].first_chunk().copied().map(u64::from_le_bytes);
        let signed = |at: usize| bytes[at..].first_chunk().copied().map(i64::from_le_bytes);
        if small(0)? != MAGIC {
            return None;
        }
        Some(Self {
            packed: small(4)?,
            raw: small(8)?,
            sum: small(12)?,
            first: large(16)?,
            last: large(24)?,
            oldest: signed(32)?,
            newest: signed(40)?,
            sealed: signed(48)?,
            offset: large(56)?,
            contents: Contents { processes: large(64)?, sources: bytes[72], levels: bytes[73] },
        })
    }

    /// Where the next block begins.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.packed))
    }

    /// How many lines it holds.
    pub(crate) fn lines(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

/// What an index holds.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) entries: Vec<Entry>,
    /// Where the last of them ends, in bytes.
    pub(crate) end: usize,
    /// Whether something before that is no entry.
    pub(crate) is_damaged: bool,
}

impl Index {
    /// Reads what can be read of an index.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let mut index = Self::default();
        for (number, bytes) in bytes.as_chunks::<ENTRY>().0.iter().enumerate() {
            let Some(entry) = Entry::decode(bytes) else { continue };
            if entry.last < entry.first || index.entries.last().is_some_and(|before| before.last >= entry.first) {
                continue;
            }
            index.entries.push(entry);
            index.end = (number + 1) * ENTRY;
        }
        index.is_damaged = index.end != index.entries.len() * ENTRY;
        index
    }
}
