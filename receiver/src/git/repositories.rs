//! The bare repositories, one per app, named by its id so that no name a user chose is ever a path.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skypanel_core::model::{AppId, Application};
use skypanel_core::store::Store;
use skypanel_core::{Error, Result};

/// Where repositories, hooks and hook sockets lie, and which `git` there is. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Repositories(Arc<Places>);

#[derive(Debug)]
struct Places {
    root: PathBuf,
    hooks: PathBuf,
    sockets: PathBuf,
    home: PathBuf,
    git: PathBuf,
}

/// What a name that is not an app's yet begins with.
const UNFINISHED: &str = ".new-";
/// What the directory that Git keeps a running push's objects in begins with.
const QUARANTINE: &str = "tmp_objdir-";

impl Repositories {
    /// Makes the directories and drops what a crash left.
    pub(crate) fn prepare(data_dir: &Path, hook_binary: &Path) -> Result<Self> {
        let data_dir = std::path::absolute(data_dir).map_err(|error| failed("finding the data directory", &error))?;
        let run = data_dir.join("run");
        let places = Places {
            root: data_dir.join("repositories"),
            hooks: run.join("hooks"),
            sockets: run.join("pushes"),
            home: run.join("home"),
            git: find_git()?,
        };
        let prepared = (|| {
            remove(&places.hooks)?;
            remove(&places.sockets)?;
            let mut private = std::fs::DirBuilder::new();
            private.recursive(true).mode(0o700);
            for directory in [&places.root, &places.hooks, &places.sockets, &places.home] {
                private.create(directory)?;
            }
            for entry in std::fs::read_dir(&places.root)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    remove(&entry.path())?;
                } else {
                    remove_quarantines(&entry.path())?;
                }
            }
            let hook_binary = std::path::absolute(hook_binary)?;
            symlink(hook_binary, places.hooks.join("pre-receive"))
        })();
        prepared.map_err(|error| failed(&format!("preparing {}", data_dir.display()), &error))?;
        if !hook_binary.is_file() {
            return Err(Error::System(format!(
                "The hook program {} does not exist. It is built along with skypanel; reinstall both.",
                hook_binary.display()
            )));
        }
        // Git itself checked every hash when it took the pack.
        git2::opts::strict_hash_verification(false);
        Ok(Self(Arc::new(places)))
    }

    /// The `git` program.
    pub(crate) fn git(&self) -> &Path {
        &self.0.git
    }

    /// The directory with the pre-receive hook and no other.
    pub(crate) fn hooks(&self) -> &Path {
        &self.0.hooks
    }

    /// The directory for hook sockets.
    pub(crate) fn sockets(&self) -> &Path {
        &self.0.sockets
    }

    /// An empty home directory.
    pub(crate) fn home(&self) -> &Path {
        &self.0.home
    }

    /// Path of an app's repository, which may not exist yet.
    pub(crate) fn path(&self, app: AppId) -> PathBuf {
        self.0.root.join(format!("{app}.git"))
    }

    /// An app's repository, made if there is none.
    pub(crate) fn ensure(&self, app: &Application) -> Result<PathBuf> {
        let path = self.path(app.id);
        if path.is_dir() {
            return Ok(path);
        }
        // Made aside and renamed, so that nobody meets half a repository.
        let aside = self.0.root.join(format!("{UNFINISHED}{:016x}", rand::random::<u64>()));
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false).initial_head(&app.git_branch);
        git2::Repository::init_opts(&aside, &options)
            .map_err(|error| Error::System(format!("The app's repository could not be made: {}.", error.message())))?;
        match std::fs::rename(&aside, &path) {
            Ok(()) => Ok(path),
            Err(_) if path.is_dir() => {
                // Another connection was faster.
                let _ = remove(&aside);
                Ok(path)
            }
            Err(error) => Err(failed("making the app's repository", &error)),
        }
    }

    /// Makes `branch` what a clone checks out.
    pub(crate) fn set_head(&self, app: AppId, branch: &str) {
        let set = git2::Repository::open_bare(self.path(app))
            .and_then(|repository| repository.set_head(&format!("refs/heads/{branch}")));
        if let Err(error) = set {
            tracing::warn!(%app, %error, "the repository's HEAD could not be set");
        }
    }

    /// Removes the repository of an app that is destroyed.
    pub(crate) fn remove(&self, app: AppId) {
        if let Err(error) = remove(&self.path(app)) {
            tracing::warn!(%app, %error, "the repository of a destroyed app could not be removed");
        }
    }

    /// Removes the repositories of apps that do not exist any more.
    pub(crate) async fn collect(&self, store: &Store) {
        let Ok(entries) = std::fs::read_dir(&self.0.root) else { return };
        let found: Vec<AppId> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".git")?.parse().ok().map(AppId))
            .collect();
        if found.is_empty() {
            return;
        }
        // An app is there before its repository is, so that of what is found here none is yet to come.
        match store.gone_apps(&found).await {
            Ok(gone) => gone.into_iter().for_each(|app| self.remove(app)),
            Err(error) => tracing::warn!(%error, "the apps could not be looked up to clean up repositories"),
        }
    }
}

/// Drops the objects of pushes that a crash cut short, which Git would keep for days.
fn remove_quarantines(repository: &Path) -> std::io::Result<()> {
    let objects = match std::fs::read_dir(repository.join("objects")) {
        Ok(objects) => objects,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in objects {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(QUARANTINE) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn find_git() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path).map(|directory| directory.join("git")).find(|git| git.is_file()).ok_or_else(|| {
        Error::System("Git is not installed on this machine. Install it (on Debian: apt-get install git).".to_owned())
    })
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::System(format!("{what} failed: {error}."))
}
