//! Repositories elsewhere that apps are built from: address, credentials, pinned hosts, and what a deployment is to
//! be fetched from. Tokens and private keys are sealed under the organisation's key.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use zeroize::Zeroizing;

use super::deployments::Cancelled;
use super::{Store, deployments, quotas, suspension};
use crate::jobs::{self, Deploy};
use crate::model::{
    AppId, Application, CommitHash, DeploymentId, DeploymentSource, GitBranch, GitUrl, HostKind, NewDeployment,
    OrganizationId, Repository,
};
use crate::repository::{Credentials, DeployKey, HostKeys};
use crate::secrets::Owner;
use crate::settings::Settings;
use crate::{Error, Result};

/// What becomes of a secret when a connection is saved.
#[derive(Clone, Debug)]
pub(crate) enum TokenChange {
    Keep,
    Clear,
    Set { user: String, token: Zeroizing<String> },
}

/// A connection to be saved, checked by the caller.
#[derive(Clone, Debug)]
pub(crate) struct SavedRepository {
    pub(crate) git_url: Option<GitUrl>,
    pub(crate) git_branch: GitBranch,
    pub(crate) auto_deploy: bool,
    pub(crate) token: TokenChange,
    pub(crate) host_keys: Option<HostKeys>,
    pub(crate) host_keys_given: bool,
    pub(crate) host_kind: Option<HostKind>,
    pub(crate) report_status: bool,
    pub(crate) verified_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str = "git_url, git_branch, auto_deploy, token_username, deploy_key_public AS deploy_key, host_keys, \
     coalesce(host_keys_given, false) AS host_keys_given, host_kind, coalesce(report_status, true) AS report_status, \
     verified_at";

impl Store {
    /// How an app is connected to its repository.
    pub async fn repository(&self, app: AppId) -> Result<Repository> {
        connection(&mut *self.pool.acquire().await?, app).await
    }

    /// What it takes to fetch an app's repository, opened.
    pub async fn repository_credentials(&self, app: AppId) -> Result<Credentials> {
        Ok(self.present_credentials(app).await?.1)
    }

    /// The same for fetching from `url`, which may be an address that the app had before: token and host keys are only
    /// for the server that they were given for.
    pub async fn credentials_for(&self, app: AppId, url: &GitUrl) -> Result<Credentials> {
        let (present, credentials) = self.present_credentials(app).await?;
        if present.is_some_and(|present| present.has_server_of(url)) {
            return Ok(credentials);
        }
        Ok(Credentials { token: None, host_keys: None, ..credentials })
    }

    async fn present_credentials(&self, app: AppId) -> Result<(Option<GitUrl>, Credentials)> {
        type Row = (OrganizationId, Option<GitUrl>, Option<Vec<u8>>, Option<String>, Option<Vec<u8>>, Option<String>);
        let row: Option<Row> = sqlx::query_as(
            "SELECT organization_id, git_url, token, token_username, deploy_key_private, host_keys
             FROM paas_applications JOIN paas_repositories ON application_id = id WHERE id = $1",
        )
        .bind(app)
        .fetch_optional(&self.pool)
        .await?;
        let Some((organization, url, token, user, key, host_keys)) = row else {
            return Ok((None, Credentials::default()));
        };
        let owner = Owner::Organization(organization);
        let token = match token {
            Some(sealed) => {
                let opened = self.secrets.open(owner, &token_of(app), &sealed)?;
                let text = Zeroizing::new(String::from_utf8(opened.to_vec()).map_err(|_| Error::Secret)?);
                Some((user.unwrap_or_default(), text))
            }
            None => None,
        };
        let key = match key {
            Some(sealed) => Some(DeployKey::from_stored(&self.secrets.open(owner, &key_of(app), &sealed)?)?),
            None => None,
        };
        let host_keys = host_keys.map(|keys| keys.parse()).transpose()?;
        Ok((url, Credentials { token, key, host_keys }))
    }

    /// Saves a connection.
    pub(crate) async fn save_repository(
        &self,
        connection: &mut PgConnection,
        app: &Application,
        new: &SavedRepository,
    ) -> Result<()> {
        sqlx::query("UPDATE paas_applications SET git_url = $2, git_branch = $3, auto_deploy = $4 WHERE id = $1")
            .bind(app.id)
            .bind(&new.git_url)
            .bind(&new.git_branch)
            .bind(new.auto_deploy)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO paas_repositories (application_id, host_keys, host_keys_given, host_kind, report_status, verified_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (application_id) DO UPDATE SET host_keys = $2, host_keys_given = $3, host_kind = $4,
             report_status = $5, verified_at = $6",
        )
        .bind(app.id)
        .bind(new.host_keys.as_ref().map(ToString::to_string))
        .bind(new.host_keys_given)
        .bind(new.host_kind)
        .bind(new.report_status)
        .bind(new.verified_at)
        .execute(&mut *connection)
        .await?;
        let (user, sealed) = match &new.token {
            TokenChange::Keep => return Ok(()),
            TokenChange::Clear => (None, None),
            TokenChange::Set { user, token } => {
                let owner = Owner::Organization(app.organization_id);
                (Some(user), Some(self.secrets.seal(owner, &token_of(app.id), token.as_bytes())?))
            }
        };
        sqlx::query("UPDATE paas_repositories SET token = $2, token_username = $3 WHERE application_id = $1")
            .bind(app.id)
            .bind(sealed)
            .bind(user)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Keeps an app's new deploy key; one it had is gone.
    pub(crate) async fn save_deploy_key(
        &self,
        connection: &mut PgConnection,
        app: AppId,
        organization: OrganizationId,
        key: &DeployKey,
        public: &str,
    ) -> Result<()> {
        let sealed = self.secrets.seal(Owner::Organization(organization), &key_of(app), key.seed())?;
        sqlx::query(
            "INSERT INTO paas_repositories (application_id, deploy_key_public, deploy_key_private) VALUES ($1, $2, $3)
             ON CONFLICT (application_id) DO UPDATE SET deploy_key_public = $2, deploy_key_private = $3",
        )
        .bind(app)
        .bind(public)
        .bind(sealed)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Pins the keys that the SSH host of `url` showed first, where none were pinned meanwhile and the app is still
    /// connected to that address.
    pub async fn pin_host_keys(&self, app: AppId, url: &GitUrl, keys: &HostKeys) -> Result<()> {
        sqlx::query(
            "UPDATE paas_repositories SET host_keys = $3 WHERE application_id = $1 AND host_keys IS NULL
             AND (SELECT git_url FROM paas_applications WHERE id = $1) = $2",
        )
        .bind(app)
        .bind(url)
        .bind(keys.to_string())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What a deployment is to be fetched from; none for a push and an uploaded archive.
    pub async fn deployment_source(&self, deployment: DeploymentId) -> Result<Option<DeploymentSource>> {
        Ok(sqlx::query_as(
            "SELECT git_url, git_branch, git_commit FROM paas_deployment_sources WHERE deployment_id = $1",
        )
        .bind(deployment)
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Writes down which commit was fetched for a deployment.
    pub async fn set_fetched(
        &self,
        deployment: DeploymentId,
        commit: &CommitHash,
        message: &str,
        author: &str,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE paas_deployments SET git_commit = $2, git_message = $3, git_author = $4, description = $5 WHERE id = $1",
        )
        .bind(deployment)
        .bind(commit)
        .bind(message)
        .bind(author)
        .bind(format!("Deploy {}", commit.short()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Queues a deployment: its rows, its job, and, where it brings another source, the end of those that still wait to be
/// built in its place. Refused while the app may not run, and when its organisation deployed too often. Answers what it
/// took the place of.
pub(crate) async fn queue(
    connection: &mut PgConnection,
    app: &Application,
    new: &NewDeployment,
    source: Option<&DeploymentSource>,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Vec<DeploymentId>> {
    use crate::model::AppStatus;
    // The status of now, held: a suspension that comes meanwhile waits for this.
    match super::apps::lock_with_organization(connection, app).await?.status {
        AppStatus::Suspended => {
            return Err(Error::Conflict(format!(
                "The app \"{}\" is suspended, so nothing is deployed. Its owners see why.",
                app.slug
            )));
        }
        AppStatus::Deleting => return Err(Error::Conflict(format!("The app \"{}\" is being destroyed.", app.slug))),
        _ => {}
    }
    suspension::ensure_may_run(connection, app.organization_id).await?;
    if new.trigger.is_limited() {
        quotas::check_deployments(connection, app.organization_id, settings, now).await?;
    }
    let mut superseded = Vec::new();
    if new.trigger.builds() {
        let reason = format!("Superseded by a newer deployment: {}.", new.description);
        let reason = ("SUPERSEDED", reason.as_str());
        for deployment in deployments::cancel(connection, app.id, Cancelled::QueuedBuilds, reason, now).await? {
            superseded.push(deployment.id);
        }
    }
    deployments::insert(connection, new, now).await?;
    if let Some(source) = source {
        sqlx::query(
            "INSERT INTO paas_deployment_sources (deployment_id, git_url, git_branch, git_commit) VALUES ($1, $2, $3, $4)",
        )
        .bind(new.id)
        .bind(&source.git_url)
        .bind(&source.git_branch)
        .bind(&source.git_commit)
        .execute(&mut *connection)
        .await?;
    }
    jobs::add_within(connection, &[Deploy { app: app.id, deployment: new.id }]).await?;
    deployments::report(connection, &[new.id]).await?;
    Ok(superseded)
}

/// The token of an app as it is stored.
pub(crate) async fn sealed_token(connection: &mut PgConnection, app: AppId) -> Result<Option<Vec<u8>>> {
    let row: Option<(Option<Vec<u8>>,)> =
        sqlx::query_as("SELECT token FROM paas_repositories WHERE application_id = $1")
            .bind(app)
            .fetch_optional(connection)
            .await?;
    Ok(row.and_then(|(token,)| token))
}

pub(super) fn token_of(app: AppId) -> String {
    format!("repository token {app}")
}

pub(super) fn key_of(app: AppId) -> String {
    format!("deploy key {app}")
}

/// How an app is connected to its repository, as this transaction sees it.
pub(crate) async fn connection(connection: &mut PgConnection, app: AppId) -> Result<Repository> {
    let sql = format!(
        "SELECT {COLUMNS} FROM paas_applications
         LEFT JOIN paas_repositories ON application_id = paas_applications.id WHERE paas_applications.id = $1"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(app).fetch_optional(connection).await?.ok_or_else(gone)
}

fn gone() -> Error {
    Error::NotFound("That app does not exist any more.".to_owned())
}
