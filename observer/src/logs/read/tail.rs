//! The end of an app's log as it grows: reads each new line once, from one active file to the next.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skypanel_core::logs::LogLine;

use super::line;
use crate::logs::store::{Files, Found, Kind, MAGIC, decode_frame, file_of, read_range};

/// Most bytes read at once.
const PIECE: usize = 256 * 1024;
/// Longest a frame can be, so that a piece of this length holds a whole one.
const LONGEST: usize = 512 * 1024;

/// How often files may be sealed while they are looked for, before it is left for later.
const ATTEMPTS: usize = 10;

/// Lines in the order of their numbers, and whether they reach up to now.
#[derive(Debug)]
pub(super) struct Grown {
    /// With their numbers.
    pub(super) lines: Vec<(u64, Arc<LogLine>)>,
    /// Whether more may be there at once.
    pub(super) has_more: bool,
}

/// Where reading is.
#[derive(Debug)]
pub(super) struct Tail {
    directory: PathBuf,
    current: Option<Current>,
    /// Number of the first line that was not read yet.
    next: u64,
}

#[derive(Debug)]
struct Current {
    first: u64,
    file: File,
    at: u64,
}

impl Tail {
    /// At the end of the log as it is now.
    pub(super) fn at_end(directory: &Path) -> io::Result<Self> {
        let mut tail = Self { directory: directory.to_owned(), current: None, next: 0 };
        while tail.read(|_, _| {})? {}
        Ok(tail)
    }

    /// The lines since.
    pub(super) fn grown(&mut self) -> io::Result<Grown> {
        let mut lines = Vec::new();
        let has_more = self.read(|seq, line| lines.push((seq, Arc::new(line()))))?;
        Ok(Grown { lines, has_more })
    }

    /// Reads a piece; answers whether more may be there at once.
    fn read(&mut self, mut take: impl FnMut(u64, &dyn Fn() -> LogLine)) -> io::Result<bool> {
        if self.current.is_none() {
            self.current = self.newer(None)?;
        }
        let Some(current) = &mut self.current else { return Ok(false) };
        let mut bytes = read_range(&current.file, current.at, PIECE)?;
        if bytes.len() == PIECE && decode_frame(&bytes) == Found::Short {
            bytes = read_range(&current.file, current.at, LONGEST)?;
        }
        let mut at = 0;
        let found = loop {
            match decode_frame(&bytes[at..]) {
                Found::Frame(frame, length) => {
                    if frame.seq >= self.next {
                        take(frame.seq, &|| line(&frame));
                        self.next = frame.seq + 1;
                    }
                    at += length;
                }
                end => break end,
            }
        };
        current.at += at as u64;
        if at > 0 && bytes.len() >= PIECE {
            return Ok(true);
        }
        // What is no frame yet becomes one, or the writer cuts it off, or the file is sealed up to there.
        if found == Found::End || current.file.metadata()?.nlink() == 0 {
            let first = current.first;
            if let Some(newer) = self.newer(Some(first))? {
                self.current = Some(newer);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The file to go on with: the one behind `first`, or at the beginning the newest.
    fn newer(&self, first: Option<u64>) -> io::Result<Option<Current>> {
        for _ in 0..ATTEMPTS {
            let files = Files::list(&self.directory)?.active;
            let next = match first {
                Some(first) => files.into_iter().find(|file| *file > first),
                None => files.into_iter().next_back(),
            };
            let Some(first) = next else { return Ok(None) };
            match File::open(file_of(&self.directory, first, Kind::Active)) {
                Ok(file) => return Ok(Some(Current { first, file, at: MAGIC.len() as u64 })),
                // Sealed in between: whoever follows sees from the numbers that lines are missing, and reads them.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
