//! Git's side of a connection: bare repositories, and Git's own programs run on them with a bare minimum of
//! environment. Everything Skypanel thinks of a push is in [`crate::push`].

mod process;
mod repositories;
mod serve;

pub(crate) use process::GitProcess;
pub(crate) use repositories::Repositories;
pub(crate) use serve::{receive_pack, upload_pack};

/// The value of `GIT_PROTOCOL` as we pass it on: `version=N` alone, as it reaches an environment.
pub(crate) fn protocol(value: String) -> Option<String> {
    let version = value.strip_prefix("version=")?;
    (version.len() == 1 && version.bytes().all(|byte| byte.is_ascii_digit())).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_versions_reach_the_environment() {
        assert_eq!(protocol("version=2".to_owned()).as_deref(), Some("version=2"));
        for value in ["", "version=", "version=2:x", "version=22", "version=a", "2", "version=2\n"] {
            assert_eq!(protocol(value.to_owned()), None, "{value:?}");
        }
    }
}
