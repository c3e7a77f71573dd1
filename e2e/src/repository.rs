//! A developer's clone: files, commits, and whatever else `git` can do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::User;
use crate::command::{Finished, run};

const LIMIT: Duration = Duration::from_mins(1);

/// A repository in a temporary directory, branch `main`.
pub struct Repository {
    directory: TempDir,
}

impl Repository {
    /// An empty one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[track_caller]
    pub fn new(user: &User) -> Self {
        let directory = tempfile::Builder::new().prefix("skypanel-e2e-repo-").tempdir().expect("a temporary directory");
        let repository = Self { directory };
        let _ = repository.git(user, &["init", "--quiet", "--initial-branch=main"]).success();
        repository
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `git <arguments>` in it, not started yet.
    pub fn command(&self, user: &User, arguments: &[&str]) -> Command {
        let mut git = user.git();
        git.current_dir(self.path()).args(arguments);
        git
    }

    /// Runs `git <arguments>` in it.
    #[track_caller]
    pub fn git(&self, user: &User, arguments: &[&str]) -> Finished {
        run(&mut self.command(user, arguments), LIMIT)
    }

    /// What a `git` command that must succeed printed, without the line's end.
    #[track_caller]
    pub fn ask(&self, user: &User, arguments: &[&str]) -> String {
        self.git(user, arguments).success().out().trim_end().to_owned()
    }

    /// Writes a file, and the directories it needs. One that begins with `#!` is made executable.
    ///
    /// # Panics
    /// When the disk does not take it.
    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        let content = content.as_ref();
        let mode = if content.starts_with(b"#!") { 0o755 } else { 0o644 };
        path.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, content))
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)))
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    }

    /// Removes a file.
    ///
    /// # Panics
    /// When it is not there.
    #[track_caller]
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Copies everything from a directory into it.
    #[track_caller]
    pub fn copy_from(&self, directory: &Path) {
        for file in files(directory) {
            let source = directory.join(&file);
            let content = std::fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
            self.write(&file, content);
            let permissions = std::fs::metadata(&source).expect("it was just read").permissions();
            std::fs::set_permissions(self.path().join(&file), permissions).expect("it was just written");
        }
    }

    /// Replaces `from` by `to` in every file that is text; answers in how many.
    #[track_caller]
    pub fn replace_everywhere(&self, from: &str, to: &str) -> usize {
        let mut changed = 0;
        for file in files(self.path()) {
            let Ok(text) = std::fs::read_to_string(self.path().join(&file)) else { continue };
            if text.contains(from) {
                std::fs::write(self.path().join(&file), text.replace(from, to)).expect("it was just read");
                changed += 1;
            }
        }
        changed
    }

    /// Commits everything there is, and answers the commit's hash. The same files once more make a commit, too.
    #[track_caller]
    pub fn commit(&self, user: &User, message: &str) -> String {
        let _ = self.git(user, &["add", "--all"]).success();
        let _ = self.git(user, &["commit", "--quiet", "--allow-empty", "--message", message]).success();
        self.ask(user, &["rev-parse", "HEAD"])
    }
}

/// All files below a directory, but for Git's own, relative to it.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(relative) = pending.pop() {
        let entries = std::fs::read_dir(directory.join(&relative))
            .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", directory.join(&relative).display()));
        for entry in entries.flatten() {
            let path = relative.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && entry.file_name() != ".git" => pending.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found
}
