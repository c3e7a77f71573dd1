//! What an app wrote and what happened to it, line by line: from the store, or while that does not answer what the
//! container engine has itself.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Actions, Actor};
use crate::console::{self, Console, LogQuery};
use crate::logs::{
    LogCursor, LogDirection, LogFilter, LogItem, LogLine, LogPage, LogPageQuery, LogRecord, LogSource, LogStart, Logs,
};
use crate::model::{AppRef, Application};
use crate::store::Access;
use crate::{Error, Result};

/// Longest the store may take until it answers; it has shorter limits of its own for what it waits for.
const STORE_LIMIT: Duration = Duration::from_secs(40);
/// Longest the engine may take to begin, and to tell the lines that it has.
const ENGINE_LIMIT: Duration = Duration::from_secs(30);
/// Lines that the engine is asked for, of which some are then chosen.
const ENGINE_LINES: u32 = 10_000;
/// Lines to begin with where the place to begin at is not known.
const NEWEST: usize = 100;
const UNKNOWN_PLACE: &str = "The place that was read up to is not known here any more. These are the newest lines; some between may be left out.";

impl Actions {
    /// A page of an app's log. While the store does not answer it is made of what the engine has, and says so.
    pub async fn app_logs(&self, actor: &Actor, app: &AppRef, query: LogPageQuery) -> Result<LogPage> {
        let app = self.app_of(actor, app, Access::Read).await?;
        match answered(self.logs.page(app.id, query.clone())).await {
            Err(error) if is_down(&error) => engine_page(&*self.console, &app, query, &error).await,
            answered => answered,
        }
    }

    /// An app's log from `start` on, live. While the store does not answer it is what the engine has, and says so.
    pub async fn follow_app_logs(
        &self,
        actor: &Actor,
        app: &AppRef,
        filter: LogFilter,
        start: LogStart,
    ) -> Result<BoxStream<'static, Result<LogItem>>> {
        let app = self.app_of(actor, app, Access::Read).await?;
        let mut following = Following {
            console: self.console.clone(),
            app,
            filter,
            last: None,
            on_engine: false,
            lines: stream::empty().boxed(),
        };
        let notice = match following.begin(&*self.logs, start.clone()).await {
            Ok(known) => (!known).then(|| UNKNOWN_PLACE.to_owned()),
            Err(error) if is_down(&error) => {
                let lines = match start {
                    LogStart::Newest(lines) => lines,
                    LogStart::Behind(_) => NEWEST,
                };
                Some(following.turn_to_engine(&error, lines).await?)
            }
            Err(error) => return Err(error),
        };
        let notice = notice.map(|notice| Ok(LogItem::Notice(notice)));
        let items = stream::try_unfold(following, |mut following| async move {
            let item = following.next().await?;
            Ok(item.map(|item| (item, following)))
        });
        Ok(stream::iter(notice).chain(items).boxed())
    }
}

/// Somebody who follows an app.
struct Following {
    console: Arc<dyn Console>,
    app: Application,
    filter: LogFilter,
    /// Time of the last line.
    last: Option<DateTime<Utc>>,
    on_engine: bool,
    lines: BoxStream<'static, Result<LogItem>>,
}

impl Following {
    /// Begins with the store; answers whether it knew the place.
    async fn begin(&mut self, logs: &dyn Logs, start: LogStart) -> Result<bool> {
        let begun = answered(logs.follow(self.app.id, self.filter.clone(), start.clone())).await;
        let (filter, start) = match (begun, &start) {
            (Ok(lines), _) => {
                self.lines = lines;
                return Ok(true);
            }
            // A place in the log of another store, or of the engine.
            (Err(Error::Invalid(_)), LogStart::Behind(cursor)) => match time_of(cursor) {
                Some(at) => (behind(&self.filter, at), LogStart::Newest(ENGINE_LINES as usize)),
                None => (self.filter.clone(), LogStart::Newest(NEWEST)),
            },
            (Err(error), _) => return Err(error),
        };
        let by_time = filter.since != self.filter.since;
        self.lines = answered(logs.follow(self.app.id, filter, start)).await?;
        Ok(by_time)
    }

    async fn next(&mut self) -> Result<Option<LogItem>> {
        match self.lines.next().await {
            Some(Ok(item)) => {
                if let LogItem::Line(line) = &item {
                    self.last = Some(line.record.at);
                }
                Ok(Some(item))
            }
            Some(Err(error)) if is_down(&error) && !self.on_engine => {
                self.turn_to_engine(&error, ENGINE_LINES as usize).await.map(|notice| Some(LogItem::Notice(notice)))
            }
            Some(Err(error)) => Err(error),
            None => Ok(None),
        }
    }

    /// Goes on with what the engine has behind the last line, or begins with this many lines; answers what to say.
    async fn turn_to_engine(&mut self, why: &Error, lines: usize) -> Result<String> {
        let filter = self.last.map_or_else(|| self.filter.clone(), |last| behind(&self.filter, last));
        let lines = u32::try_from(lines).unwrap_or(ENGINE_LINES);
        let found =
            engine_lines(&*self.console, &self.app, &filter, lines, true).await.map_err(|error| both(why, &error))?;
        self.lines = found.map_ok(|line| LogItem::Line(Arc::new(line))).boxed();
        self.on_engine = true;
        Ok(in_place_of(why))
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(STORE_LIMIT, answer)
        .await
        .unwrap_or_else(|_| Err(Error::Upstream("The log store does not answer.".to_owned())))
}

/// Whether it was the store that failed, rather than the question.
fn is_down(error: &Error) -> bool {
    matches!(error, Error::Upstream(_) | Error::System(_))
}

fn in_place_of(why: &Error) -> String {
    format!(
        "{why} These lines are the container engine's own: only what running processes of this machine wrote, without levels."
    )
}

fn both(store: &Error, engine: &Error) -> Error {
    Error::Upstream(format!("{store} The container engine cannot be asked instead. {engine}"))
}

fn behind(filter: &LogFilter, at: DateTime<Utc>) -> LogFilter {
    let next = at + TimeDelta::nanoseconds(1);
    LogFilter { since: filter.since.max(Some(next)), ..filter.clone() }
}

/// The time that a cursor begins with, if it does: a letter, nanoseconds since 1970.
fn time_of(cursor: &LogCursor) -> Option<DateTime<Utc>> {
    let digits = cursor.as_str().strip_prefix(|first: char| first.is_ascii_alphabetic())?;
    let digits = digits.split(|other: char| !other.is_ascii_digit()).next()?;
    Some(DateTime::from_timestamp_nanos(digits.parse().ok()?))
}

/// A page of what the engine has. Its cursors are times: of lines at the very same time some can be left out.
async fn engine_page(console: &dyn Console, app: &Application, query: LogPageQuery, why: &Error) -> Result<LogPage> {
    let mut filter = query.filter;
    if let Some(cursor) = &query.cursor {
        let at = time_of(cursor).ok_or_else(|| {
            Error::Upstream(format!("{why} Until it does only the newest lines can be read: ask without a cursor."))
        })?;
        match query.direction {
            LogDirection::Forward => filter = behind(&filter, at),
            LogDirection::Backward => filter.until = Some(filter.until.map_or(at, |until| until.min(at))),
        }
    }
    let found = engine_lines(console, app, &filter, ENGINE_LINES, false).await.map_err(|error| both(why, &error))?;
    let silent = |_| both(why, &Error::Upstream("It does not answer.".to_owned()));
    let mut lines: Vec<LogLine> = tokio::time::timeout(ENGINE_LIMIT, found.try_collect())
        .await
        .map_err(silent)?
        .map_err(|error| both(why, &error))?;
    let has_more = lines.len() > query.lines;
    let last = match query.direction {
        LogDirection::Forward => {
            lines.truncate(query.lines);
            lines.last()
        }
        LogDirection::Backward => {
            lines.drain(..lines.len().saturating_sub(query.lines));
            lines.first()
        }
    };
    let next = last.filter(|_| has_more).map(|line| line.cursor.clone());
    Ok(LogPage { lines, next, notice: Some(in_place_of(why)) })
}

/// The lines of an app that the engine has and a filter wants.
async fn engine_lines(
    console: &dyn Console,
    app: &Application,
    filter: &LogFilter,
    lines: u32,
    follow: bool,
) -> Result<BoxStream<'static, Result<LogLine>>> {
    let process = match filter.process.as_deref().map(|process| process.split('.').next().unwrap_or(process)) {
        Some(process) => match process.parse() {
            Ok(process) => Some(process),
            // Lines of a process that the engine knows nothing of.
            Err(_) => return Ok(stream::empty().boxed()),
        },
        None => None,
    };
    let query = LogQuery { lines, follow, process };
    let found = tokio::time::timeout(ENGINE_LIMIT, console.logs(app, query))
        .await
        .map_err(|_| Error::Upstream("The container engine does not answer. Try again in a minute.".to_owned()))??;
    let filter = filter.clone();
    let wanted = found.map_ok(engine_line).try_filter(move |line| std::future::ready(filter.wants(&line.record)));
    Ok(wanted.boxed())
}

fn engine_line(line: console::LogLine) -> LogLine {
    let nanoseconds = line.at.timestamp_nanos_opt().unwrap_or_default();
    LogLine {
        cursor: LogCursor::new(format!("t{nanoseconds}")),
        record: LogRecord {
            at: line.at,
            source: LogSource::App,
            process: line.process,
            level: None,
            continues: false,
            text: line.text,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_of_time_tell_it() {
        let at = DateTime::from_timestamp_nanos(1_772_366_400_000_000_123);
        for (word, expected) in [
            ("t1772366400000000123", Some(at)),
            ("l1772366400000000123.4", Some(at)),
            ("1772366400000000123", None),
            ("t", None),
            ("t99999999999999999999", None),
        ] {
            assert_eq!(time_of(&LogCursor::new(word.to_owned())), expected, "{word}");
        }
    }
}
