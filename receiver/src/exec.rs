//! What a client asks to be run: one of Git's two programs on an app's repository, or one of our commands.

use std::str::FromStr as _;

use skypanel_core::model::AppSlug;

use crate::words::{self, Word, WordsError};

/// Longest command line, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// A parsed exec request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exec {
    /// `git push`.
    ReceivePack(AppSlug),
    /// `git fetch`, `git clone`.
    UploadPack(AppSlug),
    /// One of our commands.
    Command(CommandLine),
}

/// A command line as typed, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// As typed.
    pub(crate) line: String,
    /// Its words; never empty.
    pub(crate) words: Vec<Word>,
}

/// Why a request is refused, in words for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecError {
    /// Not UTF-8.
    #[error("The command is not UTF-8 text.")]
    NotText,
    /// Longer than 64 KiB.
    #[error("The command is longer than 64 KiB.")]
    TooLong,
    /// Nothing in it.
    #[error("The command is empty.")]
    Empty,
    /// Badly quoted.
    #[error("The command cannot be read: {0}")]
    Words(#[from] WordsError),
    /// Not the name of a repository.
    #[error("{0:?} is not the address of an app's repository. It looks like ssh://git@HOST/my-app.git.")]
    Path(String),
    /// Not a name an app can have.
    #[error("{0}")]
    Slug(skypanel_core::Error),
}

impl Exec {
    /// Parses what came over the wire.
    pub(crate) fn parse(request: &[u8]) -> Result<Self, ExecError> {
        if request.len() > MAX_LINE {
            return Err(ExecError::TooLong);
        }
        let line = str::from_utf8(request).map_err(|_| ExecError::NotText)?;
        let words = words::split(line)?;
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        match texts.as_slice() {
            [] => Err(ExecError::Empty),
            ["git-receive-pack", path] | ["git", "receive-pack", path] => Ok(Self::ReceivePack(slug(path)?)),
            ["git-upload-pack", path] | ["git", "upload-pack", path] => Ok(Self::UploadPack(slug(path)?)),
            _ => Ok(Self::Command(CommandLine { line: line.to_owned(), words })),
        }
    }
}

/// The app a repository's path names: `/my-app.git`, `my-app.git` or `my-app`. The path itself is never used.
fn slug(path: &str) -> Result<AppSlug, ExecError> {
    let name = path.strip_prefix('/').unwrap_or(path);
    let name = name.strip_suffix(".git").unwrap_or(name);
    if name.is_empty() || name.contains(['/', '\\', '.', '~', '\0']) {
        return Err(ExecError::Path(path.to_owned()));
    }
    AppSlug::from_str(name).map_err(ExecError::Slug)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn app(name: &str) -> AppSlug {
        name.parse().expect("a slug")
    }

    #[test]
    fn git_as_real_clients_ask() {
        for line in ["git-receive-pack '/shop.git'", "git-receive-pack 'shop.git'", "git receive-pack shop"] {
            assert_eq!(Exec::parse(line.as_bytes()).expect(line), Exec::ReceivePack(app("shop")));
        }
        assert_eq!(Exec::parse(b"git-upload-pack '/shop.git'").expect("fetch"), Exec::UploadPack(app("shop")));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in [
            "/../shop.git",
            "../../etc/passwd",
            "/a/b.git",
            "/shop.git/../other.git",
            "//shop.git",
            "/.git",
            "/",
            "",
            "~/shop.git",
            "~root",
            "/shop.git.git",
            "/Shop.git",
            "/shop;ls.git",
            "/$(id).git",
            "--upload-pack=x",
            "/sh\u{f6}p.git",
        ] {
            let line = format!("git-receive-pack '{path}'");
            assert!(Exec::parse(line.as_bytes()).is_err(), "{path}");
        }
        assert!(Exec::parse(b"git-receive-pack '/shop\0.git'").is_err());
    }

    #[test]
    fn everything_else_is_a_command_or_an_error() {
        let Ok(Exec::Command(command)) = Exec::parse(b"config:set A='b c'") else { panic!("a command") };
        assert_eq!(command.words[1].text, "A=b c");
        assert!(matches!(Exec::parse(b"git-receive-pack a b"), Ok(Exec::Command(_))));
        assert!(matches!(Exec::parse(b"  "), Err(ExecError::Empty)));
        assert!(matches!(Exec::parse(b"\xff"), Err(ExecError::NotText)));
        assert!(matches!(Exec::parse(&vec![b'a'; MAX_LINE + 1]), Err(ExecError::TooLong)));
    }

    proptest! {
        #[test]
        fn never_panics(request in any::<Vec<u8>>()) {
            let _ = Exec::parse(&request);
        }

        #[test]
        fn only_slugs_come_out(path in "['/.~a-z0-9 \\\\$-]{0,24}") {
            for program in ["git-receive-pack", "git-upload-pack", "git receive-pack"] {
                if let Ok(Exec::ReceivePack(slug) | Exec::UploadPack(slug)) =
                    Exec::parse(format!("{program} {path}").as_bytes())
                {
                    prop_assert!(slug.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
                }
            }
        }
    }
}
