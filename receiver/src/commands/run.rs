//! `run`: a one-off process in a container of the current release, with the client's terminal if it has one.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use skypanel_core::Error;
use skypanel_core::console::{OneOff, Output as Written, Terminal};
use skypanel_core::model::AppRef;
use skypanel_core::store::Access;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::channel::{Input, Requests};
use crate::client::Right;
use crate::commands::context::{AppChoice, Context, Failure};
use crate::exec::CommandLine;
use crate::output::Output;

/// Longest a container may take to start.
const START_LIMIT: Duration = Duration::from_mins(2);
/// Longest the exit status may take once the output has ended.
const EXIT_LIMIT: Duration = Duration::from_mins(1);
/// Most input that waits for the process, in bytes; then the client has to wait, too.
const MAX_WAITING: usize = 32 << 20;

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// The command, which a shell in the container reads: run -a APP 'ls | wc -l'
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl RunArguments {
    /// What to run, for the shell in the container to read: the rest of the line exactly as typed, or what is in the
    /// quotes when all of it is quoted.
    pub(crate) fn one_off(&self, line: &CommandLine, terminal: Option<Terminal>) -> OneOff {
        if let [quoted] = self.command.as_slice() {
            return OneOff { command: quoted.clone(), terminal };
        }
        let first = line.words.len().saturating_sub(self.command.len());
        let start = line.words.get(first).map_or(0, |word| word.start);
        OneOff { command: line.line.get(start..).unwrap_or_default().trim_end().to_owned(), terminal }
    }
}

pub(crate) async fn run(
    context: &Context,
    arguments: &RunArguments,
    one_off: OneOff,
    requests: Requests,
) -> Result<u32, Failure> {
    let app = context.app(&arguments.choice, Access::Change).await?;
    let right = Right::App(app.id, Access::Change);
    context.while_allowed(right, attend(context, &AppRef::Id(app.id), one_off, requests)).await
}

async fn attend(context: &Context, app: &AppRef, one_off: OneOff, requests: Requests) -> Result<u32, Failure> {
    // Dropped with this future, when the client goes away or may not any more: the container goes with it.
    let session = timeout(START_LIMIT, context.actions().run_one_off(context.actor(), app, one_off))
        .await
        .map_err(|_| Error::System("The container did not start in two minutes. Try again.".to_owned()))??;
    let output = &context.output;
    tokio::select! {
        result = show(session.output, session.exit, output) => result,
        // Ends only when the client is gone.
        () = feed(requests, session.input, session.resize) => Err(Failure::ClientGone),
    }
}

/// Shows what the process writes, to its exit status.
async fn show(
    mut written: mpsc::Receiver<Written>,
    exit: oneshot::Receiver<i32>,
    output: &Output,
) -> Result<u32, Failure> {
    while let Some(piece) = written.recv().await {
        match piece {
            Written::Stdout(bytes) => output.raw(bytes).await?,
            Written::Stderr(bytes) if output.is_terminal() => output.raw(bytes).await?,
            Written::Stderr(bytes) => output.raw_stderr(bytes).await?,
        }
    }
    match timeout(EXIT_LIMIT, exit).await {
        Ok(Ok(status)) => Ok(u32::from(u8::try_from(status).unwrap_or(255))),
        Ok(Err(_)) | Err(_) => {
            Err(Error::System("The process ended and its exit status is unknown.".to_owned()).into())
        }
    }
}

/// Passes on what the client types and how its terminal changes, until it is gone. Takes what comes even
/// while the process reads nothing: as long as input waits in the connection, no output gets out of it.
async fn feed(mut requests: Requests, input: mpsc::Sender<Bytes>, resize: mpsc::Sender<(u16, u16)>) {
    let mut input = Some(input);
    let mut waiting: VecDeque<Bytes> = VecDeque::new();
    let mut size = 0;
    let mut ended = false;
    loop {
        if ended && waiting.is_empty() {
            input = None;
        }
        tokio::select! {
            request = requests.next(), if size < MAX_WAITING => match request {
                Some(Input::Data(bytes)) if input.is_some() => {
                    size += bytes.len();
                    waiting.push_back(bytes);
                }
                Some(Input::Data(_)) => {}
                // The newest size is what counts; one that finds no room is followed by another.
                Some(Input::Resize(columns, rows)) => { let _ = resize.try_send((columns, rows)); }
                Some(Input::Eof) => ended = true,
                None => return,
            },
            permit = reserve(input.clone()), if !waiting.is_empty() => {
                if let Some((permit, bytes)) = permit.zip(waiting.pop_front()) {
                    size -= bytes.len();
                    permit.send(bytes);
                } else {
                    // The process reads no more.
                    waiting.clear();
                    size = 0;
                    input = None;
                }
            }
        }
    }
}

async fn reserve(input: Option<mpsc::Sender<Bytes>>) -> Option<mpsc::OwnedPermit<Bytes>> {
    input?.reserve_owned().await.ok()
}
