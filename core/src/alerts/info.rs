//! What each rule is about, for listings, checks of input and the documentation.

use crate::model::AlertRule;
use crate::settings::Settings;

/// To whom a rule's alerts belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The platform's admins.
    Admins,
    /// The people of the organisation that the alert is about. Admins are told of it if they choose the rule.
    Organization,
    /// Both.
    Both,
}

impl Audience {
    /// Whether an organisation's people may see its alerts.
    pub fn has_people(self) -> bool {
        self != Self::Admins
    }

    /// Whether admins are told of all its alerts without having asked for them.
    pub fn has_admins(self) -> bool {
        self != Self::Organization
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug)]
pub struct RuleInfo {
    /// To whom its alerts belong.
    pub audience: Audience,
    /// The settings it goes by. With 0 (or `false`) in the first one it is off.
    pub settings: &'static [&'static str],
    /// What it finds, as a sentence.
    pub about: &'static str,
}

impl AlertRule {
    /// Whether the first of its settings switches it off.
    pub fn is_off(self, settings: &Settings) -> bool {
        let first = self.info().settings.first().and_then(|key| settings.show(key));
        matches!(first.as_deref(), Some("0" | "false"))
    }

    /// What it is about.
    pub fn info(self) -> RuleInfo {
        use Audience::{Admins, Both, Organization};
        let (audience, settings, about): (_, &'static [&'static str], _) = match self {
            Self::ApiErrors => (
                Admins,
                &["alerts.api_error_percent"],
                "So large a share of the requests to the API within five minutes, of fifty at least, was answered with \
                 500 or more.",
            ),
            Self::ApiLatency => (
                Admins,
                &["alerts.api_slow_ms"],
                "One in twenty of the requests to the API within five minutes, of fifty at least, took longer than this \
                 until its answer began.",
            ),
            Self::AppCrashes => (
                Organization,
                &["alerts.app_crashes", "alerts.app_minutes"],
                "Processes of an app ended so often within that time though nobody told them to.",
            ),
            Self::AppDeploysFailing => (
                Organization,
                &["alerts.app_deploy_failures"],
                "So many deployments of an app in a row failed, the last one within a day.",
            ),
            Self::AppErrors => (
                Organization,
                &["alerts.app_error_percent", "alerts.app_requests_least"],
                "So large a share of the requests to an app within five minutes, of so many at least, was answered with \
                 500 or more.",
            ),
            Self::AppGivenUp => (
                Organization,
                &["alerts.app_given_up"],
                "So many process types of an app crashed so often in a row that they are not started any more.",
            ),
            Self::AppLatency => (
                Organization,
                &["alerts.app_latency_ms", "alerts.app_requests_least"],
                "One in twenty of the requests to an app within five minutes, of so many at least, took longer than this.",
            ),
            Self::AppUnhealthy => (
                Organization,
                &["alerts.app_unhealthy", "alerts.app_minutes"],
                "Replicas of an app failed their health checks so often within that time.",
            ),
            Self::BillingMismatch => (
                Admins,
                &["alerts.billing_days"],
                "Within the last so many days (UTC, today included), an organisation was not charged exactly what it used.",
            ),
            Self::BuildTime => (
                Admins,
                &["alerts.build_seconds", "alerts.window_minutes"],
                "The builds of deployments that ended within the window, three at least, took longer than this on average.",
            ),
            Self::CertificateFailing => (
                Both,
                &["alerts.certificate_days"],
                "The certificate of a custom domain ends within so many days (critical within three), or there is none \
                 though there was time to get one.",
            ),
            Self::DeployFailures => (
                Admins,
                &["alerts.deploy_failure_percent", "alerts.deploy_failure_least", "alerts.window_minutes"],
                "So large a share of the deployments that ended within the window failed.",
            ),
            Self::EdgeDown => (
                Admins,
                &["alerts.service_down_minutes"],
                "For so long, the edge of the machine whose worker looked did not answer.",
            ),
            Self::JobsAge => (
                Admins,
                &["alerts.jobs_oldest_seconds"],
                "A job that could begin has waited for so long for a worker, or for others of its queue.",
            ),
            Self::JobsDepth => (Admins, &["alerts.jobs_waiting"], "So many jobs that could begin wait."),
            Self::LogStoreDown => (
                Admins,
                &["alerts.service_down_minutes"],
                "For so long, the Loki of `logs.loki_url` did not answer a query.",
            ),
            Self::LowBalance => (
                Both,
                &["billing.low_balance_hours", "billing.last_warning_hours"],
                "A wallet lasts for less than so many hours of what runs now, or than its owners chose; critical below the \
                 second number.",
            ),
            Self::MailDown => (
                Admins,
                &["alerts.service_down_minutes"],
                "For so long, the mail server of the settings `smtp.` did not greet.",
            ),
            Self::MetricsSourceDown => (
                Admins,
                &["alerts.service_down_minutes"],
                "For so long, the Prometheus of `metrics.prometheus_url` did not answer a query.",
            ),
            Self::MonthBudget => (
                Organization,
                &["alerts.budget_percent"],
                "An organisation was charged so large a share of the budget that its owners set for a month (UTC); \
                 critical at all of it.",
            ),
            Self::NodeCpu => (
                Admins,
                &["alerts.node_cpu_percent", "alerts.node_busy_minutes"],
                "For so long, a node used this share of its CPU time or more; critical halfway from there to all of it.",
            ),
            Self::NodeDisk => (
                Admins,
                &["alerts.node_disk_percent"],
                "On a node, this share or more of the disk of the data directory is in use; critical likewise.",
            ),
            Self::NodeDown => (
                Admins,
                &["alerts.node_down_minutes"],
                "For so long, the Swarm's managers had no answer of a node that is not drained, or did not answer \
                 themselves.",
            ),
            Self::NodeMemory => (
                Admins,
                &["alerts.node_memory_percent", "alerts.node_busy_minutes"],
                "For so long, a node used this share of its memory or more; critical likewise.",
            ),
            Self::RolloutTime => (
                Admins,
                &["alerts.rollout_seconds", "alerts.window_minutes"],
                "The rollouts of deployments that ended within the window, three at least, took longer than this on \
                 average.",
            ),
            Self::SettlementLate => (
                Admins,
                &["alerts.settlement_minutes"],
                "An hour in which something ran has been over for so long and is not settled.",
            ),
            Self::WalletEmpty => (
                Both,
                &["alerts.held_apps"],
                "So many apps of an organisation are suspended because its wallet is empty.",
            ),
        };
        RuleInfo { audience, settings, about }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_explained_and_goes_by_settings_that_there_are() {
        for rule in AlertRule::ALL {
            let info = rule.info();
            assert!(info.about.ends_with('.') && !info.settings.is_empty(), "{rule}");
            for key in info.settings {
                assert!(Settings::info(key).is_some(), "{rule} goes by {key}");
            }
        }
    }
}
