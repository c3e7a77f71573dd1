//! What it costs to measure a hundred tasks: CPU time of Skypanel and of the engine, with them and without.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{pause, run};
use crate::report::rounded;
use crate::{Bench, Result, platform};

const TASKS: usize = 100;
/// Long enough for a few measurements, which are ten seconds apart, and for a look of the engine.
const WINDOW: Duration = Duration::from_secs(65);
/// After the containers were started, their first measurement and what else that moves is over.
const SETTLE: Duration = Duration::from_secs(25);
const LIMIT: Duration = Duration::from_mins(2);
/// Clock ticks a second, as `/proc` counts CPU time.
const TICKS: f64 = 100.0;

/// CPU time of a process so far, in seconds.
fn cpu(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Its name stands in brackets and can hold anything.
    let numbers = stat.rsplit_once(')').ok_or("a process without a name")?.1;
    let ticks: f64 = numbers.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}

/// What share of a core each of the processes takes, in percent.
fn shares(pids: [u32; 2]) -> Result<[f64; 2]> {
    let (began, before) = (Instant::now(), pids.map(cpu));
    pause(WINDOW)?;
    let seconds = began.elapsed().as_secs_f64();
    let [[a, b], [x, y]] = [before, pids.map(cpu)].map(|times| times.map(|time| time.unwrap_or(0.0)));
    Ok([(x - a) / seconds * 100.0, (y - b) / seconds * 100.0])
}

/// Measures a quiet minute, and one with a hundred quiet tasks.
pub(crate) fn statistics(bench: &mut Bench) -> Result<()> {
    let engine = run(Command::new("pidof").args(["-s", "dockerd"]), LIMIT)?.output.trim().parse()?;
    let pids = [bench.platform.pid(), engine];
    let without = shares(pids)?;
    println!("       Without: {:.2} % and {:.2} % of a core", without[0], without[1]);
    let installation = fs::read_to_string(bench.platform.data().join("installation"))?;
    let images = run(Command::new("docker").args(["images", "--format", "{{.ID}} {{.Repository}}"]), LIMIT)?.output;
    let stack = format!("{}/stacks/", platform::images());
    let image = images.lines().find_map(|line| line.split_once(' ').filter(|(_, name)| name.starts_with(&stack)));
    let image = image.ok_or("the stack's image is not there")?.0.to_owned();
    let outcome = start(installation.trim(), &image).and_then(|()| {
        pause(SETTLE)?;
        shares(pids)
    });
    remove(installation.trim())?;
    let with = outcome?;
    println!("       With {TASKS} tasks: {:.2} % and {:.2} % of a core", with[0], with[1]);
    let more = |place: usize| rounded((with[place] - without[place]).max(0.0));
    let value = json!({
        "skypanel_percent": more(0),
        "engine_percent": more(1),
        "skypanel_with_percent": rounded(with[0]),
        "engine_with_percent": rounded(with[1]),
    });
    bench.results.insert("tasks_100".into(), value);
    Ok(())
}

/// Starts containers as Swarm does for tasks, but that no service stands behind them.
fn start(installation: &str, image: &str) -> Result<()> {
    for number in 1..=TASKS {
        let labels = [
            format!("skypanel.installation={installation}"),
            "skypanel.role=task".to_owned(),
            "skypanel.app=bench-tasks".to_owned(),
            "skypanel.app_id=00000000-0000-7000-8000-000000000000".to_owned(),
            "skypanel.process=worker".to_owned(),
            format!("com.docker.swarm.task.name=skypanel-bench-tasks--worker.{number}.x"),
            "bench.tasks=1".to_owned(),
        ];
        let mut docker = Command::new("docker");
        docker.args(["run", "--detach", "--network=none", "--memory=64m", "--entrypoint=/bin/sleep"]);
        for label in &labels {
            docker.args(["--label", label]);
        }
        run(docker.args([image, "3600"]), LIMIT)?;
    }
    Ok(())
}

fn remove(installation: &str) -> Result<()> {
    let ours = format!("label=skypanel.installation={installation}");
    let mut list = Command::new("docker");
    list.args(["ps", "--all", "--quiet", "--filter", &ours, "--filter", "label=bench.tasks"]);
    let found = run(&mut list, LIMIT)?.output;
    let ids: Vec<&str> = found.lines().collect();
    if ids.is_empty() {
        return Ok(());
    }
    run(Command::new("docker").args(["rm", "--force"]).args(ids), LIMIT).map(drop)
}
