//! What comes next in an app's log, for those who hand it on: the shipper to a Loki, and log drains.

use std::time::Duration;

use chrono::{DateTime, Utc};
use skypanel_core::Result;
use skypanel_core::logs::{LogDirection, LogFilter, LogLine};
use skypanel_core::model::AppId;

use super::matcher::Matcher;
use super::page::{End, GAP, Wanted};
use super::place;
use crate::logs::store::{EmbeddedLogs, LEAP};

/// Bytes that a line takes beside its text where it is handed on.
const BESIDE: usize = 64;
/// Longest looking for lines may take, where all are wanted.
const LIMIT: Duration = Duration::from_secs(10);

/// The next lines.
#[derive(Debug)]
pub(in crate::logs) struct Ahead {
    /// With their numbers, oldest first.
    pub(in crate::logs) lines: Vec<(u64, LogLine)>,
    /// How many lines between the place and the first of these were removed before they were read.
    pub(in crate::logs) lost: u64,
    /// Number of the last line that was looked at: the place to go on from.
    pub(in crate::logs) place: Option<u64>,
    /// Whether there is more at once.
    pub(in crate::logs) has_more: bool,
}

impl Ahead {
    /// Leaves for later what goes beyond so many bytes, but for one line. Answers the bytes of what is left.
    pub(in crate::logs) fn cut(&mut self, most: usize) -> usize {
        let (mut bytes, mut kept) = (0, 0);
        for (_, line) in &self.lines {
            let with_this = bytes + line.record.text.len() + BESIDE;
            if kept > 0 && with_this > most {
                break;
            }
            (bytes, kept) = (with_this, kept + 1);
        }
        if kept < self.lines.len() {
            self.lines.truncate(kept);
            self.place = self.lines.last().map(|(number, _)| *number);
            self.has_more = true;
        }
        bytes
    }
}

impl EmbeddedLogs {
    /// At most this many lines behind a place, or from the oldest on.
    pub(in crate::logs) async fn ahead(&self, app: AppId, behind: Option<u64>, lines: usize) -> Result<Ahead> {
        let matcher = Matcher::new(LogFilter::default());
        let direction = LogDirection::Forward;
        let wanted = Wanted { matcher, direction, place: behind, lines, limit: LIMIT };
        let read = self.read(app, wanted).await?;
        let lines = read.lines.into_iter().map(|line| Ok((place(&line.cursor)?, line)));
        let lines = lines.collect::<Result<Vec<_>>>()?;
        let lost = match (behind, lines.first()) {
            // Numbers that were left out after a crash of the machine were no lines.
            (Some(behind), Some((first, _))) if read.notices.contains(&GAP) => {
                first.saturating_sub(behind.saturating_add(1)) % LEAP
            }
            _ => 0,
        };
        Ok(Ahead { lines, lost, place: read.seen.max(behind), has_more: read.end != End::Nothing })
    }

    /// The place before the first line that is not older than that, or at the end; none where nothing is kept.
    pub(in crate::logs) async fn place_before(&self, app: AppId, since: DateTime<Utc>) -> Result<Option<u64>> {
        let matcher = Matcher::new(LogFilter { since: Some(since), ..LogFilter::default() });
        let direction = LogDirection::Forward;
        let read = self.read(app, Wanted { matcher, direction, place: None, lines: 1, limit: LIMIT }).await?;
        match read.lines.first() {
            Some(first) => Ok(place(&first.cursor)?.checked_sub(1)),
            None => Ok(read.seen),
        }
    }
}
