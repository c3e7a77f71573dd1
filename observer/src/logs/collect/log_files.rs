//! The log files of one container, read in the order they were written. The engine renames a full one, begins anew and
//! removes the oldest; a reader has its file open and so goes on with it wherever it is by now.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::entry::{self, Entry};

/// The file that is written, in the container's directory of such files; older ones have `.1`, `.2`, … behind.
const NAME: &str = "container.log";
/// More files than the engine is told to keep.
const MOST_FILES: u32 = 32;
/// Most bytes read at once: more would let one container delay the others.
const AT_ONCE: u64 = 256 * 1024;

/// A file, whatever its name is by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileId {
    inode: u64,
    /// When it was made, in nanoseconds, since numbers of files are used again; 0 where that is not known.
    made: u64,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        let made = metadata.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        let made = made.and_then(|made| u64::try_from(made.as_nanos()).ok()).unwrap_or(0);
        Self { inode: metadata.ino(), made }
    }
}

/// A place between two entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    file: FileId,
    offset: u64,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The next entries; none where there are no more for now.
    pub(super) entries: Vec<Entry>,
    /// Whether entries before these may be gone: the engine removed them, or they are broken.
    pub(super) lost: bool,
}

/// Reads the files of one container.
#[derive(Debug)]
pub(super) struct LogFiles {
    directory: PathBuf,
    file: File,
    place: Place,
    lost: bool,
}

impl LogFiles {
    /// Opens the files in `directory` at the place, or at the first entry that is still there. Not found before the
    /// container was started.
    pub(super) fn open(directory: &Path, from: Option<Place>) -> io::Result<Self> {
        let files = list(directory)?;
        let known =
            from.and_then(|place| files.iter().find(|(_, _, id)| *id == place.file).map(|found| (found, place)));
        let oldest = || files.iter().max_by_key(|(number, ..)| *number);
        let ((_, file, id), offset) = match known {
            Some((found, place)) => (found, place.offset),
            None => (oldest().ok_or(io::ErrorKind::NotFound)?, 0),
        };
        let place = Place { file: *id, offset };
        Ok(Self {
            directory: directory.to_owned(),
            file: file.try_clone()?,
            place,
            lost: from.is_some() && known.is_none(),
        })
    }

    /// Where it has read to.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Reads on. Blocks for the disk.
    pub(super) fn read(&mut self) -> io::Result<Read> {
        let mut read = Read { lost: std::mem::take(&mut self.lost), ..Read::default() };
        loop {
            let end = self.file.metadata()?.len();
            let length = end.saturating_sub(self.place.offset).min(AT_ONCE);
            if length > 0 && self.read_entries(length, end, &mut read)? {
                return Ok(read);
            }
            // Nobody writes to this file once there is a next one; what came before that is read first.
            let Some((next, id, lost)) = self.next()? else { return Ok(read) };
            if self.file.metadata()?.len() > end {
                continue;
            }
            read.lost |= lost;
            self.file = next;
            self.place = Place { file: id, offset: 0 };
        }
    }

    /// Reads entries from the file that is open; answers whether there were any.
    fn read_entries(&mut self, length: u64, end: u64, read: &mut Read) -> io::Result<bool> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.file.read_exact_at(&mut bytes, self.place.offset)?;
        if let Ok(taken) = entry::take(&Bytes::from(bytes), &mut read.entries) {
            self.place.offset += taken as u64;
        } else {
            // Where the next entry begins cannot be told.
            read.lost = true;
            self.place.offset = end;
        }
        Ok(!read.entries.is_empty())
    }

    /// The file after the one that is open, and whether others lay between; none if that one is still written.
    fn next(&self) -> io::Result<Option<(File, FileId, bool)>> {
        let mut files = list(&self.directory)?;
        let Some(number) = number_of(&files, self.place.file) else {
            if self.file.metadata()?.nlink() > 0 {
                // It was renamed while we looked.
                return Ok(None);
            }
            let oldest = files.into_iter().max_by_key(|(number, ..)| *number);
            return Ok(oldest.map(|(_, file, id)| (file, id, true)));
        };
        let Some(wanted) = number.checked_sub(1) else { return Ok(None) };
        let next = files.iter().position(|(number, ..)| *number == wanted).map(|at| files.swap_remove(at));
        // Else all were renamed while we looked, and this may be the one after the next.
        let stayed = number_of(&list(&self.directory)?, self.place.file) == Some(number);
        Ok(next.filter(|_| stayed).map(|(_, file, id)| (file, id, false)))
    }
}

fn number_of(files: &[(u32, File, FileId)], wanted: FileId) -> Option<u32> {
    files.iter().find(|(_, _, id)| *id == wanted).map(|(number, ..)| *number)
}

/// The container's files with their numbers, 0 for the one that is written.
fn list(directory: &Path) -> io::Result<Vec<(u32, File, FileId)>> {
    let mut files = Vec::new();
    for number in 0..MOST_FILES {
        let name = if number == 0 { NAME.to_owned() } else { format!("{NAME}.{number}") };
        let file = match File::open(directory.join(name)) {
            Ok(file) => file,
            // The one that is written is missing for a moment while the engine renames.
            Err(error) if error.kind() == io::ErrorKind::NotFound && number == 0 => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        let id = FileId::of(&file.metadata()?);
        files.push((number, file, id));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::entry::Output;
    use super::super::entry::tests::written;
    use super::*;

    /// Writes and renames as the engine does, with three files.
    struct Engine(tempfile::TempDir);

    impl Engine {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("makes a directory"))
        }

        fn write(&self, number: i64) {
            let entry =
                Entry { output: Output::Stdout, at: number, text: format!("line {number}").into(), piece: None };
            self.write_bytes(&written(&entry));
        }

        fn write_bytes(&self, bytes: &[u8]) {
            let path = self.0.path().join(NAME);
            let mut file = File::options().create(true).append(true).open(path).expect("opens");
            file.write_all(bytes).expect("writes");
        }

        fn rotate(&self) {
            let path = |number: u32| self.0.path().join(format!("{NAME}.{number}"));
            let _ = std::fs::remove_file(path(2));
            let _ = std::fs::rename(path(1), path(2));
            std::fs::rename(self.0.path().join(NAME), path(1)).expect("renames");
            File::create(self.0.path().join(NAME)).expect("makes a file");
        }

        fn open(&self, from: Option<Place>) -> LogFiles {
            LogFiles::open(self.0.path(), from).expect("opens")
        }
    }

    fn numbers(files: &mut LogFiles) -> (Vec<i64>, bool) {
        let (mut numbers, mut lost) = (Vec::new(), false);
        loop {
            let read = files.read().expect("reads");
            lost |= read.lost;
            if read.entries.is_empty() {
                return (numbers, lost);
            }
            numbers.extend(read.entries.iter().map(|entry| entry.at));
        }
    }

    #[test]
    fn entries_are_read_across_renamed_files_in_order() {
        let engine = Engine::new();
        assert_eq!(LogFiles::open(engine.0.path(), None).expect_err("is empty").kind(), io::ErrorKind::NotFound);
        engine.write(1);
        engine.rotate();
        engine.write(2);
        let mut files = engine.open(None);
        assert_eq!(numbers(&mut files), (vec![1, 2], false));
        engine.write(3);
        engine.rotate();
        engine.write(4);
        engine.rotate();
        engine.write(5);
        assert_eq!(numbers(&mut files), (vec![3, 4, 5], false));
        assert_eq!(numbers(&mut files), (vec![], false));
        // Its own file has been removed meanwhile, and so may have been others after it.
        for number in 6..9 {
            engine.write(number);
            engine.rotate();
        }
        assert_eq!(numbers(&mut files), (vec![6, 7, 8], true));
    }

    #[test]
    fn reading_goes_on_where_it_was_and_tells_what_is_gone() {
        let engine = Engine::new();
        engine.write(1);
        engine.write(2);
        let mut files = engine.open(None);
        assert_eq!(numbers(&mut files), (vec![1, 2], false));
        let place = files.place();
        drop(files);
        engine.write(3);
        engine.rotate();
        engine.write(4);
        let text = serde_json::to_string(&place).expect("is written");
        assert_eq!(numbers(&mut engine.open(serde_json::from_str(&text).expect("is read"))), (vec![3, 4], false));
        for number in 5..8 {
            engine.rotate();
            engine.write(number);
        }
        assert_eq!(numbers(&mut engine.open(Some(place))), (vec![5, 6, 7], true));
    }

    #[test]
    fn half_an_entry_is_waited_for_and_a_broken_one_is_passed_over() {
        let engine = Engine::new();
        let whole = written(&Entry { output: Output::Stdout, at: 2, text: "two".into(), piece: None });
        engine.write(1);
        engine.write_bytes(&whole[..9]);
        let mut files = engine.open(None);
        assert_eq!(numbers(&mut files), (vec![1], false));
        engine.write_bytes(&whole[9..]);
        assert_eq!(numbers(&mut files), (vec![2], false));
        engine.write_bytes(&[0xff; 100]);
        assert_eq!(numbers(&mut files), (vec![], true));
        engine.write(3);
        assert_eq!(numbers(&mut files), (vec![3], false));
        // What a crash cut off ends with its file.
        engine.write_bytes(&whole[..9]);
        engine.rotate();
        engine.write(4);
        assert_eq!(numbers(&mut files), (vec![4], false));
    }
}
