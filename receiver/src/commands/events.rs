//! `events`: what happened to an app, or to an organisation and its apps.

use clap::Args;
use serde_json::json;

use crate::commands::context::{AppChoice, Context, Failure, OrganizationChoice};
use crate::commands::table::{plain, time};

/// Arguments of `events`.
#[derive(Args, Debug)]
pub(crate) struct EventsArguments {
    #[command(flatten)]
    app: AppChoice,
    #[command(flatten)]
    organization: OrganizationChoice,
    /// How many
    #[arg(short, long, value_name = "EVENTS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    num: u32,
}

pub(crate) async fn list(context: &Context, arguments: &EventsArguments) -> Result<u32, Failure> {
    let rows = i64::from(arguments.num);
    let events = if arguments.app.app.is_some() {
        let app = arguments.app.named()?;
        context.actions().app_events(context.actor(), &app, None, rows).await?
    } else {
        let organization = context.organization(&arguments.organization)?;
        context.actions().organization_events(context.actor(), &organization, None, rows).await?
    };
    let rows = events.iter().map(|event| {
        let row = vec![
            time(event.created_at),
            event.slug.as_ref().map(ToString::to_string).unwrap_or_default(),
            plain(&event.kind),
            plain(&event.message),
            event.email.as_deref().map_or_else(|| "Skypanel".to_owned(), plain),
        ];
        let json = json!({
            "id": event.id,
            "created_at": event.created_at,
            "kind": event.kind,
            "message": event.message,
            "application_id": event.application_id,
            "app": event.slug,
            "user_id": event.user_id,
            "user": event.email,
        });
        (json, row)
    });
    context.list(&["AT", "APP", "KIND", "WHAT", "BY"], "Nothing happened yet.", rows).await
}
