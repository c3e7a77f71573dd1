//! Ten million stored lines of one app: what they take on disk, and how long it takes to read some of them over HTTP.

use std::ops::RangeInclusive;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{self, Api, OWNER, PORT};
use crate::kept::{Caller, Kept};
use crate::process::run;
use crate::report::rounded;
use crate::statistics::{median, percentile};
use crate::{Bench, Result};

const LINES: u64 = 10_000_000;
/// An app of the organisation of the token's owner.
const SLUG: &str = "large-app-0002";
const STORE_LIMIT: Duration = Duration::from_mins(4);
/// How often the newest lines are asked for.
const TIMES: usize = 200;
/// How often each search is made.
const SEARCHES: usize = 5;
/// An hour in the middle of the day that was stored.
const HOUR: &str = "since=11h&until=10h&source=app&lines=1000";
/// Most lines of a search; they come in one answer.
const MOST: usize = 1_000;
/// What a few lines in the hour hold, what none does, what a quarter does, and what an expression finds; with how many
/// lines that may be.
const SEARCHED: [(&str, RangeInclusive<usize>); 4] = [
    ("text=7777%20of%20queue", 1..=200),
    ("text=there%20is%20no%20such%20text", 0..=0),
    ("text=queue%20default", MOST..=MOST),
    ("regex=job%20%5Cd%2B7777%20of", 1..=200),
];

/// All of it.
pub(crate) fn stored(bench: &mut Bench) -> Result<()> {
    api::fill(bench)?;
    let mut psql = bench.platform.psql("large");
    let id = format!("SELECT id FROM paas_applications WHERE slug = '{SLUG}'");
    let id = run(psql.args(["--tuples-only", "--no-align", "--command", &id]), STORE_LIMIT)?.output;
    let program = std::env::var_os("SKYPANEL_STORE_LINES").ok_or("SKYPANEL_STORE_LINES names no program")?;
    let mut store = Command::new(program);
    store.arg(api::data(bench).join("logs")).args([id.trim(), &LINES.to_string()]);
    let mut value: Value = serde_json::from_str(&run(&mut store, STORE_LIMIT)?.output)?;
    let (raw, kept) = (value["raw_bytes"].as_f64().unwrap_or(0.0), value["stored_bytes"].as_f64().unwrap_or(0.0));
    println!("       {LINES} lines stored: {:.0} MB of text, {:.0} MB on disk", raw / 1e6, kept / 1e6);

    let api = Api::start(bench, None)?;
    let owner = Caller { port: PORT, token: OWNER };
    let mut connection = owner.connect();
    let newest = format!("/api/paas/apps/{SLUG}/logs?source=app&lines=100");
    let mut newest_ms = Vec::new();
    for _ in 0..TIMES {
        let (found, milliseconds) = search(&mut connection, &newest, 100)?;
        if found != 100 {
            return Err(format!("{found} of the newest 100 lines came").into());
        }
        newest_ms.push(milliseconds);
    }
    let mut search_ms = Vec::new();
    for (searched, expected) in SEARCHED {
        for _ in 0..SEARCHES {
            let path = format!("/api/paas/apps/{SLUG}/logs?{HOUR}&{searched}");
            let (found, milliseconds) = search(&mut connection, &path, MOST)?;
            if !expected.contains(&found) {
                return Err(format!("{found} lines were found for {searched}").into());
            }
            search_ms.push(milliseconds);
        }
    }
    api.end()?;
    let (last, slowest) = (percentile(&newest_ms, 99), percentile(&search_ms, 100));
    println!("       The last 100: p99 {last:.1} ms; a text in one hour: {slowest:.0} ms at most");
    value["stored_percent"] = rounded(kept / raw * 100.0);
    value["last_100_p50_ms"] = rounded(median(&newest_ms));
    value["last_100_p99_ms"] = rounded(last);
    value["search_hour_max_ms"] = rounded(slowest);
    bench.results.insert("logs_stored".into(), value);
    Ok(())
}

/// How many lines there are, up to `most`, and how long it took to read them, in milliseconds.
fn search(connection: &mut Kept<'_>, path: &str, most: usize) -> Result<(usize, f64)> {
    let (began, mut found, mut next) = (Instant::now(), 0, path.to_owned());
    loop {
        let page: Value = serde_json::from_slice(&connection.get(&next)?)?;
        if !page["notice"].is_null() {
            return Err(format!("the log was not read from its store: {}", page["notice"]).into());
        }
        found += page["items"].as_array().map_or(0, Vec::len);
        match page["next_cursor"].as_str() {
            Some(cursor) if found < most => next = format!("{path}&cursor={cursor}"),
            _ => return Ok((found, began.elapsed().as_secs_f64() * 1e3)),
        }
    }
}
