//! Crash loops: crashes are counted in a row, what crashes again and again is started after growing pauses, and given up
//! in the end. The agents report, and the worker starts. What was given up is tried again when its people change
//! something.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Store, apps, events};
use crate::jobs::{self, StartAgain};
use crate::model::{AppId, AppStatus, Application, CrashStreak, DeploymentId, ProcessType, resolve_formation};
use crate::{Error, Result};

/// How long a start is put off while a rollout is under way.
const LATER: Duration = Duration::from_secs(5);

/// A replica that ended though nobody told it to, or that failed its health checks and is ended for that.
#[derive(Clone, Debug)]
pub struct Crash {
    /// Of which app.
    pub app: AppId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within that.
    pub replica: i32,
    /// What it did, such as `ended with exit status 3`.
    pub what: String,
    /// What happens to it, such as `is started again`.
    pub then: &'static str,
    /// More about what it did, such as what it answered to its health check. Its characters are harmless.
    pub detail: Option<String>,
    /// The kind of the event that tells of it.
    pub told_as: &'static str,
}

/// What follows from a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crashed {
    /// Nothing: its release is being replaced, or is not the one that should run.
    Aside,
    /// It is started again.
    Again(CrashStreak),
    /// Its process type is started no more.
    GivenUp,
}

/// A process type that is started no more.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct GivenUp {
    /// Which.
    pub process_type: ProcessType,
    /// Since when.
    pub given_up_at: DateTime<Utc>,
    /// Why, in words.
    pub reason: String,
}

impl Store {
    /// Counts a crash, tells the app's people, and sees to what follows: the next start of that replica, or, when every
    /// replica of its type has crashed too often in a row, none.
    pub async fn record_crash(&self, crash: &Crash) -> Result<Crashed> {
        let settings = self.settings().await?;
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let app = match apps::lock(&mut transaction, crash.app).await {
            Ok(app) => app,
            Err(Error::NotFound(_)) => return Ok(Crashed::Aside),
            Err(error) => return Err(error),
        };
        if !counts(&mut transaction, &app, crash).await? {
            events::record(&mut transaction, app.id, None, crash.told_as, &in_words(crash, None), now).await?;
            transaction.commit().await?;
            return Ok(Crashed::Aside);
        }
        let stable = settings.health_stable_seconds;
        let streak = count(&mut transaction, crash, now, stable).await?;
        let most = settings.health_max_restarts;
        let crashed = if most > 0
            && u64::from(streak.crashes) >= most
            && all_crash(&mut transaction, &app, crash, (now, stable, most)).await?
        {
            give_up(&mut transaction, crash, streak, now).await?;
            Crashed::GivenUp
        } else {
            events::record(&mut transaction, app.id, None, crash.told_as, &in_words(crash, Some(streak)), now).await?;
            let again = StartAgain { app: app.id, process: crash.process.clone(), replica: crash.replica };
            jobs::add_later_within(&mut transaction, &[again], streak.pause()).await?;
            Crashed::Again(streak)
        };
        transaction.commit().await?;
        Ok(crashed)
    }

    /// Tells the app's people that a replica runs again, once for its crashes since it last did.
    pub async fn record_recovery(&self, app: AppId, process: &ProcessType, replica: i32) -> Result<()> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let told: Option<(DateTime<Utc>,)> = sqlx::query_as(
            "UPDATE paas_crashes SET told = false
             WHERE application_id = $1 AND process_type = $2 AND replica = $3 AND told RETURNING last_at",
        )
        .bind(app)
        .bind(process)
        .bind(replica)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some((last_at,)) = told {
            let after = (now - last_at).num_seconds().max(0);
            let how = if process.is_routed() { "is healthy again" } else { "runs again" };
            let message = format!("{process}.{replica} {how}, {after} s after it failed");
            events::record(&mut transaction, app, None, "recover", &message, now).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Whether a start that was put off is still to be made: the replica's type is meant to run, and no rollout is
    /// under way, which would start it itself.
    pub async fn may_start_again(&self, app: AppId, process: &ProcessType) -> Result<StartAgainNow> {
        let mut connection = self.pool.acquire().await?;
        let found: Option<(AppStatus,)> = sqlx::query_as("SELECT status FROM paas_applications WHERE id = $1")
            .bind(app)
            .fetch_optional(&mut *connection)
            .await?;
        if is_rolling(&mut connection, app).await? {
            return Ok(StartAgainNow::Later);
        }
        match found {
            Some((AppStatus::Running | AppStatus::Failed,)) if !is_given_up(&mut connection, app, process).await? => {
                Ok(StartAgainNow::Yes)
            }
            Some((AppStatus::Deploying,)) => Ok(StartAgainNow::Later),
            _ => Ok(StartAgainNow::No),
        }
    }

    /// Puts a start off once more.
    pub async fn start_again_later(&self, again: StartAgain) -> Result<()> {
        jobs::add_later_within(&mut *self.pool.acquire().await?, &[again], LATER).await
    }

    /// What of an app is started no more, by type.
    pub async fn given_up(&self, app: AppId) -> Result<Vec<GivenUp>> {
        let sql = "SELECT process_type, given_up_at, reason FROM paas_given_up
             WHERE application_id = $1 AND NOT again ORDER BY process_type";
        Ok(sqlx::query_as(sql).bind(app).fetch_all(&self.pool).await?)
    }
}

/// What to do about a start that was put off and is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAgainNow {
    /// Make it.
    Yes,
    /// Wait once more.
    Later,
    /// Leave it.
    No,
}

fn in_words(crash: &Crash, streak: Option<CrashStreak>) -> String {
    let Crash { process, replica, what, then, .. } = crash;
    let in_row = streak
        .filter(|streak| streak.crashes > 1)
        .map(|streak| format!(" within {} s, {} times in a row", streak.pause().as_secs(), streak.crashes));
    format!("{process}.{replica} {what} and {then}{}{}", in_row.unwrap_or_default(), detail(crash))
}

fn detail(crash: &Crash) -> String {
    crash.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default()
}

/// Whether a crash is one of what should run and is not being replaced: how a release ends that is being rolled out is
/// the rollout's business.
async fn counts(connection: &mut PgConnection, app: &Application, crash: &Crash) -> Result<bool> {
    let runs = matches!(app.status, AppStatus::Running | AppStatus::Failed);
    Ok(runs
        && app.current_deployment_id == Some(crash.deployment)
        && !is_rolling(connection, app.id).await?
        && !is_given_up(connection, app.id, &crash.process).await?)
}

async fn is_rolling(connection: &mut PgConnection, app: AppId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM paas_app_terms WHERE application_id = $1 AND state = 'applying')";
    let (rolling,) = sqlx::query_as(sql).bind(app).fetch_one(connection).await?;
    Ok(rolling)
}

async fn is_given_up(connection: &mut PgConnection, app: AppId, process: &ProcessType) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM paas_given_up WHERE application_id = $1 AND process_type = $2)";
    let (given_up,) = sqlx::query_as(sql).bind(app).bind(process).fetch_one(connection).await?;
    Ok(given_up)
}

/// Adds the crash to those in a row.
async fn count(connection: &mut PgConnection, crash: &Crash, now: DateTime<Utc>, stable: u64) -> Result<CrashStreak> {
    let before: Option<CrashStreak> = sqlx::query_as(
        "SELECT crashes, first_at, last_at FROM paas_crashes
         WHERE application_id = $1 AND process_type = $2 AND replica = $3",
    )
    .bind(crash.app)
    .bind(&crash.process)
    .bind(crash.replica)
    .fetch_optional(&mut *connection)
    .await?;
    let streak = CrashStreak::and_at(before, now, stable);
    sqlx::query(
        "INSERT INTO paas_crashes (application_id, process_type, replica, crashes, first_at, last_at, told)
         VALUES ($1, $2, $3, $4, $5, $6, true)
         ON CONFLICT (application_id, process_type, replica)
         DO UPDATE SET crashes = $4, first_at = $5, last_at = $6, told = true",
    )
    .bind(crash.app)
    .bind(&crash.process)
    .bind(crash.replica)
    .bind(i32::try_from(streak.crashes).unwrap_or(i32::MAX))
    .bind(streak.first_at)
    .bind(streak.last_at)
    .execute(connection)
    .await?;
    Ok(streak)
}

/// Whether as many replicas of that type as there should be have crashed `most` times in a row: one that does while
/// others serve is worth starting for ever.
async fn all_crash(
    connection: &mut PgConnection,
    app: &Application,
    crash: &Crash,
    (now, stable, most): (DateTime<Utc>, u64, u64),
) -> Result<bool> {
    let rows: Vec<CrashStreak> = sqlx::query_as(
        "SELECT crashes, first_at, last_at FROM paas_crashes WHERE application_id = $1 AND process_type = $2",
    )
    .bind(app.id)
    .bind(&crash.process)
    .fetch_all(&mut *connection)
    .await?;
    let crashing = rows.iter().filter(|row| u64::from(row.crashes) >= most && row.lasts(now, stable)).count();
    let (processes,): (Json<BTreeMap<ProcessType, String>>,) =
        sqlx::query_as("SELECT process_types FROM paas_deployments WHERE id = $1")
            .bind(crash.deployment)
            .fetch_one(&mut *connection)
            .await?;
    let formation = resolve_formation(&processes.0, &apps::formation(connection, app.id).await?);
    let wanted = formation.get(&crash.process).copied().unwrap_or(1);
    Ok(crashing >= usize::try_from(wanted).unwrap_or(usize::MAX))
}

/// Starts the type no more: from now on it costs nothing, and a job ends what is left of it.
async fn give_up(connection: &mut PgConnection, crash: &Crash, streak: CrashStreak, now: DateTime<Utc>) -> Result<()> {
    let Crash { app, process, replica, what, .. } = crash;
    let reason = format!("{what}{}", detail(crash));
    sqlx::query(
        "INSERT INTO paas_given_up (application_id, process_type, given_up_at, reason) VALUES ($1, $2, $3, $4)",
    )
    .bind(app)
    .bind(process)
    .bind(now)
    .bind(&reason)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM paas_crashes WHERE application_id = $1 AND process_type = $2")
        .bind(app)
        .bind(process)
        .execute(&mut *connection)
        .await?;
    let message = format!(
        "{process} crashed {} times in a row within {} s and is not started any more; it costs nothing meanwhile. The \
         last time {process}.{replica} {reason}. See what it wrote with `logs --source app -n 100`, and its memory with \
         `metrics` and `ps:plan`. A push, `ps:restart`, or another plan, scale, config var or health check starts it again.",
        streak.crashes,
        (streak.last_at - streak.first_at).num_seconds().max(0),
    );
    events::record(connection, *app, None, "give_up", &message, now).await?;
    apps::set_status(connection, *app, AppStatus::Failed, now).await?;
    jobs::apply_within(connection, &[*app]).await?;
    Ok(())
}

/// What of an app is started no more. The caller holds the app's row.
pub(super) async fn given_up_types(connection: &mut PgConnection, app: AppId) -> Result<Vec<ProcessType>> {
    let rows: Vec<(ProcessType,)> =
        sqlx::query_as("SELECT process_type FROM paas_given_up WHERE application_id = $1 AND NOT again")
            .bind(app)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(process,)| process).collect())
}

/// Whether something of the app was given up and is not being tried again.
pub(crate) async fn has_given_up(connection: &mut PgConnection, app: AppId) -> Result<bool> {
    Ok(!given_up_types(connection, app).await?.is_empty())
}

/// Has all that was given up run again, as far as the next rollout succeeds; the count begins anew. The caller holds the
/// app's row and has the metering written.
pub(crate) async fn try_again(connection: &mut PgConnection, app: AppId) -> Result<()> {
    sqlx::query("UPDATE paas_given_up SET again = true WHERE application_id = $1")
        .bind(app)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM paas_crashes WHERE application_id = $1").bind(app).execute(&mut *connection).await?;
    sqlx::query(
        "UPDATE paas_applications SET status = 'running'
         WHERE id = $1 AND status = 'failed' AND current_deployment_id IS NOT NULL",
    )
    .bind(app)
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that what was tried again runs; with `all`, that everything does, for it is another release.
pub(super) async fn succeed(connection: &mut PgConnection, app: AppId, all: bool) -> Result<()> {
    sqlx::query("DELETE FROM paas_given_up WHERE application_id = $1 AND (again OR $2)")
        .bind(app)
        .bind(all)
        .execute(&mut *connection)
        .await?;
    if all {
        sqlx::query("DELETE FROM paas_crashes WHERE application_id = $1").bind(app).execute(connection).await?;
    }
    Ok(())
}

/// Notes that what was tried again could not be rolled out. True where there was such a thing: its app has failed then.
pub(super) async fn fail_again(connection: &mut PgConnection, app: AppId) -> Result<bool> {
    let failed = sqlx::query("UPDATE paas_given_up SET again = false WHERE application_id = $1 AND again")
        .bind(app)
        .execute(&mut *connection)
        .await?;
    if failed.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE paas_applications SET status = 'failed' WHERE id = $1 AND status IN ('running', 'deploying')")
        .bind(app)
        .execute(connection)
        .await?;
    Ok(true)
}
