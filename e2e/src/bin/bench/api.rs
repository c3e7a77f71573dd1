//! The API in front of a platform with a past: 1,000 apps, 10,000 deployments, a million hours of usage. What pages of
//! its lists take, what one core serves, and whether memory grows.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::kept::Caller;
use crate::process::{pause, run};
use crate::report::rounded;
use crate::statistics::{median, percentile};
use crate::{Bench, Result, memory};

pub(crate) const PORT: u16 = 23_190;
const IMAGE_PORT: u16 = 23_191;
const DATABASE: &str = "large";
const START_LIMIT: Duration = Duration::from_mins(1);
const FILL_LIMIT: Duration = Duration::from_mins(3);

/// Tokens that the past has: an admin's, one of an owner of the organisation that has half of the apps, and one of a
/// member of all organisations.
const ADMIN: &str = "skp_large_admin";
pub(crate) const OWNER: &str = "skp_large_owner";
const MEMBER: &str = "skp_large_member";

/// Requests one after the other, for the time of a page.
const PAGES: usize = 2_000;
/// Requests at once, for what one core serves.
const CONNECTIONS: usize = 8;
/// Requests until memory is taken to be what it comes to, and in all.
const WARM: usize = 10_000;
const ALL: usize = 100_000;
/// The core that serves.
const CORE: &str = "0";

/// Pages of lists, one request at a time; then 100,000 of them over several connections through one core.
pub(crate) fn api(bench: &mut Bench) -> Result<()> {
    fill(bench)?;
    let mut value = Map::new();

    let api = Api::start(bench, None)?;
    let [owner, admin, member] = [OWNER, ADMIN, MEMBER].map(|token| Caller { port: PORT, token });
    let apps = pages(&member, "/api/paas/apps")?;
    let own_apps = pages(&owner, "/api/paas/apps")?;
    let all_apps = pages(&admin, "/api/admin/paas/apps")?;
    let overview = vec!["/api/admin/paas/overview".to_owned()];
    let usage = vec!["/api/paas/usage?group=app".to_owned()];
    for (name, caller, paths) in [
        ("apps", &member, &apps),
        ("own_apps", &owner, &own_apps),
        ("admin_apps", &admin, &all_apps),
        ("overview", &admin, &overview),
        ("usage", &owner, &usage),
    ] {
        // Connections to the database, and the plans of their statements.
        caller.load(paths, 1, PAGES / 10)?;
        let taken = caller.load(paths, 1, PAGES)?;
        let (p50, p99) = (median(&taken.each_ms), percentile(&taken.each_ms, 99));
        println!("       {name}: {p50:.1} ms, p99 {p99:.1} ms");
        value.insert(name.to_owned(), json!({ "p50_ms": rounded(p50), "p99_ms": rounded(p99) }));
    }
    api.end()?;

    let api = Api::start(bench, Some(CORE))?;
    member.load(&apps, CONNECTIONS, WARM)?;
    let warm = memory::resident_mb(api.pid())?;
    let taken = member.load(&apps, CONNECTIONS, ALL - WARM)?;
    let end = memory::resident_mb(api.pid())?;
    api.end()?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
    let per_second = taken.each_ms.len() as f64 / taken.all.as_secs_f64();
    let (p50, p99) = (median(&taken.each_ms), percentile(&taken.each_ms, 99));
    println!("       One core: {per_second:.0} requests a second, {p50:.1} ms, p99 {p99:.1} ms");
    println!("       Memory: {warm:.1} MB after {WARM} requests, {end:.1} MB after {ALL}");
    value.insert(
        "one_core".to_owned(),
        json!({ "requests_per_s": rounded(per_second), "p50_ms": rounded(p50), "p99_ms": rounded(p99) }),
    );
    value.insert(
        "memory_mb".to_owned(),
        json!({ "after_10000": rounded(warm), "after_100000": rounded(end), "growth": rounded((end - warm).max(0.0)) }),
    );
    bench.results.insert("api".into(), value.into());
    Ok(())
}

/// Makes the database of the platform with a past.
pub(crate) fn fill(bench: &Bench) -> Result<()> {
    let started = Instant::now();
    bench.platform.query(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))?;
    bench.platform.query(&format!("CREATE DATABASE {DATABASE}"))?;
    // Its first start makes the tables.
    Api::start(bench, None)?.end()?;
    let past = skypanel_e2e::root().join("infra/dev/large-platform.sql");
    let mut psql = bench.platform.psql(DATABASE);
    psql.args(["--quiet", "--set=ON_ERROR_STOP=1", "--file"]).arg(past).args(["--command", "VACUUM ANALYZE"]);
    run(&mut psql, FILL_LIMIT)?;
    println!("       Filled in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Its data directory.
pub(crate) fn data(bench: &Bench) -> PathBuf {
    bench.platform.data().join("large-api")
}

/// Addresses of all pages of a list, as a client finds them.
fn pages(caller: &Caller, list: &str) -> Result<Vec<String>> {
    let mut connection = caller.connect();
    let mut pages = vec![format!("{list}?limit=50")];
    while let Some(page) = pages.last() {
        let page: Value = serde_json::from_slice(&connection.get(page)?)?;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        pages.push(format!("{list}?limit=50&cursor={cursor}"));
    }
    if pages.len() < 10 {
        return Err(
            format!("{list} has {} pages only: this is not the platform that was to be measured", pages.len()).into()
        );
    }
    Ok(pages)
}

/// A program with its environment, on one core only.
fn on_core(core: &str, program: &Command) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", core]).arg(program.get_program()).process_group(0);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => taskset.env(name, value),
            None => taskset.env_remove(name),
        };
    }
    taskset
}

/// `skypanel serve api` on that database.
pub(crate) struct Api {
    child: Child,
    log: PathBuf,
}

impl Api {
    /// Starts it, on that core only if one is named.
    pub(crate) fn start(bench: &Bench, core: Option<&str>) -> Result<Self> {
        for port in [PORT, IMAGE_PORT] {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .map_err(|error| format!("the port {port} is needed and not free: {error}"))?;
        }
        let log = bench.work.join("large-api.log");
        let output = File::create(&log)?;
        let skypanel = bench.platform.program();
        let mut serve = match core {
            // It inherits the core from its first moment, so that it takes the machine for one that has no other.
            Some(core) => on_core(core, &skypanel),
            None => skypanel,
        };
        serve
            .args(["serve", "api"])
            .env("SKYPANEL_DATA_DIR", data(bench))
            .env("SKYPANEL_DATABASE_URL", bench.platform.database_url(DATABASE))
            .env("SKYPANEL_API_LISTEN", format!("127.0.0.1:{PORT}"))
            .env("SKYPANEL_IMAGE_LISTEN", format!("127.0.0.1:{IMAGE_PORT}"))
            // One client, which is meant to ask as often as it can.
            .env("SKYPANEL_REQUESTS_PER_MINUTE", "0")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = serve.spawn().map_err(|error| format!("`skypanel serve api` could not be started: {error}"))?;
        let mut api = Self { child, log };
        api.wait_until_ready()?;
        Ok(api)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        loop {
            let said = fs::read_to_string(&self.log)?;
            if said.contains("-----> Ready") {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("`skypanel serve api` ended ({status}):\n{said}").into());
            }
            if started.elapsed() > START_LIMIT {
                return Err(format!("`skypanel serve api` was not ready in time:\n{said}").into());
            }
            pause(Duration::from_millis(20))?;
        }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn end(mut self) -> Result<()> {
        self.stop()
    }

    fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            run(Command::new("kill").args(["-TERM", &self.pid().to_string()]), START_LIMIT)?;
            let asked = Instant::now();
            while self.child.try_wait()?.is_none() {
                if asked.elapsed() > START_LIMIT {
                    self.child.kill()?;
                    self.child.wait()?;
                    return Err("`skypanel serve api` did not stop when asked".into());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!(" !     Cleaning up: {error}");
        }
    }
}
