//! `apps` and its actions: listed, made, described, changed and destroyed.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::{AppSettings, NewApp, RepositoryChange};
use skypanel_core::model::{AppRef, AppSlug, AppStatus, HealthTargetChange, HealthTimes, resolve_formation};
use skypanel_core::store::{Access, AppView, GivenUp};

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::{begun, organization_named};
use crate::commands::table::{pairs, plain, time};

/// Longest an app's removal is waited for; it goes on by itself.
const DESTROY_LIMIT: Duration = Duration::from_mins(3);
const DESTROY_POLL: Duration = Duration::from_millis(200);

/// What can be done with apps.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List your apps
    #[command(name = "apps")]
    List(ListArguments),
    /// Create an app
    #[command(name = "apps:create")]
    Create(CreateArguments),
    /// Destroy an app with everything that is its
    #[command(name = "apps:destroy")]
    Destroy(DestroyArguments),
    /// Change an app's name for people, branch, buildpack or health check
    #[command(name = "apps:edit")]
    Edit(EditArguments),
    /// Show what an app is and does
    #[command(name = "apps:info")]
    Info(InfoArguments),
}

/// Arguments of `apps`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Only those of this organisation
    #[arg(long, value_name = "ORGANISATION")]
    org: Option<String>,
    /// Only those in this status, such as running
    #[arg(long)]
    status: Option<AppStatus>,
}

/// Arguments of `apps:create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArguments {
    /// Its name: lower-case letters, digits and dashes; a friendly one is made up without
    name: Option<String>,
    /// The organisation it belongs to; needed if you are in several
    #[arg(long, value_name = "ORGANISATION")]
    org: Option<String>,
    /// Its plan; the smallest without
    #[arg(long)]
    plan: Option<String>,
    /// Replicas of its web process, up to the plan's number; 1 without
    #[arg(long)]
    replicas: Option<u32>,
    #[command(flatten)]
    settings: SettingArguments,
}

/// Arguments of `apps:destroy`.
#[derive(Args, Debug)]
pub(crate) struct DestroyArguments {
    #[command(flatten)]
    which: Which,
    /// The app's name once more, so that nothing is asked
    #[arg(long, value_name = "APP")]
    confirm: Option<String>,
}

/// Arguments of `apps:edit`.
#[derive(Args, Debug)]
pub(crate) struct EditArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Its name for people; its address stays
    #[arg(long, value_name = "NAME")]
    title: Option<String>,
    #[command(flatten)]
    settings: SettingArguments,
}

/// Arguments of `apps:info`.
#[derive(Args, Debug)]
pub(crate) struct InfoArguments {
    #[command(flatten)]
    which: Which,
}

/// An app by name or as an option.
#[derive(Args, Debug)]
struct Which {
    /// The app
    #[arg(value_name = "APP")]
    name: Option<String>,
    /// The app
    #[arg(short, long, value_name = "APP", conflicts_with = "name")]
    app: Option<String>,
}

/// What can be chosen about an app.
#[derive(Args, Debug)]
struct SettingArguments {
    /// The branch that is released
    #[arg(long)]
    branch: Option<String>,
    /// A buildpack by name or Git URL; an empty one for detection
    #[arg(long)]
    buildpack: Option<String>,
    /// HTTP path of the health check; an empty one for the usual check
    #[arg(long, value_name = "PATH")]
    health_check: Option<String>,
    /// How the health check asks, http or tcp; an empty one for the usual check
    #[arg(long, value_name = "PROTOCOL")]
    health_protocol: Option<String>,
    /// The port of the health check; 0 for the one that requests go to
    #[arg(long, value_name = "PORT")]
    health_port: Option<i32>,
    /// Statuses that count as healthy, such as 200-299,401; an empty one for 200 to 399
    #[arg(long, value_name = "STATUSES")]
    health_status: Option<String>,
    /// Seconds between two health checks; 0 for the platform's setting
    #[arg(long, value_name = "SECONDS")]
    health_interval: Option<i32>,
    /// Seconds that a health check may wait for its answer; 0 for the platform's setting
    #[arg(long, value_name = "SECONDS")]
    health_timeout: Option<i32>,
    /// Failed health checks in a row after which a replica is replaced; 0 for the platform's setting
    #[arg(long, value_name = "NUMBER")]
    health_retries: Option<i32>,
    /// Seconds that a new replica may take until it is healthy; 0 for the platform's setting
    #[arg(long, value_name = "SECONDS")]
    health_start: Option<i32>,
    /// The label before the platform's default domain; the app's name without
    #[arg(long, value_name = "LABEL")]
    subdomain: Option<String>,
}

impl SettingArguments {
    fn settings(&self) -> Result<AppSettings, Error> {
        Ok(AppSettings {
            buildpack: self.buildpack.clone(),
            health_check_path: self.health_check.clone(),
            health_target: HealthTargetChange {
                protocol: self.health_protocol.clone(),
                port: self.health_port,
                expected_status: self.health_status.clone(),
            },
            health: HealthTimes {
                interval_seconds: self.health_interval,
                timeout_seconds: self.health_timeout,
                retries: self.health_retries,
                start_seconds: self.health_start,
            },
            subdomain: self.subdomain.as_deref().map(str::parse).transpose()?,
            ..AppSettings::default()
        })
    }
}

impl Which {
    fn app(&self, command: &str) -> Result<AppRef, Error> {
        match self.name.as_ref().or(self.app.as_ref()) {
            Some(name) => Ok(AppRef::Slug(name.parse::<AppSlug>()?)),
            None => Err(Error::Invalid(format!("Say which app: {command} NAME."))),
        }
    }
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Create(arguments) => create(context, arguments).await,
        Command::Destroy(arguments) => destroy(context, arguments).await,
        Command::Edit(arguments) => edit(context, arguments).await,
        Command::Info(arguments) => info(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let organization = arguments.org.as_deref().map(organization_named);
    let apps = context.actions().apps(context.actor(), organization.as_ref(), arguments.status, None, i64::MAX).await?;
    let empty = match (&organization, arguments.status) {
        (None, None) => format!("You have no apps yet. Make one with: {}", context.shared.hint("apps:create")),
        _ => "There are none.".to_owned(),
    };
    let several = context.memberships().len() > 1;
    let headings: &[&str] =
        if several { &["NAME", "STATUS", "ORGANISATION", "AN HOUR"] } else { &["NAME", "STATUS", "AN HOUR"] };
    let rows = apps.iter().map(|view| {
        let mut row = vec![view.app.slug.to_string(), view.app.status.to_string()];
        if several {
            row.push(view.organization_name.clone());
        }
        row.push(view.cost_per_hour.to_string());
        (item(view), row)
    });
    context.list(headings, &empty, rows).await
}

async fn create(context: &Context, arguments: &CreateArguments) -> Result<u32, Failure> {
    let new = NewApp {
        slug: arguments.name.as_deref().map(str::parse).transpose()?,
        organization: arguments.org.as_deref().map(organization_named),
        plan: arguments.plan.clone(),
        replicas: arguments.replicas,
        settings: AppSettings {
            git_branch: arguments.settings.branch.as_deref().map(str::parse).transpose()?,
            ..arguments.settings.settings()?
        },
    };
    let view = context.actions().create_app(context.actor(), &new).await?;
    let url = remote(context, &view.app.slug);
    let text = format!(
        "-----> Created app {}\n       Remote: {url}\n       Deploy: git remote add skypanel {url}\n               \
         git push skypanel {}\n",
        view.app.slug, view.app.git_branch
    );
    context.tell(item(&view), text).await
}

async fn edit(context: &Context, arguments: &EditArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let branch = arguments.settings.branch.clone();
    let settings = AppSettings {
        name: arguments.title.clone(),
        repository: branch.map(|branch| RepositoryChange { git_branch: Some(branch), ..RepositoryChange::default() }),
        ..arguments.settings.settings()?
    };
    let (view, job) = context.actions().edit_app(context.actor(), &app, &settings).await?;
    let mut json = item(&view);
    json["job_id"] = json!(job.map(|job| job.0));
    context.tell(json, format!("-----> {} is as you want it", view.app.slug)).await?;
    context.follow_job(job).await
}

async fn destroy(context: &mut Context, arguments: &DestroyArguments) -> Result<u32, Failure> {
    let app = arguments.which.app("apps:destroy")?;
    let app = context.actions().app_of(context.actor(), &app, Access::Own).await?;
    let confirmed = if let Some(confirm) = &arguments.confirm {
        confirm.clone()
    } else {
        let question = format!(
            " !     This destroys {0} with its releases, config vars and logs. It cannot be undone.\n !     \
             Type the app's name to go on: ",
            app.slug
        );
        context.ask(&question).await?;
        context.read().await?
    };
    let gone = context.actions().destroy_app(context.actor(), &AppRef::Id(app.id), &confirmed).await?;
    context.tell(begun(&gone), format!("-----> Destroying {}", app.slug)).await?;
    let store = &context.actions().store;
    let gone = async {
        while store.app_by_slug(&app.slug).await?.is_some_and(|found| found.id == app.id) {
            tokio::time::sleep(DESTROY_POLL).await;
        }
        Ok::<_, Error>(())
    };
    let Ok(gone) = tokio::time::timeout(DESTROY_LIMIT, gone).await else {
        let text = "It takes longer than usual and goes on by itself. The command apps shows when it is done.";
        return Err(Error::Upstream(text.to_owned()).into());
    };
    gone?;
    context.shared.repositories.remove(app.id);
    context.done(format!("-----> Destroyed {}", app.slug)).await
}

async fn info(context: &Context, arguments: &InfoArguments) -> Result<u32, Failure> {
    let view = context.actions().app_view(context.actor(), &arguments.which.app("apps:info")?).await?;
    let app = &view.app;
    let store = &context.actions().store;
    let domain = store.settings().await?.apps_default_domain;
    let processes = context.actions().process_types(app).await?;
    let scaled = store.formation(app.id).await?;
    let formation = resolve_formation(&processes, &scaled);
    let given_up = store.given_up(app.id).await?;
    let mut json = item(&view);
    json["given_up"] = json!(given_up.iter().map(gone).collect::<Vec<_>>());
    json["host"] = json!(format!("{}.{domain}", app.subdomain));
    json["processes"] = json!(processes);
    json["formation"] = json!(formation);
    let shown = if formation.is_empty() { &scaled } else { &formation };
    let shown: Vec<String> = shown.iter().map(|(process, replicas)| format!("{process}={replicas}")).collect();
    let mut text = pairs(&[
        ("Name", app.slug.to_string()),
        ("Status", app.status.to_string()),
        ("Web", context.shared.options.addresses.of(&app.subdomain, &domain)),
        ("Git", remote(context, &app.slug)),
        ("Deploy branch", app.git_branch.clone()),
        ("Release", view.version.map_or_else(|| "none".to_owned(), |version| version.to_string())),
        ("Processes", if shown.is_empty() { "web=1".to_owned() } else { shown.join(" ") }),
        ("Plan", format!("{}, {} an hour for each process", view.plan_name, app.price_per_hour)),
        ("Stack", app.stack.clone()),
        ("Buildpack", app.buildpack.clone().unwrap_or_else(|| "detected".to_owned())),
        ("Health check", app.health_target.in_words(app.health_check_path.as_deref())),
        ("Organisation", view.organization_name.clone()),
        ("Created", time(app.created_at)),
    ]);
    if let Some(reason) = app.suspended_reason {
        let _ = writeln!(text, "Suspended: {reason}");
    }
    for given_up in &given_up {
        let (process, since) = (&given_up.process_type, time(given_up.given_up_at));
        let reason = plain(&given_up.reason);
        let _ = writeln!(
            text,
            "Given up: {process}, since {since}, after too many crashes; it {reason}. `logs --source app -n 100` shows what it \
             wrote, `ps:restart` starts it again."
        );
    }
    context.tell(json, format!("=== {}\n{text}", app.slug)).await
}

fn gone(given_up: &GivenUp) -> Value {
    json!({ "process": given_up.process_type, "since": given_up.given_up_at, "reason": given_up.reason })
}

/// An app as programs read it.
pub(crate) fn item(view: &AppView) -> Value {
    let app = &view.app;
    json!({
        "id": app.id,
        "slug": app.slug,
        "name": view.name,
        "organization_id": app.organization_id,
        "organization": view.organization_name,
        "status": app.status,
        "suspended_reason": app.suspended_reason,
        "subdomain": app.subdomain,
        "git_url": view.git_url,
        "git_branch": app.git_branch,
        "auto_deploy": view.auto_deploy,
        "buildpack": app.buildpack,
        "stack": app.stack,
        "health_check_path": app.health_check_path,
        "health_check_protocol": app.health_target.protocol,
        "health_check_port": app.health_target.port,
        "health_check_expected_status": app.health_target.expected_status,
        "health_check_interval_seconds": app.health.interval_seconds,
        "health_check_timeout_seconds": app.health.timeout_seconds,
        "health_check_retries": app.health.retries,
        "health_check_start_seconds": app.health.start_seconds,
        "replicas": view.replicas,
        "plan_id": app.plan_id,
        "plan": view.plan_name,
        "price_per_hour": app.price_per_hour,
        "cost_per_hour": view.cost_per_hour,
        "current_deployment_id": app.current_deployment_id,
        "version": view.version.map(|version| version.0),
        "created_at": app.created_at,
        "updated_at": view.updated_at,
    })
}

/// The address of an app's repository.
fn remote(context: &Context, slug: &AppSlug) -> String {
    let options = &context.shared.options;
    format!("ssh://git@{}:{}/{slug}.git", options.public_host, options.listen.port())
}
