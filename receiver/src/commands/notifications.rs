//! `notifications` and its actions: whom alerts are told to. `admin:notifications` does the same for the platform.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::{AlertsOf, TargetChange, TargetWithSecret, WantedTarget};
use skypanel_core::model::{AlertRule, Notification, NotificationTarget, Severity, TargetId, TargetKind};
use uuid::Uuid;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::shown::{Switch, id};
use crate::commands::table::{plain, time};

/// What stands for all rules that are for the owner.
const ALL: &str = "all";

/// What can be done with an organisation's targets.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List whom an organisation's alerts are told to
    #[command(name = "notifications")]
    List(ListArguments),
    /// Have somebody told of an organisation's alerts: by e-mail, by a signed call, or in Slack
    #[command(name = "notifications:add")]
    Add(Of<AddArguments>),
    /// Change what is told to a target, or where it is
    #[command(name = "notifications:edit")]
    Edit(Of<EditArguments>),
    /// List the messages to a target, and what came of each
    #[command(name = "notifications:messages")]
    Messages(Of<MessagesArguments>),
    /// Remove a target
    #[command(name = "notifications:remove")]
    Remove(Of<TargetArguments>),
    /// Give a webhook a new secret, which counts at once
    #[command(name = "notifications:rotate")]
    Rotate(Of<TargetArguments>),
    /// Send a message to a target now, and say what comes of it
    #[command(name = "notifications:test")]
    Test(Of<TargetArguments>),
}

impl Command {
    /// Whether it reads what the client sends.
    pub(crate) fn reads_input(&self) -> bool {
        matches!(self, Self::Add(add) if add.arguments.reads_input())
    }
}

/// Arguments about an organisation's targets.
#[derive(Args, Debug)]
pub(crate) struct Of<T: Args> {
    #[command(flatten)]
    choice: OrganizationChoice,
    #[command(flatten)]
    arguments: T,
}

/// Arguments of `notifications`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
}

/// Arguments of `notifications:add`.
#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    /// How it is told
    #[arg(value_name = "email|webhook|slack")]
    kind: TargetKind,
    /// An e-mail address or a URL; on standard input if it is not given
    address: Option<String>,
    /// Only what is at least this grave: warning or critical
    #[arg(long, default_value = "warning")]
    severity: Severity,
    /// Only alerts of these rules, separated by commas
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    rules: Vec<AlertRule>,
}

impl AddArguments {
    pub(crate) fn reads_input(&self) -> bool {
        self.address.is_none()
    }
}

/// Arguments of `notifications:edit`.
#[derive(Args, Debug)]
pub(crate) struct EditArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Where it is from now on
    #[arg(long)]
    address: Option<String>,
    /// Only what is at least this grave: warning or critical
    #[arg(long)]
    severity: Option<Severity>,
    /// Only alerts of these rules, separated by commas; all for all
    #[arg(long, value_name = "RULES|all", value_delimiter = ',')]
    rules: Vec<String>,
    /// Whether it is told anything
    #[arg(long)]
    enabled: Option<Switch>,
}

/// Arguments of commands about one target.
#[derive(Args, Debug)]
pub(crate) struct TargetArguments {
    /// Its id, as the command notifications shows it
    #[arg(value_name = "ID", value_parser = id)]
    target: Uuid,
}

/// Arguments of `notifications:messages`.
#[derive(Args, Debug)]
pub(crate) struct MessagesArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// How many
    #[arg(short, long, value_name = "MESSAGES", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    num: u32,
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, &of(context, &arguments.choice)?).await,
        Command::Add(given) => add(context, &of(context, &given.choice)?, &given.arguments).await,
        Command::Edit(given) => edit(context, &of(context, &given.choice)?, &given.arguments).await,
        Command::Messages(given) => messages(context, &of(context, &given.choice)?, &given.arguments).await,
        Command::Remove(given) => remove(context, &of(context, &given.choice)?, &given.arguments).await,
        Command::Rotate(given) => rotate(context, &of(context, &given.choice)?, &given.arguments).await,
        Command::Test(given) => test(context, &of(context, &given.choice)?, &given.arguments).await,
    }
}

fn of(context: &Context, choice: &OrganizationChoice) -> Result<AlertsOf, Failure> {
    Ok(AlertsOf::Organization(context.organization(choice)?))
}

pub(crate) async fn list(context: &Context, of: &AlertsOf) -> Result<u32, Failure> {
    let targets = context.actions().notification_targets(context.actor(), of).await?;
    let rows = targets.iter().map(|target| {
        let row = vec![
            target.id.to_string(),
            target.kind.to_string(),
            plain(&target.shown_address),
            if target.enabled { target.min_severity.to_string() } else { "off".to_owned() },
            target.rules.as_ref().map_or_else(|| ALL.to_owned(), |rules| rules.join(", ")),
        ];
        (item(target), row)
    });
    context.list(&["ID", "KIND", "ADDRESS", "FROM", "RULES"], "Nobody is told of alerts.", rows).await
}

pub(crate) async fn add(context: &mut Context, of: &AlertsOf, arguments: &AddArguments) -> Result<u32, Failure> {
    let address = if let Some(address) = &arguments.address {
        address.clone()
    } else {
        context.ask("Address: ").await?;
        context.read().await?.trim().to_owned()
    };
    let wanted = WantedTarget {
        kind: arguments.kind,
        address,
        min_severity: arguments.severity,
        rules: Some(arguments.rules.clone()).filter(|rules| !rules.is_empty()),
        enabled: true,
    };
    let made = context.actions().add_notification_target(context.actor(), of, &wanted).await?;
    told_once(context, &made, "Made a target of alerts").await
}

pub(crate) async fn edit(context: &Context, of: &AlertsOf, arguments: &EditArguments) -> Result<u32, Failure> {
    let rules = match arguments.rules.as_slice() {
        [] => None,
        [all] if all == ALL => Some(None),
        named => Some(Some(named.iter().map(|name| name.parse()).collect::<Result<_, Error>>()?)),
    };
    let change = TargetChange {
        address: arguments.address.clone(),
        min_severity: arguments.severity,
        rules,
        enabled: arguments.enabled.map(Switch::is_on),
    };
    let id = TargetId(arguments.target.target);
    let target = context.actions().change_notification_target(context.actor(), of, id, &change).await?;
    context.tell(item(&target), format!("-----> Changed the target {}", target.id)).await
}

pub(crate) async fn rotate(context: &Context, of: &AlertsOf, arguments: &TargetArguments) -> Result<u32, Failure> {
    let id = TargetId(arguments.target);
    let made = context.actions().rotate_notification_target(context.actor(), of, id).await?;
    told_once(context, &made, "Gave the target a new secret").await
}

async fn told_once(context: &Context, made: &TargetWithSecret, what: &str) -> Result<u32, Failure> {
    let target = &made.target;
    let mut json = item(target);
    json["secret"] = json!(made.secret.as_ref().map(|secret| secret.as_str()));
    let secret = made.secret.as_ref().map_or_else(String::new, |secret| {
        format!("       Its calls are signed with this secret, shown this once:\n\n{}\n\n", secret.as_str())
    });
    let hint = context.shared.hint(&format!("notifications:test {}", target.id));
    let text =
        format!("-----> {what}: {}, {}\n{secret}       Try it: {hint}\n", target.id, plain(&target.shown_address));
    context.tell(json, text).await
}

pub(crate) async fn remove(context: &Context, of: &AlertsOf, arguments: &TargetArguments) -> Result<u32, Failure> {
    let id = TargetId(arguments.target);
    context.actions().remove_notification_target(context.actor(), of, id).await?;
    context.done(format!("-----> Removed the target {id}")).await
}

pub(crate) async fn test(context: &Context, of: &AlertsOf, arguments: &TargetArguments) -> Result<u32, Failure> {
    let id = TargetId(arguments.target);
    let tried = context.actions().test_notification_target(context.actor(), of, id).await?;
    let begin = if tried.sent { "-----> Sent" } else { " !     Not sent" };
    let json = json!({ "sent": tried.sent, "message": tried.message });
    context.tell(json, format!("{begin}: {}", plain(&tried.message))).await?;
    Ok(u32::from(!tried.sent))
}

pub(crate) async fn messages(context: &Context, of: &AlertsOf, arguments: &MessagesArguments) -> Result<u32, Failure> {
    let (id, rows) = (TargetId(arguments.target.target), i64::from(arguments.num));
    let messages = context.actions().notification_messages(context.actor(), of, id, None, rows).await?;
    let rows = messages.iter().map(|message| {
        let tells = if message.is_test { "a test".to_owned() } else { message.tells.join(", ") };
        let row = vec![
            time(message.created_at),
            message.state.to_string(),
            message.attempts.to_string(),
            plain(&tells),
            message.answer.as_deref().map(plain).unwrap_or_default(),
        ];
        (message_item(message), row)
    });
    context.list(&["AT", "STATE", "TRIES", "TELLS", "ANSWER"], "It was told nothing yet.", rows).await
}

fn item(target: &NotificationTarget) -> Value {
    json!({
        "id": target.id,
        "kind": target.kind,
        "address": target.shown_address,
        "min_severity": target.min_severity,
        "rules": target.rules,
        "enabled": target.enabled,
        "created_at": target.created_at,
    })
}

fn message_item(message: &Notification) -> Value {
    json!({
        "id": message.id,
        "state": message.state,
        "is_test": message.is_test,
        "tells": message.tells,
        "attempts": message.attempts,
        "created_at": message.created_at,
        "next_try_at": message.next_try_at,
        "ended_at": message.ended_at,
        "answer": message.answer,
    })
}
