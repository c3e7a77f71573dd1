//! `alerts`: what is wrong, and what was. `admin:alerts` lists that of the whole platform.

use clap::Args;
use serde_json::json;
use skypanel_core::actions::AlertsOf;
use skypanel_core::model::AlertRule;
use skypanel_core::store::AlertFilter;

use crate::commands::context::{Context, Failure, OrganizationChoice};
use crate::commands::table::{plain, time};

/// Arguments of `alerts`.
#[derive(Args, Debug)]
pub(crate) struct AlertsArguments {
    #[command(flatten)]
    choice: OrganizationChoice,
    #[command(flatten)]
    which: WhichAlerts,
}

/// Which alerts.
#[derive(Args, Debug)]
pub(crate) struct WhichAlerts {
    /// Those that are over as well
    #[arg(long)]
    past: bool,
    /// Only those of this rule
    #[arg(long)]
    rule: Option<AlertRule>,
    /// How many
    #[arg(short, long, value_name = "ALERTS", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    num: u32,
}

pub(crate) async fn show(context: &Context, arguments: &AlertsArguments) -> Result<u32, Failure> {
    let of = AlertsOf::Organization(context.organization(&arguments.choice)?);
    list(context, &of, &arguments.which).await
}

pub(crate) async fn list(context: &Context, of: &AlertsOf, which: &WhichAlerts) -> Result<u32, Failure> {
    let filter = AlertFilter { organization: None, is_over: (!which.past).then_some(false), rule: which.rule };
    let alerts = context.actions().alerts(context.actor(), of, filter, None, i64::from(which.num)).await?;
    let rows = alerts.iter().map(|alert| {
        let row = vec![
            time(alert.fired_at),
            if alert.resolved_at.is_some() { "over".to_owned() } else { alert.severity.to_string() },
            alert.rule.to_string(),
            plain(&alert.subject_name),
            plain(&alert.message),
        ];
        let json = json!({
            "id": alert.id,
            "rule": alert.rule,
            "severity": alert.severity,
            "subject": { "kind": alert.subject_kind, "id": alert.subject, "name": alert.subject_name },
            "organization_id": alert.organization_id,
            "message": alert.message,
            "value": alert.value,
            "threshold": alert.threshold,
            "began_at": alert.began_at,
            "fired_at": alert.fired_at,
            "last_seen": alert.last_seen,
            "resolved_at": alert.resolved_at,
        });
        (json, row)
    });
    context.list(&["SINCE", "STATE", "RULE", "ABOUT", "WHAT"], "Nothing is wrong.", rows).await
}
