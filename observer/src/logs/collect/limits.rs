//! How much an app may log on a node: a bucket of lines and one of bytes, filled at a steady rate. What is over is
//! dropped, counted, and told in the log itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use skypanel_core::logs::{LogRecord, LogSource};
use skypanel_core::model::AppId;
use skypanel_core::settings::Settings;

/// Between two notices to the same app.
const NOTICE_EVERY: Duration = Duration::from_secs(5);
/// A bucket that nothing was taken from for this long is full, and can be made anew.
const FORGET: Duration = Duration::from_mins(10);

/// What an app may log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) lines_per_second: u64,
    pub(super) burst_lines: u64,
    pub(super) bytes_per_second: u64,
    pub(super) burst_bytes: u64,
}

impl From<&Settings> for Allowance {
    fn from(settings: &Settings) -> Self {
        Self {
            lines_per_second: settings.logs_rate_lines_per_second,
            burst_lines: settings.logs_burst_lines,
            bytes_per_second: settings.logs_rate_kb_per_second << 10,
            burst_bytes: settings.logs_burst_mb << 20,
        }
    }
}

/// What was dropped of an app's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) app: AppId,
    pub(super) lines: u64,
}

/// The buckets of all apps. Requests have buckets of their own: whoever sends an app many must not silence it.
pub(super) struct Limits {
    state: Mutex<State>,
}

struct State {
    allowance: Allowance,
    buckets: HashMap<(AppId, LogSource), Bucket>,
}

/// What is left, in thousandths, so that small steps add up.
struct Bucket {
    lines: u64,
    bytes: u64,
    filled: Instant,
    dropped: u64,
    told: Option<Instant>,
}

impl Limits {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { state: Mutex::new(State { allowance, buckets: HashMap::new() }) }
    }

    /// From now on apps may log this much.
    pub(super) fn set(&self, allowance: Allowance) {
        self.state().allowance = allowance;
    }

    /// Drops those of an app's lines, all of one source, that are too many.
    pub(super) fn admit(&self, app: AppId, records: &mut Vec<LogRecord>, now: Instant) {
        let Some(source) = records.first().map(|record| record.source) else { return };
        let mut state = self.state();
        let allowance = state.allowance;
        let bucket = state.buckets.entry((app, source)).or_insert_with(|| Bucket::full(&allowance, now));
        bucket.fill(&allowance, now);
        let before = records.len();
        records.retain(|record| bucket.take(record.text.len() as u64));
        bucket.dropped += (before - records.len()) as u64;
    }

    /// What was dropped and has not been told, of the apps to whom it is time to tell something; of all, at the end.
    pub(super) fn dropped(&self, now: Instant, at_the_end: bool) -> Vec<Dropped> {
        let mut state = self.state();
        state.buckets.retain(|_, bucket| bucket.dropped > 0 || now.duration_since(bucket.filled) < FORGET);
        let mut dropped = Vec::new();
        for ((app, _), bucket) in &mut state.buckets {
            let is_time = at_the_end || bucket.told.is_none_or(|told| now.duration_since(told) >= NOTICE_EVERY);
            if bucket.dropped > 0 && is_time {
                bucket.told = Some(now);
                dropped.push(Dropped { app: *app, lines: std::mem::take(&mut bucket.dropped) });
            }
        }
        dropped
    }

    /// What an app may log now, for the notice.
    pub(super) fn allowance(&self) -> Allowance {
        self.state().allowance
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn full(allowance: &Allowance, now: Instant) -> Self {
        let (lines, bytes) = (thousandths(allowance.burst_lines), thousandths(allowance.burst_bytes));
        Self { lines, bytes, filled: now, dropped: 0, told: None }
    }

    fn fill(&mut self, allowance: &Allowance, now: Instant) {
        let passed = u64::try_from(now.saturating_duration_since(self.filled).as_millis()).unwrap_or(u64::MAX);
        let filled =
            |left: u64, rate: u64, burst| left.saturating_add(rate.saturating_mul(passed)).min(thousandths(burst));
        self.lines = filled(self.lines, allowance.lines_per_second, allowance.burst_lines);
        self.bytes = filled(self.bytes, allowance.bytes_per_second, allowance.burst_bytes);
        self.filled += Duration::from_millis(passed);
    }

    fn take(&mut self, bytes: u64) -> bool {
        let (lines, bytes) = (thousandths(1), thousandths(bytes));
        let fits = self.lines >= lines && self.bytes >= bytes;
        if fits {
            self.lines -= lines;
            self.bytes -= bytes;
        }
        fits
    }
}

fn thousandths(count: u64) -> u64 {
    count.saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::Utc;

    use super::*;

    const ALLOWANCE: Allowance =
        Allowance { lines_per_second: 10, burst_lines: 100, bytes_per_second: 1_000, burst_bytes: 10_000 };

    fn lines(count: usize, length: usize) -> Vec<LogRecord> {
        let record = LogRecord {
            at: Utc::now(),
            source: LogSource::App,
            process: "web.1".to_owned(),
            level: None,
            continues: false,
            text: Bytes::from(vec![b'x'; length]),
        };
        vec![record; count]
    }

    fn admitted(limits: &Limits, app: AppId, mut records: Vec<LogRecord>, now: Instant) -> usize {
        limits.admit(app, &mut records, now);
        records.len()
    }

    #[test]
    fn what_is_over_is_dropped_and_told_now_and_then() {
        let limits = Limits::new(ALLOWANCE);
        let (app, other) = (AppId::new(), AppId::new());
        let begun = Instant::now();
        assert_eq!(admitted(&limits, app, lines(150, 1), begun), 100);
        assert_eq!(admitted(&limits, other, lines(3, 1), begun), 3);
        assert_eq!(limits.dropped(begun, false), [Dropped { app, lines: 50 }]);
        let later = begun + Duration::from_secs(2);
        assert_eq!(admitted(&limits, app, lines(50, 1), later), 20);
        assert_eq!(limits.dropped(later, false), []);
        assert_eq!(limits.dropped(begun + Duration::from_secs(5), false), [Dropped { app, lines: 30 }]);
        assert_eq!(limits.dropped(begun + Duration::from_secs(5), true), []);
    }

    #[test]
    fn bytes_count_as_lines_do_and_small_steps_add_up() {
        let limits = Limits::new(ALLOWANCE);
        let app = AppId::new();
        let begun = Instant::now();
        assert_eq!(admitted(&limits, app, lines(20, 1_000), begun), 10);
        let mut count = 0;
        for step in 1..=1_000_u32 {
            count += admitted(&limits, app, lines(1, 100), begun + Duration::from_micros(1_500) * step);
        }
        assert!((14..=15).contains(&count), "{count}");
        let requests = lines(1, 10).into_iter().map(|record| LogRecord { source: LogSource::Router, ..record });
        assert_eq!(admitted(&limits, app, requests.collect(), begun), 1);
    }
}
