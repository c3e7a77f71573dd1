//! `git push` and `git fetch`, from the request to the exit status.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use skypanel_core::actions::{Actor, NewApp};
use skypanel_core::model::{AppSlug, AppStatus, Application};
use skypanel_core::store::Access;
use skypanel_core::{Error, Result, request};
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::Shared;
use crate::channel::Requests;
use crate::client::{Client, Right};
use crate::git::GitProcess;
use crate::output::Output;
use crate::push::Push;
use crate::turns::Turn;

/// Exit status Git uses for its own fatal errors.
const FATAL: u32 = 128;
/// Longest a fetch may take.
const FETCH_LIMIT: Duration = Duration::from_hours(2);
/// Longest the collection of loose objects may take; it goes on with the next push.
const TIDY_LIMIT: Duration = Duration::from_mins(10);

/// Serves `git fetch` and `git clone`.
pub(crate) async fn upload_pack(
    shared: &Arc<Shared>,
    client: &Client,
    actor: &Actor,
    slug: &AppSlug,
    protocol: Option<String>,
    output: &Output,
    requests: Requests,
) {
    let served = async {
        let app = shared.actions.app(actor, slug, Access::Read).await?;
        let repository = shared.repositories.ensure(&app)?;
        let settings = [("uploadpack.allowFilter", "true".to_owned()), ("gc.auto", "0".to_owned())];
        let mut process = GitProcess::new(&shared.repositories, &repository, &settings)
            .arg("upload-pack")
            .arg("--strict")
            .arg("--timeout=600")
            .arg(&repository);
        if let Some(protocol) = protocol {
            process = process.env("GIT_PROTOCOL", protocol);
        }
        let running = process.start().map_err(|error| not_started(&error))?;
        let attended = async {
            timeout(FETCH_LIMIT, running.attend(output, requests))
                .await
                .map_err(|_| Error::System("The fetch took too long and was stopped.".to_owned()))?
                .map_err(|error| not_started(&error))
        };
        client.while_allowed(shared, Right::App(app.id, Access::Read), attended).await
    };
    // A fetch belongs to its connection: when that ends, this future is dropped and Git is killed with it.
    let status = tokio::select! {
        served = served => served.map(|ended| code(ended.status)),
        () = shared.stopping.cancelled() => Err(stopping()),
    };
    finish(output, status).await;
}

/// Serves `git push`. Once the pack is received it goes on even when the client goes away.
pub(crate) async fn receive_pack(
    shared: &Arc<Shared>,
    client: &Client,
    mut actor: Arc<Actor>,
    slug: AppSlug,
    output: Output,
    mut requests: Requests,
) {
    let prepared = async {
        let (mut app, created) = app_to_push_to(shared, &actor, &slug).await?;
        let Some((turn, waited)) = take_turn(shared, &app, &output, &mut requests).await? else { return Ok(None) };
        if waited {
            // What was true before the wait may not be any more.
            actor = client.actor(shared).await?;
            app = app_to_push_to(shared, &actor, &slug).await?.0;
        }
        Ok(Some((app, created, turn)))
    };
    let (app, created, turn) = match prepared.await {
        Ok(Some(prepared)) => prepared,
        Ok(None) => return,
        Err(error) => return finish(&output, Err(error)).await,
    };
    let push = Push::new(Arc::clone(shared), actor, app, created);
    // The push is the receiver's; its handle is awaited only so that the connection counts as busy.
    // It goes on when the session has ended, and stays a part of it.
    let work = run_push(Arc::clone(shared), push, turn, output, requests).in_current_span();
    let _ = shared.pushes.spawn(request::within_any(request::current(), work)).await;
}

/// The app of that name, created if there is none and the user may; and whether it was.
async fn app_to_push_to(shared: &Shared, actor: &Actor, slug: &AppSlug) -> Result<(Application, bool)> {
    match shared.actions.app(actor, slug, Access::Change).await {
        Ok(app) if app.status == AppStatus::Suspended => Err(Error::Forbidden(format!(
            "The app \"{slug}\" is suspended, so nothing can be pushed to it. Ask an owner or the operator why."
        ))),
        Ok(app) => Ok((app, false)),
        Err(Error::NotFound(_)) => {
            let new = NewApp { slug: Some(slug.clone()), ..NewApp::default() };
            let app = shared.actions.create_app(actor, &new).await?.app;
            tracing::info!(app = %slug, user = ?actor.user_id(), "created by its first push");
            Ok((app, true))
        }
        Err(error) => Err(error),
    }
}

/// Waits until no other push to the app runs, and says so; answers whether it had to. None when the client went away
/// meanwhile.
async fn take_turn(
    shared: &Shared,
    app: &Application,
    output: &Output,
    requests: &mut Requests,
) -> Result<Option<(Turn, bool)>> {
    if let Some(turn) = shared.turns.try_take(app.id).await? {
        return Ok(Some((turn, false)));
    }
    let waiting = "-----> Another push to this app is being built; yours is next.\n       \
                   (Stop the other one with the command builds:cancel, or this one with Ctrl-C.)\n";
    if output.notice(waiting).await.is_err() {
        return Ok(None);
    }
    tokio::select! {
        turn = timeout(shared.limits.turn_time, shared.turns.take(app.id)) => match turn {
            Ok(turn) => Ok(Some((turn?, true))),
            Err(_) => Err(Error::Conflict(format!(
                "Other pushes to this app have not ended for {} minutes. Stop them with the command builds:cancel, \
                 then push again.",
                shared.limits.turn_time.as_secs() / 60
            ))),
        },
        () = requests.gone() => Ok(None),
        () = shared.stopping.cancelled() => Err(stopping()),
    }
}

async fn run_push(shared: Arc<Shared>, mut push: Push, turn: Turn, output: Output, requests: Requests) {
    let repository = match shared.repositories.ensure(push.app()) {
        Ok(repository) => repository,
        Err(error) => return finish(&output, Err(error)).await,
    };
    let status = receive(&shared, &mut push, &repository, &output, requests).await;
    finish(&output, status.map(code)).await;
    // The next push need not wait for the packing.
    drop(turn);
    tidy(&shared, &repository).await;
}

async fn receive(
    shared: &Shared,
    push: &mut Push,
    repository: &Path,
    output: &Output,
    requests: Requests,
) -> Result<ExitStatus> {
    let listening = push.listen()?;
    let settings = shared.actions.store.settings().await?;
    check_free_space(repository, settings.git_min_free_mb)?;
    let limit_mb = settings.git_max_pack_mb;
    let limit = limit_mb.saturating_mul(1 << 20);
    let running = GitProcess::new(&shared.repositories, repository, &receive_settings(shared, limit))
        .arg("receive-pack")
        .arg(repository)
        .env("SKYPANEL_HOOK_SOCKET", listening.socket())
        .env("SKYPANEL_HOOK_TOKEN", listening.token())
        .start()
        .map_err(|error| not_started(&error))?;
    let stopped = async {
        shared.stopping.cancelled().await;
        tokio::time::sleep(shared.limits.shutdown_time).await;
    };
    let ended = tokio::select! {
        // Looked at first: once Git has ended there is nobody left to be judged.
        biased;
        ended = running.attend(output, requests) => ended.map_err(|error| not_started(&error))?,
        error = push.judge(listening) => return Err(error),
        () = stopped => return Err(stopping()),
    };
    // Git itself tells the client that the pack is too large, and neither what is allowed nor what to do.
    if !push.has_arrived() && ended.received > limit {
        return Err(Error::Invalid(format!(
            "The push is larger than {limit_mb} MB. Leave large files out of Git, also out of its history, or ask the \
             operator for more: skypanel admin settings:set git.max_pack_mb={}",
            limit_mb.saturating_mul(2)
        )));
    }
    Ok(ended.status)
}

/// A full disk stops the database and the engine, and with them everybody's apps.
fn check_free_space(repository: &Path, least_mb: u64) -> Result<()> {
    let disk = rustix::fs::statvfs(repository).map_err(|error| not_started(&error.into()))?;
    let free_mb = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
    if free_mb < least_mb {
        return Err(Error::System(format!(
            "The server's disk is nearly full ({free_mb} MB are left), so nothing can be pushed. Ask the operator to \
             make room: what runs goes on running."
        )));
    }
    Ok(())
}

fn receive_settings(shared: &Shared, pack_limit: u64) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("core.hooksPath", shared.repositories.hooks().to_string_lossy().into_owned()),
        ("receive.maxInputSize", pack_limit.to_string()),
    ];
    let fixed = [
        ("receive.fsckObjects", "true"),
        // Faults of old tools that many histories carry and that harm nobody.
        ("receive.fsck.badTimezone", "ignore"),
        ("receive.fsck.missingSpaceBeforeDate", "ignore"),
        ("receive.fsck.zeroPaddedFilemode", "ignore"),
        ("receive.advertisePushOptions", "true"),
        ("receive.advertiseAtomic", "true"),
        // Continuous integration clones without history, and releases need none.
        ("receive.shallowUpdate", "true"),
        ("receive.denyNonFastForwards", "false"),
        ("receive.denyDeletes", "false"),
        // The hook refuses to delete the deploy branch, in better words.
        ("receive.denyDeleteCurrent", "ignore"),
        ("receive.autogc", "false"),
        ("receive.updateServerInfo", "false"),
        ("transfer.hideRefs", "refs/skypanel"),
        ("core.logAllRefUpdates", "false"),
        ("gc.auto", "0"),
    ];
    settings.extend(fixed.map(|(key, value)| (key, value.to_owned())));
    settings
}

/// Packs what many small pushes left, when there is much of it. Git looks itself, which takes milliseconds.
async fn tidy(shared: &Shared, repository: &Path) {
    if shared.stopping.is_cancelled() {
        return;
    }
    let settings = [
        ("gc.auto", "3000".to_owned()),
        ("gc.autoPackLimit", "40".to_owned()),
        ("gc.autoDetach", "false".to_owned()),
        ("gc.pruneExpire", "2.days.ago".to_owned()),
    ];
    let process = GitProcess::new(&shared.repositories, repository, &settings).arg("gc").arg("--auto").arg("--quiet");
    tokio::select! {
        result = timeout(TIDY_LIMIT, process.quiet()) => match result {
            Ok(Ok(status)) if status.success() => {}
            Ok(Ok(status)) => tracing::warn!(%status, repository = %repository.display(), "git gc failed"),
            Ok(Err(error)) => tracing::warn!(%error, "git gc could not be started"),
            Err(_) => tracing::warn!(repository = %repository.display(), "git gc took too long"),
        },
        () = shared.stopping.cancelled() => {}
    }
}

async fn finish(output: &Output, status: Result<u32>) {
    match status {
        Ok(status) => output.finish(status).await,
        Err(error) => output.fail(&error).await,
    }
}

fn code(status: ExitStatus) -> u32 {
    status.code().and_then(|code| u32::try_from(code).ok()).unwrap_or(FATAL)
}

fn not_started(error: &std::io::Error) -> Error {
    Error::System(format!("Git could not be run on the server: {error}. Try again; the operator's log says more."))
}

fn stopping() -> Error {
    Error::System("Skypanel is stopping. Try again in a minute.".to_owned())
}
