//! `webhooks` and its actions: what tells Skypanel of pushes elsewhere.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::actions::NewWebhook;
use skypanel_core::model::{Webhook, WebhookDelivery, WebhookDeliveryId, WebhookId, WebhookProvider};
use uuid::Uuid;

use crate::commands::context::{AppChoice, Context, Failure};
use crate::commands::shown::id;
use crate::commands::table::{plain, time};

/// What can be done with webhooks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List an app's webhooks
    #[command(name = "webhooks")]
    List(ListArguments),
    /// Make a webhook: pushes to the app's repository are deployed from then on
    #[command(name = "webhooks:create")]
    Create(CreateArguments),
    /// List the calls of a webhook, and what came of each
    #[command(name = "webhooks:deliveries")]
    Deliveries(DeliveriesArguments),
    /// Remove a webhook
    #[command(name = "webhooks:remove")]
    Remove(WebhookArguments),
    /// Handle a call of a webhook once more
    #[command(name = "webhooks:replay")]
    Replay(ReplayArguments),
    /// Give a webhook a new secret; the old one holds for another day
    #[command(name = "webhooks:rotate")]
    Rotate(WebhookArguments),
}

/// Arguments of `webhooks`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: AppChoice,
}

/// Arguments of `webhooks:create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Who will call it
    #[arg(value_name = "github|gitlab|gitea|generic")]
    provider: WebhookProvider,
}

/// Arguments of `webhooks:deliveries`.
#[derive(Args, Debug)]
pub(crate) struct DeliveriesArguments {
    #[command(flatten)]
    webhook: WebhookArguments,
    /// How many
    #[arg(short, long, value_name = "CALLS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    num: u32,
}

/// Arguments of `webhooks:remove` and `webhooks:rotate`.
#[derive(Args, Debug)]
pub(crate) struct WebhookArguments {
    #[command(flatten)]
    choice: AppChoice,
    /// Its id, as the command webhooks shows it
    #[arg(value_name = "ID", value_parser = id)]
    webhook: Uuid,
}

/// Arguments of `webhooks:replay`.
#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    webhook: WebhookArguments,
    /// Id of the call, as the command webhooks:deliveries shows it
    #[arg(value_name = "CALL", value_parser = id)]
    delivery: Uuid,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Create(arguments) => create(context, arguments).await,
        Command::Deliveries(arguments) => deliveries(context, arguments).await,
        Command::Remove(arguments) => remove(context, arguments).await,
        Command::Replay(arguments) => replay(context, arguments).await,
        Command::Rotate(arguments) => rotate(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let webhooks = context.actions().webhooks(context.actor(), &app).await?;
    let rows = webhooks.iter().map(|webhook| {
        let row = vec![
            webhook.id.to_string(),
            webhook.provider.to_string(),
            webhook.last_delivery_at.map_or_else(|| "never".to_owned(), time),
            url(context, webhook),
        ];
        (item(context, webhook), row)
    });
    context.list(&["ID", "PROVIDER", "LAST CALLED", "ADDRESS"], &format!("{app} has no webhooks."), rows).await
}

async fn create(context: &Context, arguments: &CreateArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let new = context.actions().create_webhook(context.actor(), &app, arguments.provider).await?;
    told_once(context, &new, "Made a webhook").await
}

async fn rotate(context: &Context, arguments: &WebhookArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    let new = context.actions().rotate_webhook(context.actor(), &app, WebhookId(arguments.webhook)).await?;
    told_once(context, &new, "Gave the webhook a new secret").await
}

async fn told_once(context: &Context, new: &NewWebhook, what: &str) -> Result<u32, Failure> {
    let mut json = item(context, &new.webhook);
    json["secret"] = json!(new.secret.as_str());
    let text = format!(
        "-----> {what}: {}\n       Give both to the host. The secret is shown this once.\n\nAddress: {}\nSecret:  {}\n",
        new.webhook.id,
        url(context, &new.webhook),
        new.secret.as_str()
    );
    context.tell(json, text).await
}

async fn remove(context: &Context, arguments: &WebhookArguments) -> Result<u32, Failure> {
    let app = arguments.choice.named()?;
    context.actions().remove_webhook(context.actor(), &app, WebhookId(arguments.webhook)).await?;
    context.done(format!("-----> Removed the webhook {}", arguments.webhook)).await
}

async fn deliveries(context: &Context, arguments: &DeliveriesArguments) -> Result<u32, Failure> {
    let app = arguments.webhook.choice.named()?;
    let webhook = WebhookId(arguments.webhook.webhook);
    let deliveries =
        context.actions().webhook_deliveries(context.actor(), &app, webhook, None, i64::from(arguments.num)).await?;
    let rows = deliveries.iter().map(|delivery| {
        let row = vec![
            delivery.id.to_string(),
            time(delivery.received_at),
            plain(&delivery.event),
            delivery.outcome.to_string(),
            plain(&delivery.reason),
        ];
        (call(delivery), row)
    });
    context.list(&["CALL", "AT", "EVENT", "OUTCOME", "WHY"], "It was never called.", rows).await
}

async fn replay(context: &Context, arguments: &ReplayArguments) -> Result<u32, Failure> {
    let app = arguments.webhook.choice.named()?;
    let (webhook, delivery) = (WebhookId(arguments.webhook.webhook), WebhookDeliveryId(arguments.delivery));
    let delivery = context.actions().replay_delivery(context.actor(), &app, webhook, delivery).await?;
    let text = format!("-----> {}: {}", delivery.outcome, plain(&delivery.reason));
    context.tell(call(&delivery), text).await
}

fn url(context: &Context, webhook: &Webhook) -> String {
    format!("{}{}", context.shared.options.public_url.trim_end_matches('/'), webhook.path())
}

fn item(context: &Context, webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "provider": webhook.provider,
        "url": url(context, webhook),
        "old_secret_until": webhook.old_secret_until,
        "created_at": webhook.created_at,
        "last_delivery_at": webhook.last_delivery_at,
    })
}

fn call(delivery: &WebhookDelivery) -> Value {
    let push = delivery.push.as_ref().map(|push| &push.0);
    json!({
        "id": delivery.id,
        "delivery": delivery.delivery,
        "event": delivery.event,
        "outcome": delivery.outcome,
        "reason": delivery.reason,
        "git_branch": push.map(|push| &push.branch),
        "git_commit": push.and_then(|push| push.commit.as_ref()),
        "git_message": push.and_then(|push| push.message.as_ref()),
        "git_author": push.and_then(|push| push.author.as_ref()),
        "deployment_id": delivery.deployment_id,
        "replay_of": delivery.replay_of,
        "received_at": delivery.received_at,
    })
}
