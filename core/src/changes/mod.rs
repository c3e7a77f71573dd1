//! Finds out what lies between the commits of two releases, for the receiver and the worker, which have the repository at
//! hand while a deployment begins. Repositories are anybody's, so that time, memory and what comes out are bounded.

mod commits;
mod lines;
mod note;
mod renames;
mod shown;
mod trees;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use git2::{ErrorCode, ObjectType, Oid, Repository};

use crate::model::{ChangedFile, Changes, NoChanges};
use crate::source::commit::{MAX_COMMIT, open};
use lines::Room;
pub use note::{Begun, note_changes};
use trees::{Difference, Trees};

/// How much is looked at and kept.
#[derive(Clone, Copy, Debug)]
pub struct ChangeLimits {
    /// Commits that are shown.
    pub commits: usize,
    /// Commits that are looked at.
    pub history: usize,
    /// Files that are shown.
    pub files: usize,
    /// Entries of directories that are looked at.
    pub entries: usize,
    /// Bytes of a file that is compared line by line.
    pub file_bytes: usize,
    /// Bytes of the lines of a file that are kept.
    pub patch_of_file: usize,
    /// Bytes of the lines of all files that are kept.
    pub patch: usize,
    /// Time that it may take, from which on no other file is begun.
    pub time: Duration,
}

impl Default for ChangeLimits {
    fn default() -> Self {
        Self {
            commits: 50,
            history: 10_000,
            files: 300,
            entries: 400_000,
            file_bytes: 1 << 20,
            patch_of_file: 64 << 10,
            patch: 256 << 10,
            time: Duration::from_secs(3),
        }
    }
}

/// Two commits of a repository.
#[derive(Clone, Debug)]
pub struct Range {
    /// The bare repository.
    pub repository: PathBuf,
    /// Where Git keeps the pushed objects until the verdict.
    pub quarantine: Option<PathBuf>,
    /// Full hash of the commit of the release before.
    pub base: String,
    /// Full hash of the new commit.
    pub commit: String,
    /// How much is too much.
    pub limits: ChangeLimits,
}

/// Compares; blocks the thread.
pub fn changes_between(range: &Range) -> Result<Changes, NoChanges> {
    if range.base == range.commit {
        return Err(NoChanges::SameCommit);
    }
    let unreadable = |error: git2::Error| {
        tracing::warn!(repository = %range.repository.display(), %error, "what a deployment changes could not be read");
        NoChanges::Unreadable
    };
    let repository = open(&range.repository, range.quarantine.as_deref()).map_err(unreadable)?;
    // One of another hash function is in no repository of this one.
    let base = Oid::from_str(&range.base).map_err(|_| NoChanges::NotInHistory)?;
    let commit = Oid::from_str(&range.commit).map_err(unreadable)?;
    let work = Work { limits: range.limits, deadline: Instant::now() + range.limits.time, repository };
    let old = match work.tree_of(base) {
        Ok(tree) => tree,
        // A shallow history ends before it.
        Err(error) if error.code() == ErrorCode::NotFound => return Err(NoChanges::NotInHistory),
        Err(error) => return Err(unreadable(error)),
    };
    let new = work.tree_of(commit).map_err(unreadable)?;
    work.changes((base, old), (commit, new)).map_err(unreadable)
}

struct Work {
    limits: ChangeLimits,
    deadline: Instant,
    repository: Repository,
}

impl Work {
    fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn tree_of(&self, commit: Oid) -> Result<Oid, git2::Error> {
        let (bytes, kind) = self.repository.odb()?.read_header(commit)?;
        if kind != ObjectType::Commit || bytes > MAX_COMMIT {
            return Err(git2::Error::from_str("it is no commit, or too large for one"));
        }
        Ok(self.repository.find_commit(commit)?.tree_id())
    }

    fn changes(&self, old: (Oid, Oid), new: (Oid, Oid)) -> Result<Changes, git2::Error> {
        let walked = commits::between(self, old.0, new.0)?;
        let mut trees = Trees::new(self)?;
        trees.compare(old.1, new.1)?;
        let Trees { mut differences, mut truncated, .. } = trees;
        renames::find(self, &mut differences)?;
        differences.sort_by(|one, other| one.path.cmp(&other.path));
        let mut changes = Changes {
            commits: walked.commits,
            more_commits: walked.more,
            goes_on: walked.goes_on,
            more_files: differences.len().saturating_sub(self.limits.files) as u64,
            ..Changes::default()
        };
        let mut room = Room::new(self.limits);
        for difference in differences.iter().take(self.limits.files) {
            let file = self.file(difference, &mut room)?;
            changes.added += file.added;
            changes.removed += file.removed;
            truncated |= file.omitted == Some(crate::model::Omission::Cut);
            changes.files.push(file);
        }
        changes.truncated = truncated || changes.more_files > 0 || changes.more_commits > 0;
        Ok(changes)
    }

    fn file(&self, difference: &Difference, room: &mut Room) -> Result<ChangedFile, git2::Error> {
        let (old, new) = (difference.old, difference.new);
        let modes = match (old, new) {
            (Some(old), Some(new)) if old.mode != new.mode => {
                (Some(format!("{:06o}", old.mode)), Some(format!("{:06o}", new.mode)))
            }
            _ => (None, None),
        };
        let lines = lines::compare(self, old, new, room)?;
        Ok(ChangedFile {
            path: shown::path(&difference.path),
            old_path: difference.old_path.as_deref().map(shown::path),
            status: difference.status(),
            old_mode: modes.0,
            new_mode: modes.1,
            added: lines.added,
            removed: lines.removed,
            omitted: lines.omitted,
            patch: lines.patch,
        })
    }
}
