//! What the rules of alerts look at, for those who have a Prometheus look at the same, and what of that the settings call
//! too much. The rules for it are in `infra/observability/rules/`.

use std::sync::atomic::AtomicU64;

use chrono::TimeDelta;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use skypanel_core::Error;
use skypanel_core::model::{AlertRule, Hour, Month, NodeAvailability, NodeState};
use skypanel_core::settings::Settings;
use skypanel_core::store::{Incident, Store};

use crate::health::Health;
use crate::nodes::Nodes;

type Number = Gauge<f64, AtomicU64>;

/// One label, whose name and value are both known when a sample is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Setting {
    setting: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct App {
    app: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Happened {
    app: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Domain {
    app: String,
    domain: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Organization {
    organization: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Service {
    service: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfNode {
    node: String,
}

fn family<L: EncodeLabelSet + Clone + std::fmt::Debug + Eq + std::hash::Hash + Send + Sync + 'static>(
    registry: &mut Registry,
    name: &str,
    help: &str,
) -> Family<L, Number> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    family
}

/// What is outside of the store.
pub(super) async fn of_the_outside(nodes: &Nodes, health: &Health) -> Registry {
    let mut registry = Registry::with_prefix("skypanel");
    let services =
        family(&mut registry, "service_up", "Whether what the platform works with answers; those it has only");
    for (service, is_up) in health.services().await {
        services.get_or_create(&Service { service }).set(f64::from(u8::from(is_up)));
    }
    let up =
        family(&mut registry, "node_up", "Whether a node answers the managers of the Swarm; none for drained ones");
    let cores = family(&mut registry, "node_cores", "Cores of a node");
    for node in nodes.list().await.iter().flat_map(|nodes| nodes.iter()) {
        let of = OfNode { node: node.name.clone() };
        if node.availability != NodeAvailability::Drain {
            let is_down = matches!(node.state, NodeState::Down | NodeState::Disconnected);
            up.get_or_create(&of).set(f64::from(u8::from(!is_down)));
        }
        cores.get_or_create(&of).set(number(node.cpu_millicores) / 1_000.0);
    }
    registry
}

/// What is in the store.
pub(super) async fn of_the_store(store: &Store) -> Result<Registry, Error> {
    let mut registry = Registry::with_prefix("skypanel");
    let settings = store.settings().await?;
    let now = store.clock().now();
    tell_settings(&mut registry, &settings);
    let minutes = |count: u64| TimeDelta::minutes(i64::try_from(count).unwrap_or(i64::from(i32::MAX)));

    let incidents = family(
        &mut registry,
        "app_incidents",
        "Crashes and failed health checks of apps within alerts.app_minutes, of those that had any",
    );
    for kind in [Incident::Crash, Incident::Health] {
        for app in store.incidents(kind, now - minutes(settings.alerts_app_minutes), 1).await? {
            let of = Happened { app: app.slug.to_string(), kind: kind.to_string() };
            incidents.get_or_create(&of).set(number(app.count));
        }
    }
    let given_up = family(&mut registry, "app_given_up", "Process types of apps that are not started any more");
    for app in store.apps_given_up(1).await? {
        given_up.get_or_create(&App { app: app.slug.to_string() }).set(number(app.count));
    }
    let failed = family(&mut registry, "app_failed_deployments", "Deployments of apps that failed in a row, lately");
    for app in store.apps_that_fail(now - TimeDelta::days(1), 1).await? {
        failed.get_or_create(&App { app: app.slug.to_string() }).set(number(app.count));
    }
    let certificates = family(
        &mut registry,
        "certificate_days",
        "Days until a certificate ends, of those that end within alerts.certificate_days; 0 where there is none",
    );
    let days = TimeDelta::days(i64::try_from(settings.alerts_certificate_days).unwrap_or(0));
    for certificate in store.certificates_that_fail(now + days).await? {
        let left = certificate.expires_at.map_or(TimeDelta::zero(), |expires_at| expires_at - now);
        let of = Domain { app: certificate.slug.to_string(), domain: certificate.domain.to_string() };
        certificates.get_or_create(&of).set(seconds(left) / 86_400.0);
    }
    of_money(&mut registry, store, &settings).await?;
    Ok(registry)
}

async fn of_money(registry: &mut Registry, store: &Store, settings: &Settings) -> Result<(), Error> {
    let now = store.clock().now();
    let wallets =
        family(registry, "wallet_hours", "Hours that a wallet lasts for, of those that do not last for long enough");
    let enough = family(
        registry,
        "wallet_low_hours",
        "Hours that it should last for, by its owners' word, billing.low_balance_hours or billing.last_warning_hours",
    );
    for wallet in store.low_wallets(settings.low_balance_hours(None), 1.0).await? {
        let of = Organization { organization: wallet.name };
        wallets.get_or_create(&of).set(wallet.hours);
        enough.get_or_create(&of).set(wallet.threshold);
    }
    let budgets = family(
        registry,
        "month_budget_ratio",
        "What was charged this month of the budget that its owners set, of organisations that have one",
    );
    for used in store.budgets_used(Month::of(now), 0).await? {
        budgets.get_or_create(&Organization { organization: used.name }).set(used.percent / 100.0);
    }
    let held = family(registry, "held_apps", "Apps that are suspended because the wallet is empty");
    for (_, organization, count) in store.held_by_wallets(1).await? {
        held.get_or_create(&Organization { organization }).set(number(count));
    }
    let late = Number::default();
    registry.register("settlement_lag_seconds", "How long the oldest hour that is not settled is over", late.clone());
    let oldest = store.unsettled_since(Hour::of(now).begin()).await?;
    let lag = oldest.map_or(TimeDelta::zero(), |settled_until| now - Hour::of(settled_until).end());
    late.set(seconds(lag).max(0.0));
    let differences = family(
        registry,
        "billing_difference",
        "What was used and is to be charged, less what was charged, of the last alerts.billing_days, where they differ",
    );
    for one in store.billing_differences(settings.first_billing_day(now)).await? {
        let organization = one.name.unwrap_or_else(|| one.organization.to_string());
        #[expect(clippy::cast_precision_loss, reason = "a difference in millionths")]
        let difference = (one.used - one.charged).millionths() as f64 / 1e6;
        differences.get_or_create(&Organization { organization }).set(difference);
    }
    Ok(())
}

/// All settings that rules go by.
fn tell_settings(registry: &mut Registry, settings: &Settings) {
    let told = family(registry, "setting", "The settings that the rules of alerts go by");
    for setting in AlertRule::ALL.iter().flat_map(|rule| rule.info().settings) {
        if let Some(value) = settings.show(setting).and_then(|value| value.parse().ok()) {
            told.get_or_create(&Setting { setting }).set(value);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and settings, far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a few days")]
fn seconds(time: TimeDelta) -> f64 {
    time.num_milliseconds() as f64 / 1_000.0
}
