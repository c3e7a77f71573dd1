//! What a file says of a span of time, in steps as its reader wants them.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use skypanel_core::measurements::{Point, Replica, Series, Traffic, step_for};

use super::file::SeriesFile;
use super::row::{Row, merge};
use super::tier::{RAW, TIERS, Tier};
use crate::metrics::columns::{BOUNDS, Layout, router};

/// The span that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Seconds since 1970, at the beginning of a step.
    from: i64,
    to: i64,
    /// Seconds.
    step: u32,
    tier: Tier,
}

impl Span {
    /// In steps that suit the span and were not given up before `now`.
    pub(super) fn new(from: DateTime<Utc>, to: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let (from, to) = (from.timestamp(), to.timestamp());
        let suits = step_for(Duration::from_secs(to.saturating_sub(from).max(0).unsigned_abs())).as_secs();
        let age = now.timestamp().saturating_sub(from);
        let [.., longest] = TIERS;
        let kept = TIERS.into_iter().find(|tier| age <= tier.span()).unwrap_or(longest);
        let step = u32::try_from(suits).unwrap_or(u32::MAX).max(kept.step);
        let tier = TIERS.into_iter().rev().find(|tier| tier.step <= step).unwrap_or(longest);
        Self { from: from - from.rem_euclid(i64::from(step)), to, step, tier }
    }
}

/// The rows of each step, by the beginning of the step.
pub(super) fn rows(file: &SeriesFile, layout: Layout, span: Span) -> io::Result<Vec<(DateTime<Utc>, Row)>> {
    let Span { from, to, step, tier } = span;
    let mut found = file.read(tier, tier.slot(from), tier.slot(to))?;
    if tier != RAW {
        // What was measured since the last row is not yet part of one.
        let next = found.last().map_or(tier.slot(from), |(slot, _)| slot.saturating_add(1));
        let raw = file.read(RAW, next.saturating_mul(tier.raw_steps()), RAW.slot(to))?;
        found.extend(grouped(raw, tier.raw_steps(), layout));
    }
    let steps = grouped(found, step / tier.step, layout);
    let time = |slot: u32| DateTime::from_timestamp(i64::from(slot) * i64::from(step), 0).unwrap_or_default();
    Ok(steps.into_iter().map(|(slot, row)| (time(slot), row)).collect())
}

/// Makes one row of each `by` that follow each other.
fn grouped(rows: Vec<(u32, Row)>, by: u32, layout: Layout) -> Vec<(u32, Row)> {
    if by <= 1 {
        return rows;
    }
    let mut groups: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
    for (slot, row) in rows {
        groups.entry(slot / by).or_default().push(row);
    }
    let merged = |rows: Vec<Row>| merge(layout.columns(), &rows.iter().collect::<Vec<_>>());
    groups.into_iter().map(|(slot, rows)| (slot, merged(rows))).collect()
}

/// The rows as series: one a column, and the percentiles of durations.
pub(super) fn series(layout: Layout, of: Option<&Replica>, span: Span, rows: &[(DateTime<Utc>, Row)]) -> Vec<Series> {
    let step = Duration::from_secs(u64::from(span.step));
    let shown = layout.columns().iter().enumerate().filter(|(_, column)| !column.name.is_empty());
    let mut series: Vec<Series> = shown
        .map(|(place, column)| {
            let cells = rows.iter().filter_map(|(at, row)| Some((*at, row.get(place).copied().flatten()?)));
            let points = cells.map(|(at, cell)| Point { at, mean: cell.mean, max: cell.max, p95: cell.p95 }).collect();
            Series { name: column.name, unit: column.unit, of: of.cloned(), step, points }
        })
        .collect();
    if layout == Layout::Router {
        for (name, share) in [("response_time_p50", 0.5), ("response_time_p95", 0.95), ("response_time_p99", 0.99)] {
            let points = rows.iter().filter_map(|(at, row)| {
                let value = duration(row, share)?;
                Some(Point { at: *at, mean: value, max: value, p95: value })
            });
            series.push(Series { name, unit: "seconds", of: None, step, points: points.collect() });
        }
    }
    // What cannot be measured here has no series, rather than an empty one.
    series.retain(|series| !series.points.is_empty());
    series
}

/// What the edge counted within these measured steps.
pub(super) fn traffic(rows: &[(u32, Row)]) -> Traffic {
    let cells = |place: usize| rows.iter().filter_map(move |(_, row)| row.get(place).copied().flatten());
    let count = |place: usize| cells(place).map(|cell| cell.mean).sum::<f64>() * f64::from(RAW.step);
    let together = merge(Layout::Router.columns(), &rows.iter().map(|(_, row)| row).collect::<Vec<_>>());
    Traffic {
        requests: count(router::REQUESTS),
        errors: count(router::CLASSES + 3),
        p95_seconds: duration(&together, 0.95),
    }
}

/// The duration that this share of the requests did not exceed, in seconds: between two bounds in proportion, as
/// Prometheus has it. None where there were no requests.
fn duration(row: &Row, share: f64) -> Option<f64> {
    let bucket = |place: usize| row.get(router::BUCKETS + place).copied().flatten().map_or(0.0, |cell| cell.mean);
    let total: f64 = (0..=BOUNDS.len()).map(bucket).sum();
    if total <= 0.0 {
        return None;
    }
    let wanted = share * total;
    let (mut below, mut from) = (0.0, 0.0);
    for (place, bound) in BOUNDS.into_iter().enumerate() {
        let here = bucket(place);
        if here > 0.0 && below + here >= wanted {
            return Some(from + (bound - from) * (wanted - below) / here);
        }
        (below, from) = (below + here, bound);
    }
    // Longer than the last bound, and nobody knows by how much.
    Some(from)
}
