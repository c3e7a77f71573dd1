//! What an app's log is at one moment, while it goes on being written, sealed and removed: the files that hold it.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::logs::store::{
    Block, Entry, Files, Found, Frame, Index, Kind, MAGIC, decode_frame, file_of, read_from, read_range,
};

/// How often files may change while they are opened, before something else must be wrong.
const ATTEMPTS: usize = 50;

/// The files of an app's log, opened so that together they hold every line of that moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Oldest first.
    pub(super) segments: Vec<SegmentFiles>,
    /// Oldest first; their lines may be in blocks already.
    pub(super) active: Vec<ActiveFile>,
}

/// A segment; its files are read when they are needed.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    directory: PathBuf,
    /// Number of its first line.
    pub(super) first: u64,
    /// Number of the first line of the segment behind it.
    pub(super) next: Option<u64>,
    blocks: OnceCell<Option<File>>,
}

/// An active file.
#[derive(Debug)]
pub(super) struct ActiveFile {
    /// Number of its first line.
    pub(super) first: u64,
    file: File,
}

/// The blocks of a segment.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) entries: Vec<Entry>,
    pub(super) is_damaged: bool,
}

impl Snapshot {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            if let Some(snapshot) = Self::try_open(directory)? {
                return Ok(snapshot);
            }
        }
        Err(io::Error::other("its files change all the time"))
    }

    /// None where a file was sealed in between: its lines are in a segment that was not there yet.
    fn try_open(directory: &Path) -> io::Result<Option<Self>> {
        let files = Files::list(directory)?;
        let mut active = Vec::new();
        for first in files.active {
            match File::open(file_of(directory, first, Kind::Active)) {
                Ok(file) => active.push(ActiveFile { first, file }),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        // The list can be older than what was opened since; a segment is there before its lines' file goes.
        let index = Files::list(directory)?.index;
        let next = index.iter().skip(1).copied().map(Some).chain([None]);
        let segments = index.iter().zip(next).map(|(first, next)| SegmentFiles {
            directory: directory.to_owned(),
            first: *first,
            next,
            blocks: OnceCell::new(),
        });
        Ok(Some(Self { segments: segments.collect(), active }))
    }

    /// The number of the oldest line there may be; none where there is nothing.
    pub(super) fn first(&self) -> Option<u64> {
        let segment = self.segments.first().map(|segment| segment.first);
        let active = self.active.first().map(|active| active.first);
        segment.into_iter().chain(active).min()
    }
}

impl SegmentFiles {
    /// What is in it now. One that was removed in between is empty.
    pub(super) fn index(&self) -> io::Result<Blocks> {
        match std::fs::read(file_of(&self.directory, self.first, Kind::Index)) {
            Ok(bytes) => {
                let index = Index::decode(&bytes);
                Ok(Blocks { entries: index.entries, is_damaged: index.is_damaged })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Blocks::default()),
            Err(error) => Err(error),
        }
    }

    /// A block; none where it is damaged, or gone.
    pub(super) fn block(&self, entry: &Entry) -> io::Result<Option<Block>> {
        if self.blocks.get().is_none() {
            let opened = match File::open(file_of(&self.directory, self.first, Kind::Blocks)) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            let _ = self.blocks.set(opened);
        }
        let Some(file) = self.blocks.get().and_then(Option::as_ref) else { return Ok(None) };
        // What an entry says of the length was checked with it, but a file may be shorter.
        let packed = read_range(file, entry.offset, entry.packed as usize)?;
        Ok(Block::unpack(entry, &packed))
    }
}

impl ActiveFile {
    /// The bytes of its lines, as far as they are written now.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        read_from(&self.file, MAGIC.len() as u64)
    }
}

/// The whole lines at the beginning of what an active file holds, from its number on.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || match decode_frame(rest) {
        Found::Frame(frame, length) => {
            rest = &rest[length..];
            Some(frame)
        }
        _ => None,
    })
}
