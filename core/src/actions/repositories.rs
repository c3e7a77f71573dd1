//! Connecting an app to a repository elsewhere: checked to work before it is saved.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::change::AppChange;
use super::{Actions, Actor};
use crate::model::{AppRef, GitBranch, GitTransport, GitUrl, HostKind, Repository};
use crate::repository::{Credentials, DeployKey, HostKeys, Remote};
use crate::store::Access;
use crate::store::repositories::{self, SavedRepository, TokenChange, sealed_token};
use crate::{Error, Result};

/// The user name hosts take with a token where no other is given.
const TOKEN_USER: &str = "x-access-token";
/// Longest token in bytes.
const MAX_TOKEN: usize = 4_096;

/// What to change of a connection; none leaves a value as it is, and a none inside takes it away.
#[derive(Clone, Default)]
pub struct RepositoryChange {
    /// The address.
    pub git_url: Option<Option<String>>,
    /// The branch that is deployed.
    pub git_branch: Option<String>,
    /// Whether a webhook's push is deployed by itself.
    pub auto_deploy: Option<bool>,
    /// A token for HTTPS and for the host's programming interface.
    pub token: Option<Option<Zeroizing<String>>>,
    /// The user name that goes with the token.
    pub token_username: Option<String>,
    /// The SSH host's keys, as `ssh-keyscan` prints them; none takes whichever it shows next.
    pub host_keys: Option<Option<String>>,
    /// What the host is; none guesses by its name.
    pub host_kind: Option<Option<HostKind>>,
    /// Whether to mark commits with how their deployment went.
    pub report_status: Option<bool>,
}

impl std::fmt::Debug for RepositoryChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RepositoryChange").field("git_url", &self.git_url).finish_non_exhaustive()
    }
}

/// A connection that was seen to work, and the one it was planned from.
pub(super) struct PlannedRepository {
    before: Repository,
    token_before: Option<Vec<u8>>,
    saved: SavedRepository,
}

impl Actions {
    /// How an app is connected to its repository.
    pub async fn repository(&self, actor: &Actor, app: &AppRef) -> Result<Repository> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.store.repository(app.id).await
    }

    /// Changes the connection, once the repository was seen to be reachable and to have the branch.
    ///
    /// Where the address leads to another host, token and pinned host keys of the one before are not used there: they
    /// are taken away unless given anew.
    pub async fn change_repository(&self, actor: &Actor, app: &AppRef, change: RepositoryChange) -> Result<Repository> {
        let planned = self.planned_change(actor, app, &change).await?;
        let mut writing = self.change(actor, app, Access::Change).await?;
        self.write_repository(&mut writing, &planned).await?;
        let app = writing.commit().await?;
        self.store.repository(app.id).await
    }

    /// What a change to the app's connection leads to, seen to work. Nothing is written yet, and nothing held: a host
    /// may take its time.
    pub(super) async fn planned_change(
        &self,
        actor: &Actor,
        app: &AppRef,
        change: &RepositoryChange,
    ) -> Result<PlannedRepository> {
        let app = self.app_of(actor, app, Access::Change).await?;
        let before = self.store.repository(app.id).await?;
        let token_before = sealed_token(&mut *self.store.pool().acquire().await?, app.id).await?;
        let credentials = self.store.repository_credentials(app.id).await?;
        let saved = self.planned_repository(&before, credentials, change).await?;
        Ok(PlannedRepository { before, token_before, saved })
    }

    /// The same for a connection that is known.
    pub(super) async fn planned_repository(
        &self,
        before: &Repository,
        mut credentials: Credentials,
        change: &RepositoryChange,
    ) -> Result<SavedRepository> {
        let (mut saved, verify) = plan(before, &mut credentials, change)?;
        if let (Some(url), true) = (&saved.git_url, verify) {
            let remote = Remote { url: url.clone(), branch: saved.git_branch.clone(), credentials };
            let seen = self.git.ask(&remote, &self.store.settings().await?).await?;
            saved.host_keys = saved.host_keys.or(seen.host_keys);
            saved.verified_at = Some(self.clock.now());
        }
        Ok(saved)
    }

    /// Writes a planned connection, unless it was changed by another since it was planned.
    pub(super) async fn write_repository(&self, change: &mut AppChange<'_>, planned: &PlannedRepository) -> Result<()> {
        let PlannedRepository { before, token_before, saved } = planned;
        let now = repositories::connection(&mut change.transaction, change.app.id).await?;
        let token_now = sealed_token(&mut change.transaction, change.app.id).await?;
        if shown(&now) != shown(before) || token_now != *token_before {
            return Err(Error::Conflict(
                "The repository was changed by somebody else meanwhile. Look at it and try again.".to_owned(),
            ));
        }
        self.store.save_repository(&mut change.transaction, &change.app, saved).await?;
        let after = json!({
            "git_url": saved.git_url, "git_branch": saved.git_branch, "auto_deploy": saved.auto_deploy,
            "token": match saved.token {
                TokenChange::Keep => before.token_username.is_some().then_some("(kept)"),
                TokenChange::Clear => None,
                TokenChange::Set { .. } => Some("(new)"),
            },
            "host_keys": saved.host_keys.as_ref().map(ToString::to_string),
            "host_kind": saved.host_kind, "report_status": saved.report_status,
        });
        change.audit("app.repository", shown(before), after).await
    }

    /// Asks whether the app's repository can be reached and has the branch now. Changes nothing but the time it was
    /// last seen.
    pub async fn check_repository(&self, actor: &Actor, app: &AppRef) -> Result<Repository> {
        let app = self.app_of(actor, app, Access::Change).await?;
        let source = self.source_of(&app, None).await?;
        let credentials = self.store.credentials_for(app.id, &source.git_url).await?;
        let remote = Remote { url: source.git_url, branch: source.git_branch, credentials };
        let seen = self.git.ask(&remote, &self.store.settings().await?).await?;
        if let Some(keys) = seen.host_keys {
            self.store.pin_host_keys(app.id, &remote.url, &keys).await?;
        }
        let mut change = self.change(actor, &AppRef::Id(app.id), Access::Change).await?;
        let before = crate::store::repositories::connection(&mut change.transaction, app.id).await?;
        sqlx::query("UPDATE paas_repositories SET verified_at = $2 WHERE application_id = $1")
            .bind(app.id)
            .bind(change.now)
            .execute(&mut *change.transaction)
            .await?;
        let after = crate::store::repositories::connection(&mut change.transaction, app.id).await?;
        let told = |repository: &Repository| json!({ "verified_at": repository.verified_at });
        change.audit("app.repository.check", told(&before), told(&after)).await?;
        change.commit().await?;
        Ok(after)
    }

    /// Makes the app a new deploy key and gives its public half, to be added to the repository at its host. The one it
    /// had is of no use any more.
    pub async fn create_deploy_key(&self, actor: &Actor, app: &AppRef) -> Result<String> {
        let mut change = self.change(actor, app, Access::Change).await?;
        let (id, organization) = (change.app.id, change.app.organization_id);
        let before = repositories::connection(&mut change.transaction, id).await?;
        let key = DeployKey::generate()?;
        let public = key.public_openssh(&format!("skypanel-{}", change.app.slug));
        self.store.save_deploy_key(&mut change.transaction, id, organization, &key, &public).await?;
        let named = |key: Option<&str>| json!({ "deploy_key": key });
        change.audit("app.deploy_key", named(before.deploy_key.as_deref()), named(Some(&public))).await?;
        change.commit().await?;
        Ok(public)
    }
}

/// What a change leads to, and whether that has to be seen to work. `credentials` become those to try with.
fn plan(
    before: &Repository,
    credentials: &mut Credentials,
    change: &RepositoryChange,
) -> Result<(SavedRepository, bool)> {
    let git_url: Option<GitUrl> = match &change.git_url {
        Some(url) => url.as_deref().map(str::parse).transpose()?,
        None => before.git_url.clone(),
    };
    let git_branch: GitBranch = match &change.git_branch {
        Some(branch) => branch.parse()?,
        None => before.git_branch.clone(),
    };
    let moved = match (&before.git_url, &git_url) {
        (Some(before), Some(after)) => !before.has_server_of(after),
        (Some(_), None) => true,
        // A token that is there without an address was given for another one.
        (None, Some(_)) => credentials.token.is_some(),
        (None, None) => false,
    };
    let user = change.token_username.clone().or_else(|| before.token_username.clone());
    let token = match &change.token {
        Some(Some(token)) => {
            let user = user.unwrap_or_else(|| TOKEN_USER.to_owned());
            check_token(&user, token)?;
            credentials.token = Some((user.clone(), token.clone()));
            TokenChange::Set { user, token: token.clone() }
        }
        Some(None) => {
            credentials.token = None;
            TokenChange::Clear
        }
        None if moved => {
            credentials.token = None;
            TokenChange::Clear
        }
        None => match (&change.token_username, credentials.token.take()) {
            (Some(user), Some((_, token))) => {
                check_token(user, &token)?;
                credentials.token = Some((user.clone(), token.clone()));
                TokenChange::Set { user: user.clone(), token }
            }
            (Some(_), None) => return Err(Error::field("token_username", "Give the token that goes with it, too.")),
            (None, kept) => {
                credentials.token = kept;
                TokenChange::Keep
            }
        },
    };
    let (host_keys, host_keys_given): (Option<HostKeys>, bool) = match &change.host_keys {
        Some(Some(keys)) => (Some(keys.parse()?), true),
        Some(None) => (None, false),
        None if moved => (None, false),
        None => (credentials.host_keys.clone(), before.host_keys_given),
    };
    credentials.host_keys.clone_from(&host_keys);
    let guess = || git_url.as_ref().and_then(|url| HostKind::guess(url.host()));
    let host_kind = match change.host_kind {
        Some(kind) => kind.or_else(guess),
        None if moved || before.host_kind.is_none() => guess(),
        None => before.host_kind,
    };
    if git_url.as_ref().is_some_and(|url| url.transport() == GitTransport::Ssh && url.user().is_none()) {
        return Err(Error::repository("git_url", "Name the user to log in as: ssh://git@host/owner/repository.git."));
    }
    let verify = git_url != before.git_url
        || git_branch != before.git_branch
        || !matches!(token, TokenChange::Keep)
        || change.host_keys.is_some();
    let saved = SavedRepository {
        git_url,
        git_branch,
        auto_deploy: change.auto_deploy.unwrap_or(before.auto_deploy),
        token,
        host_keys,
        host_keys_given,
        host_kind,
        report_status: change.report_status.unwrap_or(before.report_status),
        verified_at: if moved { None } else { before.verified_at },
    };
    Ok((saved, verify))
}

fn check_token(user: &str, token: &str) -> Result<()> {
    let plain = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    if !plain(user) || user.len() > 200 {
        return Err(Error::field("token_username", "Use 1 to 200 characters."));
    }
    if !plain(token) || token.len() > MAX_TOKEN {
        return Err(Error::field("token", format!("Use 1 to {MAX_TOKEN} characters, without line breaks.")));
    }
    Ok(())
}

fn shown(repository: &Repository) -> Value {
    json!({
        "git_url": repository.git_url, "git_branch": repository.git_branch, "auto_deploy": repository.auto_deploy,
        "token": repository.token_username.as_ref().map(|_| "(set)"), "host_keys": repository.host_keys,
        "host_kind": repository.host_kind, "report_status": repository.report_status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_there_before_an_address_goes_to_none_unless_given_anew() {
        let before = Repository { token_username: Some("git".to_owned()), ..Repository::none() };
        let token = || Zeroizing::new("s3cr3t".to_owned());
        let address = || Some(Some("https://git.example.com/acme/shop.git".to_owned()));
        let planned = |change: &RepositoryChange| {
            let mut credentials = Credentials { token: Some(("git".to_owned(), token())), ..Credentials::default() };
            let (saved, _) = plan(&before, &mut credentials, change).expect("is planned");
            (saved.token, credentials.token.is_some())
        };
        let kept = planned(&RepositoryChange { git_url: address(), ..RepositoryChange::default() });
        assert!(matches!(kept, (TokenChange::Clear, false)));
        let anew = planned(&RepositoryChange {
            git_url: address(),
            token: Some(Some(token())),
            ..RepositoryChange::default()
        });
        assert!(matches!(anew, (TokenChange::Set { .. }, true)));
    }
}
