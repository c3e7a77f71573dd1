//! What a deployment changes beside the release before it: commits, files and their lines, as it is kept and shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ReleaseVersion;

text_enum! {
    /// What became of a file.
    FileStatus {
        /// It is new.
        Added = "added",
        /// It is gone.
        Removed = "removed",
        /// Its content, its kind or its mode is another.
        Modified = "modified",
        /// It has another path, and perhaps other content.
        Renamed = "renamed",
    }
}

text_enum! {
    /// Why lines of a file are not shown, or not all of them.
    Omission {
        /// It is no text.
        Binary = "binary",
        /// It is too large to be compared.
        TooLarge = "too_large",
        /// There is more of it than is kept.
        Cut = "cut",
    }
}

text_enum! {
    /// Why it is not known what a deployment changes.
    NoChanges {
        /// It has not been looked at yet.
        NotYet = "not_yet",
        /// Nothing was released before.
        FirstRelease = "first_release",
        /// It runs an earlier release again.
        RunsAgain = "runs_again",
        /// It was made from an archive.
        Archive = "archive",
        /// The release before was made from an archive.
        ArchiveBefore = "archive_before",
        /// The release before is of the same commit.
        SameCommit = "same_commit",
        /// The commit of the release before is not in the repository.
        NotInHistory = "not_in_history",
        /// The repository could not be read.
        Unreadable = "unreadable",
        /// It was not written down, or is not kept any more.
        NotKept = "not_kept",
    }
}

impl NoChanges {
    /// Why, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotYet => "What changed has not been looked at yet.",
            Self::FirstRelease => "Nothing was released before it, so all of it is new.",
            Self::RunsAgain => "It runs the code of an earlier release again.",
            Self::Archive => "It was made from an uploaded archive, which has no history.",
            Self::ArchiveBefore => "The release before it was made from an uploaded archive, which has no history.",
            Self::SameCommit => "The release before it is of the same commit.",
            Self::NotInHistory => {
                "The commit of the release before it is not in the history that was pushed or fetched, so the two cannot \
                 be compared here."
            }
            Self::Unreadable => "What changed could not be read from the repository.",
            Self::NotKept => "What changed was not written down, or is not kept any more: only that of the newest is.",
        }
    }
}

/// What lies between the commits of two releases. All text in it may be shown as it is: control characters and what
/// turns the direction of text are replaced by signs for them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The commits that came with it, newest first.
    pub commits: Vec<ChangedCommit>,
    /// How many more there are, at least.
    pub more_commits: u64,
    /// Whether its history goes on from the release before; not after a forced push, or for an older commit. None where
    /// not enough of the history is at hand.
    pub goes_on: Option<bool>,
    /// The files that differ, by their path.
    pub files: Vec<ChangedFile>,
    /// How many more there are, at least.
    pub more_files: u64,
    /// Lines that came, in all files that were compared.
    pub added: u64,
    /// Lines that went.
    pub removed: u64,
    /// Whether there is more than is shown.
    pub truncated: bool,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedCommit {
    /// Its full hash.
    pub hash: String,
    /// The name of its author.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// When it was made, as it says.
    pub committed_at: Option<DateTime<Utc>>,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path.
    pub path: String,
    /// The path it had before, if that is another.
    pub old_path: Option<String>,
    /// What became of it.
    pub status: FileStatus,
    /// Its mode before, such as `100644`, if that is another.
    pub old_mode: Option<String>,
    /// Its mode now.
    pub new_mode: Option<String>,
    /// Lines that came.
    pub added: u64,
    /// Lines that went.
    pub removed: u64,
    /// Why lines are missing.
    pub omitted: Option<Omission>,
    /// Its hunks as in a unified diff, without the header.
    pub patch: String,
}

/// What an app ran before a deployment was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseBefore {
    /// Its release number; none where nothing was released.
    pub version: Option<ReleaseVersion>,
    /// The commit of its code; none where nothing was released, and for an uploaded archive.
    pub commit: Option<String>,
}
