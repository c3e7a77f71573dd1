//! Organisations as admins see them: limited, suspended, resumed, deleted; and money moved by hand.

use clap::Args;
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::{AppsGo, OrganizationLimits};
use skypanel_core::model::{AppId, LedgerKind, Money, NewLedgerEntry};
use skypanel_core::store::{Access, AdminOrganization};

use crate::commands::context::{Context, Failure};
use crate::commands::shown::{Switch, organization_named};
use crate::commands::table::{pairs, plain, time};
use crate::commands::wallet;

/// Arguments of `admin:orgs`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Only those with this in their name
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

/// Arguments of `admin:orgs:info`.
#[derive(Args, Debug)]
pub(crate) struct InfoArguments {
    /// Its name or id
    #[arg(value_name = "ORGANISATION")]
    organization: String,
}

/// Arguments of `admin:suspend`.
#[derive(Args, Debug)]
pub(crate) struct SuspendArguments {
    /// Its name or id
    #[arg(value_name = "ORGANISATION")]
    organization: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Arguments of `admin:resume`.
#[derive(Args, Debug)]
pub(crate) struct ResumeArguments {
    /// Its name or id
    #[arg(value_name = "ORGANISATION")]
    organization: String,
}

/// Arguments of `admin:limit`. What is not given stays as it is.
#[derive(Args, Debug)]
pub(crate) struct LimitArguments {
    /// Its name or id
    #[arg(value_name = "ORGANISATION")]
    organization: String,
    /// Whether its members may create apps
    #[arg(long)]
    app_creation: Option<Switch>,
    /// Most apps; default as the platform's settings say
    #[arg(long, value_name = "NUMBER|default")]
    apps: Option<String>,
    /// Most deployments an hour; default as the platform's settings say
    #[arg(long, value_name = "NUMBER|default")]
    deployments: Option<String>,
    /// Most builds at once; default as the platform's settings say
    #[arg(long, value_name = "NUMBER|default")]
    builds: Option<String>,
}

/// Arguments of `admin:orgs:destroy`.
#[derive(Args, Debug)]
pub(crate) struct DestroyArguments {
    /// Its name or id
    #[arg(value_name = "ORGANISATION")]
    organization: String,
    /// Its name once more
    #[arg(long = "yes", value_name = "ORGANISATION", required = true)]
    again: String,
    /// Destroy its apps, too
    #[arg(long, conflicts_with = "apps_to")]
    with_apps: bool,
    /// Let its apps go to this organisation
    #[arg(long, value_name = "ORGANISATION")]
    apps_to: Option<String>,
}

/// Arguments of `admin:topup`, `admin:refund` and `admin:adjust`.
#[derive(Args, Debug)]
pub(crate) struct MoneyArguments {
    /// Its name or id
    #[arg(value_name = "ORGANISATION")]
    organization: String,
    /// Such as 12.50
    #[arg(allow_negative_numbers = true)]
    amount: Money,
    /// What it refers to, such as a payment's number; one is taken once
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) async fn list(context: &Context, arguments: &ListArguments) -> Result<u32, Failure> {
    let search = arguments.search.as_deref();
    let organizations =
        context.actions().admin_organizations(context.actor(), search, None, i64::from(u32::MAX)).await?;
    let rows = organizations.iter().map(|organization| {
        let row = vec![
            organization.name.clone(),
            state(organization).to_owned(),
            organization.members.to_string(),
            format!("{} ({} run)", organization.apps, organization.running_apps),
            organization.balance.to_string(),
            organization.cost_per_hour.to_string(),
            organization.cost_month.to_string(),
        ];
        (item(organization), row)
    });
    let headings = ["NAME", "STATE", "MEMBERS", "APPS", "BALANCE", "AN HOUR", "THIS MONTH"];
    context.list(&headings, "There are no organisations.", rows).await
}

pub(super) async fn info(context: &Context, arguments: &InfoArguments) -> Result<u32, Failure> {
    let named = organization_named(&arguments.organization);
    let organization = context.actions().admin_organization(context.actor(), &named).await?;
    let text = pairs(&[
        ("State", state(&organization).to_owned()),
        ("Created", time(organization.created_at)),
        ("Members", organization.members.to_string()),
        (
            "Apps",
            format!(
                "{}, {} run, {} are suspended",
                organization.apps, organization.running_apps, organization.suspended_apps
            ),
        ),
        ("Balance", organization.balance.to_string()),
        ("Cost", format!("{} an hour, {} this month", organization.cost_per_hour, organization.cost_month)),
        ("Limits", limits_of(&organization)),
        ("Members may", if organization.allow_app_creation { "create apps" } else { "create no apps" }.to_owned()),
    ]);
    context.tell(item(&organization), format!("=== {}\n{text}", organization.name)).await
}

/// `apps 3, deployments an hour default, builds at once default`.
fn limits_of(organization: &AdminOrganization) -> String {
    let shown = |most: Option<i32>| most.map_or_else(|| "default".to_owned(), |most| most.to_string());
    format!(
        "apps {}, deployments an hour {}, builds at once {}",
        shown(organization.max_apps),
        shown(organization.max_deployments_per_hour),
        shown(organization.max_concurrent_builds)
    )
}

fn state(organization: &AdminOrganization) -> &'static str {
    match (organization.deleting_at, organization.suspended_at) {
        (Some(_), _) => "deleting",
        (None, Some(_)) => "suspended",
        (None, None) => "active",
    }
}

pub(super) async fn suspend(context: &Context, arguments: &SuspendArguments) -> Result<u32, Failure> {
    let named = organization_named(&arguments.organization);
    let reason = arguments.reason.as_deref();
    let organization = context.actions().suspend_organization(context.actor(), &named, reason).await?;
    context.tell(item(&organization), format!("-----> Suspended {}", organization.name)).await
}

pub(super) async fn resume(context: &Context, arguments: &ResumeArguments) -> Result<u32, Failure> {
    let named = organization_named(&arguments.organization);
    let organization = context.actions().resume_organization(context.actor(), &named).await?;
    context.tell(item(&organization), format!("-----> Resumed {}", organization.name)).await
}

pub(super) async fn limit(context: &Context, arguments: &LimitArguments) -> Result<u32, Failure> {
    let limits = OrganizationLimits {
        allow_app_creation: arguments.app_creation.map(Switch::is_on),
        max_apps: arguments.apps.as_deref().map(most).transpose()?,
        max_deployments_per_hour: arguments.deployments.as_deref().map(most).transpose()?,
        max_concurrent_builds: arguments.builds.as_deref().map(most).transpose()?,
    };
    let named = organization_named(&arguments.organization);
    let organization = context.actions().limit_organization(context.actor(), &named, limits).await?;
    let text = format!("-----> Limits of {}: {}", organization.name, limits_of(&organization));
    context.tell(item(&organization), text).await
}

fn most(word: &str) -> Result<Option<u32>, Error> {
    match word {
        "default" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| Error::Invalid(format!("{:?} is neither a number nor \"default\".", plain(word)))),
    }
}

pub(super) async fn destroy(context: &Context, arguments: &DestroyArguments) -> Result<u32, Failure> {
    let apps = match (&arguments.apps_to, arguments.with_apps) {
        (Some(other), _) => AppsGo::To(organization_named(other)),
        (None, true) => AppsGo::Away,
        (None, false) => AppsGo::Nowhere,
    };
    let named = organization_named(&arguments.organization);
    let deleted = context.actions().delete_organization(context.actor(), &named, &arguments.again, &apps).await?;
    let text = if deleted.is_gone {
        format!("-----> Destroyed {}", plain(&arguments.again))
    } else {
        format!("-----> Destroying {}: it goes with the last of its apps", plain(&arguments.again))
    };
    let json = json!({ "is_gone": deleted.is_gone, "destroyed": deleted.destroyed, "reassigned": deleted.reassigned });
    context.tell(json, text).await
}

pub(super) async fn top_up(context: &Context, arguments: &MoneyArguments) -> Result<u32, Failure> {
    move_money(context, arguments, LedgerKind::TopUp).await
}

pub(super) async fn refund(context: &Context, arguments: &MoneyArguments) -> Result<u32, Failure> {
    move_money(context, arguments, LedgerKind::Refund).await
}

pub(super) async fn adjust(context: &Context, arguments: &MoneyArguments) -> Result<u32, Failure> {
    move_money(context, arguments, LedgerKind::Adjustment).await
}

async fn move_money(context: &Context, arguments: &MoneyArguments, kind: LedgerKind) -> Result<u32, Failure> {
    let named = organization_named(&arguments.organization);
    let organization = context.actions().organization_for(context.actor(), &named, Access::Own).await?;
    let new = NewLedgerEntry {
        kind,
        amount: arguments.amount,
        reference: arguments.reference.clone(),
        note: arguments.note.clone(),
    };
    let movement = context.actions().move_money(context.actor(), organization.id, new).await?;
    let followed = |apps: &[AppId], what: &str| match apps.len() {
        0 => String::new(),
        count => format!("       {count} of its apps {what}\n"),
    };
    let text = format!(
        "-----> {} {}: the wallet of {} holds {}\n{}{}",
        movement.entry.kind,
        movement.entry.amount,
        organization.name,
        movement.entry.balance_after,
        followed(&movement.resumed, "go on"),
        followed(&movement.suspended, "were suspended")
    );
    let json = json!({
        "entry": wallet::item(&movement.entry),
        "resumed": movement.resumed,
        "suspended": movement.suspended,
    });
    context.tell(json, text).await
}

fn item(organization: &AdminOrganization) -> Value {
    json!({
        "id": organization.id,
        "name": organization.name,
        "created_at": organization.created_at,
        "suspended_at": organization.suspended_at,
        "deleting_at": organization.deleting_at,
        "members": organization.members,
        "apps": organization.apps,
        "running_apps": organization.running_apps,
        "suspended_apps": organization.suspended_apps,
        "balance": organization.balance,
        "cost_per_hour": organization.cost_per_hour,
        "cost_month": organization.cost_month,
        "allow_app_creation": organization.allow_app_creation,
        "max_apps": organization.max_apps,
        "max_deployments_per_hour": organization.max_deployments_per_hour,
        "max_concurrent_builds": organization.max_concurrent_builds,
    })
}
