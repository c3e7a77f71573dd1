//! `skypanel admin …`: what an operator does on the host itself.

mod plan;

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::blob::LocalBlobs;
use skypanel_core::clock::Clock;
use skypanel_core::console::NoConsole;
use skypanel_core::jobs::Jobs;
use skypanel_core::logs::NoLogs;
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{AppSlug, Role};
use skypanel_core::repository::GitClient;
use skypanel_core::settings::{SettingInfo, Settings};
use skypanel_core::store::{NewUser, PasswordReset, Store};
use skypanel_core::stream::Streams;
use skypanel_core::{Error, Result};
use skypanel_receiver::answers;

use crate::config::{Config, Settable};
use crate::setup;

#[derive(Args)]
pub(crate) struct Admin {
    #[command(flatten)]
    pub(crate) settable: Settable,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Create a user; a password is made and printed once
    #[command(name = "user:create")]
    UserCreate {
        /// E-mail address
        email: String,
        /// Organisation to join; made if it does not exist
        #[arg(long, default_value = setup::DEFAULT_ORGANIZATION)]
        org: String,
        /// What the user may do there: viewer, developer or owner
        #[arg(long, default_value = "developer")]
        role: Role,
        /// Let the user administer the platform
        #[arg(long)]
        admin: bool,
    },
    /// Give a user a new password, printed once
    #[command(name = "user:reset-password")]
    UserResetPassword {
        /// E-mail address
        email: String,
    },
    /// Add a public key that a user pushes with
    #[command(name = "key:add")]
    KeyAdd {
        /// File with the public key, or - for standard input
        file: PathBuf,
        /// Whose key it is [default: the first admin]
        #[arg(long)]
        email: Option<String>,
    },
    /// Create an organisation
    #[command(name = "org:create")]
    OrgCreate {
        /// Lower-case letters, digits and dashes
        name: String,
        /// E-mail address of its owner
        #[arg(long)]
        owner: Option<String>,
    },
    /// Put an app on another plan, or list the plans without one
    #[command(name = "app:plan")]
    AppPlan {
        /// The app
        app: AppSlug,
        /// The plan: hobby, standard, pro or business
        plan: Option<String>,
    },
    /// List the settings with their values
    Settings,
    /// Change settings
    #[command(name = "settings:set")]
    SettingsSet {
        /// Such as build.timeout_seconds=600; several are checked together and then saved. One may be KEY VALUE, too
        #[arg(required = true, value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
}

/// To whom it is answered.
#[derive(Clone, Copy)]
pub(crate) enum Reader {
    Person,
    Program,
}

impl Reader {
    /// Answers with a result: its JSON to programs, which is that of the platform's own commands, its text to people.
    fn tell(self, json: &Value, text: impl std::fmt::Display) {
        match self {
            Self::Person => println!("{text}"),
            Self::Program => println!("{json}"),
        }
    }
}

pub(crate) async fn run(config: Config, action: Action, reader: Reader) -> Result<()> {
    with_store(&config, async |store| act(&config, store, action, reader).await).await
}

/// Does something with the platform's store, whether the platform runs or not.
pub(crate) async fn with_store(config: &Config, work: impl AsyncFnOnce(&Store) -> Result<()>) -> Result<()> {
    setup::data_directory(config)?;
    let private = config.database_url.is_empty();
    // Held in this order to the end; a running `skypanel up` holds the second for as long as it runs.
    let _turn = if private { Some(setup::turn(config).await?) } else { None };
    let alone = if private { setup::lock(config).ok() } else { None };
    let (store, postgres) = setup::open_store(config).await?;
    let outcome = work(&store).await;
    store.pool().close().await;
    // Leave the private database as it was: running under a running `skypanel up`, stopped otherwise.
    if let Some(postgres) = postgres
        && alone.is_some()
    {
        postgres.stop().await?;
    }
    outcome
}

/// What changes something is done as by the platform itself, and stands in the audit log.
async fn act(config: &Config, store: &Store, action: Action, reader: Reader) -> Result<()> {
    let operator = Actor::system();
    match action {
        Action::UserCreate { email, org, role, admin } => {
            let password = setup::random_password();
            let new = NewUser { email: &email, password: &password, is_admin: admin };
            let (user, organization) = actions(config, store).await?.create_user(&operator, new, &org, role).await?;
            let json = json!({
                "id": user.id,
                "email": user.email,
                "is_admin": user.is_admin,
                "password": password,
                "organizations": [{ "id": organization.id, "name": organization.name, "role": role }],
            });
            reader.tell(&json, format_args!("Created {email}, {role} of {org}. Password (shown only now): {password}"));
        }
        Action::UserResetPassword { email } => {
            let password = setup::random_password();
            let reset = store.reset_password(&email, &password).await?;
            let keys: Vec<_> =
                reset.ssh_keys.iter().map(|key| json!({ "fingerprint": key.fingerprint, "name": key.name })).collect();
            let json = json!({
                "email": email, "password": password, "sessions_ended": reset.sessions_ended,
                "device_logins_ended": reset.device_logins_ended, "tokens_revoked": reset.tokens_revoked,
                "ssh_keys": keys,
            });
            reader.tell(&json, in_words(&email, &password, &reset));
        }
        Action::KeyAdd { file, email } => {
            let text = read_key(&file)?;
            let email = email.unwrap_or_else(|| config.admin_email.clone());
            let key = actions(config, store).await?.add_ssh_key_of(&operator, &email, &text).await?;
            reader.tell(
                &answers::key(&key),
                format_args!("Added the key {} ({}) to {email}.", key.fingerprint, key.name),
            );
        }
        Action::OrgCreate { name, owner } => {
            let actions = actions(config, store).await?;
            let organization = actions.ensure_organization(&operator, &name, owner.as_deref()).await?;
            let json = json!({ "id": organization.id, "name": organization.name });
            reader.tell(&json, format_args!("The organisation {name} is there."));
        }
        Action::AppPlan { app, plan: None } => plan::list(store, &app, reader).await?,
        Action::AppPlan { app, plan: Some(plan) } => {
            let change = plan::Change { app: &app, plan: &plan, is_served: is_served(config) };
            change.make(&actions(config, store).await?, &operator, reader).await?;
        }
        Action::Settings => {
            let settings = store.settings().await?;
            let lines: Vec<String> = Settings::REGISTRY.iter().map(|info| line(info, &settings)).collect();
            reader.tell(&answers::settings(&settings), lines.join("\n"));
        }
        Action::SettingsSet { settings } => set(config, store, &settings, reader).await?,
    }
    Ok(())
}

/// What a reset did. The password comes last, where it is looked for.
fn in_words(email: &str, password: &str, reset: &PasswordReset) -> String {
    let PasswordReset { sessions_ended, device_logins_ended, tokens_revoked, ssh_keys } = reset;
    let ended = format!(
        "Ended {sessions_ended} sessions and {device_logins_ended} logins of devices, and revoked {tokens_revoked} API \
         tokens of {email}."
    );
    let open =
        format!("These SSH keys still let in whoever has them. Let {email} remove those that are none of theirs:");
    let keys = ssh_keys.iter().map(|key| format!("       {} {}", key.fingerprint, key.name));
    let password = format!("New password of {email} (shown only now): {password}");
    let open = (!ssh_keys.is_empty()).then_some(open);
    std::iter::once(ended).chain(open).chain(keys).chain([password]).collect::<Vec<_>>().join("\n")
}

/// Whether a worker is there: with a database of its own, only the process that holds the data directory can be it.
fn is_served(config: &Config) -> bool {
    !config.database_url.is_empty() || matches!(setup::lock(config), Err(Error::Conflict(_)))
}

/// Everything an action needs but an engine.
pub(crate) async fn actions(config: &Config, store: &Store) -> Result<Actions> {
    Ok(Actions {
        store: store.clone(),
        streams: Streams::connect(store.pool().clone()).await?,
        jobs: Jobs::connect(store.pool().clone()).await?,
        blobs: Arc::new(LocalBlobs::open(&config.data_dir.join("blobs"))?),
        console: Arc::new(NoConsole),
        logs: Arc::new(NoLogs),
        measurements: Arc::new(NoMeasurements),
        git: GitClient::default(),
        clock: Clock::system(),
    })
}

async fn set(config: &Config, store: &Store, settings: &[String], reader: Reader) -> Result<()> {
    let pairs: Vec<(&str, &str)> = match settings {
        [key, value] if !key.contains('=') => vec![(key, value)],
        _ => settings.iter().map(|setting| pair(setting)).collect::<Result<_>>()?,
    };
    let changes = pairs.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect();
    let settings = actions(config, store).await?.change_settings(&Actor::system(), &changes).await?;
    let lines: Vec<String> = pairs.iter().map(|(key, _)| format!("Set {key}.")).collect();
    reader.tell(&answers::settings(&settings), lines.join("\n"));
    Ok(())
}

fn line(info: &SettingInfo, settings: &Settings) -> String {
    format!("{:28} {:<24} {}", info.key, settings.show(info.key).unwrap_or_default(), info.help.trim())
}

fn pair(setting: &str) -> Result<(&str, &str)> {
    setting.split_once('=').ok_or_else(|| {
        Error::Invalid(format!("{setting:?} is not of the form KEY=VALUE, such as build.timeout_seconds=600."))
    })
}

fn read_key(file: &std::path::Path) -> Result<String> {
    let failed = |error| Error::System(format!("The key {} cannot be read: {error}.", file.display()));
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().take(64 * 1024).read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(failed)
}
