//! The Skypanel that is measured: its own data directory, ports and log, started as an operator starts it, and
//! removed with all it made in the engine.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::client::Client;
use crate::page::Page;
use crate::process::{pause, run};

/// Below the range that the kernel gives to outgoing connections.
const SSH_PORT: u16 = 23_222;
pub(crate) const API_PORT: u16 = 23_080;
const IMAGE_PORT: u16 = 23_100;
const EDGE_PORT: u16 = 23_081;
const EDGE_HTTPS_PORT: u16 = 23_443;
const METRICS_PORT: u16 = 23_180;

const START_LIMIT: Duration = Duration::from_mins(3);
const STOP_LIMIT: Duration = Duration::from_mins(1);
const COMMAND_LIMIT: Duration = Duration::from_mins(1);
/// What of the environment holds for the measured Skypanel, too.
const PASSED_ON: &[&str] = &["SKYPANEL_STACK_DIR", "SKYPANEL_EDGE_DIR", "SKYPANEL_LOG"];
const READY: &str = "Skypanel is ready";

/// Where programs, data and results lie.
pub(crate) struct Places {
    /// `skypanel`, `skypanel-hook`, `skypanel-init`.
    pub(crate) programs: PathBuf,
    /// Results, logs, repositories.
    pub(crate) bench: PathBuf,
    /// The data directory, which PostgreSQL's user must be able to enter.
    pub(crate) data: PathBuf,
}

/// Where the engine pulls images from.
pub(crate) fn images() -> String {
    format!("127.0.0.1:{IMAGE_PORT}")
}

/// A running Skypanel. Dropping it stops it and removes what it made.
pub(crate) struct Platform {
    child: Child,
    places: Places,
    log: PathBuf,
    /// From the start of `skypanel up` on empty data to its ready line.
    pub(crate) start_took: Duration,
}

impl Platform {
    pub(crate) fn start(places: Places) -> Result<Self> {
        remove_installation(&places)?;
        for port in [SSH_PORT, API_PORT, IMAGE_PORT, EDGE_PORT, EDGE_HTTPS_PORT, METRICS_PORT] {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
                .map_err(|error| format!("the port {port} is needed and not free: {error}"))?;
        }
        fs::create_dir_all(&places.data)?;
        let log = places.bench.join("skypanel.log");
        let output = File::create(&log)?;
        let started = Instant::now();
        let child = program(&places)
            .arg("up")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| format!("`{} up` could not be started: {error}", places.programs.display()))?;
        let mut platform = Self { child, places, log, start_took: Duration::ZERO };
        platform.wait_until_ready(started)?;
        platform.start_took = started.elapsed();
        Ok(platform)
    }

    fn wait_until_ready(&mut self, started: Instant) -> Result<()> {
        while !fs::read_to_string(&self.log)?.contains(READY) {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("`skypanel up` ended ({status}):\n{}", self.end_of_log()).into());
            }
            if started.elapsed() > START_LIMIT {
                let limit = START_LIMIT.as_secs();
                return Err(format!("`skypanel up` was not ready after {limit} s:\n{}", self.end_of_log()).into());
            }
            pause(Duration::from_millis(20))?;
        }
        Ok(())
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the tests of the dashboard want to know of it.
    pub(crate) fn description(&self) -> serde_json::Value {
        serde_json::json!({
            "programs": self.places.programs, "data_dir": self.places.data,
            "ssh_port": SSH_PORT, "api_port": API_PORT, "http_port": EDGE_PORT,
        })
    }

    pub(crate) fn register(&self, client: &Client) -> Result<()> {
        run(program(&self.places).args(["admin", "key:add"]).arg(client.public_key()), COMMAND_LIMIT).map(drop)
    }

    /// Asks the private database; a line a row, columns separated by `|`.
    pub(crate) fn query(&self, sql: &str) -> Result<String> {
        Ok(run(self.psql("postgres").args(["--tuples-only", "--no-align", "--command", sql]), COMMAND_LIMIT)?.output)
    }

    /// `psql` on a database of the private server.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--username=skypanel", "--dbname", database, "--host"])
            .arg(self.postgres().join("socket"));
        psql
    }

    /// Address of a database of the private server.
    pub(crate) fn database_url(&self, database: &str) -> String {
        let socket = self.postgres().join("socket");
        let socket = socket.to_string_lossy().replace('%', "%25").replace('/', "%2F").replace(' ', "%20");
        format!("postgres://skypanel@localhost/{database}?host={socket}")
    }

    /// Its data directory, below which a measurement can keep its own: all of it goes in the end.
    pub(crate) fn data(&self) -> &Path {
        &self.places.data
    }

    /// `skypanel` as this platform runs it, for further roles.
    pub(crate) fn program(&self) -> Command {
        program(&self.places)
    }

    fn postgres(&self) -> PathBuf {
        self.places.data.join("postgres")
    }

    /// The private database's first process.
    pub(crate) fn postgres_pid(&self) -> Option<u32> {
        postmaster(&self.places.data)
    }

    /// Stops it and removes all it made; what was wrong is told once everything was tried.
    pub(crate) fn end(mut self) -> Result<()> {
        self.stop()
    }

    fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            signal(self.child.id(), "TERM");
            let asked = Instant::now();
            while self.child.try_wait()?.is_none() {
                if asked.elapsed() > STOP_LIMIT {
                    self.child.kill()?;
                    self.child.wait()?;
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        remove_installation(&self.places)
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if self.places.data.exists()
            && let Err(error) = self.stop()
        {
            eprintln!(" !     Cleaning up: {error}");
        }
    }
}

/// The remote address of an app.
pub(crate) fn remote(slug: &str) -> String {
    format!("ssh://git@127.0.0.1:{SSH_PORT}/{slug}.git")
}

/// An app's page.
pub(crate) fn page(slug: &str) -> Page {
    Page { edge_port: EDGE_PORT, slug: slug.to_owned() }
}

/// One of Skypanel's commands over SSH.
pub(crate) fn command(client: &Client, words: &[&str]) -> Command {
    let mut ssh = client.ssh();
    ssh.args(["-p", &SSH_PORT.to_string(), "git@127.0.0.1", "--"]).args(words);
    ssh
}

/// `skypanel` with the benchmark's configuration and none of the user's.
fn program(places: &Places) -> Command {
    use std::os::unix::process::CommandExt as _;
    let local = |port: u16| format!("127.0.0.1:{port}");
    let mut command = Command::new(places.programs.join("skypanel"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SKYPANEL_") && !PASSED_ON.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
        .env("SKYPANEL_DATA_DIR", &places.data)
        .env("SKYPANEL_SSH_LISTEN", local(SSH_PORT))
        .env("SKYPANEL_API_LISTEN", local(API_PORT))
        .env("SKYPANEL_IMAGE_LISTEN", local(IMAGE_PORT))
        .env("SKYPANEL_EDGE_HTTP_PORT", EDGE_PORT.to_string())
        .env("SKYPANEL_EDGE_HTTPS_PORT", EDGE_HTTPS_PORT.to_string())
        .env("SKYPANEL_METRICS_LISTEN", local(METRICS_PORT))
        // A Ctrl-C is for the benchmark, which then stops it in order.
        .process_group(0);
    command
}

/// Removes what an installation left: database, containers, services, networks, secrets, volumes, data. A later
/// run finishes what an earlier one, killed, could not.
fn remove_installation(places: &Places) -> Result<()> {
    if let Some(pid) = postmaster(&places.data) {
        signal(pid, "INT");
        wait_for("the private PostgreSQL to end", || Ok(!Path::new(&format!("/proc/{pid}")).exists()))?;
    }
    if let Ok(installation) = fs::read_to_string(places.data.join("installation")) {
        remove_from_engine(installation.trim())?;
    }
    match fs::remove_dir_all(&places.data) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{} could not be removed: {error}", places.data.display()).into())
        }
        _ => Ok(()),
    }
}

fn remove_from_engine(installation: &str) -> Result<()> {
    let label = format!("label=skypanel.installation={installation}");
    // In the order in which one holds the other.
    let kinds: [(&str, &[&str], &[&str]); 5] = [
        ("service", &["ls", "--quiet"], &["rm"]),
        ("container", &["ls", "--all", "--quiet"], &["rm", "--force", "--volumes"]),
        ("network", &["ls", "--quiet"], &["rm"]),
        ("secret", &["ls", "--quiet"], &["rm"]),
        ("volume", &["ls", "--quiet"], &["rm"]),
    ];
    for (kind, list, remove) in kinds {
        wait_for(&format!("every {kind} of the benchmark to go"), || {
            let ids = docker(kind, list, &["--filter", &label])?;
            let ids: Vec<&str> = ids.lines().collect();
            if ids.is_empty() {
                return Ok(true);
            }
            // Fails while the engine still lets go of tasks; tried again until none is left.
            let _ = docker(kind, remove, &ids);
            Ok(false)
        })?;
    }
    // By name, never by id: another installation may have the same image under a name of its own.
    for pattern in ["*", "*/*"] {
        let filter = format!("reference=127.0.0.1:{IMAGE_PORT}/{pattern}");
        let format = ["--digests", "--format", "{{.Repository}}@{{.Digest}}"];
        let names = docker("image", &["ls", "--filter", &filter], &format)?;
        let names: Vec<&str> = names.lines().collect();
        if !names.is_empty() {
            docker("image", &["rm"], &names)?;
        }
    }
    Ok(())
}

fn docker(kind: &str, action: &[&str], more: &[&str]) -> Result<String> {
    Ok(run(Command::new("docker").arg(kind).args(action).args(more), STOP_LIMIT)?.output)
}

fn wait_for(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !done()? {
        if started.elapsed() > STOP_LIMIT {
            return Err(format!("waited {} s in vain for {what}", STOP_LIMIT.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

fn postmaster(data: &Path) -> Option<u32> {
    let file = fs::read_to_string(data.join("postgres/data/postmaster.pid")).ok()?;
    let pid = file.lines().next()?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim() == "postgres").then_some(pid)
}

fn signal(pid: u32, signal: &str) {
    let _ = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).stderr(Stdio::null()).status();
}
