//! Logs of an app's tasks on this node: the lines kept, in order of time, then new ones as they come, also those of
//! tasks that start later.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptionsBuilder, LogsOptionsBuilder};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{StreamExt as _, TryStreamExt as _};
use skypanel_core::Result;
use skypanel_core::console::{LogLine, LogQuery};
use skypanel_core::model::Application;

use crate::engine::{call, filters};
use crate::{DeployError, Parts, names};

/// Most lines read at once, whatever was asked for.
const MAX_LINES: u32 = 10_000;
/// Longest reading of the lines that are kept.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// How often a follower looks for tasks that were started since.
const NEW_TASKS: Duration = Duration::from_secs(1);

/// A container with the name its lines go by.
struct Source {
    container: String,
    process: String,
}

/// Lines of the app as the query wants them, oldest first.
pub(super) async fn read(
    parts: Arc<Parts>,
    app: &Application,
    query: LogQuery,
) -> Result<BoxStream<'static, Result<LogLine>>, DeployError> {
    let mut labels = vec![
        names::pair(names::INSTALLATION, &parts.options.installation),
        names::pair(names::APP, app.slug.as_str()),
        names::pair(names::ROLE, names::role::TASK),
    ];
    labels.extend(query.process.as_ref().map(|process| names::pair(names::PROCESS, process.as_str())));
    let lines = query.lines.min(MAX_LINES);
    let begun = Utc::now();
    let sources = sources(&parts, &labels).await?;
    let known: HashSet<String> = sources.iter().map(|source| source.container.clone()).collect();
    let mut kept = Vec::new();
    for source in &sources {
        let read = tail(&parts, source, lines);
        let read = tokio::time::timeout(READ_LIMIT, read).await;
        kept.extend(read.map_err(|_| DeployError::EngineSilent { action: "Reading the logs" })??);
    }
    kept.sort_by_key(|line| line.at);
    let kept = kept.split_off(kept.len().saturating_sub(lines as usize));
    let last = kept.last().map_or(begun, |line| line.at.max(begun));
    let kept = stream::iter(kept.into_iter().map(Ok));
    if !query.follow {
        return Ok(kept.boxed());
    }
    Ok(kept.chain(follow(parts, labels, &sources, known, last)).boxed())
}

/// New lines of these tasks and of those that start later. Ends when it is dropped.
fn follow(
    parts: Arc<Parts>,
    labels: Vec<String>,
    sources: &[Source],
    known: HashSet<String>,
    after: DateTime<Utc>,
) -> impl futures_util::Stream<Item = Result<LogLine>> + Send + use<> {
    struct State {
        parts: Arc<Parts>,
        labels: Vec<String>,
        known: HashSet<String>,
        running: SelectAll<BoxStream<'static, Result<LogLine>>>,
        look: tokio::time::Interval,
        after: DateTime<Utc>,
    }
    let running = sources.iter().map(|source| tail_f(&parts, source, after)).collect();
    let mut look = tokio::time::interval(NEW_TASKS);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let state = State { parts, labels, known, running, look, after };
    stream::try_unfold(state, async |mut state| {
        loop {
            let line = tokio::select! {
                Some(line) = state.running.next() => Some(line),
                _ = state.look.tick() => None,
            };
            if let Some(line) = line {
                return Ok(Some((line?, state)));
            }
            for source in sources_or_none(&state.parts, &state.labels).await {
                if state.known.insert(source.container.clone()) {
                    state.running.push(tail_f(&state.parts, &source, state.after));
                }
            }
        }
    })
}

/// While the engine does not answer there are no new tasks to hear of.
async fn sources_or_none(parts: &Parts, labels: &[String]) -> Vec<Source> {
    sources(parts, labels).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "new tasks could not be looked for while following logs");
        Vec::new()
    })
}

async fn sources(parts: &Parts, labels: &[String]) -> Result<Vec<Source>, DeployError> {
    let ours = filters([("label", labels.to_vec())]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let containers = call("Listing the app's containers", parts.engine.list_containers(Some(options))).await?;
    Ok(containers.into_iter().filter_map(source).collect())
}

fn source(container: ContainerSummary) -> Option<Source> {
    let labels = container.labels?;
    let process = labels.get(names::PROCESS)?;
    // `service.slot.task`
    let slot = labels.get("com.docker.swarm.task.name").and_then(|name| name.split('.').nth(1)).unwrap_or("1");
    Some(Source { container: container.id?, process: format!("{process}.{slot}") })
}

async fn tail(parts: &Parts, source: &Source, lines: u32) -> Result<Vec<LogLine>, DeployError> {
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).tail(&lines.to_string()).build();
    let read = parts.engine.logs(&source.container, Some(options)).try_collect::<Vec<_>>().await;
    match read {
        Ok(outputs) => Ok(outputs.iter().filter_map(|output| line(output.as_ref(), &source.process)).collect()),
        // Swarm has just removed it.
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(Vec::new()),
        Err(source) => Err(DeployError::Engine { action: "Reading the logs", source }),
    }
}

/// The lines of one container from a point in time on, as they come; ends with the container.
fn tail_f(parts: &Arc<Parts>, source: &Source, after: DateTime<Utc>) -> BoxStream<'static, Result<LogLine>> {
    // The engine counts whole seconds; what is older than asked for is left out here.
    let since = i32::try_from(after.timestamp()).unwrap_or(i32::MAX);
    let options =
        LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).follow(true).since(since).build();
    let process = source.process.clone();
    let logs = parts.engine.logs(&source.container, Some(options));
    Box::pin(logs)
        .filter_map(move |output| {
            let line = match output {
                Ok(output) => line(output.as_ref(), &process).filter(|line| line.at > after).map(Ok),
                Err(error) => {
                    tracing::debug!(%error, "the log of a container ended");
                    None
                }
            };
            std::future::ready(line)
        })
        .boxed()
}

/// `<RFC 3339 time> <text>`.
fn line(bytes: &[u8], process: &str) -> Option<LogLine> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let at = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let text = bytes[space + 1..].strip_suffix(b"\n").unwrap_or(&bytes[space + 1..]);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Some(LogLine { at, process: process.to_owned(), text: Bytes::copy_from_slice(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_time_and_its_bytes() {
        let parsed = line(b"2026-01-02T03:04:05.123456789Z hello \xff world\r\n", "web.1").expect("a line");
        assert_eq!(parsed.at.to_rfc3339(), "2026-01-02T03:04:05.123456789+00:00");
        assert_eq!(parsed.text.as_ref(), b"hello \xff world");
        assert!(line(b"no time here\n", "web.1").is_none());
        assert_eq!(line(b"2026-01-02T03:04:05Z \n", "web.1").expect("an empty line").text.as_ref(), b"");
    }
}
