//! `invitations` and its actions: into organisations, made with `members:invite`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::model::{Invitation, InvitationId};
use uuid::Uuid;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::orgs;
use crate::commands::shown::id;
use crate::commands::table::{plain, time};

/// What can be done with invitations.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the invitations into an organisation that nobody has accepted yet
    #[command(name = "invitations")]
    List(ListArguments),
    /// Accept an invitation, given as argument or on standard input
    #[command(name = "invitations:accept")]
    Accept(AcceptArguments),
    /// Take an invitation back
    #[command(name = "invitations:remove")]
    Remove(RemoveArguments),
}

/// Arguments of `invitations`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
}

/// Arguments of `invitations:accept`.
#[derive(Args)]
pub(crate) struct AcceptArguments {
    /// Its link, or the part of it behind the #
    invitation: Option<String>,
}

// By hand, so that no invitation gets into a log by way of Debug.
impl std::fmt::Debug for AcceptArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcceptArguments").finish_non_exhaustive()
    }
}

/// Arguments of `invitations:remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Its id, as the command invitations shows it
    #[arg(value_name = "ID", value_parser = id)]
    invitation: Uuid,
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Accept(arguments) => accept(context, arguments).await,
        Command::Remove(arguments) => remove(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let organization = context.organization(&arguments.choice)?;
    let invitations = context.actions().invitations(context.actor(), &organization).await?;
    let rows = invitations.iter().map(|invitation| {
        let row = vec![
            invitation.id.to_string(),
            plain(&invitation.email),
            invitation.role.to_string(),
            time(invitation.expires_at),
        ];
        (item(invitation), row)
    });
    context.list(&["ID", "E-MAIL", "ROLE", "UNTIL"], "There are no open invitations.", rows).await
}

async fn accept(context: &mut Context, arguments: &AcceptArguments) -> Result<u32, Failure> {
    let given = if let Some(invitation) = &arguments.invitation {
        invitation.clone()
    } else {
        if context.output.is_terminal() {
            context.ask("Paste the invitation: ").await?;
        }
        context.read().await?
    };
    let token = given.trim();
    let token = token.split_once('#').map_or(token, |(_, token)| token);
    let (organization, role) = context.actions().accept_invitation(context.actor(), token).await?;
    let text = format!("-----> You are {role} of {} now", organization.name);
    context.tell(orgs::item(&organization, role), text).await
}

async fn remove(context: &Context, arguments: &RemoveArguments) -> Result<u32, Failure> {
    let organization = context.organization(&arguments.choice)?;
    let invitation = InvitationId(arguments.invitation);
    context.actions().take_back_invitation(context.actor(), &organization, invitation).await?;
    context.done(format!("-----> Took back the invitation {invitation}")).await
}

/// An invitation as programs read it.
pub(crate) fn item(invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    })
}
