//! The rules: those that need nothing but the store, and those that look at what is outside of it.

mod api;
mod apps;
mod billing;
mod deploys;
mod domains;
mod nodes;
mod outside;
mod queue;
mod services;
mod traffic;

pub use outside::{Outside, of_the_outside};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::future::BoxFuture;

use super::{Moment, Rule, Seen};
use crate::Result;
use crate::model::{AlertRule, Subject, SubjectKind};
use crate::store::AppCount;

/// What a rule does to look.
type Look = for<'a> fn(&'a Moment<'a>) -> BoxFuture<'a, Result<Seen>>;

/// A rule that counts at once what it sees.
struct OfTheStore {
    name: AlertRule,
    look: Look,
}

#[async_trait]
impl Rule for OfTheStore {
    fn name(&self) -> AlertRule {
        self.name
    }

    async fn look(&self, moment: &Moment<'_>) -> Result<Seen> {
        (self.look)(moment).await
    }
}

/// All that need nothing but the store.
pub fn of_the_store() -> Vec<Box<dyn Rule>> {
    vec![
        rule(AlertRule::ApiErrors, |moment| Box::pin(api::errors(moment))),
        rule(AlertRule::ApiLatency, |moment| Box::pin(api::latency(moment))),
        rule(AlertRule::AppCrashes, |moment| Box::pin(apps::crashes(moment))),
        rule(AlertRule::AppDeploysFailing, |moment| Box::pin(deploys::of_apps(moment))),
        rule(AlertRule::AppGivenUp, |moment| Box::pin(apps::given_up(moment))),
        rule(AlertRule::AppUnhealthy, |moment| Box::pin(apps::unhealthy(moment))),
        rule(AlertRule::BillingMismatch, |moment| Box::pin(billing::mismatch(moment))),
        rule(AlertRule::BuildTime, |moment| Box::pin(deploys::build_time(moment))),
        rule(AlertRule::CertificateFailing, |moment| Box::pin(domains::certificates(moment))),
        rule(AlertRule::DeployFailures, |moment| Box::pin(deploys::of_the_platform(moment))),
        rule(AlertRule::JobsAge, |moment| Box::pin(queue::age(moment))),
        rule(AlertRule::JobsDepth, |moment| Box::pin(queue::depth(moment))),
        rule(AlertRule::LowBalance, |moment| Box::pin(billing::low_balance(moment))),
        rule(AlertRule::MonthBudget, |moment| Box::pin(billing::month_budget(moment))),
        rule(AlertRule::RolloutTime, |moment| Box::pin(deploys::rollout_time(moment))),
        rule(AlertRule::SettlementLate, |moment| Box::pin(billing::settlement_late(moment))),
        rule(AlertRule::WalletEmpty, |moment| Box::pin(billing::wallet_empty(moment))),
    ]
}

fn rule(name: AlertRule, look: Look) -> Box<dyn Rule> {
    Box::new(OfTheStore { name, look })
}

/// That many minutes.
fn minutes(number: u64) -> TimeDelta {
    TimeDelta::minutes(i64::try_from(number).unwrap_or(i64::from(i32::MAX)))
}

/// A count as a number that is measured.
#[expect(clippy::cast_precision_loss, reason = "counts and settings, far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

/// From how many on a count is not good enough to end an alert that begins at `threshold`.
fn eased(threshold: u64) -> u64 {
    (threshold.saturating_mul(9) / 10).max(1)
}

/// The app that something happened to.
fn app(count: &AppCount) -> Subject {
    Subject {
        kind: SubjectKind::App,
        key: count.id.to_string(),
        name: count.slug.to_string(),
        organization: Some(count.organization_id),
    }
}
