//! The benchmark behind `make bench`: drives an installation of its own with the real `git` and `ssh` and looks
//! at the apps through the edge, as their developers and visitors do. docs/benchmarks.md says what is measured.
//!
//! usage: bench [--publish] [MEASUREMENT]...
//!
//! Without measurements: all. `--publish` puts the results into the tables of the README and docs/benchmarks.md. The
//! exit status tells whether everything worked, not whether every goal was met.

mod api;
mod client;
mod dashboard;
mod follower;
mod kept;
mod load;
mod logs;
mod measure;
mod memory;
mod openssh;
mod page;
mod platform;
mod process;
mod report;
mod statistics;
mod stored;
mod tasks;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::client::Client;
use crate::memory::Peak;
use crate::platform::{Places, Platform};

/// What was wrong, in words for whoever runs this.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// When no further measurement is begun.
const LIMIT: Duration = Duration::from_mins(20);

/// Everything a measurement works with.
struct Bench {
    platform: Platform,
    client: Client,
    /// Where repositories and logs of this run lie.
    work: PathBuf,
    examples: PathBuf,
    /// Watches Skypanel's memory all the time.
    peak: Peak,
    results: Map<String, Value>,
}

type Measurement = fn(&mut Bench) -> Result<()>;

/// Name, title and work of every measurement, in order: the idle one comes after what makes memory grow.
const MEASUREMENTS: &[(&str, &str, Measurement)] = &[
    ("pushes", "First and warm pushes of python-hello, rollbacks", measure::pushes),
    ("flask", "Pushes of python-flask with unchanged dependencies", measure::flask),
    ("ten", "Ten new apps at once", measure::ten_at_once),
    ("memory", "Memory after ten quiet seconds", measure::idle_memory),
    ("tasks", "Statistics of 100 tasks", tasks::statistics),
    ("rolling", "Ten releases under load, connections kept alive, then one a request", measure::rolling),
    ("transport", "100 MB pushed to Skypanel and to OpenSSH", measure::transport),
    ("logs", "A flood of lines and others, followed live", logs::followed),
    ("stored", "Ten million stored lines, read over HTTP", stored::stored),
    ("dashboard", "The dashboard in a browser", dashboard::dashboard),
    ("api", "The API with 1,000 apps, 10,000 deployments and 1,000,000 hours of usage", api::api),
];

fn main() -> ExitCode {
    end_on_signals();
    let mut publish = false;
    let mut chosen = Vec::new();
    for argument in std::env::args().skip(1) {
        if argument == "--publish" {
            publish = true;
        } else if MEASUREMENTS.iter().any(|(name, ..)| *name == argument) {
            chosen.push(argument);
        } else {
            let names: Vec<&str> = MEASUREMENTS.iter().map(|(name, ..)| *name).collect();
            eprintln!(" !     usage: bench [--publish] [{}]...", names.join("|"));
            return ExitCode::FAILURE;
        }
    }
    match run(&chosen, publish) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Measures, reports, and answers whether everything worked.
fn run(chosen: &[String], publish: bool) -> Result<bool> {
    let started = Instant::now();
    let root = skypanel_e2e::root();
    let directory = std::env::var_os("SKYPANEL_BENCH_DIR").map_or_else(|| root.join("target/bench"), PathBuf::from);
    let programs = std::env::var_os("SKYPANEL_PROGRAMS_DIR")
        .map(PathBuf::from)
        .ok_or("SKYPANEL_PROGRAMS_DIR is not set; run this with `make bench` or infra/dev/bench")?;
    let machine = report::machine()?;

    let work = directory.join("work");
    remove(&work)?;
    fs::create_dir_all(&work)?;
    let client = Client::new(&work.join("client"))?;
    println!("-----> Starting Skypanel on empty data");
    let platform = Platform::start(Places { programs, bench: directory.clone(), data: data_directory(&directory) })?;
    platform.register(&client)?;
    let peak = Peak::watch(platform.pid());
    let mut results = Map::new();
    results.insert("machine".into(), machine);
    results.insert("start_s".into(), report::seconds(platform.start_took));
    println!("       Ready in {:.1} s", platform.start_took.as_secs_f64());
    let mut bench = Bench { platform, client, work: work.clone(), examples: root.join("examples"), peak, results };

    let mut failures = Vec::new();
    for (name, title, measurement) in MEASUREMENTS {
        if !chosen.is_empty() && !chosen.iter().any(|chosen| chosen == name) {
            continue;
        }
        println!("-----> {title}");
        let outcome = if started.elapsed() > LIMIT {
            Err(format!("not begun, since {} s are over", LIMIT.as_secs()).into())
        } else {
            process::check_interrupt().and_then(|()| measurement(&mut bench))
        };
        if let Err(error) = outcome {
            complain(&*error);
            failures.push(format!("{name}: {error}"));
        }
    }

    println!("-----> Cleaning up");
    let Bench { platform, mut results, .. } = bench;
    if let Err(error) = platform.end().and_then(|()| remove(&work)) {
        complain(&*error);
        failures.push(format!("cleaning up: {error}"));
    }
    results.insert("wall_s".into(), report::seconds(started.elapsed()));
    results.insert("failures".into(), failures.clone().into());
    let report = report::Report::new(results);
    let file = directory.join("results.json");
    fs::write(&file, report.json()?)?;
    println!("\n{}\n-----> Written to {}", report.table(), file.display());
    if publish && failures.is_empty() && chosen.is_empty() {
        for document in ["README.md", "docs/benchmarks.md"] {
            report.put_into(&root.join(document))?;
        }
    }
    Ok(failures.is_empty())
}

/// PostgreSQL runs as a user of its own where we are root, who may not enter every directory.
fn data_directory(directory: &Path) -> PathBuf {
    use std::os::unix::fs::MetadataExt as _;
    let root = fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    if root { "/var/lib/skypanel-bench".into() } else { directory.join("data") }
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn complain(error: &(dyn Error + Send + Sync)) {
    eprintln!(" !     {}", error.to_string().trim_end().replace('\n', "\n !     "));
}

/// Makes Ctrl-C and SIGTERM end whatever is waited for, so that everything is cleaned up. The thread lives as long
/// as the process.
fn end_on_signals() {
    std::thread::spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
            let Ok(mut terminated) = terminated else { return };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            process::INTERRUPTED.store(true, Ordering::Relaxed);
        });
    });
}
