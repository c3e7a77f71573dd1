//! `skypanel infra …`: log store, metrics, alerts and dashboards beside the platform, as services of a Swarm stack on
//! this machine. Each is optional; none is reached from outside.

mod checks;
mod files;
mod part;
mod stack;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use skypanel_core::actions::{Actor, Scope};
use skypanel_core::settings::Settings;
use skypanel_core::store::Store;
use skypanel_core::{Error, Result};

use self::checks::Outcome;
use self::files::Files;
use self::part::Part;
use self::stack::{Progress, Stack};
use crate::config::{Config, Settable};
use crate::{admin, setup};

/// Longest a service may take from its start to its first good answer; the first time its image is pulled before that.
const START_LIMIT: Duration = Duration::from_mins(3);
/// Tasks that may fail in that time; the engine remembers five.
const MAX_FAILURES: usize = 4;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Infra {
    #[command(flatten)]
    pub(crate) settable: Settable,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Start services, or bring them up to date, and wait until each does what it is there for
    Up {
        /// Which ones [default: all]
        parts: Vec<Part>,
    },
    /// Check each service that was started, and the edge
    Status,
    /// Stop services; what they keep stays
    Down {
        /// Which ones [default: all]
        parts: Vec<Part>,
    },
}

/// What the commands need.
struct Ground<'a> {
    config: &'a Config,
    store: &'a Store,
    settings: Settings,
    stack: Stack,
}

pub(crate) async fn run(config: Config, action: Action) -> Result<()> {
    admin::with_store(&config, async |store| {
        let settings = store.settings().await?;
        let stack = Stack::connect(&config).await?;
        let ground = Ground { config: &config, store, settings, stack };
        match action {
            Action::Up { parts } => up(&ground, &or_all(parts)).await,
            Action::Status => status(&ground).await,
            Action::Down { parts } => down(&ground, &or_all(parts)).await,
        }
    })
    .await
}

fn or_all(parts: Vec<Part>) -> Vec<Part> {
    if parts.is_empty() { Part::ALL.to_vec() } else { parts }
}

async fn up(ground: &Ground<'_>, parts: &[Part]) -> Result<()> {
    let files = Files::new(ground.config, &ground.settings);
    if parts.contains(&Part::Prometheus)
        && let Some(token) = new_token(ground, &files).await?
    {
        files.keep_token(&token)?;
    }
    let since = ground.store.clock().now();
    for part in parts {
        say(&format!("Starting {part} ({})", part.image(&ground.settings)));
        files.write(*part)?;
        ground.stack.deploy(*part, &files, part.image(&ground.settings), part.listen(&ground.settings)).await?;
    }
    for part in parts {
        wait_for(ground, *part, since).await?;
    }
    connect(ground, parts).await?;
    if parts.contains(&Part::Grafana) {
        detail(&format!(
            "Grafana: http://{}, user admin, password in {}",
            Part::Grafana.listen(&ground.settings),
            files.grafana_password().display()
        ));
    }
    Ok(())
}

/// A new token for Prometheus to read the platform's metrics with; none where the one that it has is still good.
async fn new_token(ground: &Ground<'_>, files: &Files<'_>) -> Result<Option<String>> {
    let now = ground.store.clock().now();
    if let Some(token) = files.token()
        && ground.store.identify_token(&token, None, now).await?.is_some_and(|holder| holder.identity.user.is_admin)
    {
        return Ok(None);
    }
    let user = ground.store.user(&ground.config.admin_email).await?;
    let identity =
        ground.store.identity(user.id).await?.filter(|identity| identity.user.is_admin).ok_or_else(|| {
            Error::Invalid(format!(
                "Prometheus reads the platform's metrics as {}, who is disabled or no admin. Name another with \
             SKYPANEL_ADMIN_EMAIL.",
                ground.config.admin_email
            ))
        })?;
    let actions = admin::actions(ground.config, ground.store).await?;
    let actor = Actor::ssh(identity, None);
    let (_, credential) = actions.create_token(&actor, "Prometheus of skypanel infra", Scope::Read, None).await?;
    Ok(Some(credential.as_str().to_owned()))
}

/// Has the platform use what was started, where no other is named.
async fn connect(ground: &Ground<'_>, parts: &[Part]) -> Result<()> {
    let mut changes = skypanel_core::actions::SettingChanges::new();
    for (part, key, present) in [
        (Part::Loki, "logs.loki_url", &ground.settings.logs_loki_url),
        (Part::Prometheus, "metrics.prometheus_url", &ground.settings.metrics_prometheus_url),
    ] {
        if parts.contains(&part) && present.get().is_none() {
            let url = format!("http://{}", part.listen(&ground.settings));
            detail(&format!("Set {key} to {url}"));
            changes.insert(key.to_owned(), Some(url));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    admin::actions(ground.config, ground.store).await?.change_settings(&Actor::system(), &changes).await?;
    Ok(())
}

/// Waits until a part that was started at `since`, or before, works.
async fn wait_for(ground: &Ground<'_>, part: Part, since: DateTime<Utc>) -> Result<()> {
    let began = Instant::now();
    let mut told = String::new();
    loop {
        let problem = match checks::of_part(ground, part).await {
            Ok(seen) => {
                detail(&format!("{part}: {seen}"));
                return Ok(());
            }
            Err(problem) => problem,
        };
        let Progress { doing, failures, error } = ground.stack.progress(part, since).await?;
        let error = error.map(|error| format!(" The engine says: {error}.")).unwrap_or_default();
        if began.elapsed() > START_LIMIT || failures >= MAX_FAILURES {
            return Err(Error::Upstream(format!(
                "{part} does not work after {} s. {problem}{error} See its own log: docker service logs {}",
                began.elapsed().as_secs(),
                ground.stack.service(part)
            )));
        }
        let state = format!("{doing}.{error}");
        if state != told {
            detail(&format!("{part}: {state}"));
            told = state;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn status(ground: &Ground<'_>) -> Result<()> {
    let mut broken = Vec::new();
    let mut tell = |name: &str, outcome: Outcome| match outcome {
        Ok(seen) => println!("{name:14} works    {seen}"),
        Err(problem) => {
            println!("{name:14} BROKEN   {problem}");
            broken.push(name.to_owned());
        }
    };
    tell("edge", checks::of_edge(ground).await);
    let running = ground.stack.running().await?;
    for part in Part::ALL {
        if running.contains(part) {
            tell(part.as_str(), checks::of_part(ground, *part).await);
        } else {
            println!("{:14} off      Start it with: skypanel infra up {part}", part.as_str());
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::Upstream(format!("These do not work: {}.", broken.join(", "))))
}

async fn down(ground: &Ground<'_>, parts: &[Part]) -> Result<()> {
    for part in ground.stack.running().await? {
        if parts.contains(&part) {
            ground.stack.remove(part).await?;
            say(&format!("Stopped {part}"));
        }
    }
    detail(&format!("What they keep stays in {}", setup::infra_directory(ground.config).display()));
    Ok(())
}

fn say(text: &str) {
    println!("-----> {text}");
}

fn detail(text: &str) {
    println!("       {text}");
}
