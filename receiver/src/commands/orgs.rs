//! `orgs` and its actions: the organisations that a user is in.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::model::{Organization, Role};

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::shown::Switch;

/// What can be done with organisations.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List your organisations, and what you are in each
    #[command(name = "orgs")]
    List,
    /// Create an organisation that you own
    #[command(name = "orgs:create")]
    Create(CreateArguments),
    /// Change whether the members of an organisation may create apps
    #[command(name = "orgs:edit")]
    Edit(EditArguments),
}

/// Arguments of `orgs:create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArguments {
    /// Its name: up to 39 lower-case letters, digits and dashes
    name: String,
}

/// Arguments of `orgs:edit`.
#[derive(Args, Debug)]
pub(crate) struct EditArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    /// Whether members may create apps
    #[arg(long, required = true)]
    app_creation: Switch,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List => list(context).await,
        Command::Create(arguments) => create(context, arguments).await,
        Command::Edit(arguments) => edit(context, arguments).await,
    }
}

async fn list(context: &Context) -> Result<u32, Failure> {
    let rows = context.memberships().iter().map(|(organization, role)| {
        let state = if organization.suspended_at.is_some() { "suspended" } else { "active" };
        (item(organization, *role), vec![organization.name.clone(), role.to_string(), state.to_owned()])
    });
    context.list(&["NAME", "YOU ARE", "STATE"], "You are in no organisation.", rows).await
}

async fn create(context: &Context, arguments: &CreateArguments) -> Result<u32, Failure> {
    let organization = context.actions().create_organization(context.actor(), &arguments.name).await?;
    context.tell(item(&organization, Role::Owner), format!("-----> Created {}", organization.name)).await
}

async fn edit(context: &Context, arguments: &EditArguments) -> Result<u32, Failure> {
    let named = context.organization(&arguments.choice)?;
    let allow = arguments.app_creation.is_on();
    let organization = context.actions().set_app_creation(context.actor(), &named, allow).await?;
    let may = if allow { "may" } else { "may not" };
    let text = format!("-----> Members of {} {may} create apps", organization.name);
    context.tell(item(&organization, Role::Owner), text).await
}

/// An organisation as programs read it.
pub(crate) fn item(organization: &Organization, role: Role) -> Value {
    json!({
        "id": organization.id,
        "name": organization.name,
        "role": role,
        "allow_app_creation": organization.owners_allow_app_creation,
        "admin_allows_app_creation": organization.allow_app_creation,
        "suspended_at": organization.suspended_at,
    })
}
