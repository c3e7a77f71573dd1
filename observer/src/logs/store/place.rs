//! Where an app's log lies: a directory by the app's id, in it files by the number of their first line. No name comes
//! from anything that a user chose.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use skypanel_core::model::AppId;
use uuid::Uuid;

/// What the files of an app are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Frames that are in no block yet.
    Active,
    /// Blocks of a segment.
    Blocks,
    /// The index of those.
    Index,
}

impl Kind {
    const fn ending(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocks => "blocks",
            Self::Index => "index",
        }
    }
}

/// The directory of an app.
pub(crate) fn of_app(root: &Path, app: AppId) -> PathBuf {
    root.join(app.0.to_string())
}

/// The file of an app's directory that begins with the line of this number.
pub(crate) fn file(app: &Path, first: u64, kind: Kind) -> PathBuf {
    app.join(format!("{first:020}.{}", kind.ending()))
}

/// The files of an app by the numbers of their first lines, in that order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) active: Vec<u64>,
    pub(crate) blocks: Vec<u64>,
    pub(crate) index: Vec<u64>,
}

impl Files {
    /// What lies in an app's directory; nothing where there is none.
    pub(crate) fn list(app: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        let entries = match std::fs::read_dir(app) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name();
            let Some((first, ending)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
            let Some(first) = first.parse().ok().filter(|_| first.len() == 20) else { continue };
            for (kind, list) in
                [(Kind::Active, &mut files.active), (Kind::Blocks, &mut files.blocks), (Kind::Index, &mut files.index)]
            {
                if ending == kind.ending() {
                    list.push(first);
                }
            }
        }
        for list in [&mut files.active, &mut files.blocks, &mut files.index] {
            list.sort_unstable();
        }
        Ok(files)
    }
}

/// All apps that have a directory.
pub(crate) fn apps(root: &Path) -> io::Result<Vec<AppId>> {
    let mut apps = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok());
        // Only the form that we write ourselves.
        if let Some(id) = id.filter(|id| *entry.file_name() == *id.to_string())
            && entry.file_type()?.is_dir()
        {
            apps.push(AppId(id));
        }
    }
    Ok(apps)
}

/// Makes a directory that only we may enter, and those above it.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file of ours for writing; makes it where there is none.
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Removes a file; one that is gone already is gone.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes sure that what was made or removed in a directory stays so if the machine loses its power.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Reads as much of a file as there is between two places.
pub(crate) fn read_range(file: &File, from: u64, most: usize) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while filled < most {
        match file.read_at(&mut bytes[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Reads a file from a place to its end, as it is now.
pub(crate) fn read_from(file: &File, from: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().saturating_sub(from);
    read_range(file, from, usize::try_from(length).map_err(io::Error::other)?)
}
