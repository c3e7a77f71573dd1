//! The measurements. Each pushes apps of its own, so that any can be run alone.

use std::fs::{self, File};
use std::io::Read as _;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::client::{Repository, change_greeting, copy};
use crate::load::{Connections, Load};
use crate::openssh::OpenSsh;
use crate::page::Timed;
use crate::process::{Running, pause, run};
use crate::report::rounded;
use crate::statistics::{median, percentile};
use crate::{Bench, Result, memory, platform};

const FIRST_PUSHES: usize = 3;
const WARM_PUSHES: usize = 10;
const ROLLBACKS: usize = 5;
const FLASK_PUSHES: usize = 3;
const APPS_AT_ONCE: usize = 10;
const ROLLED_RELEASES: u32 = 10;
const TRANSPORT_ROUNDS: usize = 5;
/// Between pushes that are measured one by one, so that none pays for what is left to do after the one before.
const BETWEEN: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_secs(10);

const PUSH_LIMIT: Duration = Duration::from_mins(2);
const COMMAND_LIMIT: Duration = Duration::from_mins(1);

const HELLO: &str = "Hello from Skypanel";
const FLASK: &str = "from python-flask";

/// 100 MiB in files of 512 KiB: more objects than Git unpacks loose.
const LARGE_FILES: usize = 200;
const LARGE_FILE_BYTES: u64 = 512 * 1024;

/// New apps, ten pushes that change one of them, and rollbacks of it.
pub(crate) fn pushes(bench: &mut Bench) -> Result<()> {
    let slugs: Vec<String> = (1..=FIRST_PUSHES).map(|number| format!("bench-hello-{number}")).collect();
    let mut first = Vec::new();
    let mut repositories = Vec::new();
    for slug in &slugs {
        let greeting = format!("{slug} says hello");
        let repository = hello_repository(bench, slug, &greeting)?;
        pause(BETWEEN)?;
        first.push(push(&repository, slug, &greeting)?);
        repositories.push(repository);
    }
    let first = live(&first);
    println!("       First: {}", list(&first));
    bench.results.insert("push_to_live_first_s".into(), rounded(median(&first)));
    bench.results.insert("push_to_live_first_all_s".into(), all(&first));

    let (slug, repository) = (&slugs[0], &repositories[0]);
    let mut warm = Vec::new();
    let mut before = format!("{slug} says hello");
    for round in 1..=WARM_PUSHES {
        let greeting = warm_greeting(round);
        change_greeting(&repository.path, &before, &greeting)?;
        repository.commit(&greeting)?;
        platform::page(slug).settle(&before)?;
        warm.push(push(repository, slug, &greeting)?);
        before = greeting;
    }
    let returned: Vec<f64> = warm.iter().map(|timed| timed.returned.as_secs_f64()).collect();
    let warm = live(&warm);
    println!("       Warm: {}", list(&warm));
    let value = json!({
        "p50": rounded(median(&warm)),
        "p95": rounded(percentile(&warm, 95)),
        "all": all(&warm),
        "git_push_returned_p50": rounded(median(&returned)),
    });
    bench.results.insert("push_to_live_warm_s".into(), value);
    let stages = stages(bench, slug, median(&warm))?;
    bench.results.insert("stages".into(), stages);

    let mut rollbacks = Vec::new();
    for number in 1..=ROLLBACKS {
        // The first push made v1, so that warm push N made v(N+1).
        let round = WARM_PUSHES - number;
        let version = format!("v{}", round + 1);
        platform::page(slug).settle(&before)?;
        let mut ssh = platform::command(&bench.client, &["rollback", &format!("--app={slug}"), &version]);
        before = warm_greeting(round);
        rollbacks.push(platform::page(slug).time(|| Running::start(&mut ssh), &before, COMMAND_LIMIT)?);
    }
    let rollbacks = live(&rollbacks);
    println!("       Rollback: {}", list(&rollbacks));
    bench.results.insert("rollback_s".into(), json!({ "p50": rounded(median(&rollbacks)), "all": all(&rollbacks) }));
    let peak = bench.peak.mb();
    bench.results.insert("memory_peak_pushes_mb".into(), rounded(peak));
    Ok(())
}

fn warm_greeting(round: usize) -> String {
    format!("This is round {round}.")
}

/// The median time of each stage of an app's warm pushes, and what is left of the whole for SSH, Git and queue.
fn stages(bench: &Bench, slug: &str, whole: f64) -> Result<Value> {
    let rows = bench.platform.query(&format!(
        "SELECT stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.finished_at - s.started_at))
         FROM paas_deployment_stages s JOIN paas_deployments d ON d.id = s.deployment_id
         JOIN paas_applications a ON a.id = d.application_id
         WHERE a.slug = '{slug}' AND d.trigger = 'push' AND d.version > 1 GROUP BY stage ORDER BY min(s.started_at)"
    ))?;
    let mut stages = Map::new();
    let mut rest = whole;
    for row in rows.lines().filter(|row| !row.is_empty()) {
        let (stage, seconds) = row.split_once('|').ok_or_else(|| format!("the database answered {row:?}"))?;
        let seconds: f64 = seconds.parse()?;
        rest -= seconds;
        stages.insert(stage.to_owned(), rounded(seconds));
    }
    if stages.is_empty() {
        return Err("the database knows no stage of the warm pushes".into());
    }
    stages.insert("rest".to_owned(), rounded(rest));
    Ok(stages.into())
}

/// An app with dependencies: installed by the first push, found in the cache by the others.
pub(crate) fn flask(bench: &mut Bench) -> Result<()> {
    let slug = "bench-flask";
    let examples = bench.examples.join("python-flask");
    let repository = bench.client.repository(slug, |path| copy(&examples, path))?;
    let first = push(&repository, slug, FLASK)?;
    println!("       First, dependencies fetched: {:.2} s", first.live.as_secs_f64());
    let mut warm = Vec::new();
    let mut before = FLASK.to_owned();
    for round in 1..=FLASK_PUSHES {
        let greeting = format!("from Flask, round {round}.");
        change_greeting(&repository.path, &before, &greeting)?;
        repository.commit(&greeting)?;
        platform::page(slug).settle(&before)?;
        warm.push(push(&repository, slug, &greeting)?);
        before = greeting;
    }
    let warm = live(&warm);
    println!("       Warm: {}", list(&warm));
    bench.results.insert("push_flask_first_s".into(), rounded(first.live.as_secs_f64()));
    bench.results.insert("push_flask_warm_s".into(), rounded(median(&warm)));
    Ok(())
}

/// Ten new apps, pushed at the same moment.
pub(crate) fn ten_at_once(bench: &mut Bench) -> Result<()> {
    let mut apps = Vec::new();
    for number in 1..=APPS_AT_ONCE {
        let slug = format!("bench-ten-{number}");
        let greeting = format!("App {number} of ten.");
        let repository = hello_repository(bench, &slug, &greeting)?;
        apps.push((slug, greeting, repository));
    }
    let started = Instant::now();
    let outcomes: Vec<Result<f64>> = std::thread::scope(|scope| {
        let pushes: Vec<_> = apps
            .iter()
            .map(|(slug, greeting, repository)| {
                let (page, remote) = (platform::page(slug), platform::remote(slug));
                scope.spawn(move || {
                    page.time(|| repository.push(&remote, "main"), greeting, PUSH_LIMIT)?;
                    Ok(started.elapsed().as_secs_f64())
                })
            })
            .collect();
        pushes
            .into_iter()
            .map(|push| push.join().unwrap_or_else(|_| Err("a push's thread broke down".into())))
            .collect()
    });
    let times: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    let wall = percentile(&times, 100);
    println!("       {} live after {wall:.1} s", times.len());
    let value = json!({ "live": times.len(), "wall_s": rounded(wall), "first_s": rounded(percentile(&times, 0)) });
    bench.results.insert("ten_at_once".into(), value);
    outcomes.into_iter().find_map(Result::err).map_or(Ok(()), Err)
}

/// Memory at rest, and the most that the builds before it took.
pub(crate) fn idle_memory(bench: &mut Bench) -> Result<()> {
    // Alone, this measurement has seen no build.
    let built =
        ["push_to_live_warm_s", "push_flask_warm_s", "ten_at_once"].iter().any(|key| bench.results.contains_key(*key));
    let building = built.then(|| bench.peak.mb());
    pause(QUIET)?;
    let idle = memory::resident_mb(bench.platform.pid())?;
    let postgres = bench.platform.postgres_pid().and_then(|pid| memory::proportional_mb(pid).ok());
    println!("       Idle {idle:.1} MB, at most {:.1} MB while building", building.unwrap_or_default());
    let value = json!({ "idle": rounded(idle), "building": building.map(rounded), "postgres": postgres.map(rounded) });
    bench.results.insert("memory_mb".into(), value);
    Ok(())
}

/// Releases that roll while visitors come, every one of whom counts.
pub(crate) fn rolling(bench: &mut Bench) -> Result<()> {
    let slug = "bench-rolling";
    let repository = hello_repository(bench, slug, HELLO)?;
    push(&repository, slug, HELLO)?;
    let (mut requests, mut failed) = (0, 0);
    let mut value = Map::new();
    for (name, connections) in [("keep_alive", Connections::KeptAlive), ("close", Connections::OnePerRequest)] {
        let load = Load::start(&platform::page(slug), connections, &bench.work)?;
        let rolled = roll(bench, slug, name);
        let counted = load.end()?;
        let seconds = rolled?;
        println!(
            "       {name}: {} requests, {} failed {:?}, {ROLLED_RELEASES} releases in {seconds:.1} s",
            counted.requests, counted.failed, counted.kinds
        );
        requests += counted.requests;
        failed += counted.failed;
        let details = json!({
            "requests": counted.requests,
            "failed": counted.failed,
            "kinds": counted.kinds,
            "release_s": rounded(seconds / f64::from(ROLLED_RELEASES)),
            "p99_ms": rounded(counted.p99.as_secs_f64() * 1e3),
        });
        value.insert(name.to_owned(), details);
    }
    value.insert("requests".to_owned(), requests.into());
    value.insert("failed".to_owned(), failed.into());
    bench.results.insert("rolling".into(), value.into());
    Ok(())
}

/// Rolls releases one after the other and answers how many seconds they took.
fn roll(bench: &Bench, slug: &str, mark: &str) -> Result<f64> {
    pause(Duration::from_secs(1))?;
    let started = Instant::now();
    for number in 1..=ROLLED_RELEASES {
        let (app, variable) = (format!("--app={slug}"), format!("ROUND={mark}-{number}"));
        run(&mut platform::command(&bench.client, &["config:set", &app, &variable]), COMMAND_LIMIT)?;
    }
    let took = started.elapsed().as_secs_f64();
    pause(Duration::from_secs(1))?;
    Ok(took)
}

/// The same 100 MiB to a branch that is not released, and to OpenSSH with `git receive-pack`, in turns.
pub(crate) fn transport(bench: &mut Bench) -> Result<()> {
    let repository = bench.client.repository("large", |path| {
        let mut random = File::open("/dev/urandom")?;
        for number in 0..LARGE_FILES {
            let mut file = File::create(path.join(format!("{number:03}.bin")))?;
            std::io::copy(&mut (&mut random).take(LARGE_FILE_BYTES), &mut file)?;
        }
        Ok(())
    })?;
    // As in a clone: packed once, so that a push sends what is there and does not compress it again.
    repository.git(&["repack", "-a", "-d", "-q", "--window=0"])?;
    let openssh = OpenSsh::start(&bench.work.join("openssh"), &bench.client)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=TRANSPORT_ROUNDS {
        let to_skypanel = || -> Result<f64> {
            let remote = platform::remote(&format!("bench-large-{round}"));
            Ok(repository.push(&remote, "payload")?.succeed(PUSH_LIMIT)?.took.as_secs_f64())
        };
        let to_openssh = || -> Result<f64> {
            let (path, remote) = openssh.repository(&format!("large-{round}.git"))?;
            let took = repository.push(&remote, "payload")?.succeed(PUSH_LIMIT)?.took;
            fs::remove_dir_all(path)?;
            Ok(took.as_secs_f64())
        };
        // Whoever comes second finds the disk busier.
        if round % 2 == 0 {
            ours.push(to_skypanel()?);
            theirs.push(to_openssh()?);
        } else {
            theirs.push(to_openssh()?);
            ours.push(to_skypanel()?);
        }
    }
    println!("       Skypanel: {}; OpenSSH: {}", list(&ours), list(&theirs));
    let (skypanel_s, openssh_s) = (median(&ours), median(&theirs));
    let value = json!({
        "skypanel_s": rounded(skypanel_s),
        "openssh_s": rounded(openssh_s),
        "ratio": rounded(skypanel_s / openssh_s),
        "skypanel_all_s": all(&ours),
        "openssh_all_s": all(&theirs),
    });
    bench.results.insert("git_push_100mb".into(), value);
    bench.results.insert("memory_peak_mb".into(), rounded(bench.peak.mb()));
    Ok(())
}

fn hello_repository(bench: &Bench, name: &str, greeting: &str) -> Result<Repository> {
    let examples = bench.examples.join("python-hello");
    bench.client.repository(name, |path| {
        copy(&examples, path)?;
        change_greeting(path, HELLO, greeting)
    })
}

fn push(repository: &Repository, slug: &str, text: &str) -> Result<Timed> {
    let remote = platform::remote(slug);
    platform::page(slug).time(|| repository.push(&remote, "main"), text, PUSH_LIMIT)
}

fn live(timed: &[Timed]) -> Vec<f64> {
    timed.iter().map(|timed| timed.live.as_secs_f64()).collect()
}

fn all(values: &[f64]) -> Value {
    values.iter().map(|value| rounded(*value)).collect()
}

fn list(values: &[f64]) -> String {
    let texts: Vec<String> = values.iter().map(|value| format!("{value:.2}")).collect();
    format!("{} s", texts.join(" "))
}
