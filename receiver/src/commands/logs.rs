//! `logs`: what an app's processes wrote and what happened to it.

mod shown;

use clap::Args;
use futures_util::StreamExt as _;
use skypanel_core::Error;
use skypanel_core::logs::{
    LogDirection, LogFilter, LogItem, LogLevel, LogPageQuery, LogSource, LogStart, TextMatch, parse_when,
};
use skypanel_core::model::AppRef;
use skypanel_core::store::Access;

use crate::client::Right;
use crate::commands::context::{AppChoice, Context, Failure};

/// Lines that are written at once, if that many have come.
const AT_ONCE: usize = 256;

/// Arguments of `logs`.
#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Go on with new lines until Ctrl-C
    #[arg(short, long)]
    tail: bool,
    /// How many of the newest lines
    #[arg(short, long, value_name = "LINES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    num: u32,
    /// Only this process type (web), or this replica (web.1)
    #[arg(short, long, value_name = "PROCESS")]
    ps: Option<String>,
    /// Only from there: app, router, build, release, system; several with commas
    #[arg(short, long, value_name = "SOURCE", value_delimiter = ',')]
    source: Vec<LogSource>,
    /// Not before then: a time such as 2026-11-22T05:00:00Z, or how long ago, such as 15m, 2h, 1d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only lines that hold this, whatever the case of its letters
    #[arg(short, long, value_name = "TEXT", conflicts_with = "regex")]
    grep: Option<String>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "EXPRESSION")]
    regex: Option<String>,
    /// Only lines at least this grave: trace, debug, info, warn, error, fatal
    #[arg(long, value_name = "LEVEL")]
    level: Option<LogLevel>,
}

pub(crate) async fn show(context: &Context, arguments: &ShowArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Read).await?;
    let filter = arguments.filter(context)?;
    let right = Right::App(app.id, Access::Read);
    let app = AppRef::Id(app.id);
    let lines = arguments.num as usize;
    if arguments.tail {
        context.while_allowed(right, follow(context, &app, filter, lines)).await
    } else {
        context.while_allowed(right, tell(context, &app, filter, lines)).await
    }
}

impl ShowArguments {
    fn filter(&self, context: &Context) -> Result<LogFilter, Failure> {
        let now = context.actions().clock.now();
        let time = |name: &str, text: Option<&String>| {
            let read = text.map(|text| parse_when(text, now)).transpose();
            read.map_err(|problem| Error::field(name, problem))
        };
        let text = match (&self.grep, &self.regex) {
            (Some(text), _) => Some(TextMatch::text(text)?),
            (None, Some(expression)) => Some(TextMatch::expression(expression)?),
            (None, None) => None,
        };
        Ok(LogFilter {
            since: time("since", self.since.as_ref())?,
            until: time("until", self.until.as_ref())?,
            sources: self.source.clone(),
            process: self.ps.clone(),
            level: self.level,
            text,
        })
    }
}

/// The newest lines.
async fn tell(context: &Context, app: &AppRef, filter: LogFilter, most: usize) -> Result<u32, Failure> {
    let (mut pages, mut count, mut cursor, mut told) = (Vec::new(), 0, None, Vec::new());
    loop {
        let direction = LogDirection::Backward;
        let query = LogPageQuery { filter: filter.clone(), direction, cursor, lines: most - count };
        let page = context.actions().app_logs(context.actor(), app, query).await?;
        if let Some(notice) = page.notice.filter(|notice| !told.contains(notice)) {
            shown::notice(context, &notice).await?;
            told.push(notice);
        }
        count += page.lines.len();
        pages.push(page.lines);
        cursor = page.next;
        if cursor.is_none() || count >= most {
            break;
        }
    }
    for lines in pages.iter().rev() {
        for lines in lines.chunks(AT_ONCE) {
            shown::lines(context, lines.iter()).await?;
        }
    }
    Ok(0)
}

/// The newest lines and then those that come.
async fn follow(context: &Context, app: &AppRef, filter: LogFilter, lines: usize) -> Result<u32, Failure> {
    let start = LogStart::Newest(lines);
    let items = context.actions().follow_app_logs(context.actor(), app, filter, start).await?;
    let mut items = items.ready_chunks(AT_ONCE);
    while let Some(items) = items.next().await {
        let mut lines = Vec::new();
        for item in items {
            match item? {
                LogItem::Line(line) => lines.push(line),
                LogItem::Notice(notice) => {
                    shown::lines(context, lines.drain(..).as_slice().iter().map(AsRef::as_ref)).await?;
                    shown::notice(context, &notice).await?;
                }
            }
        }
        shown::lines(context, lines.iter().map(AsRef::as_ref)).await?;
    }
    Ok(0)
}
