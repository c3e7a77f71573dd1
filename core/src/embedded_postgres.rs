//! The private PostgreSQL of `skypanel up`: the system's binaries, a data directory of ours, a Unix socket
//! and no TCP port. It outlives a crash of Skypanel and is taken over by the next start.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use crate::{Error, Result};

/// File in which a server keeps the id of its process, in its data directory.
const PID_FILE: &str = "postmaster.pid";
/// The same for its socket, in the socket's directory.
const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";
/// File that is locked while the server is being started, beside its data directory.
const START_LOCK: &str = "start.lock";
/// Name of the server's log in its data directory.
const LOG: &str = "server.log";
const INIT_LIMIT: Duration = Duration::from_secs(120);
const CONTROL_LIMIT: Duration = Duration::from_secs(60);
/// Longest the processes of a killed server may take to end.
const ORPHANS_LIMIT: Duration = Duration::from_secs(20);
/// Longest one try to connect may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// A Unix socket's path may be this long, with the name PostgreSQL gives it.
const MAX_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432".len();

/// Small on purpose: the platform's own state is a few megabytes, and memory belongs to the apps.
const SETTINGS: &str = "\
# Written by Skypanel at every start; changes are lost.
listen_addresses = ''
unix_socket_permissions = 0700
shared_buffers = 16MB
max_connections = 64
max_wal_size = 256MB
jit = off
autovacuum_max_workers = 1
max_worker_processes = 2
max_parallel_workers = 0
log_min_messages = warning
";

/// A PostgreSQL server under our own data directory.
#[derive(Clone, Debug)]
pub struct EmbeddedPostgres {
    bin: PathBuf,
    data: PathBuf,
    socket_dir: PathBuf,
    user: Option<SystemUser>,
}

/// PostgreSQL refuses to run as root, so root runs it as the user of Debian's package.
#[derive(Clone, Copy, Debug)]
struct SystemUser {
    uid: u32,
    gid: u32,
}

impl EmbeddedPostgres {
    /// Starts the server whose files lie in `directory`, making it on the first start. One that is already
    /// running is used as it is. Processes that start it at once do so one after the other.
    pub async fn start(directory: &Path) -> Result<Self> {
        let server = Self::locate(directory)?;
        let _starting = starting(directory).await?;
        if !server.data.join("PG_VERSION").exists() {
            server.initialise().await?;
        }
        if !server.is_running().await? {
            server.launch().await?;
        }
        Ok(server)
    }

    /// The address to connect to.
    pub fn url(&self) -> String {
        // The socket's directory goes into the query, where every byte outside the unreserved set is escaped.
        let mut host = String::new();
        for byte in self.socket_dir.as_os_str().as_encoded_bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
                host.push(char::from(*byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(host, "%{byte:02X}");
            }
        }
        format!("postgres://skypanel@localhost/postgres?host={host}")
    }

    /// Stops the server; running transactions are rolled back.
    pub async fn stop(&self) -> Result<()> {
        self.control(&["stop", "-m", "fast", "-w"]).await
    }

    fn locate(directory: &Path) -> Result<Self> {
        let bin = find_binaries().ok_or_else(|| {
            Error::System(
                "PostgreSQL is not installed on this machine. Install it (on Debian: apt-get install postgresql), \
                 or point SKYPANEL_DATABASE_URL at a server you run."
                    .to_owned(),
            )
        })?;
        let user = if is_root() { Some(postgres_user()?) } else { None };
        let directory = std::path::absolute(directory).map_err(|e| failed("finding its directory", &e))?;
        let server = Self { bin, data: directory.join("data"), socket_dir: directory.join("socket"), user };
        if server.socket_dir.as_os_str().len() > MAX_SOCKET_DIR {
            return Err(Error::System(format!(
                "The path {} is too long for a Unix socket. Choose a shorter data directory.",
                server.socket_dir.display()
            )));
        }
        for path in [&directory, &server.socket_dir] {
            std::fs::create_dir_all(path)
                .and_then(|()| server.user.map_or(Ok(()), |user| chown(path, Some(user.uid), Some(user.gid))))
                .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)))
                .map_err(|error| failed(&format!("preparing {}", path.display()), &error))?;
        }
        server.check_reachable(&directory)?;
        Ok(server)
    }

    /// The server's user must be able to pass every directory above its own.
    fn check_reachable(&self, directory: &Path) -> Result<()> {
        if self.user.is_none() {
            return Ok(());
        }
        for parent in directory.ancestors().skip(1) {
            let metadata = std::fs::metadata(parent).map_err(|error| failed("looking at its directory", &error))?;
            if metadata.mode() & 0o001 == 0 {
                return Err(Error::System(format!(
                    "PostgreSQL cannot run below {}: it runs as user \"postgres\", who may not enter that directory. \
                     Choose another data directory with SKYPANEL_DATA_DIR, such as /var/lib/skypanel.",
                    parent.display()
                )));
            }
        }
        Ok(())
    }

    /// Makes the server's files beside their place and renames them when they are whole and on the disk: PG_VERSION
    /// is the first file that initdb writes, so that its being there tells nothing about the others.
    async fn initialise(&self) -> Result<()> {
        let unfinished = self.data.with_extension("new");
        for directory in [&self.data, &unfinished] {
            match std::fs::remove_dir_all(directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed("clearing an unfinished first start", &error));
                }
                _ => {}
            }
        }
        let mut command = self.command("initdb");
        command.args([
            "--username=skypanel",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        command.arg("-D").arg(&unfinished).kill_on_drop(true);
        run(command, "initdb", INIT_LIMIT).await?;
        let kept = std::fs::rename(&unfinished, &self.data)
            .and_then(|()| std::fs::File::open(self.data.parent().unwrap_or(Path::new("/")))?.sync_all());
        kept.map_err(|error| failed("keeping what initdb made", &error))
    }

    /// Whether a server of an earlier start can be used. One that is on its way up or down is waited for.
    async fn is_running(&self) -> Result<bool> {
        let began = Instant::now();
        loop {
            if !self.has_process().await? {
                return Ok(false);
            }
            let connection = tokio::time::timeout(ANSWER_LIMIT, PgConnection::connect(&self.url())).await;
            if let Ok(Ok(connection)) = connection {
                // It answered; that it is not thanked for that is fine.
                let _ = tokio::time::timeout(ANSWER_LIMIT, connection.close()).await;
                return Ok(true);
            }
            if self.is_dead()? {
                self.clear_dead()?;
                return Ok(false);
            }
            if began.elapsed() > CONTROL_LIMIT {
                return Err(Error::System(format!(
                    "PostgreSQL runs in {} but has not answered for a minute. Its log is {}.",
                    self.data.display(),
                    self.data.join(LOG).display()
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn has_process(&self) -> Result<bool> {
        let mut command = self.command("pg_ctl");
        command.arg("status").arg("-D").arg(&self.data).stdout(Stdio::null()).stderr(Stdio::null());
        let status = tokio::time::timeout(CONTROL_LIMIT, command.status())
            .await
            .map_err(|_| Error::System("pg_ctl status did not answer within a minute.".to_owned()))?
            .map_err(|error| failed("asking for its status", &error))?;
        Ok(status.success())
    }

    /// Whether the server was killed, and with it all that it had started, while nobody took note of its end:
    /// the first process of a container often does not. PostgreSQL itself would believe that it runs.
    fn is_dead(&self) -> Result<bool> {
        let Some(pid) = self.process_id() else { return Ok(false) };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // `pid (name) state …`; the name may hold anything.
        if !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')) {
            return Ok(false);
        }
        Ok(!self.is_worked_in()?)
    }

    /// Whether any of PostgreSQL's processes works in the data directory.
    fn is_worked_in(&self) -> Result<bool> {
        let processes = std::fs::read_dir("/proc").map_err(|error| failed("reading /proc", &error))?;
        Ok(processes.flatten().map(|process| process.path()).any(|process| {
            std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == self.data)
                && std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim_end() == "postgres")
        }))
    }

    /// What a killed server had started ends by itself, moments later; a new one cannot start before.
    async fn wait_for_orphans(&self) -> Result<()> {
        let began = Instant::now();
        while self.is_worked_in()? && began.elapsed() < ORPHANS_LIMIT {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn process_id(&self) -> Option<u32> {
        std::fs::read_to_string(self.data.join(PID_FILE)).ok()?.lines().next()?.trim().parse().ok()
    }

    /// Removes the files by which a killed server would be believed to live, the socket's before the data's.
    fn clear_dead(&self) -> Result<()> {
        for file in [self.socket_dir.join(SOCKET_LOCK), self.data.join(PID_FILE)] {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("clearing what a killed server left", &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn launch(&self) -> Result<()> {
        self.wait_for_orphans().await?;
        self.configure().map_err(|error| failed("writing its configuration", &error))?;
        let log = self.data.join(LOG);
        let mut command = self.command("pg_ctl");
        // `pg_ctl` starts the server through a shell, which is why no path is among its arguments.
        command.current_dir(&self.data).args(["start", "-w", "-t", "50", "-D", ".", "-l", LOG]);
        run(command, "pg_ctl start", CONTROL_LIMIT)
            .await
            .map_err(|error| Error::System(format!("{error} Its log, {}, ends: {}", log.display(), last_lines(&log))))
    }

    /// Writes the whole configuration anew. It is not given as options, which would pass through a shell.
    fn configure(&self) -> std::io::Result<()> {
        let socket_dir = self.socket_dir.to_str().ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::InvalidInput, "the data directory's path is not UTF-8")
        })?;
        let file = self.data.join("postgresql.conf");
        std::fs::write(&file, format!("{SETTINGS}unix_socket_directories = {}\n", quoted(socket_dir)))?;
        self.user.map_or(Ok(()), |user| chown(&file, Some(user.uid), Some(user.gid)))
    }

    async fn control(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.command("pg_ctl");
        command.args(arguments).arg("-D").arg(&self.data);
        run(command, "pg_ctl", CONTROL_LIMIT).await
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        // `pg_ctl` must not keep a directory of the caller busy, nor fail where its user cannot read it.
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
        // The server must not get the signals that a terminal sends to Skypanel.
        command.process_group(0);
        if let Some(SystemUser { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Holds the right to start the server; it goes with the process, however that ends.
async fn starting(directory: &Path) -> Result<File> {
    let path = directory.join(START_LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| failed(&format!("opening {}", path.display()), &error))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < INIT_LIMIT => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::System(format!(
                    "PostgreSQL: another process has been starting it for {} s. Try again when that has ended.",
                    INIT_LIMIT.as_secs()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&format!("locking {}", path.display()), &error)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A path as one item of a list in PostgreSQL's configuration: quoted as an item, then as a value.
fn quoted(path: &str) -> String {
    let item = format!("\"{}\"", path.replace('"', "\"\""));
    format!("'{}'", item.replace('\\', "\\\\").replace('\'', "''"))
}

/// Debian keeps the binaries of each major version apart; the newest is used.
fn find_binaries() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
    })
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn postgres_user() -> Result<SystemUser> {
    let passwd = std::fs::read_to_string("/etc/passwd").map_err(|error| failed("reading /etc/passwd", &error))?;
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let mut numbers = fields.skip(1);
            let uid = numbers.next()?.parse().ok()?;
            let gid = numbers.next()?.parse().ok()?;
            (name == "postgres").then_some(SystemUser { uid, gid })
        })
        .ok_or_else(|| {
            Error::System(
                "PostgreSQL refuses to run as root and there is no user \"postgres\" to run it as. \
                 Install Debian's package postgresql, which makes that user."
                    .to_owned(),
            )
        })
}

async fn run(mut command: Command, what: &str, limit: Duration) -> Result<()> {
    // `pg_ctl start` leaves the server holding its standard output, so that is never read to its end.
    let errors = tempfile::tempfile().map_err(|error| failed(what, &error))?;
    let target = errors.try_clone().map_err(|error| failed(what, &error))?;
    let status = tokio::time::timeout(limit, command.stdout(Stdio::null()).stderr(target).status())
        .await
        .map_err(|_| Error::System(format!("PostgreSQL: {what} did not end within {} s.", limit.as_secs())))?
        .map_err(|error| failed(what, &error))?;
    if status.success() {
        return Ok(());
    }
    let mut text = String::new();
    let mut errors = errors;
    let _ = errors.rewind().and_then(|()| errors.take(4_096).read_to_string(&mut text));
    Err(Error::System(format!("PostgreSQL: {what} failed: {}", text.trim())))
}

/// The last lines of a log, on one line.
fn last_lines(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().take(3).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::System(format!("PostgreSQL: {what} failed: {error}."))
}
