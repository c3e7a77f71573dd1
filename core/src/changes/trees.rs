//! Compares the trees of two commits entry by entry, without the content of files. What is the same is not entered.

use std::collections::BTreeMap;

use git2::{ErrorCode, Odb, Oid, Tree};

use super::Work;
use crate::model::FileStatus;
use crate::source::commit::{MAX_DEPTH, MAX_DIRECTORY};

/// Mode of a directory, as Git writes it.
const DIRECTORY: i32 = 0o040_000;
/// Most differences that are remembered, and most bytes of their paths: enough to count them and to find renames.
const MAX_DIFFERENCES: usize = 20_000;
const MAX_PATHS: usize = 4 << 20;

/// A file, link or submodule of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: i32,
    pub(super) id: Oid,
}

/// A path that is not the same in both.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) path: Vec<u8>,
    pub(super) old_path: Option<Vec<u8>>,
    pub(super) old: Option<Entry>,
    pub(super) new: Option<Entry>,
}

impl Difference {
    pub(super) fn status(&self) -> FileStatus {
        match (&self.old_path, self.old, self.new) {
            (Some(_), ..) => FileStatus::Renamed,
            (None, None, _) => FileStatus::Added,
            (None, _, None) => FileStatus::Removed,
            _ => FileStatus::Modified,
        }
    }
}

/// The comparison under way.
pub(super) struct Trees<'a> {
    work: &'a Work,
    odb: Odb<'a>,
    entries: usize,
    paths: usize,
    pub(super) differences: Vec<Difference>,
    /// Whether it was ended before all was seen.
    pub(super) truncated: bool,
}

impl<'a> Trees<'a> {
    pub(super) fn new(work: &'a Work) -> Result<Self, git2::Error> {
        let odb = work.repository.odb()?;
        Ok(Self { work, odb, entries: 0, paths: 0, differences: Vec::new(), truncated: false })
    }

    pub(super) fn compare(&mut self, old: Oid, new: Oid) -> Result<(), git2::Error> {
        if old == new { Ok(()) } else { self.enter(Some(old), Some(new), &mut Vec::new(), 0) }
    }

    fn enter(
        &mut self,
        old: Option<Oid>,
        new: Option<Oid>,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), git2::Error> {
        if depth > MAX_DEPTH || self.work.is_late() {
            self.truncated = true;
        }
        if self.truncated {
            return Ok(());
        }
        let mut names: BTreeMap<Vec<u8>, [Option<Entry>; 2]> = BTreeMap::new();
        for (side, tree) in [old, new].into_iter().enumerate() {
            let Some(tree) = tree else { continue };
            let Some(tree) = self.read(tree)? else { return Ok(()) };
            for entry in &tree {
                let found = Entry { mode: entry.filemode_raw(), id: entry.id() };
                names.entry(entry.name_bytes().to_vec()).or_default()[side] = Some(found);
            }
        }
        for (name, [old, new]) in names {
            if old == new {
                continue;
            }
            let parent = path.len();
            if parent > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            let directory = |entry: Option<Entry>| entry.filter(|entry| entry.mode == DIRECTORY).map(|entry| entry.id);
            let file = |entry: Option<Entry>| entry.filter(|entry| entry.mode != DIRECTORY);
            if file(old).is_some() || file(new).is_some() {
                self.differ(path, file(old), file(new));
            }
            if directory(old).is_some() || directory(new).is_some() {
                self.enter(directory(old), directory(new), path, depth + 1)?;
            }
            path.truncate(parent);
            if self.truncated {
                break;
            }
        }
        Ok(())
    }

    fn differ(&mut self, path: &[u8], old: Option<Entry>, new: Option<Entry>) {
        self.paths += path.len();
        if self.differences.len() == MAX_DIFFERENCES || self.paths > MAX_PATHS {
            self.truncated = true;
            return;
        }
        self.differences.push(Difference { path: path.to_vec(), old_path: None, old, new });
    }

    /// A directory; none when it is more than may be looked at, or not there.
    fn read(&mut self, id: Oid) -> Result<Option<Tree<'a>>, git2::Error> {
        let bytes = match self.odb.read_header(id) {
            Ok((bytes, _)) => bytes,
            // A clone with a filter has not all of them.
            Err(error) if error.code() == ErrorCode::NotFound => {
                self.truncated = true;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if bytes > MAX_DIRECTORY {
            self.truncated = true;
            return Ok(None);
        }
        let tree = self.work.repository.find_tree(id)?;
        self.entries = self.entries.saturating_add(tree.len());
        if self.entries > self.work.limits.entries {
            self.truncated = true;
            return Ok(None);
        }
        Ok(Some(tree))
    }
}
