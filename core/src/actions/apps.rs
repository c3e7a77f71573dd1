//! Apps: listed, made, changed and destroyed.

use serde_json::{Map, Value, json};

use super::{Actions, Actor, Begun, RepositoryChange, Scope};
use crate::jobs::{self, Destroy};
use crate::model::{
    AppId, AppRef, AppSlug, AppStatus, GitBranch, HealthTargetChange, HealthTimes, Organization, OrganizationId,
    OrganizationRef, Plan, ProcessType, Repository, Role, StreamId, friendly,
};
use crate::repository::Credentials;
use crate::settings::Settings;
use crate::store::deployments::Cancelled;
use crate::store::repositories::SavedRepository;
use crate::store::{
    Access, AppFilter, AppView, AuditEntry, app_views, apps, audit, deployments, events, operations, plans, quotas,
    suspension,
};
use crate::{Error, Result};

/// Longest name for people, in characters.
const MAX_NAME: usize = 60;
/// Longest buildpack and health check path, in bytes.
const MAX_VALUE: usize = 500;

/// What can be chosen about an app. What is none stays as it is; for a new app, as is usual.
#[derive(Clone, Debug, Default)]
pub struct AppSettings {
    /// Its name for people.
    pub name: Option<String>,
    /// The branch that is released.
    pub git_branch: Option<GitBranch>,
    /// A buildpack by name or Git URL; an empty one for detection.
    pub buildpack: Option<String>,
    /// HTTP path of the health check; an empty one for the usual check.
    pub health_check_path: Option<String>,
    /// What else it asks.
    pub health_target: HealthTargetChange,
    /// How often and how patiently health is checked; 0 for what the platform's settings say.
    pub health: HealthTimes,
    /// The label before the platform's default domain.
    pub subdomain: Option<AppSlug>,
    /// Whether a webhook deploys.
    pub auto_deploy: Option<bool>,
    /// The repository that it is built from when it is not pushed to.
    pub repository: Option<RepositoryChange>,
}

/// An app to make.
#[derive(Clone, Debug, Default)]
pub struct NewApp {
    /// Its unique name; a friendly one is made up for none.
    pub slug: Option<AppSlug>,
    /// Name or id of the organisation it belongs to; may be none for members of one only.
    pub organization: Option<OrganizationRef>,
    /// Name or id of its plan; the smallest for none.
    pub plan: Option<String>,
    /// Replicas of its `web` process.
    pub replicas: Option<u32>,
    /// What else is chosen.
    pub settings: AppSettings,
}

impl Actions {
    /// Apps of the actor's organisations by slug, from after `after` on; with `organization`, a name or id, of that
    /// one only. Admins of the platform see all that they name.
    pub async fn apps(
        &self,
        actor: &Actor,
        organization: Option<&OrganizationRef>,
        status: Option<AppStatus>,
        after: Option<&AppSlug>,
        rows: i64,
    ) -> Result<Vec<AppView>> {
        let organizations = Some(self.organizations_read(actor, organization).await?);
        self.store.app_views(&AppFilter { organizations, status }, after, rows).await
    }

    /// The ids of the same apps, of whatever status.
    pub async fn app_ids(&self, actor: &Actor, organization: Option<&OrganizationRef>) -> Result<Vec<AppId>> {
        self.store.app_ids_of(&self.organizations_read(actor, organization).await?).await
    }

    /// The organisation named, if the actor may read it; without a name, those they are a member of.
    async fn organizations_read(
        &self,
        actor: &Actor,
        organization: Option<&OrganizationRef>,
    ) -> Result<Vec<OrganizationId>> {
        Ok(match organization {
            Some(named) => vec![self.organization_for(actor, named, Access::Read).await?.id],
            None => memberships(actor).map(|(organization, _)| organization.id).collect(),
        })
    }

    /// An app as it is shown.
    pub async fn app_view(&self, actor: &Actor, app: &AppRef) -> Result<AppView> {
        let app = self.app_of(actor, app, Access::Read).await?;
        self.store.app_view(app.id).await
    }

    /// Makes an app, if the platform's and the organisation's settings and limits allow it. A repository has to be
    /// reachable and to have the branch.
    pub async fn create_app(&self, actor: &Actor, new: &NewApp) -> Result<AppView> {
        actor.needs(Scope::Deploy)?;
        check(&new.settings)?;
        let organization = self.organization_for_new_app(actor, new.organization.as_ref()).await?;
        let settings = self.store.settings().await?;
        let is_allowed = organization.allow_app_creation
            && organization.owners_allow_app_creation
            && settings.git_allow_app_creation;
        if !is_allowed && !actor.is_admin() {
            let missing =
                new.slug.as_ref().map_or_else(String::new, |slug| format!("There is no app \"{slug}\", and "));
            return Err(Error::Forbidden(format!(
                "{missing}creating apps is switched off here. Ask an admin to create it."
            )));
        }
        let repository = match &new.settings.repository {
            Some(change) => Some(self.planned_repository(&Repository::none(), Credentials::default(), change).await?),
            None => None,
        };
        loop {
            let slug = match &new.slug {
                Some(slug) => slug.clone(),
                None => friendly::random().parse()?,
            };
            match self.insert_app(actor, new, &slug, &organization, &settings, repository.as_ref()).await {
                Err(Error::SlugTaken(taken)) if new.slug.is_none() && taken == slug.as_str() => {}
                other => return other,
            }
        }
    }

    async fn insert_app(
        &self,
        actor: &Actor,
        new: &NewApp,
        slug: &AppSlug,
        organization: &Organization,
        settings: &Settings,
        repository: Option<&SavedRepository>,
    ) -> Result<AppView> {
        let now = self.clock.now();
        let mut transaction = self.store.pool().begin().await?;
        suspension::ensure_not_suspended(&mut transaction, organization.id).await?;
        quotas::check_apps(&mut transaction, organization.id, settings).await?;
        let app = apps::insert(&mut transaction, slug, organization.id, now).await?;
        if let Some(plan) = &new.plan {
            let plan = plan_named(&mut transaction, plan).await?;
            apps::change_plan(&mut transaction, app.id, plan.id, now).await?;
        }
        apps::configure(&mut transaction, app.id, &new.settings).await?;
        if let Some(replicas) = new.replicas {
            apps::scale(&mut transaction, app.id, &[(ProcessType::web(), replicas)].into(), now).await?;
        }
        if let Some(repository) = repository {
            self.store.save_repository(&mut transaction, &app, repository).await?;
        }
        let view = app_views::view(&mut transaction, app.id).await?;
        events::record(&mut transaction, app.id, actor.user_id(), "create", "Created", now).await?;
        let entry = AuditEntry {
            action: "app.create",
            organization: Some(organization.id),
            target_kind: "app",
            target: &app.id.to_string(),
            before: Value::Null,
            after: shown(&view),
        };
        audit::record(&mut transaction, actor, now, entry).await?;
        transaction.commit().await?;
        Ok(view)
    }

    /// Changes what was chosen about an app, all of it or nothing. Answers the stream of the rollout that another health
    /// check or name of its own needs, if it needs one; everything else counts from the next deployment on.
    pub async fn edit_app(
        &self,
        actor: &Actor,
        app: &AppRef,
        settings: &AppSettings,
    ) -> Result<(AppView, Option<StreamId>)> {
        check(settings)?;
        let planned = match &settings.repository {
            Some(wanted) => Some(self.planned_change(actor, app, wanted).await?),
            None => None,
        };
        let mut change = self.change(actor, app, Access::Change).await?;
        let id = change.app.id;
        let before = app_views::view(&mut change.transaction, id).await?;
        if let Some(planned) = &planned {
            self.write_repository(&mut change, planned).await?;
        }
        apps::configure(&mut change.transaction, id, settings).await?;
        let after = app_views::view(&mut change.transaction, id).await?;
        if shown(&before) == shown(&after) && planned.is_none() {
            return Ok((before, None));
        }
        if shown(&before) != shown(&after) {
            change.audit("app.edit", shown(&before), shown(&after)).await?;
            change.tell("edit", "Changed the settings").await?;
        }
        let served = |view: &AppView| {
            let app = &view.app;
            (app.health_check_path.clone(), app.health_target.clone(), app.health, app.subdomain.clone())
        };
        let rolls = served(&before) != served(&after) && change.is_to_run().await?;
        let stream = if rolls { Some(change.apply_anew().await?) } else { None };
        change.commit().await?;
        Ok((self.store.app_view(id).await?, stream))
    }

    /// Makes the branch that was pushed first the one that is released.
    pub async fn adopt_branch(&self, actor: &Actor, app: &AppRef, branch: &str) -> Result<()> {
        let branch: GitBranch = branch.parse()?;
        let mut change = self.change(actor, app, Access::Change).await?;
        let id = change.app.id;
        let settings = AppSettings { git_branch: Some(branch), ..AppSettings::default() };
        apps::configure(&mut change.transaction, id, &settings).await?;
        let named = |branch: &str| json!({ "git_branch": branch });
        let before = named(&change.app.git_branch);
        change.audit("app.edit", before, named(settings.git_branch.as_ref().map_or("", GitBranch::as_str))).await?;
        change.commit().await?;
        Ok(())
    }

    /// Destroys an app with everything it has, which takes a while. `confirm` must be its slug. What is being built
    /// is cancelled. Its job can be followed by those who could see the app, also once that is gone.
    pub async fn destroy_app(&self, actor: &Actor, app: &AppRef, confirm: &str) -> Result<Begun> {
        let mut change = self.change(actor, app, Access::Own).await?;
        let slug = change.app.slug.clone();
        if confirm.trim() != slug.as_str() {
            return Err(Error::field(
                "confirm",
                format!("That is not the app's name, so {slug} was not destroyed. Repeat the name to destroy it."),
            ));
        }
        let id = change.app.id;
        let before = app_views::view(&mut change.transaction, id).await?;
        apps::set_status(&mut change.transaction, id, AppStatus::Deleting, change.now).await?;
        // The removal waits behind what runs, so that has to end.
        let reason = ("CANCELLED", "Cancelled: the app is being destroyed.");
        deployments::cancel(&mut change.transaction, id, Cancelled::All, reason, change.now).await?;
        change.audit("app.destroy", shown(&before), Value::Null).await?;
        change.tell("destroy", "Destroyed").await?;
        let stream = operations::begin_destruction(&mut change.transaction, &change.app).await?;
        jobs::add_within(&mut change.transaction, &[Destroy { app: id, slug }]).await?;
        Ok(Begun { app: change.commit().await?, job: Some(stream) })
    }

    /// The organisation in which an actor's new app goes: the one named, or else the only one they may change.
    async fn organization_for_new_app(&self, actor: &Actor, named: Option<&OrganizationRef>) -> Result<Organization> {
        if let Some(named) = named {
            return self.organization_for(actor, named, Access::Change).await;
        }
        let allowed: Vec<&Organization> = memberships(actor)
            .filter(|(_, role)| *role >= Role::Developer)
            .map(|(organization, _)| organization)
            .collect();
        match allowed.as_slice() {
            [organization] => Ok((*organization).clone()),
            [_, ..] => {
                let names: Vec<&str> = allowed.iter().map(|organization| organization.name.as_str()).collect();
                Err(Error::field(
                    "organization",
                    format!(
                        "You are in several. Say which one it is for (over SSH: --org NAME): {}.",
                        names.join(", ")
                    ),
                ))
            }
            [] => Err(Error::Forbidden(
                "You are in no organisation in which you may create apps. Ask an admin to add you to one.".to_owned(),
            )),
        }
    }
}

fn memberships(actor: &Actor) -> impl Iterator<Item = &(Organization, Role)> {
    actor.identity.iter().flat_map(|identity| identity.memberships.iter())
}

/// The plan of that name or id.
pub(super) async fn plan_named(connection: &mut sqlx::PgConnection, named: &str) -> Result<Plan> {
    plans::named(connection, named).await?.ok_or_else(|| Error::field("plan", "There is no plan of that name or id."))
}

fn check(settings: &AppSettings) -> Result<()> {
    if let Some(name) = &settings.name
        && (name.trim().is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control))
    {
        return Err(Error::field("name", format!("Use 1 to {MAX_NAME} characters.")));
    }
    if let Some(buildpack) = &settings.buildpack
        && (buildpack.starts_with('-')
            || buildpack.len() > MAX_VALUE
            || !buildpack.chars().all(|c| c.is_ascii_graphic())
            || has_secret(buildpack))
    {
        return Err(Error::field(
            "buildpack",
            "Give the name of a buildpack, such as heroku/python, or the address of its Git repository, without a user \
             name or password: everybody in the organisation reads it.",
        ));
    }
    if let Some(path) = &settings.health_check_path
        && !path.is_empty()
        && (!path.starts_with('/') || path.len() > MAX_VALUE || !path.chars().all(|c| c.is_ascii_graphic()))
    {
        return Err(Error::field("health_check_path", "Give a path that begins with a slash, such as /health."));
    }
    settings.health_target.check()?;
    for (field, wanted, most) in settings.health.named() {
        if wanted.is_some_and(|number| !(0..=most).contains(&number)) {
            return Err(Error::field(field, format!("Use 1 to {most}, or 0 for the platform's setting.")));
        }
    }
    Ok(())
}

fn shown(view: &AppView) -> Value {
    let health: Map<String, Value> =
        view.app.health.named().into_iter().map(|(name, number, _)| (name.to_owned(), json!(number))).collect();
    let mut shown = json!({
        "slug": view.app.slug, "name": view.name, "organization": view.organization_name, "plan": view.plan_name,
        "git_branch": view.app.git_branch, "git_url": view.git_url, "buildpack": view.app.buildpack,
        "health_check_path": view.app.health_check_path, "auto_deploy": view.auto_deploy,
        "health_check_protocol": view.app.health_target.protocol, "health_check_port": view.app.health_target.port,
        "health_check_expected_status": view.app.health_target.expected_status,
        "subdomain": view.app.subdomain,
    });
    if let Some(object) = shown.as_object_mut() {
        object.extend(health);
    }
    shown
}

/// Whether the address of a buildpack holds a user name or password, as no address that is shown may.
fn has_secret(buildpack: &str) -> bool {
    let Some((scheme, rest)) = buildpack.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // The user of SSH is no secret; a password is one.
    authority.rsplit_once('@').is_some_and(|(user, _)| scheme != "ssh" || user.contains(':'))
}
