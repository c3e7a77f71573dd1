//! Names of what is fetched from a repository: branches and commits, checked so far that they can be given to `git`.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A branch, without `refs/heads/`; Git's rules for names of refs (git-check-ref-format).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GitBranch(String);

impl GitBranch {
    /// `main`, the branch of new apps.
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GitBranch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let segment = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && std::path::Path::new(part).extension().is_none_or(|extension| extension != "lock")
        };
        let right = (1..=200).contains(&text.len())
            && text != "HEAD"
            && !text.starts_with('-')
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && text != "@"
            && !text.chars().any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c))
            && text.split('/').all(segment);
        if right {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::repository("git_branch", format!("{text:?} cannot be the name of a branch. Write it as \"main\".")))
    }
}

impl fmt::Display for GitBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for GitBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

text_value!(GitBranch);

/// The full hash of a commit, SHA-1 or SHA-256, in lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitHash(String);

impl CommitHash {
    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first seven digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }

    /// Whether it stands for "no commit", as in an event that tells of a deleted branch.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'0')
    }
}

impl FromStr for CommitHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.to_ascii_lowercase();
        if matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text));
        }
        Err(Error::repository("commit", "Give the full hash of the commit: 40 hexadecimal digits.".to_owned()))
    }
}

impl fmt::Display for CommitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CommitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

text_value!(CommitHash);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_follow_gits_rules() {
        for good in ["main", "feature/x", "release-1.2", "ä", "v1"] {
            assert!(good.parse::<GitBranch>().is_ok(), "{good}");
        }
        for bad in [
            "", "-x", "a..b", "a b", "a~1", "a^", "a:b", "a*", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.",
            "@{u}", "@", "HEAD", "a\\b",
        ] {
            assert!(bad.parse::<GitBranch>().is_err(), "{bad}");
        }
    }

    #[test]
    fn commits_are_full_hashes() {
        let commit: CommitHash = "ABCDEF0123456789abcdef0123456789abcdef01".parse().expect("is one");
        assert_eq!((commit.short(), commit.is_zero()), ("abcdef0", false));
        assert!("0".repeat(40).parse::<CommitHash>().is_ok_and(|commit| commit.is_zero()));
        for bad in ["", "abc", "main", &"g".repeat(40), &"a".repeat(41), "--upload-pack=x"] {
            assert!(bad.parse::<CommitHash>().is_err(), "{bad}");
        }
    }
}
