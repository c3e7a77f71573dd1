//! Fills an embedded log store with a day of one app's lines, as its agent would have; `make bench` reads them.
//!
//! usage: `store_lines <directory> <app id> <lines>`
//!
//! Prints JSON: `raw_bytes` of the lines' text with a line end each, `stored_bytes` on disk, `seconds` it took.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::clock::Clock;
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};
use skypanel_core::model::AppId;
use skypanel_observer::logs::{EmbeddedLogs, LogStoreOptions};

/// Lines that come together.
const BATCH: i64 = 500;
/// Lines after which what is full is packed; a running agent packs it within a second.
const PACK: i64 = 50_000;
const DAY: TimeDelta = TimeDelta::days(1);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, app, lines] = &*arguments else {
        return Err("usage: store_lines <directory> <app id> <lines>".into());
    };
    let (app, lines): (_, i64) = (AppId(app.parse()?), lines.parse()?);
    let (began, start, day) = (Instant::now(), Utc::now() - DAY, DAY.num_seconds() * 1_000_000);
    let clock = Clock::standing_at(start);
    let options = LogStoreOptions { clock: clock.clone(), ..LogStoreOptions::default() };
    let logs = EmbeddedLogs::open(Path::new(directory), options)?;

    let mut random = Random(0x1405_7b7e_f767_814f);
    let mut raw_bytes = 0;
    for first in (0..lines).step_by(usize::try_from(BATCH)?) {
        let records: Vec<LogRecord> = (first..lines.min(first + BATCH))
            .map(|number| line(number, start + TimeDelta::microseconds(day / lines * number), &mut random))
            .collect();
        raw_bytes += records.iter().map(|record| record.text.len() + 1).sum::<usize>();
        clock.set(records[0].at);
        logs.append_now(app, &records)?;
        if first % PACK == 0 {
            logs.seal()?;
        }
    }
    // What is not full is packed once it has waited for long enough.
    clock.set(Utc::now() + Duration::from_secs(7 * 3_600));
    logs.look_through()?;
    let report = serde_json::json!({
        "raw_bytes": raw_bytes,
        "stored_bytes": logs.bytes(),
        "seconds": began.elapsed().as_secs_f64(),
    });
    println!("{report}");
    Ok(())
}

/// A line like those of a few frameworks; no two are the same.
fn line(number: i64, at: DateTime<Utc>, random: &mut Random) -> LogRecord {
    let level = [LogLevel::Info, LogLevel::Info, LogLevel::Info, LogLevel::Debug, LogLevel::Warn, LogLevel::Error];
    let level = level[random.below(6)];
    let text = match random.below(4) {
        0 => {
            let (item, milliseconds, user) = (random.below(4_096), random.below(256), random.below(1_024));
            format!(
                "{level} request completed method=GET path=/api/items/{item} status=200 duration_ms={milliseconds} user={user}"
            )
        }
        1 => {
            let (rows, milliseconds) = (random.below(64), random.below(128));
            format!(
                r#"{{"level":"{level}","msg":"query finished","table":"orders","rows":{rows},"ms":{milliseconds}}}"#
            )
        }
        2 => {
            let (network, host, bytes) = (random.below(8), random.below(64), random.below(16_384));
            let at = at.format("%d/%b/%Y:%H:%M:%S +0000");
            format!(
                r#"10.0.{network}.{host} - - [{at}] "GET /static/app.js HTTP/1.1" 200 {bytes} "-" "Mozilla/5.0 (X11; Linux x86_64)""#
            )
        }
        _ => format!("{level} worker: job {number} of queue default done in {} ms", random.below(512)),
    };
    let process = format!("web.{}", random.below(4) + 1);
    LogRecord { at, source: LogSource::App, process, level: Some(level), continues: false, text: text.into() }
}

/// The same numbers every time (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % bound
    }
}
