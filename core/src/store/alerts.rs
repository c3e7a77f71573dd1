//! Alerts as stored. What is next for one is decided by [`crate::alerts`]; here it is done, with what is told of it, in
//! one transaction and by one process at a time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, notifications};
use crate::Result;
use crate::alerts::{Finding, Found, Next, Open, Seen, Timing, next};
use crate::model::{Alert, AlertId, AlertRule, News, OrganizationId, Severity, SubjectKind};
use crate::settings::Settings;

const COLUMNS: &str =
    "id, rule, subject_kind, subject, subject_name, organization_id, severity, message, value, threshold,
     began_at, fired_at, last_seen, resolved_at";

/// Which alerts to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct AlertFilter {
    /// Of one organisation; none for the whole platform's.
    pub organization: Option<OrganizationId>,
    /// Only those that are over, or only those that are not.
    pub is_over: Option<bool>,
    /// Of one rule.
    pub rule: Option<AlertRule>,
}

#[derive(sqlx::FromRow)]
struct OpenRow {
    id: AlertId,
    subject_kind: SubjectKind,
    subject: String,
    subject_name: String,
    organization_id: Option<OrganizationId>,
    severity: Severity,
    began_at: DateTime<Utc>,
    fired_at: Option<DateTime<Utc>>,
    last_seen: DateTime<Utc>,
    clear_since: Option<DateTime<Utc>>,
    told_at: Option<DateTime<Utc>>,
}

impl OpenRow {
    fn open(&self) -> Open {
        Open {
            began_at: self.began_at,
            fired_at: self.fired_at,
            last_seen: self.last_seen,
            clear_since: self.clear_since,
            told_at: self.told_at,
            severity: self.severity,
        }
    }
}

/// News of an alert, as whoever is to be told is found by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToTell {
    pub(crate) alert: AlertId,
    pub(crate) rule: AlertRule,
    pub(crate) severity: Severity,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) news: News,
}

/// Kind and key of what an alert is about.
type Key = (SubjectKind, String);

impl Store {
    /// Brings the alerts of a rule in step with what it saw, and has the news told. Answers the news, each with the name
    /// of what it is about.
    pub(crate) async fn keep_findings(
        &self,
        rule: AlertRule,
        seen: &Seen,
        timing: &Timing,
        settings: &Settings,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, News)>> {
        let mut transaction = self.pool.begin().await?;
        // One process at a time, so that all take rows in the same order and nothing is told twice.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('paas_alerts'))").execute(&mut *transaction).await?;
        let rows: Vec<OpenRow> = sqlx::query_as(
            "SELECT id, subject_kind, subject, subject_name, organization_id, severity, began_at, fired_at, last_seen,
                 clear_since, told_at
             FROM paas_alerts WHERE rule = $1 AND resolved_at IS NULL ORDER BY id",
        )
        .bind(rule)
        .fetch_all(&mut *transaction)
        .await?;
        let mut open: BTreeMap<Key, OpenRow> =
            rows.into_iter().map(|row| ((row.subject_kind, row.subject.clone()), row)).collect();
        let findings = by_subject(seen);
        let (mut told, mut tells) = (Vec::new(), Vec::new());
        let known: Vec<Key> = open.keys().cloned().collect();
        let mut all: Vec<&Key> = known.iter().chain(findings.keys()).collect();
        all.sort_unstable();
        all.dedup();
        for key in all {
            let row = open.remove(key);
            let finding = findings.get(key).copied();
            let found = found(seen, key, finding);
            let next = next(row.as_ref().map(OpenRow::open).as_ref(), found, timing, now);
            let Some((alert, news)) = turn(&mut transaction, rule, row.as_ref(), finding, next, now).await? else {
                continue;
            };
            let severity = finding.map(|finding| finding.severity).max(row.as_ref().map(|row| row.severity));
            let organization = match (finding, &row) {
                (Some(finding), _) => finding.subject.organization,
                (None, row) => row.as_ref().and_then(|row| row.organization_id),
            };
            let name = finding.map(|finding| finding.subject.name.clone());
            told.push((name.or(row.map(|row| row.subject_name)).unwrap_or_default(), news));
            tells.push(ToTell { alert, rule, severity: severity.unwrap_or(Severity::Warning), organization, news });
        }
        notifications::gather(&mut transaction, &tells, settings, now).await?;
        transaction.commit().await?;
        Ok(told)
    }

    /// Alerts, newest first, from before `after` on.
    pub async fn alerts(
        &self,
        filter: &AlertFilter,
        after: Option<(DateTime<Utc>, AlertId)>,
        rows: i64,
    ) -> Result<Vec<Alert>> {
        // The few that are not over have an index of their own.
        let state = match filter.is_over {
            Some(true) => "AND resolved_at IS NOT NULL",
            Some(false) => "AND resolved_at IS NULL",
            None => "",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM paas_alerts
             WHERE fired_at IS NOT NULL {state} AND ($1::uuid IS NULL OR organization_id = $1)
             AND ($2::text IS NULL OR rule = $2) AND ($3::timestamptz IS NULL OR (fired_at, id) < ($3, $4))
             ORDER BY fired_at DESC, id DESC LIMIT $5"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(filter.organization)
            .bind(filter.rule)
            .bind(after.map(|(at, _)| at))
            .bind(after.map(|(_, id)| id))
            .bind(rows)
            .fetch_all(&self.pool)
            .await?)
    }
}

fn by_subject(seen: &Seen) -> BTreeMap<Key, &Finding> {
    let findings: &[Finding] = match seen {
        Seen::Off => &[],
        Seen::All(findings) | Seen::Of(_, findings) => findings,
    };
    findings.iter().map(|finding| ((finding.subject.kind, finding.subject.key.clone()), finding)).collect()
}

fn found(seen: &Seen, key: &Key, finding: Option<&Finding>) -> Found {
    match (seen, finding) {
        (_, Some(finding)) => Found::Wrong(finding.level, finding.severity),
        (Seen::Off, None) => Found::Off,
        (Seen::All(_), None) => Found::Nothing,
        (Seen::Of(looked, _), None) if looked.iter().any(|one| (one.kind, &one.key) == (key.0, &key.1)) => {
            Found::Nothing
        }
        (Seen::Of(..), None) => Found::NotLooked,
    }
}

/// Does what is next for an alert; answers which one it is and what is told of it, if anything is.
async fn turn(
    connection: &mut PgConnection,
    rule: AlertRule,
    row: Option<&OpenRow>,
    finding: Option<&Finding>,
    next: Next,
    now: DateTime<Utc>,
) -> Result<Option<(AlertId, News)>> {
    match (next, row, finding) {
        (Next::Begin | Next::Fire, None, Some(finding)) => {
            let id = insert(connection, rule, finding, now, next == Next::Fire).await?;
            Ok((next == Next::Fire).then_some((id, News::Fired)))
        }
        (Next::Fire, Some(row), Some(finding)) => {
            see(connection, row, finding, now, Some(News::Fired)).await?;
            Ok(Some((row.id, News::Fired)))
        }
        (Next::GoOn(news), Some(row), Some(finding)) => {
            see(connection, row, finding, now, news).await?;
            Ok(news.map(|news| (row.id, news)))
        }
        (Next::Clear, Some(row), _) => {
            sqlx::query("UPDATE paas_alerts SET clear_since = $2 WHERE id = $1")
                .bind(row.id)
                .bind(now)
                .execute(connection)
                .await?;
            Ok(None)
        }
        (Next::Resolve | Next::Close, Some(row), _) => {
            sqlx::query("UPDATE paas_alerts SET resolved_at = $2, told_at = $2 WHERE id = $1")
                .bind(row.id)
                .bind(now)
                .execute(connection)
                .await?;
            Ok((next == Next::Resolve).then_some((row.id, News::Resolved)))
        }
        (Next::Forget, Some(row), _) => {
            sqlx::query("DELETE FROM paas_alerts WHERE id = $1").bind(row.id).execute(connection).await?;
            Ok(None)
        }
        _ => Ok(None),
    }
}

async fn insert(
    connection: &mut PgConnection,
    rule: AlertRule,
    finding: &Finding,
    now: DateTime<Utc>,
    fires: bool,
) -> Result<AlertId> {
    let id = AlertId::new();
    sqlx::query(
        "INSERT INTO paas_alerts (id, rule, subject_kind, subject, subject_name, organization_id, severity, message,
             value, threshold, began_at, fired_at, last_seen, told_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $12)",
    )
    .bind(id)
    .bind(rule)
    .bind(finding.subject.kind)
    .bind(&finding.subject.key)
    .bind(&finding.subject.name)
    .bind(finding.subject.organization)
    .bind(finding.severity)
    .bind(&finding.message)
    .bind(finding.value)
    .bind(finding.threshold)
    .bind(now)
    .bind(fires.then_some(now))
    .execute(connection)
    .await?;
    Ok(id)
}

/// Writes down how it is now. An alert never gets less grave: what eases is on its way to being over.
async fn see(
    connection: &mut PgConnection,
    row: &OpenRow,
    finding: &Finding,
    now: DateTime<Utc>,
    news: Option<News>,
) -> Result<()> {
    sqlx::query(
        "UPDATE paas_alerts SET subject_name = $2, organization_id = $3, severity = $4, message = $5, value = $6,
             threshold = $7, last_seen = $8, clear_since = NULL,
             fired_at = CASE WHEN $9 = 'fired' THEN $8 ELSE fired_at END,
             told_at = CASE WHEN $9 IS NULL THEN told_at ELSE $8 END
         WHERE id = $1",
    )
    .bind(row.id)
    .bind(&finding.subject.name)
    .bind(finding.subject.organization)
    .bind(finding.severity.max(row.severity))
    .bind(&finding.message)
    .bind(finding.value)
    .bind(finding.threshold)
    .bind(now)
    .bind(news)
    .execute(connection)
    .await?;
    Ok(())
}
