//! A console that is open: a one-off process on one side, a WebSocket on the other, for as long as its user may.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use skypanel_core::console::{OneOff, OneOffSession, Output, Terminal};
use skypanel_core::model::{AppId, AppRef};
use skypanel_core::store::Access;
use skypanel_core::{Error, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::error::ApiError;
use crate::http::watch::Follower;

/// Largest message of a client, in bytes: what somebody pastes.
const MAX_MESSAGE: usize = 64 * 1024;
/// Longest the first message may take.
const BEGIN_LIMIT: Duration = Duration::from_secs(30);
/// Longest a container may take to start.
const START_LIMIT: Duration = Duration::from_mins(2);
/// Longest the exit status may take once the output has ended.
const EXIT_LIMIT: Duration = Duration::from_mins(1);
/// Longest a message may wait for its client to read.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// How often the client is asked whether it is still there, when nothing else is sent.
const PING: Duration = Duration::from_secs(15);
/// Longest command, in bytes.
const MAX_COMMAND: usize = 8 * 1024;
/// The terminal that the dashboard draws.
const TERM: &str = "xterm-256color";
/// Widest and highest terminal, in characters.
const MAX_SIDE: u16 = 1_000;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The first message.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// Runs through the shell in the app's container only.
    command: String,
    columns: u16,
    rows: u16,
}

/// Another size of the terminal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Size {
    columns: u16,
    rows: u16,
}

/// Serves a console to its end.
pub(super) async fn serve(connection: Upgraded, follower: Follower, app: AppId) {
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, Some(config)).await;
    let (mut to_client, mut from_client) = socket.split();
    let may = move |actions: skypanel_core::actions::Actions, actor| async move {
        actions.app_of(&actor, &AppRef::Id(app), Access::Change).await.map(|_| ())
    };
    let outcome = tokio::select! {
        outcome = attend(&mut to_client, &mut from_client, &follower, app) => outcome,
        () = follower.until_refused(may) => {
            Err(Error::Forbidden("You may not run processes of this app any more, so it was ended.".to_owned()))
        }
    };
    let last = match outcome {
        Ok(Some(status)) => json!({ "exit": status }),
        // The client is gone.
        Ok(None) => return,
        Err(error) => json!({ "error": ApiError::from(error).into_words() }),
    };
    let farewell = async {
        to_client.send(Message::text(last.to_string())).await?;
        to_client.close().await
    };
    if !matches!(timeout(SEND_LIMIT, farewell).await, Ok(Ok(()))) {
        tracing::debug!("the end of a console was not told");
    }
}

/// The exit status of the process; none if the client went away, with which the process ends.
async fn attend(
    to_client: &mut SplitSink<Socket, Message>,
    from_client: &mut SplitStream<Socket>,
    follower: &Follower,
    app: AppId,
) -> Result<Option<i32>> {
    let Some(begin) = begin(from_client).await? else { return Ok(None) };
    let terminal = Terminal { term: TERM.to_owned(), columns: side(begin.columns), rows: side(begin.rows) };
    let (one_off, app) = (OneOff { command: begin.command, terminal: Some(terminal) }, AppRef::Id(app));
    let starting = follower.actions().run_one_off(follower.actor(), &app, one_off);
    let OneOffSession { input, output, resize, exit } = timeout(START_LIMIT, starting)
        .await
        .map_err(|_| Error::Upstream("The container did not start in two minutes. Try again.".to_owned()))??;
    tokio::select! {
        outcome = show(to_client, output, exit) => outcome,
        () = feed(from_client, input, resize) => Ok(None),
    }
}

/// What to run; none if the client went away without a word.
async fn begin(from_client: &mut SplitStream<Socket>) -> Result<Option<Begin>> {
    let first = async {
        while let Some(Ok(message)) = from_client.next().await {
            match message {
                Message::Text(text) => return Some(text),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Binary(_) | Message::Close(_) | Message::Frame(_) => return None,
            }
        }
        None
    };
    let Ok(Some(text)) = timeout(BEGIN_LIMIT, first).await else { return Ok(None) };
    let begin: Begin = serde_json::from_str(&text)
        .map_err(|_| Error::Invalid("The first message must say what to run: command, columns, rows.".to_owned()))?;
    if begin.command.trim().is_empty() || begin.command.len() > MAX_COMMAND {
        return Err(Error::Invalid(format!("Give a command of 1 to {MAX_COMMAND} bytes.")));
    }
    Ok(Some(begin))
}

/// Passes on what the process writes, to its exit status.
async fn show(
    to_client: &mut SplitSink<Socket, Message>,
    mut output: mpsc::Receiver<Output>,
    exit: oneshot::Receiver<i32>,
) -> Result<Option<i32>> {
    let mut ping = interval(PING);
    loop {
        let message = tokio::select! {
            piece = output.recv() => match piece {
                Some(Output::Stdout(bytes) | Output::Stderr(bytes)) => Message::Binary(bytes),
                None => break,
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        if !matches!(timeout(SEND_LIMIT, to_client.send(message)).await, Ok(Ok(()))) {
            return Ok(None);
        }
    }
    match timeout(EXIT_LIMIT, exit).await {
        Ok(Ok(status)) => Ok(Some(status)),
        Ok(Err(_)) | Err(_) => Err(Error::Upstream("The process ended and its exit status is unknown.".to_owned())),
    }
}

/// Passes on what the client types and how its terminal changes, until it is gone. While the process reads nothing, the
/// client has to wait; that it is gone is then found out by the pings.
async fn feed(from_client: &mut SplitStream<Socket>, input: mpsc::Sender<Bytes>, resize: mpsc::Sender<(u16, u16)>) {
    let mut reads = true;
    while let Some(Ok(message)) = from_client.next().await {
        match message {
            // What a process that reads no more is sent is dropped, as a terminal does.
            Message::Binary(bytes) if reads => reads = input.send(bytes).await.is_ok(),
            Message::Text(text) => {
                if let Ok(size) = serde_json::from_str::<Size>(&text) {
                    // The newest size is what counts; one that finds no room is followed by another.
                    let _ = resize.try_send((side(size.columns), side(size.rows)));
                }
            }
            Message::Close(_) => return,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

fn side(characters: u16) -> u16 {
    characters.clamp(1, MAX_SIDE)
}
