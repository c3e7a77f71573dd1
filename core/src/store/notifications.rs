//! Messages to targets: what is news is gathered for a short while, then sent by whoever takes it, tried again while that
//! fails, and kept as history.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::Store;
use super::alerts::ToTell;
use super::notification_targets::COLUMNS as TARGET_COLUMNS;
use crate::jobs::{self, SendNotification};
use crate::model::{
    Alert, News, Notification, NotificationId, NotificationState, NotificationTarget, OrganizationId, TargetId,
};
use crate::settings::Settings;
use crate::{Error, Result};

/// How long a message that is being sent is nobody else's to send. Longer than a try may take.
const TAKEN_FOR: TimeDelta = TimeDelta::minutes(3);
/// What is overdue by this much has lost its job.
const OVERDUE: TimeDelta = TimeDelta::seconds(90);

const COLUMNS: &str =
    "message.id, message.target_id, message.state, message.is_test, message.attempts, message.created_at,
     message.next_try_at, message.ended_at, message.answer, ARRAY (
         SELECT told.news || ': ' || alert.rule || ' ' || alert.subject_name
         FROM paas_notification_alerts AS told JOIN paas_alerts AS alert ON alert.id = told.alert_id
         WHERE told.notification_id = message.id
         ORDER BY alert.fired_at, alert.id, array_position(ARRAY ['fired', 'worse', 'lasting', 'resolved'], told.news)) AS tells";

/// A message that was taken to be sent.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) target: TargetId,
    /// This one included.
    pub(crate) attempts: u32,
    pub(crate) is_test: bool,
    /// What it tells, the oldest first.
    pub(crate) news: Vec<(News, Alert)>,
}

/// Whether a message can be taken.
#[derive(Debug)]
pub(crate) enum Take {
    /// It was.
    Taken(Taken),
    /// Not before this time.
    Later(DateTime<Utc>),
    /// It has ended, or is gone.
    Ended,
}

#[derive(sqlx::FromRow)]
struct NewsRow {
    news: News,
    #[sqlx(flatten)]
    alert: Alert,
}

impl Store {
    /// Takes a message whose time has come, so that nobody else sends it meanwhile.
    pub(crate) async fn take_notification(&self, id: NotificationId, now: DateTime<Utc>) -> Result<Take> {
        let taken: Option<(TargetId, i32, bool)> = sqlx::query_as(
            "UPDATE paas_notifications SET attempts = attempts + 1, gathers = false, next_try_at = $3
             WHERE id = $1 AND state = 'waiting' AND next_try_at <= $2 RETURNING target_id, attempts, is_test",
        )
        .bind(id)
        .bind(now)
        .bind(now + TAKEN_FOR)
        .fetch_optional(&self.pool)
        .await?;
        let Some((target, attempts, is_test)) = taken else {
            let later: Option<(Option<DateTime<Utc>>,)> =
                sqlx::query_as("SELECT next_try_at FROM paas_notifications WHERE id = $1")
                    .bind(id)
                    .fetch_optional(&self.pool)
                    .await?;
            return Ok(later.and_then(|(at,)| at).map_or(Take::Ended, Take::Later));
        };
        let news: Vec<NewsRow> = sqlx::query_as(
            "SELECT told.news, alert.* FROM paas_notification_alerts AS told
             JOIN paas_alerts AS alert ON alert.id = told.alert_id
             WHERE told.notification_id = $1
             ORDER BY alert.fired_at, alert.id, array_position(ARRAY ['fired', 'worse', 'lasting', 'resolved'], told.news)",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        let news = news.into_iter().map(|row| (row.news, row.alert)).collect();
        Ok(Take::Taken(Taken { target, attempts: u32::try_from(attempts).unwrap_or(u32::MAX), is_test, news }))
    }

    /// Writes down that a message was taken, or given up.
    pub(crate) async fn end_notification(
        &self,
        id: NotificationId,
        state: NotificationState,
        answer: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE paas_notifications SET state = $2, answer = $3, ended_at = $4, next_try_at = NULL, gathers = false
             WHERE id = $1",
        )
        .bind(id)
        .bind(state)
        .bind(answer)
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes down why a try failed, and queues the next one.
    pub(crate) async fn retry_notification(
        &self,
        id: NotificationId,
        target: TargetId,
        answer: &str,
        now: DateTime<Utc>,
        pause: TimeDelta,
    ) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE paas_notifications SET answer = $2, next_try_at = $3 WHERE id = $1 AND state = 'waiting'")
            .bind(id)
            .bind(answer)
            .bind(now + pause)
            .execute(&mut *transaction)
            .await?;
        queue(&mut transaction, &[SendNotification { notification: id, target }], pause).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Queues a message once more, for when its time comes.
    pub async fn queue_notification(&self, id: NotificationId, target: TargetId, pause: TimeDelta) -> Result<()> {
        queue(&mut *self.pool.acquire().await?, &[SendNotification { notification: id, target }], pause).await
    }

    /// Queues the messages whose job was lost: whoever sent them died, or could not write down how it went. Answers how
    /// many.
    pub async fn requeue_notifications(&self, now: DateTime<Utc>) -> Result<usize> {
        let overdue: Vec<(NotificationId, TargetId)> = sqlx::query_as(
            "SELECT id, target_id FROM paas_notifications WHERE state = 'waiting' AND next_try_at < $1
             ORDER BY next_try_at LIMIT 1000",
        )
        .bind(now - OVERDUE)
        .fetch_all(&self.pool)
        .await?;
        let jobs: Vec<SendNotification> =
            overdue.into_iter().map(|(notification, target)| SendNotification { notification, target }).collect();
        queue(&mut *self.pool.acquire().await?, &jobs, TimeDelta::zero()).await?;
        Ok(jobs.len())
    }

    /// The messages to a target, newest first, from before `after` on.
    pub async fn notifications(
        &self,
        target: TargetId,
        after: Option<(DateTime<Utc>, NotificationId)>,
        rows: i64,
    ) -> Result<Vec<Notification>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM paas_notifications AS message
             WHERE target_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
             ORDER BY created_at DESC, id DESC LIMIT $4"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(target)
            .bind(after.map(|(at, _)| at))
            .bind(after.map(|(_, id)| id))
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }

    /// One of them.
    pub async fn notification(&self, id: NotificationId) -> Result<Notification> {
        let sql = format!("SELECT {COLUMNS} FROM paas_notifications AS message WHERE id = $1");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| Error::NotFound("There is no such message any more.".to_owned()))
    }

    /// Forgets alerts that were over, and messages that had ended, before `before`.
    pub async fn drop_old_alerts(&self, before: DateTime<Utc>) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("DELETE FROM paas_notifications WHERE ended_at < $1")
            .bind(before)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM paas_alerts WHERE resolved_at < $1").bind(before).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Adds news to the message that is being gathered for each target they concern; begins one where there is none.
pub(super) async fn gather(
    connection: &mut PgConnection,
    tells: &[ToTell],
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<()> {
    if tells.is_empty() {
        return Ok(());
    }
    let organizations: Vec<OrganizationId> = tells.iter().filter_map(|tell| tell.organization).collect();
    let sql = format!(
        "SELECT {TARGET_COLUMNS} FROM paas_notification_targets
         WHERE enabled AND (organization_id IS NULL OR organization_id = ANY ($1)) ORDER BY id"
    );
    let targets: Vec<NotificationTarget> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(&organizations).fetch_all(&mut *connection).await?;
    let pause = TimeDelta::seconds(i64::try_from(settings.alerts_group_seconds).unwrap_or(0));
    for target in targets {
        let mut concerned = Vec::new();
        for tell in tells {
            if wants(&target, tell) && (tell.news != News::Resolved || was_told(connection, target.id, tell).await?) {
                concerned.push(tell);
            }
        }
        if concerned.is_empty() {
            continue;
        }
        // Whoever takes the message to send it waits for this row, and sends what is added now as well.
        let (message, is_new): (NotificationId, bool) = sqlx::query_as(
            "INSERT INTO paas_notifications AS message (id, target_id, state, gathers, is_test, created_at, next_try_at)
             VALUES ($1, $2, 'waiting', true, false, $3, $4)
             ON CONFLICT (target_id) WHERE gathers DO UPDATE SET gathers = true
             RETURNING message.id, message.id = $1",
        )
        .bind(NotificationId::new())
        .bind(target.id)
        .bind(now)
        .bind(now + pause)
        .fetch_one(&mut *connection)
        .await?;
        for tell in concerned {
            sqlx::query(
                "INSERT INTO paas_notification_alerts (notification_id, alert_id, news) VALUES ($1, $2, $3)
                 ON CONFLICT DO NOTHING",
            )
            .bind(message)
            .bind(tell.alert)
            .bind(tell.news)
            .execute(&mut *connection)
            .await?;
        }
        if is_new {
            queue(connection, &[SendNotification { notification: message, target: target.id }], pause).await?;
        }
    }
    Ok(())
}

/// Whether a target is to be told of that.
fn wants(target: &NotificationTarget, tell: &ToTell) -> bool {
    let audience = tell.rule.info().audience;
    let is_its_own = match target.organization_id {
        Some(organization) => audience.has_people() && tell.organization == Some(organization),
        None => audience.has_admins() || target.chose(tell.rule) == Some(true),
    };
    is_its_own && tell.severity >= target.min_severity && target.chose(tell.rule) != Some(false)
}

/// That something is over is told to who knows that it was.
async fn was_told(connection: &mut PgConnection, target: TargetId, tell: &ToTell) -> Result<bool> {
    let (was,) = sqlx::query_as(
        "SELECT EXISTS (SELECT FROM paas_notification_alerts AS told
             JOIN paas_notifications AS message ON message.id = told.notification_id
             WHERE told.alert_id = $1 AND message.target_id = $2)",
    )
    .bind(tell.alert)
    .bind(target)
    .fetch_one(connection)
    .await?;
    Ok(was)
}

async fn queue(connection: &mut PgConnection, jobs: &[SendNotification], pause: TimeDelta) -> Result<()> {
    let pause = pause.to_std().unwrap_or(Duration::ZERO);
    jobs::add_later_within(connection, jobs, pause).await
}

/// Writes a message down that only tries a target, as one that was not finished; its end is written over that.
pub(crate) async fn begin_test(
    connection: &mut PgConnection,
    target: TargetId,
    now: DateTime<Utc>,
) -> Result<NotificationId> {
    let id = NotificationId::new();
    sqlx::query(
        "INSERT INTO paas_notifications (id, target_id, state, gathers, is_test, attempts, created_at, ended_at, answer)
         VALUES ($1, $2, 'failed', false, true, 1, $3, $3, 'It was not finished. Try again.')",
    )
    .bind(id)
    .bind(target)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(id)
}

/// How many messages only tried targets of an owner since `since`.
pub(crate) async fn tests_since(
    connection: &mut PgConnection,
    organization: Option<OrganizationId>,
    since: DateTime<Utc>,
) -> Result<u64> {
    let (count,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM paas_notifications AS message
         JOIN paas_notification_targets AS target ON target.id = message.target_id
         WHERE message.is_test AND message.created_at > $2 AND target.organization_id IS NOT DISTINCT FROM $1",
    )
    .bind(organization)
    .bind(since)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
