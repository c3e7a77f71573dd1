//! `whoami`, and `login:approve` and `login:deny`: what is done about `skypanel login` on another machine.

use clap::{Args, Subcommand};
use serde_json::json;
use skypanel_core::model::Role;

use crate::commands::context::{Context, Failure};
use crate::commands::table::{pairs, plain};

/// What can be done about logins.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let the machine in that shows this code: it gets an API token of yours
    #[command(name = "login:approve")]
    Approve(CodeArguments),
    /// Refuse the machine that shows this code
    #[command(name = "login:deny")]
    Deny(CodeArguments),
    /// Show who you are, and what you are in which organisation
    #[command(name = "whoami")]
    Whoami,
}

/// Arguments of `login:approve` and `login:deny`.
#[derive(Args, Debug)]
pub(crate) struct CodeArguments {
    /// The code, such as BCDF-GHJK
    code: String,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::Approve(arguments) => decide(context, &arguments.code, true).await,
        Command::Deny(arguments) => decide(context, &arguments.code, false).await,
        Command::Whoami => whoami(context).await,
    }
}

async fn decide(context: &Context, code: &str, approve: bool) -> Result<u32, Failure> {
    let login = context.actions().device_login(context.actor(), code).await?;
    context.actions().decide_device_login(context.actor(), code, approve).await?;
    let name = plain(&login.client_name);
    let from = login.address.as_deref().unwrap_or("an unknown address");
    let text = if approve {
        format!("-----> Let in: {name}, from {from}, with a token of the scope {}", login.scope)
    } else {
        format!("-----> Refused: {name}, from {from}")
    };
    let json = json!({
        "user_code": login.user_code,
        "client_name": login.client_name,
        "scope": login.scope,
        "address": login.address,
        "created_at": login.created_at,
        "expires_at": login.expires_at,
        "approved": approve,
    });
    context.tell(json, text).await
}

async fn whoami(context: &Context) -> Result<u32, Failure> {
    let actor = context.actor();
    let user = actor.user()?;
    let second_factor = context.actions().second_factor(actor).await?.enabled;
    let organizations = context
        .memberships()
        .iter()
        .map(|(organization, role)| json!({ "id": organization.id, "name": organization.name, "role": role }));
    let json = json!({
        "id": user.id,
        "email": user.email,
        "is_admin": user.is_admin,
        "scope": actor.scope,
        "second_factor": second_factor,
        "organizations": organizations.collect::<Vec<_>>(),
    });
    let roles: Vec<(&str, &Role)> =
        context.memberships().iter().map(|(organization, role)| (organization.name.as_str(), role)).collect();
    let roles: Vec<String> = roles.into_iter().map(|(name, role)| format!("{name} ({role})")).collect();
    let text = pairs(&[
        ("You", user.email.clone()),
        ("Organisations", if roles.is_empty() { "none".to_owned() } else { roles.join(", ") }),
        (
            "May",
            if user.is_admin {
                format!("{}, as an admin of the platform", actor.scope)
            } else {
                actor.scope.to_string()
            },
        ),
        ("Second factor", if second_factor { "on" } else { "off" }.to_owned()),
    ]);
    context.tell(json, text).await
}
