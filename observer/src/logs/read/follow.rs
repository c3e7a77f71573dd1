//! Following an app's log: what is kept from the start on, then what comes, joined by the numbers of the lines.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use skypanel_core::Result;
use skypanel_core::logs::{LogDirection, LogFilter, LogItem, LogStart};
use skypanel_core::model::AppId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::hub::{Hub, Piece};
use super::matcher::Matcher;
use super::page::{End, Read, Wanted};
use super::{MAX_LINES, SEARCH_LIMIT, place};
use crate::logs::store::EmbeddedLogs;

/// Lines read from disk at once.
const PAGE: usize = 1_000;

struct Follower {
    logs: EmbeddedLogs,
    app: AppId,
    matcher: Matcher,
    /// Kept for its task.
    _hub: Arc<Hub>,
    live: Receiver<Piece>,
    /// Number of the last line that was dealt with.
    last: Option<u64>,
    /// Whether lines behind that one may be on disk that will not come from the hub.
    is_behind: bool,
    ready: VecDeque<LogItem>,
    /// Notices that were given.
    told: Vec<&'static str>,
}

pub(super) async fn follow(
    logs: EmbeddedLogs,
    app: AppId,
    filter: LogFilter,
    start: LogStart,
) -> Result<BoxStream<'static, Result<LogItem>>> {
    let matcher = Matcher::new(filter);
    // First of all, so that whatever is written from here on comes from one side or the other.
    let (hub, live) = Hub::join(&logs, app).await?;
    let mut follower = Follower {
        logs,
        app,
        matcher,
        _hub: hub,
        live,
        last: None,
        is_behind: true,
        ready: VecDeque::new(),
        told: Vec::new(),
    };
    match start {
        LogStart::Newest(lines) => follower.begin_with_newest(lines).await?,
        LogStart::Behind(cursor) => follower.last = Some(place(&cursor)?),
    }
    let items = stream::try_unfold(follower, |mut follower| async move {
        let item = follower.next().await?;
        Ok(item.map(|item| (item, follower)))
    });
    Ok(items.boxed())
}

impl Follower {
    async fn begin_with_newest(&mut self, lines: usize) -> Result<()> {
        let read = self.read(LogDirection::Backward, lines.min(MAX_LINES)).await?;
        self.last = read.newest;
        let page = read.into_page();
        self.ready.extend(page.notice.map(LogItem::Notice));
        self.ready.extend(page.lines.into_iter().map(|line| LogItem::Line(Arc::new(line))));
        Ok(())
    }

    async fn read(&self, direction: LogDirection, lines: usize) -> Result<Read> {
        let matcher = self.matcher.clone();
        let place = self.last;
        self.logs.read(self.app, Wanted { matcher, direction, place, lines, limit: SEARCH_LIMIT }).await
    }

    async fn next(&mut self) -> Result<Option<LogItem>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            if self.is_behind {
                self.catch_up().await?;
                continue;
            }
            match self.live.recv().await {
                Ok(piece) => self.take(&piece),
                Err(RecvError::Lagged(_)) => self.is_behind = true,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// Reads what is on disk behind the last line.
    async fn catch_up(&mut self) -> Result<()> {
        let read = self.read(LogDirection::Forward, PAGE).await?;
        self.is_behind = read.end != End::Nothing;
        self.last = read.seen.max(self.last);
        for notice in read.notices {
            // What is damaged stays so, and is told once.
            if !self.told.contains(&notice) {
                self.told.push(notice);
                self.ready.push_back(LogItem::Notice(notice.to_owned()));
            }
        }
        self.ready.extend(read.lines.into_iter().map(|line| LogItem::Line(Arc::new(line))));
        Ok(())
    }

    fn take(&mut self, piece: &Piece) {
        let Some((first, _)) = piece.first() else { return };
        if self.last.is_none_or(|last| *first > last + 1) {
            // Some lines before were sealed before the hub saw them.
            self.is_behind = true;
            return;
        }
        for (seq, line) in piece.iter() {
            if self.last.is_some_and(|last| *seq <= last) {
                continue;
            }
            self.last = Some(*seq);
            if self.matcher.record(&line.record) {
                self.ready.push_back(LogItem::Line(line.clone()));
            }
        }
    }
}
