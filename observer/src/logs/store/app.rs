//! The writing side of one app's log: lines go to its active file, which is set aside when it is large or old enough
//! and sealed into a block behind everybody's back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use skypanel_core::logs::LogRecord;

use super::frame::{self, Found};
use super::place::{self, Files, Kind};
use super::segment::{self, Segment};

/// An active file of this length is sealed.
const CUT_BYTES: u64 = 1024 * 1024;
/// One of this age is sealed if it has at least [`CUT_EARLY_BYTES`], so that blocks stay worth packing.
const CUT_AGE: Duration = Duration::from_mins(10);
const CUT_EARLY_BYTES: u64 = 64 * 1024;
/// One of this age is sealed however short it is, because lines are removed by the segment.
pub(crate) const SEGMENT_AGE: Duration = Duration::from_hours(6);
/// Most bytes of memory that are kept for the next lines.
const KEPT_BUFFER: usize = 256 * 1024;
/// A file that was not written to for so long is closed.
const CLOSE_AFTER: Duration = Duration::from_secs(60);
/// Numbers left out when the machine lost what was not on disk yet: readers may have seen lines with those numbers. More
/// than lines are ever removed at once, so that the two can be told apart.
pub(crate) const LEAP: u64 = 1 << 40;

/// An app's log, for its one writer.
#[derive(Debug)]
pub(crate) struct AppLog {
    pub(crate) directory: PathBuf,
    /// The number of the next line.
    next: u64,
    active: Option<Active>,
    /// Files that wait to be sealed, oldest first.
    pub(crate) set_aside: Vec<u64>,
    /// The newest of those, as long as its end is not marked, and where that is.
    unmarked: Option<(File, u64)>,
    /// Segments, oldest first.
    pub(crate) segments: Vec<Segment>,
    buffer: Vec<u8>,
    removed: bool,
}

#[derive(Debug)]
struct Active {
    first: u64,
    file: Option<File>,
    length: u64,
    since: DateTime<Utc>,
    used: Instant,
    /// Whether something was written that is not on disk yet.
    unsynced: bool,
    /// Whether the file itself is new.
    is_new: bool,
    /// Whether the next line goes to another file.
    full: bool,
}

impl AppLog {
    /// Takes over what an earlier process left, up to the first thing that is not whole. `leap`: whether the machine
    /// may have lost lines since.
    pub(crate) fn recover(directory: PathBuf, now: DateTime<Utc>, leap: bool) -> io::Result<Self> {
        let files = Files::list(&directory)?;
        let segments = segment::recover(&directory, &files)?;
        let sealed = segments.last().map(|segment| segment.last);
        let mut log = Self {
            directory,
            next: sealed.map_or(0, |last| last + 1),
            active: None,
            set_aside: Vec::new(),
            unmarked: None,
            segments,
            buffer: Vec::new(),
            removed: false,
        };
        for first in files.active {
            log.recover_active(first, sealed, now)?;
        }
        if log.next == 0 {
            // The first number is the time, so that a log that was thrown away never uses its numbers again.
            log.next = now.timestamp_micros().max(1).cast_unsigned();
        } else if leap {
            log.next += LEAP;
            log.set_active_aside();
        }
        Ok(log)
    }

    fn recover_active(&mut self, first: u64, sealed: Option<u64>, now: DateTime<Utc>) -> io::Result<()> {
        let path = place::file(&self.directory, first, Kind::Active);
        let file = place::open_to_write(&path)?;
        let bytes = place::read_from(&file, 0)?;
        let (good, last, ended) = good_part(&bytes, first);
        if last.is_none_or(|last| sealed.is_some_and(|sealed| last <= sealed)) {
            if bytes.len() > good {
                tracing::warn!(path = %path.display(), bytes = bytes.len() - good, "a log has no whole line here; left out");
            }
            // The number it is named by was given out, perhaps to a line that was lost.
            self.next = self.next.max(first);
            return place::remove(&path);
        }
        if !ended && bytes.len() > good {
            let lost = bytes.len() - good;
            tracing::warn!(path = %path.display(), bytes = lost, "a log ends within a line; cut off before it");
            file.set_len(good as u64)?;
        }
        self.set_active_aside();
        self.next = self.next.max(last.unwrap_or(first) + 1);
        let since = frame::decode_all(&bytes[frame::MAGIC.len()..good])
            .0
            .first()
            .map_or(now, |frame| DateTime::from_timestamp_nanos(frame.at).min(now));
        self.active = Some(Active {
            first,
            file: None,
            length: good as u64,
            since,
            used: Instant::now(),
            unsynced: true,
            is_new: false,
            full: ended,
        });
        Ok(())
    }

    /// Adds lines, all or none.
    pub(crate) fn append(&mut self, records: &[LogRecord], now: DateTime<Utc>) -> io::Result<()> {
        if records.is_empty() || self.removed {
            return Ok(());
        }
        if self.active.as_ref().is_some_and(|active| active.full || active.length >= CUT_BYTES) {
            self.set_active_aside();
        }
        if self.active.is_none() {
            self.begin_file(now)?;
        }
        let first = self.next;
        self.buffer.clear();
        for record in records {
            self.next += frame::encode(record, self.next, &mut self.buffer);
        }
        let written = self.write();
        if written.is_err() {
            // Somebody may have read the lines that were written in part: their numbers are gone.
            if let Some(active) = &mut self.active {
                active.full = true;
                let cut = active.file.as_ref().map(|file| file.set_len(active.length));
                tracing::warn!(?cut, first, "lines could not be written");
            }
        }
        if self.buffer.capacity() > KEPT_BUFFER {
            self.buffer = Vec::new();
        }
        written
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(active) = &mut self.active else { return Err(io::Error::other("no file to write to")) };
        let file = match &mut active.file {
            Some(file) => file,
            closed @ None => {
                closed.insert(place::open_to_write(&place::file(&self.directory, active.first, Kind::Active))?)
            }
        };
        file.write_all_at(&self.buffer, active.length)?;
        active.length += self.buffer.len() as u64;
        active.used = Instant::now();
        active.unsynced = true;
        Ok(())
    }

    fn begin_file(&mut self, now: DateTime<Utc>) -> io::Result<()> {
        place::make_directory(&self.directory)?;
        let file = place::open_to_write(&place::file(&self.directory, self.next, Kind::Active))?;
        file.set_len(0)?;
        file.write_all_at(frame::MAGIC, 0)?;
        // Followers go on to the new file when they find the mark, so it has to be there before that. Without the mark
        // they do so when the old one is removed, a little later.
        if let Some((before, end)) = self.unmarked.take()
            && let Err(error) = before.write_all_at(&frame::end_mark(), end)
        {
            tracing::debug!(%error, "the end of a file of a log could not be marked");
        }
        self.active = Some(Active {
            first: self.next,
            file: Some(file),
            length: frame::MAGIC.len() as u64,
            since: now,
            used: Instant::now(),
            unsynced: true,
            is_new: true,
            full: false,
        });
        Ok(())
    }

    /// The next line goes to a new file; the present one is sealed soon.
    pub(crate) fn set_active_aside(&mut self) {
        if let Some(active) = self.active.take() {
            self.set_aside.push(active.first);
            self.unmarked = active.file.map(|file| (file, active.length));
        }
    }

    /// Sets the active file aside if it is old or large enough for its length.
    pub(crate) fn cut_if_due(&mut self, now: DateTime<Utc>) {
        let Some(active) = &self.active else { return };
        // A clock that went backwards makes nothing due.
        let age = (now - active.since).to_std().unwrap_or_default();
        let due = active.full
            || active.length >= CUT_BYTES
            || (age >= CUT_AGE && active.length >= CUT_EARLY_BYTES)
            || age >= SEGMENT_AGE;
        if due {
            self.set_active_aside();
        }
    }

    /// A file that was set aside is sealed, and this is the newest segment since.
    pub(crate) fn sealed(&mut self, first: u64, newest: Option<Segment>) {
        if self.removed {
            return;
        }
        self.set_aside.retain(|waiting| *waiting != first);
        if let Some(newest) = newest {
            match self.segments.last_mut() {
                Some(last) if last.first == newest.first => *last = newest,
                _ => self.segments.push(newest),
            }
        }
    }

    /// What has to be put on disk: files, and whether the directory, too.
    pub(crate) fn unsynced(&mut self) -> io::Result<Option<(File, bool)>> {
        let Some(active) = self.active.as_mut().filter(|active| active.unsynced) else { return Ok(None) };
        let Some(file) = &active.file else {
            active.unsynced = false;
            return Ok(None);
        };
        let taken = (file.try_clone()?, active.is_new);
        (active.unsynced, active.is_new) = (false, false);
        Ok(Some(taken))
    }

    /// Closes a file that is not written to any more.
    pub(crate) fn close_if_idle(&mut self) {
        if let Some(active) = &mut self.active
            && !active.unsynced
            && active.used.elapsed() >= CLOSE_AFTER
        {
            active.file = None;
        }
    }

    /// The highest number that was given out.
    pub(crate) fn newest(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// Bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        let sealed: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        sealed + self.active.as_ref().map_or(0, |active| active.length)
    }

    /// Forgets the log: what comes after that is dropped.
    pub(crate) fn mark_removed(&mut self) {
        self.removed = true;
        self.active = None;
        self.set_aside.clear();
        self.unmarked = None;
        self.segments.clear();
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// How much of an active file is whole, its last line's number, and whether it is marked as ended there.
pub(crate) fn good_part(bytes: &[u8], first: u64) -> (usize, Option<u64>, bool) {
    let Some(body) = bytes.strip_prefix(frame::MAGIC) else { return (0, None, false) };
    let (mut at, mut next) = (0, first);
    loop {
        match frame::decode(&body[at..]) {
            Found::Frame(frame, length) if frame.seq == next => {
                at += length;
                next += 1;
            }
            end => {
                let last = next.checked_sub(1).filter(|last| *last >= first);
                return (frame::MAGIC.len() + at, last, end == Found::End);
            }
        }
    }
}
