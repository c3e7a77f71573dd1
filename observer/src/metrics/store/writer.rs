//! The writing half of the store. There is one writer for a directory, which a lock sees to. What it does is done for
//! good with each row: a writer that is killed leaves at most one torn row, and the next makes up for the steps that it
//! had not yet put together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};

use super::file::{PART, SeriesFile};
use super::row::{Cell, Row, merge};
use super::tier::{MINUTE, RAW, TEN_MINUTES, Tier};
use super::{APPS, NODES, Reading, Subject};
use crate::metrics::columns::Layout;

/// Writes what was measured.
#[derive(Debug)]
pub struct Writer {
    dir: PathBuf,
    _lock: File,
    /// The step last written of everything that is being measured.
    live: HashMap<Subject, u32>,
    /// Files that were too old when last looked at: they go if they still are.
    aged: HashSet<PathBuf>,
}

impl Writer {
    /// The writer of the store in `dir`, which is made where it is missing.
    pub fn open(dir: &Path) -> Result<Self> {
        let failed = |error: &io::Error| {
            Error::System(format!("The measurements in {} cannot be written: {error}.", dir.display()))
        };
        make_directory(&dir.join(APPS))
            .and_then(|()| make_directory(&dir.join(NODES)))
            .map_err(|error| failed(&error))?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).mode(0o600).open(dir.join("writer.lock"));
        let lock = lock.map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Conflict(format!(
                    "Another process writes the measurements in {}. Stop it first: one agent measures a node.",
                    dir.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        Ok(Self { dir: dir.to_owned(), _lock: lock, live: HashMap::new(), aged: HashSet::new() })
    }

    /// Puts together the steps that a writer before this one had not. `now` is in seconds since 1970.
    pub(crate) fn make_up(&mut self, now: i64) -> io::Result<()> {
        for path in self.files()? {
            if path.to_string_lossy().ends_with(PART) {
                std::fs::remove_file(&path)?;
                continue;
            }
            let Some(subject) = Subject::at(&path) else { continue };
            if let Some(file) = SeriesFile::open_to_write(&path, subject.layout())? {
                make_up(&file, subject.layout(), RAW.slot(now))?;
            }
        }
        Ok(())
    }

    /// Writes what was measured within the step `slot`. A file that cannot be written keeps no other from it; the
    /// first reason is answered.
    pub(crate) fn append(&mut self, slot: u32, readings: &[Reading]) -> io::Result<()> {
        let mut outcome = Ok(());
        let measured: HashSet<&Subject> = readings.iter().map(|reading| &reading.of).collect();
        let gone: Vec<(Subject, u32)> = self
            .live
            .iter()
            .filter(|(subject, _)| !measured.contains(subject))
            .map(|(subject, last)| (subject.clone(), *last))
            .collect();
        for (subject, last) in gone {
            self.live.remove(&subject);
            outcome = outcome.and(self.close(&subject, last));
        }
        for reading in readings {
            outcome = outcome.and(self.append_one(slot, reading));
        }
        outcome
    }

    fn append_one(&mut self, slot: u32, reading: &Reading) -> io::Result<()> {
        let layout = reading.of.layout();
        let path = reading.of.path(&self.dir);
        let last = self.live.insert(reading.of.clone(), slot);
        let file = if let Some(file) = SeriesFile::open_to_write(&path, layout)? {
            file
        } else {
            make_directory(path.parent().unwrap_or(&self.dir))?;
            SeriesFile::create(&path, layout)?
        };
        match last {
            None => make_up(&file, layout, slot)?,
            // The last measurement of a step can be missing, and after a jump of the clock any other. The row to come may
            // be written over one of them.
            Some(before) => {
                for tier in [MINUTE, TEN_MINUTES] {
                    if before / tier.raw_steps() != slot / tier.raw_steps() {
                        put_together(&file, layout, tier, before / tier.raw_steps())?;
                    }
                }
            }
        }
        let row: Row = reading.values.iter().map(|value| value.map(Cell::of)).collect();
        file.write(RAW, slot, &row)?;
        for tier in [MINUTE, TEN_MINUTES] {
            if (slot + 1).is_multiple_of(tier.raw_steps()) {
                put_together(&file, layout, tier, slot / tier.raw_steps())?;
            }
        }
        Ok(())
    }

    /// Of what is not measured any more, also the steps that are not over are put together.
    fn close(&self, subject: &Subject, last: u32) -> io::Result<()> {
        let layout = subject.layout();
        let Some(file) = SeriesFile::open_to_write(&subject.path(&self.dir), layout)? else { return Ok(()) };
        for tier in [MINUTE, TEN_MINUTES] {
            put_together(&file, layout, tier, last / tier.raw_steps())?;
        }
        Ok(())
    }

    /// Apps of which something is kept.
    pub(crate) fn apps(&self) -> io::Result<Vec<AppId>> {
        super::reader::apps(&self.dir)
    }

    /// Removes all that is kept of an app.
    pub(crate) fn remove(&mut self, app: AppId) -> io::Result<()> {
        self.live.retain(|subject, _| match subject {
            Subject::Replica(of, _) | Subject::Router(of) => *of != app,
            Subject::Node(_) => true,
        });
        match std::fs::remove_dir_all(super::app_directory(&self.dir, app)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes files that have not been written for as long as the longest tier goes back. That they are so old must be
    /// seen twice: a clock that is wrong for an hour removes nothing.
    pub(crate) fn remove_aged(&mut self) -> io::Result<()> {
        let aged: HashSet<PathBuf> = self.files()?.into_iter().filter(|path| !is_younger(path, TEN_MINUTES)).collect();
        for path in aged.intersection(&self.aged) {
            std::fs::remove_file(path)?;
            // Goes with its last file.
            let _ = path.parent().map(std::fs::remove_dir);
        }
        self.aged = aged;
        make_directory(&self.dir.join(NODES))
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let apps = std::fs::read_dir(self.dir.join(APPS))?.map(|entry| entry.map(|entry| entry.path()));
        let mut directories = apps.collect::<io::Result<Vec<PathBuf>>>()?;
        directories.push(self.dir.join(NODES));
        for directory in directories.iter().filter(|path| path.is_dir()) {
            for entry in std::fs::read_dir(directory)? {
                files.push(entry?.path());
            }
        }
        Ok(files)
    }
}

/// Whether the file was written within the time that `tier` goes back. A time to come is no age.
fn is_younger(path: &Path, tier: Tier) -> bool {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| {
        let age = SystemTime::now().duration_since(written).unwrap_or_default();
        age.as_secs() < tier.span().unsigned_abs()
    })
}

fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes the row of a longer step from what was measured within it.
fn put_together(file: &SeriesFile, layout: Layout, tier: Tier, slot: u32) -> io::Result<()> {
    let first = slot.saturating_mul(tier.raw_steps());
    let rows = file.read(RAW, first, first.saturating_add(tier.raw_steps() - 1))?;
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<&Row> = rows.iter().map(|(_, row)| row).collect();
    file.write(tier, slot, &merge(layout.columns(), &rows))
}

/// Puts together the longer steps that have no row yet, but that of `now`. Those that seem to come were measured before
/// the clock went back, and may be written over before it is there again.
fn make_up(file: &SeriesFile, layout: Layout, now: u32) -> io::Result<()> {
    let measured: Vec<u32> = file.ring(RAW)?.into_iter().map(|(slot, _)| slot).collect();
    for tier in [MINUTE, TEN_MINUTES] {
        let current = now / tier.raw_steps();
        let wanted: BTreeSet<u32> =
            measured.iter().map(|slot| slot / tier.raw_steps()).filter(|slot| *slot != current).collect();
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { continue };
        let present = file.ring(tier)?.into_iter().map(|(slot, _)| slot);
        let present: BTreeSet<u32> = present.filter(|slot| (first..=last).contains(&slot)).collect();
        for slot in wanted.difference(&present) {
            put_together(file, layout, tier, *slot)?;
        }
    }
    Ok(())
}
