//! Packs the tree of a commit into a `tar.zst`, straight from Git's object store. The objects of a push that is not
//! accepted yet are still in Git's quarantine.

use std::collections::HashMap;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use git2::{ObjectType, Odb, Oid, Repository, Tree};
use tar::{EntryType, Header};
use tempfile::NamedTempFile;

use super::{APP_USER, MAX_PATH, Snapshot, SourceLimits, ZSTD_LEVEL, printable};
use crate::quantity::size;
use crate::{Error, Result};

/// Files above this size in bytes are streamed through Git instead of being held in memory.
const LARGE_FILE: usize = 16 << 20;
/// Deepest directory.
pub(crate) const MAX_DEPTH: usize = 100;
/// Largest commit and largest directory in bytes, as Git stores them. Asked before they are read: a few megabytes of
/// pack can unfold to more than this machine's memory.
pub(crate) const MAX_COMMIT: usize = 1 << 20;
pub(crate) const MAX_DIRECTORY: usize = 32 << 20;
/// Most memory Git takes at once, as it reads its environment: objects that it keeps whole are smaller (files from
/// 512 MB on are streamed), and a few megabytes of pack can unfold to a commit of gigabytes.
pub const ALLOC_LIMIT: (&str, &str) = ("GIT_ALLOC_LIMIT", "600m");
/// Most submodules, and pointers of Git LFS, named one by one.
const MAX_NAMED: usize = 5;
/// How a file begins that Git LFS keeps elsewhere, and how large what stands for it is at most ("Git LFS Specification").
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const MAX_LFS_POINTER: usize = 1_024;

/// What to pack.
#[derive(Clone, Debug)]
pub struct CommitSource {
    /// The bare repository.
    pub repository: PathBuf,
    /// Where Git keeps the pushed objects until the verdict.
    pub quarantine: Option<PathBuf>,
    /// Full hash of the commit.
    pub commit: String,
    /// The `git` program.
    pub git: PathBuf,
    /// How much is too much.
    pub limits: SourceLimits,
    /// What its people do to try again, for error messages: `push` or `deploy`.
    pub verb: &'static str,
}

/// Packs; blocks the thread.
pub fn pack_commit(source: &CommitSource, file: NamedTempFile) -> Result<Snapshot> {
    let repository = open(&source.repository, source.quarantine.as_deref()).map_err(|error| unreadable(&error))?;
    let odb = repository.odb().map_err(|error| unreadable(&error))?;
    let id = Oid::from_str(&source.commit).map_err(|error| unreadable(&error))?;
    if odb.read_header(id).map_err(|error| unreadable(&error))?.0 > MAX_COMMIT {
        return Err(Error::Invalid(format!(
            "The commit's message is too long. Shorten it, then {} again.",
            source.verb
        )));
    }
    let commit = repository.find_commit(id).map_err(|error| unreadable(&error))?;
    let root = find_tree(&repository, &odb, commit.tree_id(), b"The repository's root")?;
    let output = BufWriter::with_capacity(1 << 18, file.reopen().map_err(|error| disk(&error))?);
    let output = zstd::Encoder::new(output, ZSTD_LEVEL).map_err(|error| disk(&error))?;
    let mut packer = Packer {
        source,
        repository: &repository,
        odb: &odb,
        root: &root,
        archive: tar::Builder::new(output),
        modified: u64::try_from(commit.time().seconds()).unwrap_or(0),
        entries: 0,
        files: 0,
        bytes: 0,
        submodules: Vec::new(),
        pointers: Vec::new(),
        deadline: Instant::now() + source.limits.time,
        directories: HashMap::new(),
    };
    packer.tree(&root, &mut Vec::new(), 0)?;
    let Packer { archive, files, bytes, submodules, pointers, .. } = packer;
    let output = archive.into_inner().and_then(zstd::Encoder::finish).map_err(|error| disk(&error))?;
    output.into_inner().map_err(|error| disk(error.error()))?;
    if files == 0 {
        return Err(Error::Invalid(format!(
            "The commit holds no files, so there is nothing to build. Commit your app's files, then {} again.",
            source.verb
        )));
    }
    let author = commit.author();
    Ok(Snapshot {
        file,
        files,
        bytes,
        message: text(commit.summary_bytes().unwrap_or_default(), 500),
        skip: crate::webhook::skip_marker(&String::from_utf8_lossy(commit.message_raw_bytes())),
        author: format!("{} <{}>", text(author.name_bytes(), 200), text(author.email_bytes(), 200)),
        warnings: [submodule_warnings(&submodules), pointer_warnings(&pointers)].concat(),
    })
}

/// Opens a bare repository whose newest objects may still be in Git's quarantine.
pub(crate) fn open(path: &Path, quarantine: Option<&Path>) -> Result<Repository, git2::Error> {
    let repository = Repository::open_bare(path)?;
    if let Some(quarantine) = quarantine {
        let path = quarantine.to_str().ok_or_else(|| git2::Error::from_str("the path of its objects is not UTF-8"))?;
        repository.odb()?.add_disk_alternate(path)?;
    }
    Ok(repository)
}

struct Packer<'a, W: Write> {
    source: &'a CommitSource,
    repository: &'a Repository,
    odb: &'a Odb<'a>,
    root: &'a Tree<'a>,
    archive: tar::Builder<W>,
    modified: u64,
    entries: u64,
    files: u64,
    bytes: u64,
    submodules: Vec<String>,
    /// Files of Git LFS.
    pointers: Vec<String>,
    deadline: Instant,
    /// Which paths are directories, as far as links have asked.
    directories: HashMap<Vec<u8>, bool>,
}

impl<W: Write> Packer<'_, W> {
    fn tree(&mut self, tree: &Tree<'_>, path: &mut Vec<u8>, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(refused(path, &format!("lies more than {MAX_DEPTH} directories deep")));
        }
        for entry in tree {
            self.entries += 1;
            if self.entries > self.source.limits.entries {
                return Err(Error::Invalid(format!(
                    "The commit holds more than {} files and directories. Leave generated files out of Git (see \
                     .gitignore), then {} again.",
                    self.source.limits.entries, self.source.verb
                )));
            }
            self.check_time()?;
            let parent = path.len();
            if parent > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(entry.name_bytes());
            check_name(entry.name_bytes(), path)?;
            match entry.filemode_raw() {
                0o040_000 => {
                    let inner = find_tree(self.repository, self.odb, entry.id(), path)?;
                    let mut header = self.header(EntryType::Directory, 0o755, 0);
                    let mut name = path.clone();
                    name.push(b'/');
                    self.archive.append_data(&mut header, as_path(&name), io::empty()).map_err(|error| disk(&error))?;
                    self.tree(&inner, path, depth + 1)?;
                }
                0o120_000 => self.link(entry.id(), path)?,
                0o160_000 => self.submodules.push(printable(path)),
                mode => self.file(entry.id(), path, if mode & 0o100 == 0 { 0o644 } else { 0o755 })?,
            }
            path.truncate(parent);
        }
        Ok(())
    }

    fn check_time(&self) -> Result<()> {
        if Instant::now() > self.deadline {
            return Err(Error::Invalid(format!(
                "Reading the files took longer than {} s. Leave generated files out of Git, then {} again.",
                self.source.limits.time.as_secs(),
                self.source.verb
            )));
        }
        Ok(())
    }

    fn file(&mut self, id: Oid, path: &[u8], mode: u32) -> Result<()> {
        let (length, kind) = self.odb.read_header(id).map_err(|error| unreadable(&error))?;
        if kind != ObjectType::Blob {
            return Err(refused(path, "is not a file"));
        }
        self.files += 1;
        self.bytes = self.bytes.saturating_add(length as u64);
        if self.bytes > self.source.limits.bytes {
            return Err(Error::Invalid(format!(
                "The files are larger than {} together. Leave large files out of Git, then {} again.",
                size(self.source.limits.bytes),
                self.source.verb
            )));
        }
        let mut header = self.header(EntryType::Regular, mode, length as u64);
        if length <= LARGE_FILE {
            let blob = self.odb.read(id).map_err(|error| unreadable(&error))?;
            if length <= MAX_LFS_POINTER && blob.data().starts_with(LFS_POINTER) {
                self.pointers.push(printable(path));
            }
            return self.archive.append_data(&mut header, as_path(path), blob.data()).map_err(|error| disk(&error));
        }
        let mut reader = LargeFile::open(self.source, id).map_err(|error| disk(&error))?;
        self.archive
            .append_data(&mut header, as_path(path), (&mut reader).take(length as u64))
            .map_err(|e| disk(&e))?;
        reader.finish().map_err(|error| disk(&error))
    }

    fn link(&mut self, id: Oid, path: &[u8]) -> Result<()> {
        // Asked before it is read: a few megabytes of pack can unfold to more than this machine's memory.
        let (length, _) = self.odb.read_header(id).map_err(|error| unreadable(&error))?;
        if length > MAX_PATH {
            return Err(refused(path, "is a symbolic link to something that is no path"));
        }
        let blob = self.odb.read(id).map_err(|error| unreadable(&error))?;
        let target = blob.data();
        if target.is_empty() || target.contains(&0) {
            return Err(refused(path, "is a symbolic link to something that is no path"));
        }
        if !self.stays_inside(path, target)? {
            return Err(refused(
                path,
                &format!("is a symbolic link that leads out of the repository, to {}", printable(target)),
            ));
        }
        self.files += 1;
        let mut header = self.header(EntryType::Symlink, 0o777, 0);
        self.archive.append_link(&mut header, as_path(path), as_path(target)).map_err(|error| disk(&error))
    }

    /// Whether a link can lead nowhere but into the tree. A `..` must step out of a real directory of the
    /// tree: stepping out of a link to a directory lands where the link points, which text does not show.
    fn stays_inside(&mut self, link: &[u8], target: &[u8]) -> Result<bool> {
        if target.first() == Some(&b'/') {
            return Ok(false);
        }
        let mut at: Vec<&[u8]> = link.split(|byte| *byte == b'/').collect();
        at.pop();
        for step in target.split(|byte| *byte == b'/') {
            match step {
                b"" | b"." => {}
                b".." => {
                    self.check_time()?;
                    if !self.is_directory(&at) || at.pop().is_none() {
                        return Ok(false);
                    }
                }
                name => at.push(name),
            }
        }
        Ok(true)
    }

    fn is_directory(&mut self, path: &[&[u8]]) -> bool {
        if path.is_empty() {
            return true;
        }
        let root = self.root;
        let found =
            |path: &Vec<u8>| root.get_path(as_path(path)).is_ok_and(|entry| entry.kind() == Some(ObjectType::Tree));
        *self.directories.entry(path.join(&b'/')).or_insert_with_key(found)
    }

    fn header(&self, kind: EntryType, mode: u32, length: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(APP_USER);
        header.set_gid(APP_USER);
        header.set_mtime(self.modified);
        header.set_size(length);
        header
    }
}

/// A large file as Git streams it.
struct LargeFile(std::process::Child);

impl LargeFile {
    fn open(source: &CommitSource, id: Oid) -> io::Result<Self> {
        let mut command = Command::new(&source.git);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env(ALLOC_LIMIT.0, ALLOC_LIMIT.1)
            .current_dir(&source.repository)
            .args(["-c", "core.bigFileThreshold=16m", "cat-file", "blob", &id.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(quarantine) = &source.quarantine {
            command
                .env("GIT_OBJECT_DIRECTORY", quarantine)
                .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", source.repository.join("objects"));
        }
        Ok(Self(command.spawn()?))
    }

    fn finish(mut self) -> io::Result<()> {
        let status = self.0.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("git cat-file failed")) }
    }
}

impl Read for LargeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0.stdout {
            Some(stdout) => stdout.read(buffer),
            None => Ok(0),
        }
    }
}

impl Drop for LargeFile {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn find_tree<'a>(repository: &'a Repository, odb: &Odb<'_>, id: Oid, path: &[u8]) -> Result<Tree<'a>> {
    if odb.read_header(id).map_err(|error| unreadable(&error))?.0 > MAX_DIRECTORY {
        return Err(refused(path, "has too many entries for a directory"));
    }
    repository.find_tree(id).map_err(|error| unreadable(&error))
}

/// Git's own check refuses such names already; what is unpacked later must not depend on that.
fn check_name(name: &[u8], path: &[u8]) -> Result<()> {
    if name.is_empty()
        || name == b"."
        || name == b".."
        || name.eq_ignore_ascii_case(b".git")
        || name.contains(&b'/')
        || name.contains(&0)
    {
        return Err(refused(path, "has a name that no file can have"));
    }
    if path.len() > MAX_PATH {
        return Err(refused(path, &format!("has a path longer than {MAX_PATH} bytes")));
    }
    Ok(())
}

fn submodule_warnings(submodules: &[String]) -> Vec<String> {
    let mut warnings: Vec<String> = submodules
        .iter()
        .take(MAX_NAMED)
        .map(|path| format!("{path} is a submodule. Its files are not in this repository and will be missing."))
        .collect();
    if submodules.len() > MAX_NAMED {
        warnings.push(format!("So will those of {} more submodules.", submodules.len() - MAX_NAMED));
    }
    warnings
}

fn pointer_warnings(pointers: &[String]) -> Vec<String> {
    let mut warnings: Vec<String> = pointers
        .iter()
        .take(MAX_NAMED)
        .map(|path| {
            format!("{path} is kept by Git LFS. Its content is not in this repository; a pointer is in its place.")
        })
        .collect();
    if pointers.len() > MAX_NAMED {
        warnings.push(format!("So it is with {} more files.", pointers.len() - MAX_NAMED));
    }
    warnings
}

fn as_path(bytes: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

fn text(bytes: &[u8], longest: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|character| !character.is_control()).take(longest).collect()
}

fn refused(path: &[u8], why: &str) -> Error {
    Error::Invalid(format!("{} {why}. Remove or change it, then deploy again.", printable(path)))
}

fn unreadable(error: &git2::Error) -> Error {
    failed(error.message())
}

fn failed(reason: &str) -> Error {
    Error::System(format!("The commit could not be read: {reason}. Try again."))
}

fn disk(error: &io::Error) -> Error {
    Error::System(format!("The files could not be stored: {error}. Try again; if it stays, tell the operator."))
}
