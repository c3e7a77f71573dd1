//! How many requests apps get, beside their lists.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;
use skypanel_core::measurements::{Measurements, NodeUsage, Series, Traffic};
use skypanel_core::model::{AppId, AppSlug};
use skypanel_core::{Error, Result};

use crate::serving::options;
use crate::world::World;

/// Traffic as a test wants it; none where the measurements do not answer.
struct Counted {
    traffic: Option<BTreeMap<AppId, Traffic>>,
    reads: AtomicU64,
}

#[async_trait]
impl Measurements for Counted {
    async fn of_app(&self, _app: AppId, _from: DateTime<Utc>, _to: DateTime<Utc>) -> Result<Vec<Series>> {
        Ok(Vec::new())
    }

    async fn of_node(&self, _node: &str, _from: DateTime<Utc>, _to: DateTime<Utc>) -> Result<Vec<Series>> {
        Ok(Vec::new())
    }

    async fn nodes_now(&self, _now: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>> {
        Ok(BTreeMap::new())
    }

    async fn traffic(&self, _now: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.traffic.clone().ok_or_else(|| Error::System("A secret address does not answer.".to_owned()))
    }
}

/// Has one process answer with this traffic.
fn count(world: &mut World, traffic: Option<BTreeMap<AppId, Traffic>>) -> Arc<Counted> {
    let counted = Arc::new(Counted { traffic, reads: AtomicU64::new(0) });
    world.actions.measurements = counted.clone();
    world.serve_alone(options());
    counted
}

fn requests(requests: f64) -> Traffic {
    Traffic { requests, ..Traffic::default() }
}

#[tokio::test]
async fn requests_are_told_of_the_apps_that_the_caller_may_see() {
    let mut world = World::new().await;
    let [shop, idle, silent] = [world.app("shop").await, world.app("idle").await, world.app("silent").await];
    let slug: AppSlug = "theirs".parse().expect("is a slug");
    let theirs = world.store().create_app(&slug, &world.globex).await.expect("makes an app");
    let traffic = BTreeMap::from([
        (shop.id, requests(61.234)),
        (idle.id, requests(0.0)),
        (theirs.id, requests(1_000_000.0)),
        (AppId::new(), requests(7.0)),
    ]);
    let counted = count(&mut world, Some(traffic));

    let path = "/api/paas/requests";
    let of_acme = json!({ (shop.id.to_string()): 12.25, (idle.id.to_string()): 0.0 });
    for who in ["owner", "viewer"] {
        let told = world.get(path).by(who).send().await.is(200).json;
        assert_eq!(
            told,
            json!({ "span_seconds": 300, "per_minute": of_acme }),
            "nothing was measured of {}",
            silent.id
        );
    }
    let told = world.get(path).by("outsider").send().await.is(200).json;
    assert_eq!(told["per_minute"], json!({ (theirs.id.to_string()): 200_000.0 }));
    for who in ["loner", "admin"] {
        assert_eq!(world.get(path).by(who).send().await.is(200).json["per_minute"], json!({}));
    }
    // What is named is shown to its members and to admins, and to nobody else.
    let named = "/api/paas/requests?organization=acme";
    for who in ["viewer", "admin"] {
        assert_eq!(world.get(named).by(who).send().await.is(200).json["per_minute"], of_acme);
    }
    world.get(named).by("outsider").send().await.fails(404, "NOT_FOUND");

    let all = "/api/admin/paas/requests";
    let told = world.get(all).by("admin").send().await.is(200).json;
    assert_eq!(told["per_minute"].as_object().expect("is one").len(), 4);
    world.get(all).by("owner").send().await.fails(403, "FORBIDDEN");
    assert_eq!(counted.reads.load(Ordering::Relaxed), 1, "all were told what was read once");
    world.close().await;
}

#[tokio::test]
async fn measurements_that_do_not_answer_are_told_of_and_asked_no_more_for_a_while() {
    let mut world = World::new().await;
    world.app("shop").await;
    let counted = count(&mut world, None);
    for (path, who) in
        [("/api/paas/requests", "viewer"), ("/api/paas/requests", "owner"), ("/api/admin/paas/requests", "admin")]
    {
        let refused = world.get(path).by(who).send().await.fails(502, "UPSTREAM_FAILED");
        assert!(!refused.text.contains("secret"), "{}", refused.text);
    }
    assert_eq!(counted.reads.load(Ordering::Relaxed), 1);
    world.get("/api/paas/apps").by("viewer").send().await.is(200);
    world.close().await;
}
