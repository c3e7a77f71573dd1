//! Pages of an app's log, made of as many queries as they take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use skypanel_core::Result;
use skypanel_core::logs::{LogDirection, LogFilter, LogPage, LogPageQuery};
use skypanel_core::model::AppId;

use super::super::store::nanoseconds;
use super::Inner;
use super::api::Span;
use super::entry::{Found, Place, query, read_answer};

/// Longest span that a Loki answers a query about unless it is told otherwise, less a little. In nanoseconds.
const LONGEST_SPAN: i64 = 30 * 24 * 3_600 * 1_000_000_000;
/// Lines whose clocks are ahead of ours are not missed.
const AHEAD: i64 = 600 * 1_000_000_000;
/// Lines asked for at once; a Loki gives 5,000 unless it is told otherwise.
const AT_ONCE: usize = 2_000;
/// Lines beyond those that are wanted: some may be of the very time that the page begins with.
const SPARE: usize = 100;
/// Most lines of a page.
const MAX_LINES: usize = 10_000;
/// Most bytes of text of a page.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Longest a page is searched for; what was found by then is answered, with the place to go on from.
const SEARCH_LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn read(loki: &Arc<Inner>, app: AppId, wanted: LogPageQuery) -> Result<LogPage> {
    let began = Instant::now();
    let place = wanted.cursor.as_ref().map(Place::read).transpose()?;
    let mut reading = Reading::new(loki.clone(), app, wanted.filter, wanted.direction, place);
    let most = wanted.lines.min(MAX_LINES);
    let (mut lines, mut bytes): (Vec<Found>, usize) = (Vec::new(), 0);
    let mut next = None;
    'queries: while let Some(found) = reading.next(most.saturating_sub(lines.len())).await? {
        for line in found {
            if lines.len() >= most || bytes > MAX_BYTES {
                next = lines.last().map(|last| last.place);
                break 'queries;
            }
            bytes += line.line.record.text.len();
            lines.push(line);
        }
        if began.elapsed() >= SEARCH_LIMIT {
            next = reading.place;
            break;
        }
    }
    if wanted.direction == LogDirection::Backward {
        lines.reverse();
    }
    let lines = lines.into_iter().map(|found| Arc::unwrap_or_clone(found.line)).collect();
    Ok(LogPage { lines, next: next.map(Place::cursor), notice: None })
}

/// The lines of an app in one direction, query by query.
pub(super) struct Reading {
    loki: Arc<Inner>,
    filter: LogFilter,
    query: String,
    direction: LogDirection,
    /// What is left to ask for.
    span: Span,
    /// The last line that was looked at.
    place: Option<Place>,
}

impl Reading {
    /// Of what a filter wants, behind a place, or before it.
    pub(super) fn new(
        loki: Arc<Inner>,
        app: AppId,
        filter: LogFilter,
        direction: LogDirection,
        place: Option<Place>,
    ) -> Self {
        let now = loki.clock.now();
        let oldest = TimeDelta::from_std(loki.retention).ok().and_then(|kept| now.checked_sub_signed(kept));
        let newest = nanoseconds(now).saturating_add(AHEAD);
        let mut span = Span {
            start: filter.since.max(oldest).map_or(0, nanoseconds),
            end: filter.until.map_or(newest, |until| nanoseconds(until).min(newest)),
        };
        match (place, direction) {
            (Some(place), LogDirection::Forward) => span.start = span.start.max(place.at),
            (Some(place), LogDirection::Backward) => span.end = span.end.min(place.at.saturating_add(1)),
            (None, _) => {}
        }
        Self { query: query(app, &filter), loki, filter, direction, span, place }
    }

    /// The next lines in the direction of reading, about as many as are wanted; none when there are no more.
    pub(super) async fn next(&mut self, wanted: usize) -> Result<Option<Vec<Found>>> {
        if self.span.start >= self.span.end {
            return Ok(None);
        }
        let is_backward = self.direction == LogDirection::Backward;
        let asked = if is_backward {
            Span { start: self.span.start.max(self.span.end.saturating_sub(LONGEST_SPAN)), ..self.span }
        } else {
            Span { end: self.span.end.min(self.span.start.saturating_add(LONGEST_SPAN)), ..self.span }
        };
        let limit = wanted.saturating_add(1).min(AT_ONCE) + SPARE;
        let mut found = read_answer(&self.loki.api.query(&self.query, asked, limit, is_backward).await?)?;
        let is_whole = found.len() < limit;
        if is_backward {
            found.reverse();
        }
        let farthest = found.last().map(|line| line.place.at);
        if let Some(place) = self.place {
            found.retain(|line| if is_backward { line.place < place } else { line.place > place });
        }
        // Of the farthest time some may be left out: they come with the next query, which begins there.
        if !is_whole && found.first().map(|line| line.place.at) != farthest {
            found.retain(|line| Some(line.place.at) != farthest);
        }
        self.place = match (found.last(), farthest) {
            (Some(last), _) => Some(last.place),
            // More lines of one time than are told at once: the rest of them cannot be reached.
            (None, Some(at)) if !is_whole => Some(if is_backward { Place::before(at) } else { Place::behind(at) }),
            (None, _) => self.place,
        };
        match (is_whole, self.place, is_backward) {
            (false, Some(place), true) => self.span.end = place.at.saturating_add(1),
            (false, Some(place), false) => self.span.start = place.at,
            (_, _, true) => self.span.end = asked.start,
            (_, _, false) => self.span.start = asked.end,
        }
        // What is text, or an expression, to us and to the Loki may differ a little.
        found.retain(|line| self.filter.wants(&line.line.record));
        Ok(Some(found))
    }
}
