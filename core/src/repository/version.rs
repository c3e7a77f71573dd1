//! Whether `git` is new enough: an older one ignores in silence the address that it is told to connect to, and asks for
//! it anew.

use std::path::Path;

use super::ASK_TIME;
use super::command::GitCommand;
use super::workplace::Workplace;
use crate::{Error, Result};

/// The first one that knows `http.curloptResolve`.
const OLDEST: (u32, u32) = (2, 37);

/// Refuses a `git` that is too old, or does not say how old it is.
pub(super) async fn check(program: &Path, workplace: &Workplace) -> Result<()> {
    let told = GitCommand::new(program, workplace).args(["--version"]).run(ASK_TIME, u64::MAX).await?.stdout;
    if parse(&told).is_some_and(|version| version >= OLDEST) {
        return Ok(());
    }
    let (major, minor) = OLDEST;
    let told: String = told.trim().chars().filter(|c| !c.is_control()).take(80).collect();
    Err(Error::System(format!(
        "Repositories are fetched with Git {major}.{minor} or newer, but on the machine of this worker there is \"{told}\". \
         Its operator has to update Git."
    )))
}

/// The first two numbers of what `git --version` prints.
fn parse(told: &str) -> Option<(u32, u32)> {
    let mut numbers = told.trim().strip_prefix("git version ")?.split(['.', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::{Credentials, Remote};

    #[test]
    fn versions_are_read_as_git_prints_them() {
        for (told, version) in [
            ("git version 2.39.5\n", Some((2, 39))),
            ("git version 2.36.1", Some((2, 36))),
            ("git version 2.39.5 (Apple Git-154)\n", Some((2, 39))),
            ("git version 2.47.1.windows.1\n", Some((2, 47))),
            ("git version 2.37.GIT\n", Some((2, 37))),
            ("git version 3.0\n", Some((3, 0))),
            ("git version 2\n", None),
            ("git version new\n", None),
            ("2.39.5\n", None),
            ("", None),
        ] {
            assert_eq!(parse(told), version, "{told}");
        }
        assert!((2, 36) < OLDEST && OLDEST <= (2, 39) && OLDEST <= (3, 0));
    }

    #[tokio::test]
    async fn an_old_git_is_refused_with_what_to_do() {
        use std::os::unix::fs::PermissionsExt as _;
        let remote = Remote {
            url: "https://git.example.test/acme/shop.git".parse().expect("is an address"),
            branch: "main".parse().expect("is a branch"),
            credentials: Credentials::default(),
        };
        let workplace = Workplace::prepare(&remote, [192, 0, 2, 1].into()).expect("is laid out");
        check(Path::new("git"), &workplace).await.expect("this machine's is new enough");
        let old = workplace.path().join("old-git");
        std::fs::write(&old, "#!/bin/sh\necho git version 2.36.6\n").expect("writes");
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o700)).expect("may be run");
        let refused = check(&old, &workplace).await.expect_err("is refused").to_string();
        assert!(refused.contains("Git 2.37 or newer") && refused.contains("2.36.6"), "{refused}");
    }
}
