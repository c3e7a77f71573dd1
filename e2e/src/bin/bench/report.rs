//! What came out: the JSON, the goals, and the table for the terminal and the documents.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::Result;
use crate::process::run;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// A goal for two cores: where its figure lies in the results, and the most it may be.
struct Goal {
    pointer: &'static str,
    what: &'static str,
    unit: &'static str,
    /// None for figures without a goal.
    most: Option<f64>,
}

const fn goal(pointer: &'static str, what: &'static str, unit: &'static str, most: f64) -> Goal {
    Goal { pointer, what, unit, most: Some(most) }
}

const fn figure(pointer: &'static str, what: &'static str, unit: &'static str) -> Goal {
    Goal { pointer, what, unit, most: None }
}

const GOALS: &[Goal] = &[
    goal("/push_to_live_warm_s/p50", "`git push` to live, warm, median of ten", "s", 2.0),
    figure("/push_to_live_warm_s/p95", "the slowest of the ten", "s"),
    goal("/push_to_live_first_s", "First push of a new app to live", "s", 4.0),
    figure("/push_flask_warm_s", "Push of a Flask app, dependencies unchanged, to live", "s"),
    goal("/rollback_s/p50", "Rollback to live", "s", 1.5),
    goal("/git_push_100mb/ratio", "Time of a 100 MB push compared with OpenSSH's", "×", 1.0),
    goal("/rolling/failed", "Failed requests while 20 releases roll under load", "", 0.0),
    goal("/memory_mb/idle", "Memory of `skypanel up`, idle", "MB", 60.0),
    goal("/memory_mb/building", "The most it takes while building", "MB", 60.0),
    goal("/tasks_100/skypanel_percent", "CPU of Skypanel for the statistics of 100 tasks, of a core", "%", 2.0),
    figure("/tasks_100/engine_percent", "of the engine, for telling which there are", "%"),
    goal("/ten_at_once/not_live", "Apps not live of ten pushed at once", "", 0.0),
    figure("/ten_at_once/wall_s", "until all ten are", "s"),
    goal("/api/apps/p99_ms", "Page of the app list, 1,000 apps, p99", "ms", 15.0),
    goal("/api/admin_apps/p99_ms", "Page of the admins' app list, p99", "ms", 15.0),
    goal("/api/overview/p99_ms", "Overview, 10,000 deployments, 1,000,000 hours of usage, p99", "ms", 15.0),
    goal("/api/usage/p99_ms", "Month's usage of 500 apps, p99", "ms", 15.0),
    figure("/api/one_core/requests_per_s", "Pages of the app list a second, through one core", "/s"),
    figure("/api/one_core/p99_ms", "their p99, over eight connections", "ms"),
    goal("/api/memory_mb/growth", "Growth of memory from 10,000 to 100,000 requests", "MB", 10.0),
    figure("/api/memory_mb/after_100000", "memory of the API after them", "MB"),
    figure(
        "/logs_live/lines",
        "Lines of a flood of 50,000 a second that were followed live, none lost, none twice",
        "",
    ),
    goal("/logs_live/cores", "Cores that takes, all of Skypanel", "cores", 1.0),
    goal("/logs_live/beside_max_ms", "Another app's line meanwhile, at most", "ms", 100.0),
    goal("/logs_live/busy_p99_ms", "A line at 1,000 a second, from being written to its follower, p99", "ms", 200.0),
    figure("/logs_live/read_by_one_mb", "Read by Skypanel while one follows an app", "MB"),
    figure("/logs_live/read_by_200_mb", "while 200 do", "MB"),
    goal("/logs_stored/last_100_p99_ms", "The last 100 of 10 million stored lines, p99", "ms", 20.0),
    goal("/logs_stored/search_hour_max_ms", "A text in one hour of them, the slowest of 20 searches", "ms", 500.0),
    goal("/logs_stored/stored_percent", "What they take on disk, of their text", "%", 12.5),
    goal("/dashboard/apps_ms", "First load of the dashboard in Chromium to its list of apps", "ms", 1_000.0),
    goal("/dashboard/first_load_script_kb", "Script that it loads, compressed", "KB", 250.0),
    figure("/dashboard/thousand_apps_frames_a_second", "Frames a second while 1,000 apps are scrolled through", ""),
    goal("/dashboard/thousand_apps_dropped_percent", "… that are dropped meanwhile", "%", 1.0),
    goal("/dashboard/thousand_apps_longest_frame_ms", "The longest of these frames", "ms", 100.0),
    goal(
        "/dashboard/log_frames_over_100_ms",
        "Frames over 100 ms, 1,000 lines a second followed for a minute",
        "",
        0.0,
    ),
    goal("/dashboard/log_heap_growth_mb", "Growth of the page's memory meanwhile, 50,000 lines shown", "MB", 5.0),
];

/// All results, with the goals judged.
pub(crate) struct Report(Value);

impl Report {
    pub(crate) fn new(results: Map<String, Value>) -> Self {
        let mut results = Value::Object(results);
        if let Some(live) = results.pointer("/ten_at_once/live").and_then(Value::as_u64) {
            results["ten_at_once"]["not_live"] = 10_u64.saturating_sub(live).into();
        }
        let mut goals = Map::new();
        for Goal { pointer, most, .. } in GOALS {
            let Some(most) = most else { continue };
            let measured = results.pointer(pointer).and_then(Value::as_f64);
            let met = measured.map(|measured| measured <= *most);
            let name = pointer.trim_start_matches('/').replace('/', ".");
            goals.insert(name, json!({ "goal": most, "measured": measured, "met": met }));
        }
        results["goals"] = goals.into();
        Self(results)
    }

    pub(crate) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.0)? + "\n")
    }

    /// A Markdown table that reads well in a terminal, too.
    pub(crate) fn table(&self) -> String {
        let mut rows = vec![["", "measured", "goal", ""].map(str::to_owned)];
        for Goal { pointer, what, unit, most } in GOALS {
            let measured = self.0.pointer(pointer).and_then(Value::as_f64);
            let shown = measured.map_or_else(|| "–".to_owned(), |measured| show(measured, unit));
            let (goal, verdict) = match (most, measured) {
                (Some(most), Some(measured)) if measured <= *most => (show(*most, unit), "met".to_owned()),
                (Some(most), Some(measured)) => {
                    (show(*most, unit), format!("missed by {}", show(measured - most, unit)))
                }
                (Some(most), None) => (show(*most, unit), "not measured".to_owned()),
                (None, _) => (String::new(), String::new()),
            };
            let what = if most.is_some() || what.starts_with(char::is_uppercase) {
                (*what).to_owned()
            } else {
                format!("… {what}")
            };
            rows.push([what, shown, goal, verdict]);
        }
        let widths: Vec<usize> =
            (0..4).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for (number, row) in rows.iter().enumerate() {
            let [what, measured, goal, verdict] = row;
            let [a, b, c, d] = [widths[0], widths[1], widths[2], widths[3]];
            let line = format!("| {what:a$} | {measured:>b$} | {goal:>c$} | {verdict:d$} |");
            let _ = writeln!(text, "{line}");
            if number == 0 {
                let _ = writeln!(
                    text,
                    "|{}|{}:|{}:|{}|",
                    "-".repeat(a + 2),
                    "-".repeat(b + 1),
                    "-".repeat(c + 1),
                    "-".repeat(d + 2)
                );
            }
        }
        text
    }

    /// Puts the table between a document's two marks.
    pub(crate) fn put_into(&self, document: &Path) -> Result<()> {
        let text = fs::read_to_string(document)?;
        let marks = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        let Some((before, after)) = marks else {
            return Err(format!("{} lacks the marks {BEGIN} and {END}", document.display()).into());
        };
        let machine = |key: &str| self.0.pointer(&format!("/machine/{key}")).map(plain).unwrap_or_default();
        let caption = format!(
            "Measured by `make bench` on {}: {} cores of {}, Docker {}, Linux {}.",
            machine("date"),
            machine("cores"),
            machine("processor"),
            machine("docker"),
            machine("kernel")
        );
        fs::write(document, format!("{before}{BEGIN}\n{}\n{caption}\n{END}{after}", self.table()))?;
        Ok(())
    }
}

fn show(value: f64, unit: &str) -> String {
    match unit {
        "" => format!("{value:.0}"),
        // No "-0": what shrank by less than one did not grow.
        "MB" => format!("{:.0} MB", value.round() + 0.0),
        "ms" => format!("{value:.1} ms"),
        "/s" => format!("{value:.0}/s"),
        unit => format!("{value:.2} {unit}"),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A figure with the digits that mean something.
pub(crate) fn rounded(value: f64) -> Value {
    json!((value * 1e3).round() / 1e3)
}

pub(crate) fn seconds(duration: Duration) -> Value {
    rounded(duration.as_secs_f64())
}

/// What it was measured on; the load before it begins tells whether others were at work.
pub(crate) fn machine() -> Result<Value> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let information = read("/proc/cpuinfo")?;
    let processor = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = read("/proc/meminfo")?;
    let kib: f64 = memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0.0);
    let version = |command: &mut Command| -> Result<String> {
        Ok(run(command, Duration::from_secs(10))?.output.trim().to_owned())
    };
    Ok(json!({
        "date": version(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?,
        "cores": std::thread::available_parallelism()?.get(),
        "processor": processor.map_or("an unnamed processor", |(_, name)| name.trim()),
        "memory_gib": rounded(kib / 1024.0 / 1024.0),
        "kernel": read("/proc/sys/kernel/osrelease")?.trim(),
        "docker": version(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]))?,
        "git": version(Command::new("git").arg("--version"))?.trim_start_matches("git version "),
        "load_before": read("/proc/loadavg")?.split(' ').next(),
    }))
}
