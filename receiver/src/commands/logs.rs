//! `logs`: an app's output as the engine keeps it.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;
use skypanel_core::Error;
use skypanel_core::console::{LogLine, LogQuery};
use skypanel_core::model::Application;
use skypanel_core::store::Access;
use skypanel_core::terminal;
use tokio::time::timeout;

use crate::client::Right;
use crate::commands::context::{AppChoice, Context, Failure};

/// Longest the engine may take to begin.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest the engine may be silent when it is not to go on with new lines.
const LINE_LIMIT: Duration = Duration::from_secs(30);
/// Colours that processes are told apart by, as SGR codes.
const COLOURS: &[u8] = &[36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

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
    /// Only this process type
    #[arg(short, long, value_name = "TYPE")]
    ps: Option<String>,
}

pub(crate) async fn show(context: &Context, arguments: &ShowArguments) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Read).await?;
    let query = LogQuery {
        lines: arguments.num,
        follow: arguments.tail,
        process: arguments.ps.as_ref().map(|process| process.parse()).transpose()?,
    };
    context.while_allowed(Right::App(app.id, Access::Read), tell(context, &app, query)).await
}

async fn tell(context: &Context, app: &Application, query: LogQuery) -> Result<u32, Failure> {
    let follow = query.follow;
    let silent = || Error::System("The container engine does not answer. Try again in a minute.".to_owned());
    let mut lines = timeout(START_LIMIT, context.actions().console.logs(app, query)).await.map_err(|_| silent())??;
    loop {
        let next =
            if follow { lines.next().await } else { timeout(LINE_LIMIT, lines.next()).await.map_err(|_| silent())? };
        let Some(line) = next else { return Ok(0) };
        let line = line?;
        if context.output.is_json() {
            let text = String::from_utf8_lossy(&line.text);
            context.output.document(&json!({ "at": line.at, "process": line.process, "text": text })).await?;
        } else {
            context.output.line(&format(&line, context.output.is_terminal())).await?;
        }
    }
}

fn format(line: &LogLine, colours: bool) -> String {
    let at = line.at.format("%Y-%m-%dT%H:%M:%S%.6f%:z");
    let text = terminal::line(&line.text);
    if colours {
        // A line that leaves a colour on must not paint the next one's beginning.
        format!("\x1b[{}m{at} {}:\x1b[0m {text}\x1b[0m", colour(&line.process), line.process)
    } else {
        format!("{at} {}: {text}", line.process)
    }
}

/// The same colour for the same process type, always.
fn colour(process: &str) -> u8 {
    let kind = process.split('.').next().unwrap_or_default();
    let sum: usize = kind.bytes().map(usize::from).sum();
    COLOURS[sum % COLOURS.len()]
}
