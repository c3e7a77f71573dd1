//! `apps`, `apps:create`, `apps:destroy`, `apps:info`.

use std::time::Duration;

use clap::Args;
use skypanel_core::Error;
use skypanel_core::actions::NewApp;
use skypanel_core::model::{AppRef, AppSlug, Application, OrganizationId, OrganizationRef};
use skypanel_core::store::Access;

use crate::commands::context::{Context, Failure};
use crate::commands::table::{pairs, table, time};

/// Longest an app's removal is waited for; it goes on by itself.
const DESTROY_LIMIT: Duration = Duration::from_mins(3);
const DESTROY_POLL: Duration = Duration::from_millis(200);

/// Arguments of `apps`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {}

/// Arguments of `apps:create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArguments {
    /// Its name: lower-case letters, digits and dashes; a friendly one is made up without
    name: Option<String>,
    /// The organisation it belongs to; needed if you are in several
    #[arg(long)]
    org: Option<String>,
}

/// Arguments of `apps:destroy`.
#[derive(Args, Debug)]
pub(crate) struct DestroyArguments {
    /// The app
    #[arg(value_name = "APP")]
    name: Option<String>,
    /// The app
    #[arg(short, long, value_name = "APP", conflicts_with = "name")]
    app: Option<String>,
    /// The app's name once more, so that nothing is asked
    #[arg(long, value_name = "APP")]
    confirm: Option<String>,
}

/// Arguments of `apps:info`.
#[derive(Args, Debug)]
pub(crate) struct InfoArguments {
    /// The app
    #[arg(value_name = "APP")]
    name: Option<String>,
    /// The app
    #[arg(short, long, value_name = "APP", conflicts_with = "name")]
    app: Option<String>,
}

pub(crate) async fn list(context: &Context, _arguments: &ListArguments) -> Result<u32, Failure> {
    let organizations: Vec<OrganizationId> = context.memberships().iter().map(|(org, _)| org.id).collect();
    let apps = context.shared.actions.store.apps(Some(&organizations)).await?;
    if apps.is_empty() {
        let hint = context.shared.hint("apps:create");
        context.output.line(&format!("You have no apps yet. Make one with: {hint}")).await?;
        return Ok(0);
    }
    let several = organizations.len() > 1;
    let mut headings = vec!["NAME", "STATUS"];
    if several {
        headings.push("ORGANISATION");
    }
    let rows: Vec<Vec<String>> = apps
        .iter()
        .map(|app| {
            let mut row = vec![app.slug.to_string(), app.status.to_string()];
            if several {
                row.push(organization_name(context, app));
            }
            row
        })
        .collect();
    context.output.text(table(&headings, &rows)).await?;
    Ok(0)
}

pub(crate) async fn create(context: &Context, arguments: &CreateArguments) -> Result<u32, Failure> {
    let new = NewApp {
        slug: arguments.name.as_deref().map(str::parse).transpose()?,
        organization: arguments.org.clone().map(OrganizationRef::Name),
        ..NewApp::default()
    };
    let app = context.actions().create_app(context.actor(), &new).await?.app;
    let url = remote(context, &app.slug);
    let text = format!(
        "-----> Created app {}\n       Remote: {url}\n       Deploy: git remote add skypanel {url}\n               \
         git push skypanel {}\n",
        app.slug, app.git_branch
    );
    context.output.text(text).await?;
    Ok(0)
}

pub(crate) async fn destroy(mut context: Context, arguments: &DestroyArguments) -> Result<u32, Failure> {
    let Some(name) = arguments.name.as_ref().or(arguments.app.as_ref()) else {
        return Err(Error::Invalid("Say which app to destroy: apps:destroy NAME.".to_owned()).into());
    };
    let app = context.app_named(name, Access::Own).await?;
    let confirmed = if let Some(confirm) = &arguments.confirm {
        confirm.clone()
    } else {
        let question = format!(
            " !     This destroys {0} with its releases, config vars and logs. It cannot be undone.\n !     \
             Type the app's name to go on: ",
            app.slug
        );
        context.output.notice(question).await?;
        context.read().await?
    };
    let slug = AppRef::Slug(app.slug.clone());
    context.actions().destroy_app(context.actor(), &slug, &confirmed).await?;
    context.output.line(&format!("-----> Destroying {}", app.slug)).await?;
    let store = &context.actions().store;
    let gone = async {
        while store.app_by_slug(&app.slug).await?.is_some_and(|found| found.id == app.id) {
            tokio::time::sleep(DESTROY_POLL).await;
        }
        Ok::<_, Error>(())
    };
    let Ok(gone) = tokio::time::timeout(DESTROY_LIMIT, gone).await else {
        let text = "It takes longer than usual and goes on by itself. The command apps shows when it is done.";
        context.output.error(text).await?;
        return Ok(1);
    };
    gone?;
    context.shared.repositories.remove(app.id);
    context.output.line(&format!("-----> Destroyed {}", app.slug)).await?;
    Ok(0)
}

pub(crate) async fn info(context: &Context, arguments: &InfoArguments) -> Result<u32, Failure> {
    let Some(name) = arguments.name.as_ref().or(arguments.app.as_ref()) else {
        return Err(Error::Invalid("Say which app: apps:info NAME.".to_owned()).into());
    };
    let app = context.app_named(name, Access::Read).await?;
    let store = &context.shared.actions.store;
    let plan = store.plan(app.plan_id).await?;
    let domain = store.settings().await?.apps_default_domain;
    let release = match app.current_deployment_id {
        Some(id) => store.deployment(id).await?.version.map_or_else(|| "none".to_owned(), |v| v.to_string()),
        None => "none".to_owned(),
    };
    let formation: Vec<String> =
        store.formation(app.id).await?.iter().map(|(process, replicas)| format!("{process}={replicas}")).collect();
    let text = pairs(&[
        ("Name", app.slug.to_string()),
        ("Status", app.status.to_string()),
        ("Web", context.shared.options.addresses.of(&app.subdomain, &domain)),
        ("Git", remote(context, &app.slug)),
        ("Deploy branch", app.git_branch.clone()),
        ("Release", release),
        ("Processes", if formation.is_empty() { "web=1".to_owned() } else { formation.join(" ") }),
        ("Plan", plan.name),
        ("Stack", app.stack.clone()),
        ("Buildpack", app.buildpack.clone().unwrap_or_else(|| "detected".to_owned())),
        ("Organisation", organization_name(context, &app)),
        ("Created", time(app.created_at)),
    ]);
    context.output.text(format!("=== {}\n{text}", app.slug)).await?;
    Ok(0)
}

/// The address of an app's repository.
fn remote(context: &Context, slug: &AppSlug) -> String {
    let options = &context.shared.options;
    format!("ssh://git@{}:{}/{slug}.git", options.public_host, options.listen.port())
}

fn organization_name(context: &Context, app: &Application) -> String {
    context
        .memberships()
        .iter()
        .find(|(organization, _)| organization.id == app.organization_id)
        .map(|(organization, _)| organization.name.clone())
        .unwrap_or_default()
}
