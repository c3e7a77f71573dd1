//! Pages: the next lines behind a place, or the newest before one.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use skypanel_core::logs::{LogDirection, LogLine, LogPage};

use super::matcher::Matcher;
use super::snapshot::{ActiveFile, SegmentFiles, Snapshot, lines};
use super::{cursor, line};
use crate::logs::store::Entry;

/// Most bytes of text of a page; one with longer lines has fewer.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What to read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) matcher: Matcher,
    pub(super) direction: LogDirection,
    /// Number of the line to begin behind, or before.
    pub(super) place: Option<u64>,
    pub(super) lines: usize,
    /// Longest to search.
    pub(super) limit: Duration,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Oldest first.
    pub(super) lines: Vec<LogLine>,
    /// Number of the last line that was looked at, in the direction of reading; none where that was none.
    pub(super) seen: Option<u64>,
    /// Number of the newest line there was, if that was come across.
    pub(super) newest: Option<u64>,
    pub(super) end: End,
    /// What the reader should know.
    pub(super) notices: Vec<&'static str>,
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum End {
    /// There was no more.
    #[default]
    Nothing,
    /// The page was full.
    Full,
    /// It took too long.
    TooLong,
}

/// Told to whoever begins behind a line whose followers are gone.
pub(super) const GAP: &str = "The lines between were removed: they were too old or too many.";
const DAMAGED: &str = "A part of this log is damaged and was left out.";
const TOO_LONG: &str = "The search takes long: go on with the next page, or narrow it down by time.";

impl Read {
    pub(super) fn into_page(self) -> LogPage {
        let too_long = (self.end == End::TooLong).then_some(TOO_LONG);
        let notices: Vec<&str> = self.notices.into_iter().chain(too_long).collect();
        LogPage {
            next: self.seen.filter(|_| self.end != End::Nothing).map(cursor),
            lines: self.lines,
            notice: (!notices.is_empty()).then(|| notices.join(" ")),
        }
    }

    fn note(&mut self, notice: &'static str) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }
}

/// Reads a page of the log in a directory, until it is told to stop.
pub(super) fn read(directory: &Path, wanted: &Wanted, stop: &AtomicBool) -> io::Result<Read> {
    let snapshot = Snapshot::open(directory)?;
    let reading = Reading { wanted, stop, began: Instant::now(), bytes: 0, read: Read::default() };
    match wanted.direction {
        LogDirection::Forward => reading.forward(&snapshot),
        LogDirection::Backward => reading.backward(&snapshot),
    }
}

struct Reading<'a> {
    wanted: &'a Wanted,
    stop: &'a AtomicBool,
    began: Instant,
    bytes: usize,
    /// Its lines in the order of reading.
    read: Read,
}

impl Reading<'_> {
    fn forward(mut self, snapshot: &Snapshot) -> io::Result<Read> {
        // The number of the next line.
        let from = self.wanted.place.map_or(0, |place| place.saturating_add(1));
        if self.wanted.place.is_some() && snapshot.first().is_some_and(|first| first > from) {
            self.read.note(GAP);
        }
        self.read.seen = self.wanted.place;
        let mut next = from;
        for segment in &snapshot.segments {
            if segment.next.is_some_and(|behind| behind <= next) {
                continue;
            }
            let index = segment.index()?;
            if index.is_damaged {
                self.read.note(DAMAGED);
            }
            let first = index.entries.partition_point(|entry| entry.last < next);
            for entry in &index.entries[first..] {
                if !self.block(segment, entry, |seq| seq >= next)? {
                    return Ok(self.read);
                }
                next = entry.last.saturating_add(1);
            }
        }
        for active in &snapshot.active {
            let bytes = active.read()?;
            for frame in lines(&bytes) {
                if frame.seq < next {
                    continue;
                }
                if self.wanted.matcher.frame(&frame) && !self.take(line(&frame)) {
                    return Ok(self.read);
                }
                next = frame.seq.saturating_add(1);
                self.read.seen = Some(frame.seq);
            }
        }
        self.read.newest = self.read.seen;
        Ok(self.read)
    }

    fn backward(mut self, snapshot: &Snapshot) -> io::Result<Read> {
        // Numbers from this one on were seen.
        let mut end = self.wanted.place.unwrap_or(u64::MAX);
        self.read.seen = self.wanted.place;
        let going_on = self.backward_in_active(&snapshot.active, &mut end)?;
        if !going_on {
            return Ok(self.finish_backward());
        }
        for segment in
            snapshot.segments.iter().rev().filter(|segment| segment.first < self.wanted.place.unwrap_or(u64::MAX))
        {
            let index = segment.index()?;
            if index.is_damaged {
                self.read.note(DAMAGED);
            }
            self.read.newest = self.read.newest.max(index.entries.last().map(|entry| entry.last));
            let behind = index.entries.partition_point(|entry| entry.first < end);
            for entry in index.entries[..behind].iter().rev() {
                if !self.block(segment, entry, |seq| seq < end)? {
                    return Ok(self.finish_backward());
                }
                end = entry.first;
            }
        }
        Ok(self.finish_backward())
    }

    /// Lines that are in no block, newest first. Those that are in blocks, too, are the same there.
    fn backward_in_active(&mut self, active: &[ActiveFile], end: &mut u64) -> io::Result<bool> {
        for file in active.iter().rev() {
            let bytes = file.read()?;
            let frames: Vec<_> = lines(&bytes).collect();
            self.read.newest = self.read.newest.max(frames.last().map(|frame| frame.seq));
            for frame in frames.iter().rev().filter(|frame| frame.seq < *end) {
                if self.wanted.matcher.frame(frame) && !self.take(line(frame)) {
                    return Ok(false);
                }
                self.read.seen = Some(frame.seq);
            }
            if let Some(first) = frames.first() {
                *end = first.seq.min(*end);
            }
        }
        Ok(true)
    }

    fn finish_backward(mut self) -> Read {
        self.read.lines.reverse();
        self.read
    }

    /// Looks through a block for lines whose numbers are wanted; answers whether to go on behind it.
    fn block(&mut self, segment: &SegmentFiles, entry: &Entry, wants: impl Fn(u64) -> bool) -> io::Result<bool> {
        let forward = self.wanted.direction == LogDirection::Forward;
        if self.stop.load(Ordering::Relaxed) || self.began.elapsed() >= self.wanted.limit {
            self.read.end = End::TooLong;
            return Ok(false);
        }
        if self.wanted.matcher.may_be_in(entry) {
            if let Some(block) = segment.block(entry)? {
                let found = self.wanted.matcher.select(&block);
                let count = found.len();
                let in_order = (0..count).map(|nth| found[if forward { nth } else { count - 1 - nth }]);
                for number in in_order {
                    let frame = block.line(number);
                    if wants(frame.seq) && !self.take(line(&frame)) {
                        return Ok(false);
                    }
                }
            } else {
                self.read.note(DAMAGED);
            }
        }
        self.read.seen = Some(if forward { entry.last } else { entry.first });
        Ok(true)
    }

    /// Adds a line; false where the page is full, and the line is the first of the next one.
    fn take(&mut self, line: LogLine) -> bool {
        if self.read.lines.len() >= self.wanted.lines || self.bytes > MAX_BYTES {
            self.read.end = End::Full;
            // The next page begins behind the last line of this one.
            if let Some(last) = self.read.lines.last() {
                self.read.seen = last.cursor.as_str().parse().ok();
            }
            return false;
        }
        self.bytes += line.record.text.len() + line.record.process.len();
        self.read.lines.push(line);
        true
    }
}
