//! Packs an uploaded archive anew: `tar`, `tar.gz` or `tar.zst`, from anyone. Only directories, files and links that
//! stay inside come through, each once, with owner, mode and size checked; a directory that holds everything, as
//! archives of Git hosts have it, is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek as _};
use std::time::Instant;

use tar::{EntryType, Header};
use tempfile::NamedTempFile;

use super::members::{self, Member};
use super::{APP_USER, MAX_PATH, Snapshot, SourceLimits, ZSTD_LEVEL, printable};
use crate::quantity::size;
use crate::{Error, Result};

/// Most bytes of all paths together: what is remembered while packing.
const MAX_NAMES: usize = 64 << 20;
/// What a tar has around each of its members, generously, in bytes.
const OVERHEAD: u64 = 8 * 1024;

/// An uploaded archive.
#[derive(Debug)]
pub struct ArchiveSource {
    /// The archive as it came.
    pub file: File,
    /// How much is too much.
    pub limits: SourceLimits,
}

/// Packs into `file`; blocks the thread.
pub fn pack_archive(source: &ArchiveSource, file: NamedTempFile) -> Result<Snapshot> {
    let mut survey = Survey::default();
    each(source, |member| survey.take(&member, &source.limits))?;
    survey.finish()?;
    let output = BufWriter::with_capacity(1 << 18, file.reopen().map_err(|error| disk(&error))?);
    let output = zstd::Encoder::new(output, ZSTD_LEVEL).map_err(|error| disk(&error))?;
    let mut packer =
        Packer { survey: &survey, archive: tar::Builder::new(output), written: BTreeSet::new(), bytes: 0, files: 0 };
    each(source, |member| packer.take(member))?;
    let Packer { archive, bytes, files, .. } = packer;
    let output = archive.into_inner().and_then(zstd::Encoder::finish).map_err(|error| disk(&error))?;
    output.into_inner().map_err(|error| disk(error.error()))?;
    let mut warnings = Vec::new();
    if survey.git {
        warnings.push("The archive holds a .git directory, which is left out.".to_owned());
    }
    Ok(Snapshot { file, files, bytes, message: String::new(), skip: None, author: String::new(), warnings })
}

/// Calls `visit` with every member, telling a damaged archive from a refused one.
fn each(source: &ArchiveSource, mut visit: impl FnMut(Member<'_, Box<dyn Read>>) -> Result<()>) -> Result<()> {
    let mut file = source.file.try_clone().map_err(|error| disk(&error))?;
    file.rewind().map_err(|error| disk(&error))?;
    let most = source.limits.bytes.saturating_add(source.limits.entries.saturating_mul(OVERHEAD));
    let reader: Box<dyn Read> =
        Box::new(Limited { inner: unpacked(file)?, left: most, until: Instant::now() + source.limits.time });
    members::visit(reader, |member| visit(member).map_err(Stop::Refused)).map_err(|stop| match stop {
        Stop::Refused(error) => error,
        Stop::Read(error) if error.kind() == ErrorKind::QuotaExceeded => too_large(&source.limits),
        Stop::Read(error) => Error::Invalid(format!("The archive is damaged and cannot be unpacked: {error}.")),
    })
}

enum Stop {
    Refused(Error),
    Read(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// The tar inside, whatever it is packed with: the first bytes say it.
fn unpacked(mut file: File) -> Result<Box<dyn Read>> {
    let mut start = Vec::new();
    (&mut file).take(262).read_to_end(&mut start).map_err(|error| disk(&error))?;
    file.rewind().map_err(|error| disk(&error))?;
    let file = BufReader::with_capacity(1 << 16, file);
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(file)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok(Box::new(zstd::Decoder::with_buffer(file).map_err(|error| disk(&error))?));
    }
    if start.get(257..262) == Some(b"ustar") {
        return Ok(Box::new(file));
    }
    Err(Error::Invalid(
        "The upload is no source archive. Send a tar, tar.gz or tar.zst, such as `git archive --format=tar.gz HEAD` \
         makes."
            .to_owned(),
    ))
}

/// Ends with an error once too much was read: a small archive can unfold to any size.
struct Limited {
    inner: Box<dyn Read>,
    left: u64,
    until: Instant,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.until {
            return Err(ErrorKind::TimedOut.into());
        }
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or(ErrorKind::QuotaExceeded)?;
        Ok(read)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Link,
}

/// What is in the archive, before anything is written.
#[derive(Default)]
struct Survey {
    entries: BTreeMap<Vec<u8>, Kind>,
    names: usize,
    count: u64,
    bytes: u64,
    git: bool,
    /// The directory that holds everything, to be left out.
    root: Vec<u8>,
}

impl Survey {
    fn take<R: Read>(&mut self, member: &Member<'_, R>, limits: &SourceLimits) -> Result<()> {
        self.count += 1;
        if self.count > limits.entries {
            return Err(Error::Invalid(format!(
                "The archive holds more than {} files and directories. Leave generated files out, then upload again.",
                limits.entries
            )));
        }
        let Some(path) = path_of(&member.name)? else { return Ok(()) };
        if in_git(&path) {
            self.git = true;
            return Ok(());
        }
        let kind = match member.kind() {
            EntryType::Directory => Kind::Directory,
            EntryType::Regular | EntryType::Continuous | EntryType::Link => Kind::File,
            EntryType::Symlink => Kind::Link,
            EntryType::Fifo => return Ok(()),
            _ => return Err(refused(&path, "is a device or of another kind that only a system may have")),
        };
        self.bytes = self.bytes.saturating_add(member.size());
        if self.bytes > limits.bytes {
            return Err(too_large(limits));
        }
        self.names += path.len();
        if self.names > MAX_NAMES {
            return Err(Error::Invalid(format!(
                "The paths in the archive are longer than {} together.",
                size(MAX_NAMES as u64)
            )));
        }
        match self.entries.insert(path.clone(), kind) {
            Some(Kind::Directory) if kind == Kind::Directory => Ok(()),
            Some(_) => Err(refused(&path, "is in the archive more than once")),
            None => Ok(()),
        }
    }

    /// Adds the directories that are only named as parents, and checks that all parents are directories.
    fn finish(&mut self) -> Result<()> {
        let mut parents = BTreeSet::new();
        for path in self.entries.keys() {
            for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                match self.entries.get(&path[..at]) {
                    None => _ = parents.insert(path[..at].to_vec()),
                    Some(Kind::Directory) => {}
                    Some(_) => return Err(refused(path, "lies below something that is no directory")),
                }
            }
        }
        self.entries.extend(parents.into_iter().map(|path| (path, Kind::Directory)));
        if !self.entries.values().any(|kind| *kind != Kind::Directory) {
            return Err(Error::Invalid("The archive holds no files, so there is nothing to build.".to_owned()));
        }
        let mut tops = self.entries.iter().filter(|(path, _)| !path.contains(&b'/'));
        if let (Some((top, Kind::Directory)), None) = (tops.next(), tops.next()) {
            self.root = top.clone();
        }
        Ok(())
    }

    /// The path in the app: without the directory that holds everything; none for that directory itself.
    fn inside<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        if self.root.is_empty() {
            return Some(path);
        }
        path.strip_prefix(self.root.as_slice())?.strip_prefix(b"/")
    }

    /// Whether a link leads nowhere but into the tree; a `..` must step out of a real directory.
    fn stays_inside(&self, link: &[u8], target: &[u8]) -> bool {
        let lowest = usize::from(!self.root.is_empty());
        let mut at: Vec<&[u8]> = link.split(|byte| *byte == b'/').collect();
        at.pop();
        for step in target.split(|byte| *byte == b'/') {
            match step {
                b"" | b"." => {}
                b".." => {
                    let real = self.entries.get(&at.join(&b'/')).is_none_or(|kind| *kind == Kind::Directory);
                    if at.len() <= lowest || !real || (!at.is_empty() && !self.entries.contains_key(&at.join(&b'/'))) {
                        return false;
                    }
                    at.pop();
                }
                name => at.push(name),
            }
        }
        target.first() != Some(&b'/')
    }
}

struct Packer<'a, W: io::Write> {
    survey: &'a Survey,
    archive: tar::Builder<W>,
    written: BTreeSet<Vec<u8>>,
    bytes: u64,
    files: u64,
}

impl<W: io::Write> Packer<'_, W> {
    fn take<R: Read>(&mut self, mut member: Member<'_, R>) -> Result<()> {
        let Some(path) = path_of(&member.name)? else { return Ok(()) };
        if in_git(&path) || member.kind() == EntryType::Fifo {
            return Ok(());
        }
        let survey = self.survey;
        let Some(inside) = survey.inside(&path) else { return Ok(()) };
        self.parents(inside)?;
        let mut header = Header::new_gnu();
        header.set_uid(APP_USER);
        header.set_gid(APP_USER);
        header.set_mtime(member.header().mtime().unwrap_or(0));
        header.set_size(0);
        match survey.entries.get(&path) {
            Some(Kind::Directory) => return self.directory(inside),
            Some(Kind::Link) => {
                let target = std::mem::take(&mut member.link);
                if target.is_empty() || target.len() > MAX_PATH || target.contains(&0) {
                    return Err(refused(inside, "is a symbolic link to something that is no path"));
                }
                if !survey.stays_inside(&path, &target) {
                    return Err(refused(inside, "is a symbolic link that leads out of the archive"));
                }
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                self.archive
                    .append_link(&mut header, as_path(inside), as_path(&target))
                    .map_err(|error| disk(&error))?;
            }
            Some(Kind::File) if member.kind() == EntryType::Link => {
                let target = path_of(&member.link)?.unwrap_or_default();
                // Only to what was written: so it is a file of the archive and not the link itself.
                let target =
                    survey.inside(&target).filter(|inside| self.written.contains(*inside)).ok_or_else(|| {
                        refused(inside, "is a link to a file that does not come before it in the archive")
                    })?;
                header.set_entry_type(EntryType::Link);
                header.set_mode(0o644);
                self.archive
                    .append_link(&mut header, as_path(inside), as_path(target))
                    .map_err(|error| disk(&error))?;
            }
            _ => {
                let length = member.size();
                header.set_entry_type(EntryType::Regular);
                header.set_mode(if member.header().mode().unwrap_or(0) & 0o100 == 0 { 0o644 } else { 0o755 });
                header.set_size(length);
                let mut exact = Exact { inner: &mut member, left: length };
                self.archive.append_data(&mut header, as_path(inside), &mut exact).map_err(|error| {
                    match error.kind() {
                        ErrorKind::UnexpectedEof => Error::Invalid(format!("The archive is damaged: {error}.")),
                        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                            Error::Invalid(format!("The archive is damaged and cannot be unpacked: {error}."))
                        }
                        _ => disk(&error),
                    }
                })?;
                self.bytes += length;
                self.written.insert(inside.to_vec());
            }
        }
        self.files += 1;
        Ok(())
    }

    /// Writes the directories above `path` that were not written yet, so that they belong to the app's user.
    fn parents(&mut self, path: &[u8]) -> Result<()> {
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            self.directory(&path[..at])?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &[u8]) -> Result<()> {
        let mut name = path.to_vec();
        name.push(b'/');
        if !self.written.insert(name.clone()) {
            return Ok(());
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_uid(APP_USER);
        header.set_gid(APP_USER);
        header.set_mtime(0);
        header.set_size(0);
        self.archive.append_data(&mut header, as_path(&name), io::empty()).map_err(|error| disk(&error))
    }
}

/// Fails where an archive ends inside a file, which else would look like a short one.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.inner.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "it ends inside a file"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// The path a name stands for, without `.` and empty parts; none for the archive's top itself.
fn path_of(name: &[u8]) -> Result<Option<Vec<u8>>> {
    if name.first() == Some(&b'/') || name.contains(&0) {
        return Err(refused(name, "is not a path inside the archive"));
    }
    let mut path = Vec::with_capacity(name.len());
    for segment in name.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty() && *segment != b".") {
        if segment == b".." {
            return Err(refused(name, "leads out of the archive"));
        }
        if segment.len() > 255 {
            return Err(refused(name, "has a part longer than 255 bytes"));
        }
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(segment);
    }
    if path.len() > MAX_PATH {
        return Err(refused(&path, &format!("is longer than {MAX_PATH} bytes")));
    }
    Ok((!path.is_empty()).then_some(path))
}

fn in_git(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|segment| segment.eq_ignore_ascii_case(b".git"))
}

fn as_path(bytes: &[u8]) -> &std::path::Path {
    use std::os::unix::ffi::OsStrExt as _;
    std::path::Path::new(std::ffi::OsStr::from_bytes(bytes))
}

fn too_large(limits: &SourceLimits) -> Error {
    Error::Invalid(format!(
        "The archive unpacks to more than {}. Leave large files out, then upload again.",
        size(limits.bytes)
    ))
}

fn refused(path: &[u8], why: &str) -> Error {
    Error::Invalid(format!("{} {why}. Remove or change it, then upload again.", printable(path)))
}

fn disk(error: &io::Error) -> Error {
    Error::System(format!(
        "The uploaded files could not be stored: {error}. Try again; if it stays, tell the operator."
    ))
}
