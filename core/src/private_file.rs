//! Small files that only the operator may read and that must never be found half-written: keys, ids, passwords.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Makes the file `path`, mode 0600, whole or not at all. Fails with `AlreadyExists` where there is one.
pub fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written(path, bytes)?.persist_noclobber(path)?;
    sync_directory(path)
}

/// Makes or replaces the file `path`, mode 0600, whole or not at all.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written(path, bytes)?.persist(path)?;
    sync_directory(path)
}

/// A temporary file beside `path`; such files are readable by their owner alone from the start.
fn written(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    std::fs::create_dir_all(directory(path))?;
    let mut file = NamedTempFile::new_in(directory(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The name must survive a power cut, too.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn is_private_and_never_overwritten_unless_asked_to() {
        let directory = tempfile::tempdir().expect("makes a directory");
        let path = directory.path().join("deep/key");
        create(&path, b"one").expect("makes it");
        assert_eq!(std::fs::metadata(&path).expect("exists").permissions().mode() & 0o777, 0o600);
        assert_eq!(create(&path, b"two").expect_err("it exists").kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).expect("reads"), b"one");
        replace(&path, b"three").expect("replaces it");
        assert_eq!(std::fs::read(&path).expect("reads"), b"three");
        let left = std::fs::read_dir(directory.path().join("deep")).expect("lists").count();
        assert_eq!(left, 1, "nothing temporary is left");
    }
}
