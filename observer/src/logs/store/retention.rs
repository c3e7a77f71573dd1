//! How long lines are kept: by time, by size of an app, and by size of all. What goes is always the oldest segment of
//! an app, and where that is for its size, the log itself says so.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::Result;
use skypanel_core::logs::{LogLevel, LogRecord};

use super::app::AppLog;
use super::{EmbeddedLogs, LogLimits, MIB, OpenApp, failed, locked, of_app};

impl EmbeddedLogs {
    /// Removes what is too old or too much.
    pub fn remove_excess(&self) -> Result<()> {
        let writer = self.writer()?;
        let limits = *locked(&writer.limits);
        let apps = self.open_apps()?;
        let mut largest = BinaryHeap::new();
        let mut total = 0;
        for (number, open) in apps.iter().enumerate() {
            let now = writer.clock.now();
            let Some(bytes) = self.within(open, |log| trim(log, limits, now))? else { continue };
            total += bytes;
            largest.push((bytes, Reverse(number)));
        }
        // The largest log gives way, so that one app's flood costs the others nothing.
        while total > limits.total_bytes
            && let Some((bytes, Reverse(number))) = largest.pop()
        {
            let Some(open) = apps.get(number) else { continue };
            let left = self.within(open, |log| {
                let removed = remove_oldest(log)?;
                let why = format!(
                    "all logs together had grown beyond {} MiB (setting logs.max_mb)",
                    limits.total_bytes / MIB
                );
                tell(log, limits, removed, &why, writer.clock.now())?;
                Ok((removed > 0).then(|| log.bytes()))
            })?;
            // One without segments has only what it is just writing.
            if let Some(left) = left.flatten() {
                total = total.saturating_sub(bytes.saturating_sub(left));
                largest.push((left, Reverse(number)));
            }
        }
        writer.bytes.store(total, Ordering::Relaxed);
        Ok(())
    }

    fn within<T>(&self, open: &OpenApp, act: impl FnOnce(&mut AppLog) -> io::Result<T>) -> Result<Option<T>> {
        let _sealing = locked(&open.sealing);
        let mut log = locked(&open.log);
        let done = log.as_mut().map(act).transpose();
        drop(log);
        let done = done.map_err(|error| failed(&of_app(self.root(), open.id), "trimmed", &error))?;
        open.appended.send_replace(());
        Ok(done)
    }
}

/// Removes what is too old of an app, or too much; answers how many bytes are left.
fn trim(log: &mut AppLog, limits: LogLimits, now: DateTime<Utc>) -> io::Result<u64> {
    let oldest = TimeDelta::from_std(limits.retention).ok().and_then(|retention| now.checked_sub_signed(retention));
    // A segment cannot be newer than those behind it: where it says so, the clock was wrong.
    let mut newest_possible = now;
    let mut too_old = 0;
    for (number, segment) in log.segments.iter().enumerate().rev() {
        newest_possible = newest_possible.min(segment.sealed);
        if oldest.is_some_and(|oldest| newest_possible < oldest) {
            too_old = number + 1;
            break;
        }
    }
    for _ in 0..too_old {
        remove_oldest(log)?;
    }
    let mut removed = 0;
    while log.bytes() > limits.app_bytes && !log.segments.is_empty() {
        removed += remove_oldest(log)?;
    }
    let why =
        format!("the log of this app had grown beyond {} MiB (setting logs.max_mb_per_app)", limits.app_bytes / MIB);
    tell(log, limits, removed, &why, now)?;
    Ok(log.bytes())
}

/// Removes the oldest segment; answers how many lines that were.
fn remove_oldest(log: &mut AppLog) -> io::Result<u64> {
    let Some(oldest) = log.segments.first() else { return Ok(0) };
    oldest.remove(log.directory())?;
    Ok(log.segments.remove(0).lines)
}

fn tell(log: &mut AppLog, limits: LogLimits, removed: u64, why: &str, now: DateTime<Utc>) -> io::Result<()> {
    if removed == 0 || !limits.tells {
        return Ok(());
    }
    let text = format!("The {removed} oldest lines were removed: {why}.");
    log.append(&[LogRecord::system(now, LogLevel::Warn, text)], now)
}
