//! Git hosts for tests: repositories served by the real `git http-backend` and by a real `sshd`, on loopback.
#![allow(dead_code, reason = "each test program uses a part of this")]

pub(crate) mod http;
pub(crate) mod ssh;

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A bare repository to fetch from, and a working copy that pushes to it.
pub(crate) struct Origin {
    root: TempDir,
}

impl Origin {
    /// A repository `acme/shop.git` whose branch `main` holds one commit with `app.txt`.
    pub(crate) fn new() -> Self {
        let origin = Self { root: tempfile::tempdir().expect("makes a directory") };
        std::fs::create_dir_all(origin.bare()).expect("makes a directory");
        git(&origin.bare(), &["init", "--quiet", "--bare", "-b", "main"]);
        git(origin.root.path(), &["init", "--quiet", "-b", "main", "work"]);
        origin.commit("app.txt", b"one", "First");
        origin
    }

    /// Where all repositories lie.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.root.path().join("acme/shop.git")
    }

    /// Commits a file to `main`, publishes it, and gives the commit.
    pub(crate) fn commit(&self, name: &str, content: &[u8], message: &str) -> String {
        let work = self.root.path().join("work");
        std::fs::write(work.join(name), content).expect("writes");
        git(&work, &["add", "."]);
        git(&work, &["commit", "--quiet", "-m", message]);
        git(&work, &["push", "--quiet", "--force", "../acme/shop.git", "HEAD:main"]);
        git(&work, &["rev-parse", "HEAD"])
    }

    /// Adds this many empty commits to `main`.
    pub(crate) fn grow(&self, commits: usize) {
        let work = self.root.path().join("work");
        for _ in 0..commits {
            git(&work, &["commit", "--quiet", "--allow-empty", "-m", "More"]);
        }
        git(&work, &["push", "--quiet", "../acme/shop.git", "HEAD:main"]);
    }

    /// Makes `main` forget its newest commit, as a forced push does.
    pub(crate) fn drop_newest(&self) {
        let work = self.root.path().join("work");
        git(&work, &["reset", "--quiet", "--hard", "HEAD~1"]);
        git(&work, &["push", "--quiet", "--force", "../acme/shop.git", "HEAD:main"]);
    }
}

/// Runs `git` and gives what it printed.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")])
        .envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")])
        .output()
        .expect("runs git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is text").trim().to_owned()
}
