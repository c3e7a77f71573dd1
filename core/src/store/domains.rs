//! Custom domains as stored.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{Store, is_taken};
use crate::model::{
    AppId, CertificateStatus, Domain, DomainId, DomainName, DomainRef, DomainStatus, OrganizationId, UserId,
};
use crate::{Error, Result};

const COLUMNS: &str = "id, application_id, domain, status, problem, failed_checks, failing_since, \
     unanswered_since, checked_at, next_check_at, dns_validated_at, active_since, ssl_status, ssl_issuer, ssl_cert_expires_at, ssl_problem, ssl_checked_at, \
     created_by, created_at";
/// How long a domain that is being checked is due for nobody else.
const TAKEN_FOR: TimeDelta = TimeDelta::minutes(5);
/// How often the edge is asked for a certificate that it has, and for one that it has not.
const CERTIFICATE_PAUSES: (TimeDelta, TimeDelta) = (TimeDelta::hours(1), TimeDelta::seconds(15));

/// An active domain, as the edge needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RoutedDomain {
    /// The app it leads to.
    pub application_id: AppId,
    /// Its name.
    pub domain: DomainName,
    /// Whether plain HTTP is sent on to HTTPS: the app wants it, and there is a certificate.
    pub redirect: bool,
    /// Whether the edge was seen to serve a good certificate for it.
    pub has_certificate: bool,
}

/// What the edge serves for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCertificate {
    /// Whether it is good.
    pub status: CertificateStatus,
    /// Who issued it; none for no certificate of the domain.
    pub issuer: Option<String>,
    /// Until when it holds.
    pub expires_at: Option<DateTime<Utc>>,
    /// Why it is not good.
    pub problem: Option<String>,
}

impl Store {
    /// An app's domains by name.
    pub async fn domains(&self, app: AppId) -> Result<Vec<Domain>> {
        let sql = format!("SELECT {COLUMNS} FROM paas_domains WHERE application_id = $1 ORDER BY domain");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).fetch_all(self.pool()).await?)
    }

    /// One of an app's domains.
    pub async fn domain_of(&self, app: AppId, domain: &DomainRef) -> Result<Domain> {
        of(&mut *self.pool().acquire().await?, app, domain).await
    }

    /// The domain of that id, if it is still there.
    pub async fn domain(&self, id: DomainId) -> Result<Option<Domain>> {
        let sql = format!("SELECT {COLUMNS} FROM paas_domains WHERE id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(self.pool()).await?)
    }

    /// All active domains, by name.
    pub async fn routed_domains(&self) -> Result<Vec<RoutedDomain>> {
        let sql = "SELECT d.application_id, d.domain, a.https_redirect AND d.ssl_status = 'active' AS redirect,
                 d.ssl_status = 'active' AS has_certificate
             FROM paas_domains d JOIN paas_applications a ON a.id = d.application_id
             WHERE d.status = 'active' ORDER BY d.domain";
        Ok(sqlx::query_as(sql).fetch_all(self.pool()).await?)
    }

    /// Whether plain HTTP on an app's own domains is sent on to HTTPS.
    pub async fn https_redirect(&self, app: AppId) -> Result<bool> {
        let sql = "SELECT https_redirect FROM paas_applications WHERE id = $1";
        Ok(sqlx::query_scalar(sql).bind(app).fetch_one(self.pool()).await?)
    }

    /// Takes domains whose next check is due, the longest due first. Nobody else gets them for some minutes, within
    /// which a check ends: its outcome says when the next one is.
    pub async fn take_due_domains(&self, now: DateTime<Utc>, rows: i64) -> Result<Vec<Domain>> {
        let sql = format!(
            "UPDATE paas_domains SET next_check_at = $2 WHERE id = ANY (ARRAY (
                 SELECT id FROM paas_domains WHERE next_check_at <= $1 ORDER BY next_check_at, id LIMIT $3
                 FOR NO KEY UPDATE SKIP LOCKED))
             RETURNING {COLUMNS}"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(now)
            .bind(now + TAKEN_FOR)
            .bind(rows)
            .fetch_all(self.pool())
            .await?)
    }

    /// Active domains for whose certificate the edge should be asked, the longest unasked first.
    pub async fn certificates_due(&self, now: DateTime<Utc>, rows: i64) -> Result<Vec<Domain>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM paas_domains WHERE status = 'active' AND (ssl_checked_at IS NULL
                 OR ssl_checked_at <= CASE WHEN ssl_status = 'active' THEN $1 ELSE $2 END)
             ORDER BY ssl_checked_at NULLS FIRST, id LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(now - CERTIFICATE_PAUSES.0)
            .bind(now - CERTIFICATE_PAUSES.1)
            .bind(rows)
            .fetch_all(self.pool())
            .await?)
    }

    /// Notes what the edge serves for a domain, unless it was demoted meanwhile.
    pub async fn note_certificate(&self, id: DomainId, seen: &SeenCertificate, now: DateTime<Utc>) -> Result<()> {
        sqlx::query(
            "UPDATE paas_domains SET ssl_status = $2, ssl_issuer = $3, ssl_cert_expires_at = $4, ssl_problem = $5,
                 ssl_checked_at = $6 WHERE id = $1 AND status = 'active'",
        )
        .bind(id)
        .bind(seen.status)
        .bind(&seen.issuer)
        .bind(seen.expires_at)
        .bind(&seen.problem)
        .bind(now)
        .execute(self.pool())
        .await?;
        Ok(())
    }
}

/// How many domains an app has. The caller has locked the app.
pub(crate) async fn count(connection: &mut PgConnection, app: AppId) -> Result<i64> {
    let sql = "SELECT count(*) FROM paas_domains WHERE application_id = $1";
    Ok(sqlx::query_scalar(sql).bind(app).fetch_one(connection).await?)
}

/// Whether a domain is active for another app.
pub(crate) async fn is_active_elsewhere(
    connection: &mut PgConnection,
    domain: &DomainName,
    app: AppId,
) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM paas_domains
         WHERE domain = $1 AND status = 'active' AND application_id <> $2)";
    Ok(sqlx::query_scalar(sql).bind(domain).bind(app).fetch_one(connection).await?)
}

/// Adds a domain to an app, to be checked from `check_at` on.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    app: AppId,
    domain: &DomainName,
    user: Option<UserId>,
    now: DateTime<Utc>,
    check_at: DateTime<Utc>,
) -> Result<Domain> {
    let sql = format!(
        "INSERT INTO paas_domains (id, application_id, domain, next_check_at, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING {COLUMNS}"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(DomainId::new())
        .bind(app)
        .bind(domain)
        .bind(check_at)
        .bind(user)
        .bind(now)
        .fetch_one(connection)
        .await
        .map_err(|error| {
            if is_taken(&error) {
                return Error::Conflict(format!("The app has the domain {domain} already."));
            }
            error.into()
        })
}

/// The domain of an app by that name or id.
pub(crate) async fn of(connection: &mut PgConnection, app: AppId, domain: &DomainRef) -> Result<Domain> {
    let (id, name) = match domain {
        DomainRef::Id(id) => (Some(*id), None),
        DomainRef::Name(name) => (None, Some(name.as_str())),
    };
    let sql = format!("SELECT {COLUMNS} FROM paas_domains WHERE application_id = $1 AND (id = $2 OR domain = $3)");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(app)
        .bind(id)
        .bind(name)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::NotFound("The app has no such domain. `domains` lists those it has.".to_owned()))
}

/// A domain that nobody else can change until the transaction ends, and the organisation it belongs to.
pub(crate) async fn lock(connection: &mut PgConnection, id: DomainId) -> Result<Option<(Domain, OrganizationId)>> {
    let sql = format!("SELECT {COLUMNS} FROM paas_domains WHERE id = $1 FOR UPDATE");
    let domain: Option<Domain> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&mut *connection).await?;
    let Some(domain) = domain else { return Ok(None) };
    let organization = sqlx::query_scalar("SELECT organization_id FROM paas_applications WHERE id = $1")
        .bind(domain.application_id)
        .fetch_one(connection)
        .await?;
    Ok(Some((domain, organization)))
}

/// Keeps what a check made of a domain. One that is not routed any more has no certificate to look at.
pub(crate) async fn keep_check(connection: &mut PgConnection, domain: &Domain) -> Result<()> {
    let unrouted = domain.status != DomainStatus::Active;
    sqlx::query(
        "UPDATE paas_domains SET status = $2, problem = $3, failed_checks = $4, failing_since = $5, checked_at = $6,
             next_check_at = $7, dns_validated_at = $8, active_since = $10, unanswered_since = $11,
             ssl_status = CASE WHEN $9 THEN 'pending' ELSE ssl_status END,
             ssl_issuer = CASE WHEN $9 THEN NULL ELSE ssl_issuer END,
             ssl_cert_expires_at = CASE WHEN $9 THEN NULL ELSE ssl_cert_expires_at END,
             ssl_problem = CASE WHEN $9 THEN NULL ELSE ssl_problem END,
             ssl_checked_at = CASE WHEN $9 THEN NULL ELSE ssl_checked_at END
         WHERE id = $1",
    )
    .bind(domain.id)
    .bind(domain.status)
    .bind(&domain.problem)
    .bind(domain.failed_checks)
    .bind(domain.failing_since)
    .bind(domain.checked_at)
    .bind(domain.next_check_at)
    .bind(domain.dns_validated_at)
    .bind(unrouted)
    .bind(domain.active_since)
    .bind(domain.unanswered_since)
    .execute(connection)
    .await
    .map_err(|error| if is_taken(&error) { taken(&domain.domain) } else { error.into() })?;
    Ok(())
}

/// Removes a domain.
pub(crate) async fn remove(connection: &mut PgConnection, id: DomainId) -> Result<()> {
    sqlx::query("DELETE FROM paas_domains WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// Sets whether plain HTTP on an app's own domains is sent on to HTTPS; answers how it was before.
pub(crate) async fn set_https_redirect(connection: &mut PgConnection, app: AppId, redirect: bool) -> Result<bool> {
    let before = sqlx::query_scalar("SELECT https_redirect FROM paas_applications WHERE id = $1 FOR UPDATE")
        .bind(app)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query("UPDATE paas_applications SET https_redirect = $2 WHERE id = $1")
        .bind(app)
        .bind(redirect)
        .execute(connection)
        .await?;
    Ok(before)
}

/// What is told of a domain that somebody else has.
pub(crate) fn taken(domain: &DomainName) -> Error {
    Error::Conflict(format!(
        "The domain {domain} belongs to another app. Whoever has that app must remove it there first."
    ))
}
