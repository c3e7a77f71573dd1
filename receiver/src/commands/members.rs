//! `members` and its actions: who is in an organisation.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::model::{OrganizationRef, Role};
use skypanel_core::store::Member;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::invitations;
use crate::commands::table::{plain, time};

/// What can be done with members.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the members of an organisation
    #[command(name = "members")]
    List(ListArguments),
    /// Invite someone into an organisation
    #[command(name = "members:invite")]
    Invite(InviteArguments),
    /// Remove a member from an organisation, or leave it
    #[command(name = "members:remove")]
    Remove(RemoveArguments),
    /// Change what a member may do
    #[command(name = "members:role")]
    Role(RoleArguments),
}

/// Arguments of `members`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
}

/// Arguments of `members:invite`.
#[derive(Args, Debug)]
pub(crate) struct InviteArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Their e-mail address
    email: String,
    /// What they will be: viewer, developer or owner
    #[arg(long, default_value = "developer")]
    role: Role,
}

/// Arguments of `members:remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Their e-mail address
    email: String,
}

/// Arguments of `members:role`.
#[derive(Args, Debug)]
pub(crate) struct RoleArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Their e-mail address
    email: String,
    /// What they are from now on: viewer, developer or owner
    role: Role,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List(arguments) => list(context, arguments).await,
        Command::Invite(arguments) => invite(context, arguments).await,
        Command::Remove(arguments) => remove(context, arguments).await,
        Command::Role(arguments) => set_role(context, arguments).await,
    }
}

async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let organization = context.organization(&arguments.choice)?;
    let members = context.actions().members(context.actor(), &organization, None, i64::MAX).await?;
    let rows = members
        .iter()
        .map(|member| (item(member), vec![plain(&member.email), member.role.to_string(), time(member.created_at)]));
    context.list(&["E-MAIL", "ROLE", "SINCE"], "It has no members.", rows).await
}

async fn invite(context: &Context, arguments: &InviteArguments) -> Result<u32, Failure> {
    let organization = context.organization(&arguments.choice)?;
    let (invitation, credential) =
        context.actions().invite(context.actor(), &organization, &arguments.email, arguments.role).await?;
    let token = credential.as_str();
    // Behind the #, so that no server and no log on the way sees it.
    let url = format!("{}/invitation#{token}", context.shared.options.public_url);
    let text = format!(
        "-----> Invited {} as {}, until {}\n       Pass this on to them; it is shown this once:\n\n{url}\n\n       \
         Who has an account can accept it with: {}\n",
        plain(&invitation.email),
        invitation.role,
        time(invitation.expires_at),
        context.shared.hint(&format!("invitations:accept {token}"))
    );
    let mut json = invitations::item(&invitation);
    json["token"] = json!(token);
    json["url"] = json!(url);
    context.tell(json, text).await
}

async fn remove(context: &Context, arguments: &RemoveArguments) -> Result<u32, Failure> {
    let organization = context.organization(&arguments.choice)?;
    let member = member(context, &organization, &arguments.email).await?;
    context.actions().remove_member(context.actor(), &organization, member.user_id).await?;
    context.done(format!("-----> Removed {}", plain(&member.email))).await
}

async fn set_role(context: &Context, arguments: &RoleArguments) -> Result<u32, Failure> {
    let organization = context.organization(&arguments.choice)?;
    let member = member(context, &organization, &arguments.email).await?;
    let member = context.actions().set_role(context.actor(), &organization, member.user_id, arguments.role).await?;
    context.tell(item(&member), format!("-----> {} is {} now", plain(&member.email), member.role)).await
}

async fn member(context: &Context, organization: &OrganizationRef, email: &str) -> Result<Member, Failure> {
    let members = context.actions().members(context.actor(), organization, None, i64::MAX).await?;
    let found = members.into_iter().find(|member| member.email.eq_ignore_ascii_case(email));
    found.ok_or_else(|| Error::NotFound("There is no member with that e-mail address.".to_owned()).into())
}

fn item(member: &Member) -> Value {
    json!({
        "user_id": member.user_id,
        "email": member.email,
        "role": member.role,
        "second_factor": member.second_factor,
        "created_at": member.created_at,
    })
}
