//! `run`: a one-off process of the current release, with what its client types and a terminal if it has one.

use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::{ListContainersOptionsBuilder, ResizeContainerTTYOptionsBuilder};
use bytes::Bytes;
use futures_util::StreamExt as _;
use skypanel_core::console::{OneOff as Request, OneOffSession, Output, Terminal};
use skypanel_core::model::{AppStatus, Application};
use skypanel_core::store::Store;
use skypanel_core::{Error, Result};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::engine::{call, filters};
use crate::one_off::{OneOff, OneOffSpec};
use crate::{Parts, names};

/// Pieces on their way between client and process.
const QUEUE: usize = 32;
/// What is left of the output once the process has ended is already on its way.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);
/// Exit status of a process that was ended by us, as of one killed by SIGKILL.
const ENDED: i64 = 137;

/// Starts the process; the session's fields are its ends of the pipes.
pub(super) async fn start(
    parts: &Arc<Parts>,
    store: &Store,
    app: &Application,
    request: Request,
    stop: CancellationToken,
) -> Result<OneOffSession> {
    let nothing = || Error::Conflict("Nothing was released yet, so there is nothing to run in. Push first.".to_owned());
    let deployment = store.deployment(app.current_deployment_id.ok_or_else(nothing)?).await?;
    let (Some(artifact), Some(version)) = (deployment.artifact(), deployment.version) else {
        return Err(Error::Conflict("The current release's image is not kept any more. Push again.".to_owned()));
    };
    if request.command.trim().is_empty() {
        return Err(Error::Invalid("Say what to run, such as: run bash.".to_owned()));
    }
    let settings = store.settings().await?;
    let (limit, time) = (settings.run_max_per_app, Duration::from_mins(settings.run_max_minutes));
    leave_room(parts, app, limit, None).await?;
    let (_, config) = store.config_vars(app.id).await?;
    let plan = store.plan(app.plan_id).await?;
    let number = uuid::Uuid::new_v4().as_u128() % 9_000 + 1_000;
    let spec = OneOffSpec {
        app,
        plan: &plan,
        deployment: deployment.id,
        version,
        artifact: &artifact,
        config: &config,
        role: names::role::RUN,
        name: &format!("run.{number}"),
        command: &request.command,
        terminal: request.terminal.as_ref(),
        input: true,
    };
    let process = OneOff::create(parts, &spec).await?;
    // Once more with its container there: others that began in the same moment have seen as little of it as it of them.
    leave_room(parts, app, limit, Some(process.id())).await?;
    // A stop in between found no container to end.
    if matches!(store.app(app.id).await?.status, AppStatus::Stopped | AppStatus::Suspended | AppStatus::Deleting) {
        return Err(Error::Conflict(format!("{} was stopped meanwhile.", app.slug)));
    }
    let attached = process.attach(true).await?;
    process.start().await?;
    let (input, input_end) = mpsc::channel(QUEUE);
    let (output_end, output) = mpsc::channel(QUEUE);
    let (resize, resize_end) = mpsc::channel(1);
    let (exit_end, exit) = oneshot::channel();
    let pipes = Pipes { input: input_end, output: output_end, resize: resize_end };
    let parts_of_task = Arc::clone(parts);
    parts.removals.spawn(async move {
        let mut exit_end = exit_end;
        let terminal = request.terminal;
        let ended = tokio::select! {
            status = serve(&parts_of_task, &process, attached, pipes, terminal) => status,
            // The client is gone.
            () = exit_end.closed() => ENDED,
            () = stop.cancelled() => ENDED,
            () = tokio::time::sleep(time) => ENDED,
        };
        if let Err(error) = process.remove().await {
            tracing::warn!(%error, "a one-off process could not be removed; the next start does it");
        }
        // Nobody asks any more where the client is gone.
        let _ = exit_end.send(i32::try_from(ended).unwrap_or(255));
    });
    Ok(OneOffSession { input, output, resize, exit })
}

/// Refuses one more where the app has as many as it may have, not counting the container `own`.
async fn leave_room(parts: &Parts, app: &Application, limit: u64, own: Option<&str>) -> Result<()> {
    let labels = [
        (names::INSTALLATION, parts.options.installation.as_str()),
        (names::APP, app.slug.as_str()),
        (names::ROLE, names::role::RUN),
    ];
    let ours = filters([
        ("label", labels.iter().map(|(key, value)| names::pair(key, value)).collect()),
        ("status", ["created", "running", "paused"].map(str::to_owned).into()),
    ]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    let found = call("Counting the one-off processes", parts.engine.list_containers(Some(options))).await?;
    let others = found.iter().filter(|container| container.id.as_deref() != own).count();
    if (others as u64) < limit {
        return Ok(());
    }
    Err(Error::PlanLimitReached(format!(
        "{} has {others} one-off processes running, and may have {limit} at the same time. End one of them first; an \
         admin can raise the limit (run.max_per_app).",
        app.slug
    )))
}

struct Pipes {
    input: mpsc::Receiver<Bytes>,
    output: mpsc::Sender<Output>,
    resize: mpsc::Receiver<(u16, u16)>,
}

/// Carries bytes to and fro until the process ends; answers its exit status.
async fn serve(
    parts: &Parts,
    process: &OneOff,
    attached: bollard::container::AttachContainerResults,
    pipes: Pipes,
    terminal: Option<Terminal>,
) -> i64 {
    let Pipes { mut input, output, mut resize } = pipes;
    let (mut from_process, mut to_process) = (attached.output, attached.input);
    let write = async {
        while let Some(bytes) = input.recv().await {
            if to_process.write_all(&bytes).await.is_err() || to_process.flush().await.is_err() {
                break;
            }
        }
        // End of input for the process, too.
        let _ = to_process.shutdown().await;
        std::future::pending::<()>().await;
    };
    let read = async {
        while let Some(Ok(piece)) = from_process.next().await {
            let piece = match piece {
                LogOutput::StdErr { message } => Output::Stderr(message),
                LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                    Output::Stdout(message)
                }
            };
            if output.send(piece).await.is_err() {
                break;
            }
        }
    };
    let size = async {
        let mut size = terminal.map(|terminal| (terminal.columns, terminal.rows));
        loop {
            if let Some((columns, rows)) = size {
                let options = ResizeContainerTTYOptionsBuilder::new().w(columns.into()).h(rows.into()).build();
                // One that has just ended has no terminal any more.
                let _ = call("Resizing a terminal", parts.engine.resize_container_tty(process.id(), options)).await;
            }
            match resize.recv().await {
                Some(new) => size = Some(new),
                None => std::future::pending().await,
            }
        }
    };
    tokio::pin!(write, read, size);
    let wait = process.wait();
    tokio::pin!(wait);
    let mut output_ended = false;
    let status = loop {
        tokio::select! {
            status = &mut wait => break status,
            // The process may have closed its output and go on.
            () = &mut read, if !output_ended => output_ended = true,
            () = &mut write => break ENDED,
            never = &mut size => match never {},
        }
    };
    if !output_ended {
        // A client that does not read must not hold the container for ever.
        let _ = tokio::time::timeout(OUTPUT_LIMIT, read).await;
    }
    status
}
