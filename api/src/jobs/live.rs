//! Logs of deployments and other jobs: whole as text, and live as server-sent events that can be taken up again.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::model::StreamId;
use skypanel_core::stream::{StreamFollower, StreamItem};
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::http::watch::Follower;

/// A sign of life this often when nothing happens, so that proxies do not take the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Header that says whether a log is told to its end.
const COMPLETE: HeaderName = HeaderName::from_static("x-log-complete");

/// Events for a client.
pub(crate) type LiveEvents = KeepAliveStream<BoxStream<'static, Result<Event, Infallible>>>;

/// A log as text.
pub(crate) type WholeLog = ([(HeaderName, HeaderValue); 2], String);

/// Where a client was when it lost the connection.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct LastEvent {
    /// Id of the last event that the client got.
    #[param(rename = "Last-Event-ID", minimum = 0, nullable = false)]
    last_event_id: Option<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for LastEvent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("last-event-id") else { return Ok(Self { last_event_id: None }) };
        match value.to_str().ok().and_then(|text| text.parse().ok()).filter(|id| *id >= 0) {
            Some(id) => Ok(Self { last_event_id: Some(id) }),
            None => Err(ApiError::malformed("The header \"Last-Event-ID\" must be the id of an event of this stream.")),
        }
    }
}

/// What is written of a log, as text.
pub(crate) fn whole_log((text, complete): (Vec<u8>, bool)) -> WholeLog {
    let complete = HeaderValue::from_static(if complete { "true" } else { "false" });
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(header::CONTENT_TYPE, kind), (COMPLETE, complete)], String::from_utf8_lossy(&text).into_owned())
}

/// Wraps events with the heartbeat, and ends them once their follower is not one who `may` see them any more.
pub(crate) fn events<F>(
    follower: Follower,
    stream: BoxStream<'static, Result<Event, Infallible>>,
    may: impl Fn(Actions, Actor) -> F + Send + Sync + 'static,
) -> Result<Sse<LiveEvents>, ApiError>
where
    F: Future<Output = skypanel_core::Result<()>> + Send + 'static,
{
    Ok(Sse::new(follower.follow(stream, may)?).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// Follows a stream from after the client's last event on.
pub(crate) async fn live(follower: Follower, id: StreamId, last: LastEvent) -> Result<Sse<LiveEvents>, ApiError> {
    // The last chunk once more: it may have ended within a character, whose beginning belongs to the next event.
    let from = last.last_event_id.unwrap_or(0);
    let chunks = follower.actions().follow(follower.actor(), id, from).await?;
    let reading = Reading { follower: chunks, got: last.last_event_id, partial: Vec::new(), ended: false };
    events(follower, stream::unfold(reading, next).boxed(), move |actions, actor| async move {
        actions.operation(&actor, id).await.map(|_| ())
    })
}

struct Reading {
    follower: StreamFollower,
    /// The chunk that the client has already.
    got: Option<i64>,
    /// The beginning of a character that the next chunk completes.
    partial: Vec<u8>,
    ended: bool,
}

async fn next(mut reading: Reading) -> Option<(Result<Event, Infallible>, Reading)> {
    while !reading.ended {
        let event = match reading.follower.next().await {
            Ok(Some(StreamItem::Chunk(seq, bytes))) => {
                let text = whole_characters(&mut reading.partial, &bytes);
                if reading.got == Some(seq) {
                    continue;
                }
                Event::default().event("output").id(seq.to_string()).data(json!({ "text": text }).to_string())
            }
            Ok(Some(StreamItem::End { succeeded })) => {
                reading.ended = true;
                Event::default().event("end").data(json!({ "succeeded": succeeded }).to_string())
            }
            Ok(None) => return None,
            Err(error) => {
                // The client connects again and goes on where it was.
                tracing::warn!(%error, "a live stream could not be read");
                return None;
            }
        };
        return Some((Ok(event), reading));
    }
    None
}

/// What `partial` and `bytes` are as text; a character that is not whole yet stays in `partial`.
fn whole_characters(partial: &mut Vec<u8>, bytes: &[u8]) -> String {
    partial.extend_from_slice(bytes);
    let cut = match std::str::from_utf8(partial) {
        Ok(text) => text.len(),
        // The end is missing rather than wrong.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => {
            let tail = partial.utf8_chunks().last().map_or(0, |chunk| unfinished(chunk.invalid()));
            partial.len() - tail
        }
    };
    let rest = partial.split_off(cut);
    let text = String::from_utf8_lossy(partial).into_owned();
    *partial = rest;
    text
}

/// How many bytes at the end may be the beginning of a character.
fn unfinished(invalid: &[u8]) -> usize {
    match std::str::from_utf8(invalid) {
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_never_cut_and_bytes_never_lost() {
        let mut partial = Vec::new();
        assert_eq!(whole_characters(&mut partial, "gr\u{fc}n".as_bytes().split_at(3).0), "gr");
        assert_eq!(whole_characters(&mut partial, "gr\u{fc}n".as_bytes().split_at(3).1), "\u{fc}n");
        assert_eq!(whole_characters(&mut partial, b"\xff ok \xf0\x9f"), "\u{fffd} ok ");
        assert_eq!(whole_characters(&mut partial, b"\x98\x80"), "\u{1f600}");
        assert!(partial.is_empty());
    }
}
