//! The rules of alerts as a Prometheus has them, in `infra/observability/rules/`: the same as Skypanel's own, and about
//! nothing but what is exposed. That they fire when they should is for `promtool test rules` (`infra/dev/test scripts`).

use std::collections::BTreeSet;

use skypanel_core::actions::Scope;
use skypanel_core::model::{AlertRule, DeploymentStatus, DomainId, Stage};

use crate::openmetrics::Exposition;
use crate::releases::{push, running};
use crate::world::World;

const RULES: &str = include_str!("../../../infra/observability/rules/skypanel.yml");
/// What the agents expose.
const OF_AGENTS: &str = include_str!("../../../observer/src/metrics/exposition.rs");
const METRICS_GUIDE: &str = include_str!("../../../docs/metrics.md");
/// What only somebody else can see.
const OF_PROMETHEUS_ALONE: &str = "skypanel_down";

/// Names of all rules, with their expressions.
fn rules() -> Vec<(&'static str, &'static str)> {
    let parts = RULES.split("- alert: ").skip(1);
    parts
        .map(|part| {
            let (name, rest) = part.split_once('\n').expect("goes on");
            let (_, expression) = rest.split_once("expr:").expect("looks at something");
            let end =
                ["\n        for:", "\n        keep_firing_for:"].iter().filter_map(|word| expression.find(word)).min();
            (name, &expression[..end.expect("goes on")])
        })
        .collect()
}

/// The names of metrics in an expression.
fn metrics(expression: &str) -> BTreeSet<&str> {
    let outside = expression.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let words = outside.flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    words.filter(|word| ["skypanel_", "traefik_"].iter().any(|prefix| word.starts_with(prefix))).collect()
}

/// The settings in an expression.
fn settings(expression: &str) -> BTreeSet<&str> {
    expression.split("setting=\"").skip(1).filter_map(|part| part.split('"').next()).collect()
}

#[test]
fn a_prometheus_looks_for_the_same_by_the_same_settings() {
    let rules = rules();
    let mut names: Vec<&str> =
        rules.iter().map(|(name, _)| *name).filter(|name| *name != OF_PROMETHEUS_ALONE).collect();
    names.sort_unstable();
    let mut expected: Vec<String> = AlertRule::ALL.iter().map(ToString::to_string).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for (name, expression) in rules.iter().filter(|(name, _)| *name != OF_PROMETHEUS_ALONE) {
        let rule: AlertRule = name.parse().expect("is one");
        let asked = settings(expression);
        assert!(asked.contains(rule.info().settings[0]), "{name} is switched off by the same setting");
        assert!(asked.iter().all(|setting| rule.info().settings.contains(setting)), "{name}: {asked:?}");
    }
}

#[tokio::test]
async fn a_prometheus_looks_at_nothing_that_is_not_there() {
    let world = World::of_one_process().await;
    things_go_wrong(&world).await;
    world.get("/api/paas/plans").by("owner").send().await.is(200);
    let token = world.token("admin", Scope::Read).await;
    let told = world.get("/metrics").token(&token).send().await.is(200).text;
    let exposed = Exposition::read(&told);
    let (mut ours, mut of_agents) = (0, 0);
    for (name, expression) in rules() {
        for metric in metrics(expression) {
            let family = ["_total", "_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end));
            let is_ours = [Some(metric), family].into_iter().flatten().any(|name| exposed.kind(name).is_some());
            let of_an_agent = OF_AGENTS.contains(&format!("\"{metric}\""))
                || METRICS_GUIDE.contains(&format!("`{}`", metric.trim_end_matches("_bucket")));
            assert!(is_ours || of_an_agent, "{name} asks for {metric}, which nobody exposes");
            ours += usize::from(is_ours);
            of_agents += usize::from(of_an_agent);
        }
    }
    assert!(ours > 40 && of_agents > 7, "{ours} and {of_agents} were found");

    // What they look at is what went wrong.
    for (name, labels, value) in [
        ("skypanel_app_incidents", &[("app", "shop"), ("kind", "crash")][..], 2.0),
        ("skypanel_app_failed_deployments", &[("app", "shop")], 1.0),
        ("skypanel_app_given_up", &[("app", "blog")], 1.0),
        ("skypanel_held_apps", &[("organization", "acme")], 1.0),
        ("skypanel_wallet_low_hours", &[("organization", "acme")], 72.0),
        ("skypanel_month_budget_ratio", &[("organization", "acme")], 0.75),
        ("skypanel_billing_difference", &[("organization", "acme")], 1.5),
        ("skypanel_service_up", &[("service", "edge")], 1.0),
        ("skypanel_node_up", &[("node", "one")], 1.0),
        ("skypanel_node_cores", &[("node", "one")], 2.0),
        ("skypanel_setting", &[("setting", "alerts.app_crashes")], 3.0),
    ] {
        assert!((exposed.get(name, labels) - value).abs() < 1e-9, "{name}");
    }
    let days = exposed.get("skypanel_certificate_days", &[("app", "shop"), ("domain", "www.example.com")]);
    assert!((1.9..2.1).contains(&days), "{days}");
    let hours = exposed.get("skypanel_wallet_hours", &[("organization", "acme")]);
    assert!(hours > 0.0 && hours < 5.1, "{hours}");
    assert!(exposed.get("skypanel_settlement_lag_seconds", &[]) > 7_200.0);
    world.close().await;
}

/// Lets happen what the rules that look at the store look for.
async fn things_go_wrong(world: &World) {
    let app = running(world, "shop").await;
    let (store, pool) = (world.store(), world.store().pool());
    for kind in ["crash", "crash", "health"] {
        store.record_event(app, None, kind, "web.1").await.expect("is written down");
    }
    let deployment = push(world, app, "2").await;
    store.start_stage(deployment, Stage::Build, world.actions.clock.now()).await.expect("begins");
    store.finish_stage(deployment, Stage::Build, false).await.expect("ends");
    store.finish_deployment(deployment, DeploymentStatus::Failed, Some(("BUILD_FAILED", "No."))).await.expect("ends");
    let held = running(world, "blog").await;
    let mover = serde_json::json!({ "kind": "top_up", "amount": "5", "reference": "wire 1" });
    world.post("/api/admin/paas/organizations/acme/ledger").by("admin").json(&mover).send().await.is(201);
    for sql in [
        "INSERT INTO paas_billing_periods (started_at) VALUES ('2000-01-01')",
        "INSERT INTO paas_given_up (application_id, process_type, given_up_at, reason) VALUES ($1, 'web', now(), 'x')",
        "UPDATE paas_applications SET status = 'suspended' WHERE id = $1",
        "UPDATE paas_applications SET suspended_reason = 'wallet' WHERE id = $1",
        "INSERT INTO paas_metering (organization_id, application_id, app_slug, process_type, plan_id, plan_name,
             price_per_hour, replicas, started_at, settled_until)
         SELECT organization_id, id, slug, 'extra', id, 'dollar', 1, 1, '2026-03-01T08:00:00Z', '2026-03-01T08:00:00Z'
         FROM paas_applications WHERE id = $1",
        "INSERT INTO paas_usage_days (organization_id, day, application_id, app_slug, process_type, plan_id, plan_name,
             price_per_hour, replica_microseconds, cost, charged)
         SELECT organization_id, '2026-03-01', id, slug, 'extra', id, 'dollar', 1, 1, 1.5, 1.5
         FROM paas_applications WHERE id = $1",
        "INSERT INTO paas_usage_months (organization_id, month, application_id, app_slug, process_type, plan_id,
             plan_name, price_per_hour, replica_microseconds, cost, charged)
         SELECT organization_id, '2026-03-01', id, slug, 'extra', id, 'dollar', 1, 1, 1.5, 1.5
         FROM paas_applications WHERE id = $1",
        "UPDATE organizations SET month_budget = 2 WHERE name = 'acme'",
    ] {
        let mut query = sqlx::query(sql);
        if sql.contains("$1") {
            query = query.bind(held);
        }
        query.execute(pool).await.expect(sql);
    }
    sqlx::query(
        "INSERT INTO paas_domains (id, application_id, domain, status, next_check_at, ssl_status, ssl_cert_expires_at,
             created_at)
         VALUES ($1, $2, 'www.example.com', 'active', now(), 'active', '2026-03-03T12:00:00Z', now())",
    )
    .bind(DomainId::new())
    .bind(app)
    .execute(pool)
    .await
    .expect("is written down");
}
