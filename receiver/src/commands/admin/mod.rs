//! `admin:…`: what admins of the platform see and do.

mod nodes;
mod organizations;
mod plans;
mod platform;
mod settings;
mod users;

pub use settings::items as setting_items;

use clap::Subcommand;
use skypanel_core::Error;
use skypanel_core::actions::AlertsOf;

use crate::commands::alerts::{self, WhichAlerts};
use crate::commands::context::{Context, Failure};
use crate::commands::notifications;

/// What admins can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List what is wrong on the platform, in its organisations and with their apps
    #[command(name = "admin:alerts")]
    Alerts(WhichAlerts),
    /// List the apps of all organisations, with what they cost
    #[command(name = "admin:apps")]
    Apps(platform::AppsArguments),
    /// List what was done on the platform, newest first
    #[command(name = "admin:audit")]
    Audit(platform::AuditArguments),
    /// Show the platform's money, and every organisation's
    #[command(name = "admin:billing")]
    Billing,
    /// Settle all hours that are over, as happens at every full hour by itself
    #[command(name = "admin:billing:settle")]
    Settle,
    /// Correct an organisation's wallet, up or down
    #[command(name = "admin:adjust")]
    Adjust(organizations::MoneyArguments),
    /// Limit what an organisation may have
    #[command(name = "admin:limit")]
    Limit(organizations::LimitArguments),
    /// List the machines that apps run on
    #[command(name = "admin:nodes")]
    Nodes,
    /// List whom alerts of the platform are told to
    #[command(name = "admin:notifications")]
    Notifications,
    /// Have somebody told of the platform's alerts: by e-mail, by a signed call, or in Slack
    #[command(name = "admin:notifications:add")]
    AddNotification(notifications::AddArguments),
    /// Change what is told to a target of the platform, or where it is
    #[command(name = "admin:notifications:edit")]
    EditNotification(notifications::EditArguments),
    /// List the messages to a target of the platform, and what came of each
    #[command(name = "admin:notifications:messages")]
    NotificationMessages(notifications::MessagesArguments),
    /// Remove a target of the platform
    #[command(name = "admin:notifications:remove")]
    RemoveNotification(notifications::TargetArguments),
    /// Give a webhook of the platform a new secret, which counts at once
    #[command(name = "admin:notifications:rotate")]
    RotateNotification(notifications::TargetArguments),
    /// Send a message to a target of the platform now, and say what comes of it
    #[command(name = "admin:notifications:test")]
    TestNotification(notifications::TargetArguments),
    /// List all organisations, with what they have and cost
    #[command(name = "admin:orgs")]
    Organizations(organizations::ListArguments),
    /// Delete an organisation
    #[command(name = "admin:orgs:destroy")]
    DestroyOrganization(organizations::DestroyArguments),
    /// Show what an organisation has, costs and may have
    #[command(name = "admin:orgs:info")]
    Organization(organizations::InfoArguments),
    /// Show what there is on the platform and what it uses
    #[command(name = "admin:overview")]
    Overview,
    /// List the plans, with how many apps are on each
    #[command(name = "admin:plans")]
    Plans,
    /// Create a plan
    #[command(name = "admin:plans:create")]
    CreatePlan(plans::CreateArguments),
    /// Change a plan; apps that are on it keep their price
    #[command(name = "admin:plans:edit")]
    EditPlan(plans::EditArguments),
    /// Remove a plan that no app is on
    #[command(name = "admin:plans:remove")]
    RemovePlan(plans::RemoveArguments),
    /// Give an organisation back what it was charged
    #[command(name = "admin:refund")]
    Refund(organizations::MoneyArguments),
    /// End the suspension of an organisation
    #[command(name = "admin:resume")]
    Resume(organizations::ResumeArguments),
    /// List the platform's settings
    #[command(name = "admin:settings")]
    Settings,
    /// Try everything that the settings lead to, with these changes as if they were saved: KEY=VALUE ...
    #[command(name = "admin:settings:check")]
    CheckSettings(settings::CheckArguments),
    /// Set settings back to their defaults: KEY ...
    #[command(name = "admin:settings:reset")]
    ResetSettings(settings::ResetArguments),
    /// Change settings, all or none of them: KEY=VALUE ...
    #[command(name = "admin:settings:set")]
    SetSettings(settings::SetArguments),
    /// Stop all apps of an organisation until it is resumed
    #[command(name = "admin:suspend")]
    Suspend(organizations::SuspendArguments),
    /// Put money into an organisation's wallet
    #[command(name = "admin:topup")]
    TopUp(organizations::MoneyArguments),
    /// List all users, with their organisations
    #[command(name = "admin:users")]
    Users(users::ListArguments),
    /// Make a user an admin of the platform, or lock one out
    #[command(name = "admin:users:edit")]
    EditUser(users::EditArguments),
}

impl Command {
    /// Whether it reads what the client sends.
    pub(crate) fn reads_input(&self) -> bool {
        matches!(self, Self::AddNotification(arguments) if arguments.reads_input())
    }
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    if !context.actor().is_admin() {
        return Err(Error::Forbidden("Only an admin of the platform can do this.".to_owned()).into());
    }
    let platform = &AlertsOf::Platform;
    match command {
        Command::Alerts(which) => alerts::list(context, platform, which).await,
        Command::Apps(arguments) => platform::apps(context, arguments).await,
        Command::Audit(arguments) => platform::audit(context, arguments).await,
        Command::Billing => platform::billing(context).await,
        Command::Settle => platform::settle(context).await,
        Command::Adjust(arguments) => organizations::adjust(context, arguments).await,
        Command::Limit(arguments) => organizations::limit(context, arguments).await,
        Command::Nodes => nodes::list(context).await,
        Command::Notifications => notifications::list(context, platform).await,
        Command::AddNotification(arguments) => notifications::add(context, platform, arguments).await,
        Command::EditNotification(arguments) => notifications::edit(context, platform, arguments).await,
        Command::NotificationMessages(arguments) => notifications::messages(context, platform, arguments).await,
        Command::RemoveNotification(arguments) => notifications::remove(context, platform, arguments).await,
        Command::RotateNotification(arguments) => notifications::rotate(context, platform, arguments).await,
        Command::TestNotification(arguments) => notifications::test(context, platform, arguments).await,
        Command::Organization(arguments) => organizations::info(context, arguments).await,
        Command::Organizations(arguments) => organizations::list(context, arguments).await,
        Command::DestroyOrganization(arguments) => organizations::destroy(context, arguments).await,
        Command::Overview => platform::overview(context).await,
        Command::Plans => plans::list(context).await,
        Command::CreatePlan(arguments) => plans::create(context, arguments).await,
        Command::EditPlan(arguments) => plans::edit(context, arguments).await,
        Command::RemovePlan(arguments) => plans::remove(context, arguments).await,
        Command::Refund(arguments) => organizations::refund(context, arguments).await,
        Command::Resume(arguments) => organizations::resume(context, arguments).await,
        Command::Settings => settings::list(context).await,
        Command::CheckSettings(arguments) => settings::check(context, arguments).await,
        Command::ResetSettings(arguments) => settings::reset(context, arguments).await,
        Command::SetSettings(arguments) => settings::set(context, arguments).await,
        Command::Suspend(arguments) => organizations::suspend(context, arguments).await,
        Command::TopUp(arguments) => organizations::top_up(context, arguments).await,
        Command::Users(arguments) => users::list(context, arguments).await,
        Command::EditUser(arguments) => users::edit(context, arguments).await,
    }
}
