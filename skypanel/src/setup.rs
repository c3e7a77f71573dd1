//! What every role and admin command needs first: the data directory, the master key, the database, blobs.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use skypanel_core::actions::Actor;
use skypanel_core::embedded_postgres::EmbeddedPostgres;
use skypanel_core::model::Role;
use skypanel_core::secrets::Secrets;
use skypanel_core::store::{NewUser, Store};
use skypanel_core::{Error, Result, private_file};

use crate::config::Config;
use crate::{admin, roles};

/// Name of the organisation made on the first start.
pub(crate) const DEFAULT_ORGANIZATION: &str = "default";

/// Longest an admin command may wait for another, and when it says that it does.
const TURN_LIMIT: Duration = Duration::from_mins(2);
const TELL_AFTER: Duration = Duration::from_secs(3);

/// Makes the data directory, passable for PostgreSQL's user but readable for none but us.
pub(crate) fn data_directory(config: &Config) -> Result<()> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o711)))
        .map_err(|error| {
            Error::System(format!(
                "The data directory {} cannot be made: {error}. Run as root, or choose another with --data-dir.",
                dir.display()
            ))
        })
}

/// Holds the data directory for this process; the lock goes when the process does, however it ends.
pub(crate) fn lock(config: &Config) -> Result<File> {
    lock_file(config, "lock", File::try_lock)
}

/// Holds roles that run apart: each once for a data directory, and none beside `skypanel up`.
pub(crate) fn lock_roles(config: &Config, wanted: &[roles::Role]) -> Result<Vec<File>> {
    let mut locks = vec![lock_file(config, "lock", File::try_lock_shared)?];
    for role in wanted {
        locks.push(lock_file(config, &format!("{}.lock", role.name()), File::try_lock)?);
    }
    Ok(locks)
}

fn lock_file(config: &Config, name: &str, take: fn(&File) -> Result<(), TryLockError>) -> Result<File> {
    let path = config.data_dir.join(name);
    let failed = |error| Error::System(format!("{} cannot be locked: {error}.", path.display()));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match take(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Conflict(format!(
            "Skypanel is running already with the data directory {}.",
            config.data_dir.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Waits until no admin command uses the private database, and keeps others waiting until the answer is dropped:
/// who has started the database stops it in the end, which must not happen under another.
pub(crate) async fn turn(config: &Config) -> Result<File> {
    let path = config.data_dir.join("admin.lock");
    let failed = |error| Error::System(format!("{} cannot be locked: {error}.", path.display()));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    let began = Instant::now();
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < TURN_LIMIT => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Conflict(format!(
                    "Another `skypanel admin` command has been running for {} s. Try again when it has ended.",
                    TURN_LIMIT.as_secs()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        if !told && began.elapsed() > TELL_AFTER {
            told = true;
            eprintln!("-----> Waiting for another `skypanel admin` command to end");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The database: the private one unless another is configured.
pub(crate) async fn open_store(config: &Config) -> Result<(Store, Option<EmbeddedPostgres>)> {
    let secrets = Secrets::open_or_create(&config.data_dir.join("master.key"))?;
    let (store, postgres) = if config.database_url.is_empty() {
        let postgres = EmbeddedPostgres::start(&config.data_dir.join("postgres")).await?;
        (Store::connect(&postgres.url(), secrets).await?, Some(postgres))
    } else {
        (Store::connect(&config.database_url, secrets).await?, None)
    };
    Ok((store.with_own_hosts(config.own_hosts()), postgres))
}

/// Makes the first organisation and its admin, if there is no admin yet. The password goes into a file that
/// only the operator can read; that file's path is answered.
pub(crate) async fn first_admin(config: &Config, store: &Store) -> Result<Option<std::path::PathBuf>> {
    let path = config.data_dir.join("admin-password");
    if store.has_admin().await? {
        return Ok(None);
    }
    let password = random_password();
    private_file::replace(&path, format!("{password}\n").as_bytes()).map_err(|error| unwritable(&path, &error))?;
    let new = NewUser { email: &config.admin_email, password: &password, is_admin: true };
    let actions = admin::actions(config, store).await?;
    actions.create_user(&Actor::system(), new, DEFAULT_ORGANIZATION, Role::Owner).await?;
    Ok(Some(path))
}

/// What the services of `skypanel infra` read and keep.
pub(crate) fn infra_directory(config: &Config) -> std::path::PathBuf {
    config.data_dir.join("infra")
}

/// A password of 24 letters and digits: 142 bits.
pub(crate) fn random_password() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    use rand::seq::IndexedRandom as _;
    let mut random = rand::rng();
    (0..24).filter_map(|_| ALPHABET.choose(&mut random)).map(|byte| char::from(*byte)).collect()
}

/// The id that marks what this installation makes in the engine.
pub(crate) fn installation(config: &Config) -> Result<String> {
    let path = config.data_dir.join("installation");
    match std::fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
        Ok(_) => Err(Error::System(format!(
            "{} is empty: it must hold the id that marks what this installation made in the engine. Restore it from \
             your backup, or read it from a label: docker inspect -f '{{{{index .Config.Labels \
             \"skypanel.installation\"}}}}' skypanel-edge",
            path.display()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = uuid::Uuid::new_v4().simple().to_string();
            private_file::create(&path, id.as_bytes()).map_err(|error| unwritable(&path, &error))?;
            Ok(id)
        }
        Err(error) => Err(Error::System(format!("{} cannot be read: {error}.", path.display()))),
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::System(format!("{} cannot be written: {error}.", path.display()))
}
