//! Segments: what an app wrote within some hours, as blocks in one file with their index in another. The index is
//! written last, so what it tells of is there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::app::SEGMENT_AGE;
use super::block::{Block, Packer};
use super::frame::Frame;
use super::index::{ENTRY, Entry, Index};
use super::place::{self, Files, Kind};

/// A segment of this length is followed by another one.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// So many segments at least has what an app may keep, so that a removed one is not all.
const LEAST_SEGMENTS: u64 = 8;
/// Texts and frames of a block, in bytes, after which another one begins.
const BLOCK_BYTES: usize = 1024 * 1024;

/// What the writer knows of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Number of its first line; its files go by it.
    pub(crate) first: u64,
    /// Number of its last line.
    pub(crate) last: u64,
    /// How many lines it holds.
    pub(crate) lines: u64,
    /// Bytes on disk.
    pub(crate) bytes: u64,
    /// Where the next block goes.
    blocks_end: u64,
    /// Where the next entry goes.
    index_end: u64,
    /// When its first and its last block were sealed.
    begun: DateTime<Utc>,
    pub(crate) sealed: DateTime<Utc>,
}

impl Segment {
    fn of(index: &Index) -> Option<Self> {
        let (first, last) = (index.entries.first()?, index.entries.last()?);
        Some(Self {
            first: first.first,
            last: last.last,
            lines: index.entries.iter().map(Entry::lines).sum(),
            bytes: last.end() + index.end as u64,
            blocks_end: last.end(),
            index_end: index.end as u64,
            begun: DateTime::from_timestamp_nanos(first.sealed),
            sealed: DateTime::from_timestamp_nanos(last.sealed),
        })
    }

    /// Whether more may go into it.
    pub(crate) fn has_room(&self, app_bytes: u64, now: DateTime<Utc>) -> bool {
        let age = (now - self.begun).to_std();
        self.bytes < MAX_BYTES.min(app_bytes / LEAST_SEGMENTS) && age.is_ok_and(|age| age < SEGMENT_AGE)
    }

    /// Removes its files.
    pub(crate) fn remove(&self, app: &Path) -> io::Result<()> {
        // Without the index there is no segment any more, whatever happens next.
        place::remove(&place::file(app, self.first, Kind::Index))?;
        place::remove(&place::file(app, self.first, Kind::Blocks))
    }
}

/// What an earlier process left of an app's segments; the last one up to the first thing that is not whole.
pub(crate) fn recover(app: &Path, files: &Files) -> io::Result<Vec<Segment>> {
    for first in files.blocks.iter().filter(|first| !files.index.contains(first)) {
        place::remove(&place::file(app, *first, Kind::Blocks))?;
    }
    let mut segments: Vec<Segment> = Vec::new();
    for (number, first) in files.index.iter().enumerate() {
        let path = place::file(app, *first, Kind::Index);
        let mut index = Index::decode(&std::fs::read(&path)?);
        if number + 1 == files.index.len() {
            cut_tail(app, *first, &mut index)?;
        }
        if index.is_damaged {
            tracing::warn!(path = %path.display(), "the index of a log is damaged; some lines are lost");
        }
        match Segment::of(&index) {
            Some(segment) if segment.first == *first => segments.push(segment),
            _ => {
                tracing::warn!(path = %path.display(), "an index of a log holds nothing; it is removed");
                place::remove(&path)?;
                place::remove(&place::file(app, *first, Kind::Blocks))?;
            }
        }
    }
    Ok(segments)
}

/// Drops what a crash left half-written at the end of the newest segment.
fn cut_tail(app: &Path, first: u64, index: &mut Index) -> io::Result<()> {
    let blocks = place::open_to_write(&place::file(app, first, Kind::Blocks))?;
    while let Some(last) = index.entries.last() {
        let packed = place::read_range(&blocks, last.offset, last.packed as usize)?;
        if Block::unpack(last, &packed).is_some() {
            break;
        }
        tracing::warn!(?app, first = last.first, last = last.last, "a block of a log is not whole; it is left out");
        index.entries.pop();
        // Damaged entries before this one stay where they are; behind it nothing does.
        index.end -= ENTRY;
    }
    let end = index.entries.last().map_or(0, Entry::end);
    if blocks.metadata()?.len() > end {
        blocks.set_len(end)?;
    }
    place::open_to_write(&place::file(app, first, Kind::Index))?.set_len(index.end as u64)
}

/// A segment, open for more blocks.
pub(crate) struct Growing {
    pub(crate) segment: Segment,
    blocks: File,
    index: File,
}

impl Growing {
    /// Opens the files of a segment, or of a new one that begins with this line.
    pub(crate) fn open(app: &Path, segment: Option<&Segment>, first: u64, now: DateTime<Utc>) -> io::Result<Self> {
        let new =
            || Segment { first, last: first, lines: 0, bytes: 0, blocks_end: 0, index_end: 0, begun: now, sealed: now };
        let segment = segment.cloned().unwrap_or_else(new);
        let blocks = place::open_to_write(&place::file(app, segment.first, Kind::Blocks))?;
        let index = place::open_to_write(&place::file(app, segment.first, Kind::Index))?;
        if segment.lines == 0 {
            index.set_len(0)?;
            blocks.set_len(0)?;
        }
        Ok(Self { segment, blocks, index })
    }

    /// Adds lines whose numbers follow each other, and sees them on disk.
    pub(crate) fn add(&mut self, packer: &mut Packer, frames: &[Frame<'_>], now: DateTime<Utc>) -> io::Result<()> {
        let sealed = super::frame::nanoseconds(now);
        let mut segment = self.segment.clone();
        let mut entries = Vec::new();
        for frames in in_blocks(frames) {
            let (entry, packed) = packer.pack(frames, sealed)?;
            let entry = Entry { offset: segment.blocks_end, ..entry };
            self.blocks.write_all_at(&packed, segment.blocks_end)?;
            segment.blocks_end = entry.end();
            segment.last = entry.last;
            segment.lines += entry.lines();
            entries.extend_from_slice(&entry.encode());
        }
        self.blocks.sync_data()?;
        self.index.write_all_at(&entries, segment.index_end)?;
        self.index.sync_data()?;
        segment.index_end += entries.len() as u64;
        segment.bytes = segment.blocks_end + segment.index_end;
        segment.sealed = now;
        self.segment = segment;
        Ok(())
    }
}

/// Lines in runs of about a block's length.
fn in_blocks<'a, 'b>(mut frames: &'a [Frame<'b>]) -> impl Iterator<Item = &'a [Frame<'b>]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let mut fits = |frame: &Frame<'_>| {
            let before = bytes;
            bytes += frame.text.len() + frame.process.len() + 32;
            before < BLOCK_BYTES
        };
        let count = frames.iter().take_while(|frame| fits(frame)).count();
        let (block, rest) = frames.split_at(count);
        frames = rest;
        (!block.is_empty()).then_some(block)
    })
}
