//! Following an app's log in a Loki: what queries find, and what the tail tells. Each line is known by its time and what
//! it says, so that none comes twice, in whatever order they come.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use skypanel_core::logs::{LogDirection, LogFilter, LogItem, LogPageQuery, LogStart};
use skypanel_core::model::AppId;
use skypanel_core::{Error, Result};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::entry::{Found, Place};
use super::hub::{Hub, Piece};
use super::page::{self, Reading};
use super::{Inner, LATE};

/// Lines asked for at once.
const PAGE: usize = 1_000;
/// Lines that are remembered, so that they come only once.
const REMEMBERED: usize = 20_000;

struct Follower {
    loki: Arc<Inner>,
    app: AppId,
    filter: LogFilter,
    /// Kept for its task.
    _hub: Arc<Hub>,
    live: Receiver<Piece>,
    /// Lines up to this one are none of those that are followed.
    floor: Option<Place>,
    seen: Seen,
    /// Asks for what may not come from the tail, as long as there is some.
    behind: Option<Reading>,
    ready: VecDeque<LogItem>,
}

pub(super) async fn follow(
    loki: Arc<Inner>,
    app: AppId,
    filter: LogFilter,
    start: LogStart,
) -> Result<BoxStream<'static, Result<LogItem>>> {
    let floor = match &start {
        LogStart::Behind(cursor) => Some(Place::read(cursor)?),
        LogStart::Newest(_) => None,
    };
    // First of all, so that whatever is written from here on comes from one side or the other.
    let (hub, live) = Hub::join(&loki, app).await?;
    let seen = Seen::since(loki.now());
    let mut follower =
        Follower { loki, app, filter, _hub: hub, live, floor, seen, behind: None, ready: VecDeque::new() };
    match start {
        LogStart::Newest(lines) => follower.begin_with_newest(lines).await?,
        LogStart::Behind(_) => follower.ask_from(floor),
    }
    let items = stream::try_unfold(follower, |mut follower| async move {
        let item = follower.next().await?;
        Ok(Some((item, follower)))
    });
    Ok(items.boxed())
}

impl Follower {
    async fn begin_with_newest(&mut self, lines: usize) -> Result<()> {
        // At least one: what is older than that is not new when the tail tells it.
        let direction = LogDirection::Backward;
        let query = LogPageQuery { filter: self.filter.clone(), direction, cursor: None, lines: lines.max(1) };
        let page = page::read(&self.loki, self.app, query).await?;
        let skip = page.lines.len().saturating_sub(lines);
        if page.next.is_some() || skip > 0 {
            self.floor = page.lines.first().map(|line| Place::read(&line.cursor)).transpose()?;
        }
        for (number, line) in page.lines.into_iter().enumerate() {
            self.seen.add(Place::read(&line.cursor)?);
            if number >= skip {
                self.ready.push_back(LogItem::Line(Arc::new(line)));
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<LogItem> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            if let Some(reading) = &mut self.behind {
                match reading.next(PAGE).await? {
                    Some(found) => self.take(&found),
                    None => self.behind = None,
                }
                continue;
            }
            match self.live.recv().await {
                Ok(Piece::Lines(found)) => self.take(&found),
                Ok(Piece::Gap(since)) => self.ask_from(self.floor.max(Some(self.seen.reach(since)))),
                Err(RecvError::Lagged(_)) => self.ask_from(self.floor.max(Some(self.seen.reach(None)))),
                Ok(Piece::End(reason)) => return Err(Error::Upstream(reason)),
                Err(RecvError::Closed) => {
                    return Err(Error::Upstream("The Loki tells no new lines any more.".to_owned()));
                }
            }
        }
    }

    fn ask_from(&mut self, place: Option<Place>) {
        let (loki, filter) = (self.loki.clone(), self.filter.clone());
        self.behind = Some(Reading::new(loki, self.app, filter, LogDirection::Forward, place));
    }

    /// Takes the lines that are wanted and did not come before.
    fn take(&mut self, found: &[Found]) {
        for Found { place, line } in found {
            let is_followed = self.floor.is_none_or(|floor| *place > floor) && self.filter.wants(&line.record);
            if is_followed && self.seen.add(*place) {
                self.ready.push_back(LogItem::Line(line.clone()));
            }
        }
    }
}

/// Lines that came lately.
#[derive(Debug)]
struct Seen {
    places: BTreeSet<Place>,
    /// Time of the newest one; while there is none, when following began.
    newest: i64,
    /// Behind this place all that came are remembered.
    forgotten: Place,
}

impl Seen {
    fn since(now: i64) -> Self {
        Self { places: BTreeSet::new(), newest: now, forgotten: Place::before(i64::MIN) }
    }

    /// Whether this line is a new one, which it is not any more from then on.
    fn add(&mut self, place: Place) -> bool {
        let is_new = self.places.insert(place);
        self.newest = if self.places.len() == 1 { place.at } else { self.newest.max(place.at) };
        while let Some(oldest) = self.places.first()
            && (self.places.len() > REMEMBERED || oldest.at < self.newest.saturating_sub(2 * LATE))
        {
            self.forgotten = self.forgotten.max(*oldest);
            self.places.pop_first();
        }
        is_new
    }

    /// Behind this place lines may have been left out, since that time if it is known. Those that came can be told from
    /// them.
    fn reach(&self, since: Option<i64>) -> Place {
        let late = self.newest.saturating_sub(LATE);
        self.forgotten.max(Place::before(since.map_or(late, |since| since.min(late))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_remembered_for_a_while() {
        let mut seen = Seen::since(9 * LATE);
        assert_eq!(seen.reach(None), Place::before(8 * LATE));
        let place = |at| Place::behind(at);
        assert!(seen.add(place(LATE)) && seen.add(place(LATE + 1)) && !seen.add(place(LATE)));
        assert_eq!((seen.reach(None), seen.reach(Some(1))), (Place::before(2), Place::before(1)));
        // Late ones are new, and so is what they would be forgotten for.
        assert!(seen.add(place(1)));
        assert!(seen.add(place(4 * LATE)));
        assert_eq!((seen.places.len(), seen.reach(None)), (1, Place::before(3 * LATE + 1)));
        for number in 0..2 * i64::try_from(REMEMBERED).expect("fits") {
            seen.add(place(4 * LATE + number));
        }
        assert_eq!(seen.places.len(), REMEMBERED);
        assert!(seen.reach(None) > place(4 * LATE) && !seen.add(*seen.places.first().expect("is one")));
    }
}
