//! Who hears of which change, and who of none.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use skypanel_core::stream::{Change, Changes};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::billing::running_app;
use crate::things::{KEY, deployment, failed_job};
use crate::world::World;

/// Longest an event may be waited for.
const SOON: Duration = Duration::from_secs(20);

/// Somebody who follows what changes. What comes is read at once: a stream that nobody reads holds on to what it is
/// asking the database.
struct Ear {
    events: mpsc::UnboundedReceiver<(String, Value)>,
    reads: JoinHandle<()>,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.reads.abort();
    }
}

impl Ear {
    async fn of(world: &World, name: &str) -> Self {
        let opened = world.get("/api/paas/events/stream").by(name).open().await;
        assert_eq!(opened.status(), StatusCode::OK);
        let (heard, events) = mpsc::unbounded_channel();
        let mut ear = Self { events, reads: tokio::spawn(read(opened.into_body().into_data_stream(), heard)) };
        assert_eq!(ear.event().await, ("unknown".to_owned(), json!({})));
        ear
    }

    /// The next event, as its name and data.
    async fn event(&mut self) -> (String, Value) {
        let event = tokio::time::timeout(SOON, self.events.recv()).await.expect("an event comes");
        event.expect("goes on")
    }

    /// The next event that is about an app.
    async fn of_app(&mut self) -> Value {
        loop {
            let (name, data) = self.event().await;
            if name == "change" && !data["app"].is_null() {
                return data;
            }
        }
    }

    /// All that was told before [`mark`].
    async fn until_mark(&mut self) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            match self.event().await {
                (name, _) if name == "unknown" => return heard,
                (_, data) => heard.push(data),
            }
        }
    }
}

/// Passes on the events of a stream; heartbeats are none.
async fn read(mut stream: BodyDataStream, heard: mpsc::UnboundedSender<(String, Value)>) {
    let mut kept = String::new();
    while let Some(piece) = stream.next().await {
        kept.push_str(std::str::from_utf8(&piece.expect("is read")).expect("is text"));
        while let Some((event, rest)) = kept.split_once("\n\n") {
            let of = |field: &str| event.lines().find_map(|line| line.strip_prefix(field)).map(str::to_owned);
            if let (Some(name), Some(data)) = (of("event: "), of("data: ")) {
                let _ = heard.send((name, serde_json::from_str(&data).expect("is JSON")));
            }
            kept = rest.to_owned();
        }
    }
}

/// Tells everybody something that nobody knows what to make of. Announcements come in their order.
async fn mark(world: &World) {
    sqlx::query("SELECT pg_notify('skypanel_changes', 'mark')")
        .execute(world.store().pool())
        .await
        .expect("is announced");
}

/// People, and what they hear.
struct Ears<'a> {
    world: &'a World,
    ears: BTreeMap<&'static str, Ear>,
}

impl<'a> Ears<'a> {
    async fn of(world: &'a World, names: &[&'static str]) -> Self {
        let mut ears = BTreeMap::new();
        for name in names {
            ears.insert(*name, Ear::of(world, name).await);
        }
        Self { world, ears }
    }

    /// What each of them has heard since the last time, one after the other.
    async fn all(&mut self) -> BTreeMap<&'static str, Vec<Value>> {
        mark(self.world).await;
        let mut heard = BTreeMap::new();
        for (name, ear) in &mut self.ears {
            heard.insert(*name, ear.until_mark().await);
        }
        heard
    }

    /// Whose things each of them has heard of since the last time, such as `admin: admins, owner: user`.
    async fn heard(&mut self) -> String {
        let acme = json!(self.world.acme.id.0);
        let mut said = Vec::new();
        for (name, events) in self.all().await {
            let mut of = Vec::new();
            for event in &events {
                assert!(event["organization_id"].is_null() || event["organization_id"] == acme, "{name}: {event}");
                let whose = event["of"].as_str().expect("is text");
                of.push(if event["app"].is_null() { whose } else { "app" });
            }
            of.sort_unstable();
            of.dedup();
            if !of.is_empty() {
                said.push(format!("{name}: {}", of.join("+")));
            }
        }
        said.join(", ")
    }

    /// Writes something down as the platform does, and tells who heard of it.
    async fn after(&mut self, sql: &'static str, id: Uuid) -> String {
        sqlx::query(sql).bind(id).execute(self.world.store().pool()).await.expect("is written down");
        self.heard().await
    }
}

#[tokio::test]
async fn changes_are_told_to_those_who_may_see_them_whoever_makes_them() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let mut viewer = Ear::of(&world, "viewer").await;
    let mut outsider = Ear::of(&world, "outsider").await;

    let expected = json!({
        "of": "organization", "organization_id": app.organization_id.0, "app_id": app.id.0, "app": "shop",
    });
    // Each through another table: a config var, an event, a deployment and its app.
    let vars = json!({ "vars": { "A": "1" } });
    world.call(Method::PATCH, "/api/paas/apps/shop/env").by("developer").json(&vars).send().await.is(200);
    assert_eq!(viewer.of_app().await, expected);
    world.store().record_event(app.id, None, "health", "web.1 is not healthy").await.expect("records");
    assert_eq!(viewer.of_app().await, expected);
    deployment(&world, &app).await;
    assert_eq!(viewer.of_app().await, expected);

    // Members of other organisations heard of none of it, only of what is theirs.
    world.post("/api/paas/apps").by("outsider").json(&json!({ "slug": "theirs" })).send().await.is(201);
    mark(&world).await;
    let heard = outsider.until_mark().await;
    assert!(heard.iter().all(|data| data["organization_id"] == json!(world.globex.id.0)), "{heard:?}");
    assert!(heard.iter().any(|data| data["app"] == "theirs"), "{heard:?}");

    // Who is not a member any more hears nothing further.
    let member = format!("/api/organizations/acme/members/{}", world.users["viewer"].id);
    world.delete(&member).by("owner").send().await.is(204);
    let rest = async { while viewer.events.recv().await.is_some() {} };
    tokio::time::timeout(SOON, rest).await.expect("ends");
    drop(outsider);
    world.close().await;
}

#[tokio::test]
async fn an_organizations_things_are_told_to_its_people_and_to_admins() {
    const ALL: &str = "admin: organization, owner: organization, viewer: organization";
    const OF_APP: &str = "admin: app, owner: app, viewer: app";
    const BOTH: &str = "admin: app+organization, owner: app+organization, viewer: app+organization";
    let world = World::new().await;
    let app = world.app("shop").await;
    let mut ears = Ears::of(&world, &["admin", "loner", "outsider", "owner", "viewer"]).await;

    let money = json!({ "kind": "top_up", "amount": "12", "reference": "payment 12" });
    world.post("/api/admin/paas/organizations/acme/ledger").by("admin").json(&money).send().await.is(201);
    assert_eq!(ears.heard().await, ALL, "the wallet");
    let limits = json!({ "max_apps": 3 });
    world.call(Method::PATCH, "/api/admin/paas/organizations/acme").by("admin").json(&limits).send().await.is(200);
    assert_eq!(ears.heard().await, ALL, "limits");
    let budget = json!({ "month_budget": "5" });
    world.call(Method::PATCH, "/api/organizations/acme/wallet").by("owner").json(&budget).send().await.is(200);
    assert_eq!(ears.heard().await, ALL, "a budget");
    let target = json!({ "kind": "webhook", "address": "http://127.0.0.1:1/alerts" });
    let target = world.post("/api/organizations/acme/notifications").by("owner").json(&target).send().await.is(201);
    assert_eq!(ears.heard().await, ALL, "a target");
    let target = target.json["id"].as_str().and_then(|id| id.parse().ok()).expect("has an id");
    let message = "INSERT INTO paas_notifications (id, target_id, state, gathers, is_test, created_at, ended_at)
         VALUES ('00000000-0000-4000-8000-00000000000a', $1, 'failed', false, true, now(), now())";
    assert_eq!(ears.after(message, target).await, ALL, "a message");
    let message = "UPDATE paas_notifications SET answer = 'Nobody is there.' WHERE target_id = $1";
    assert_eq!(ears.after(message, target).await, ALL, "what came of a message");

    let webhook = json!({ "provider": "github" });
    let webhook = world.post("/api/paas/apps/shop/webhooks").by("owner").json(&webhook).send().await.is(201);
    assert_eq!(ears.heard().await, BOTH, "a webhook");
    let webhook = webhook.json["id"].as_str().and_then(|id| id.parse().ok()).expect("has an id");
    let delivery = "INSERT INTO paas_webhook_deliveries (id, webhook_id, delivery, event, outcome, reason, received_at)
         VALUES ('00000000-0000-4000-8000-00000000000b', $1, '1', 'push', 'ignored', 'No branch.', now())";
    assert_eq!(ears.after(delivery, webhook).await, OF_APP, "a delivery");
    let drain = json!({ "url": "syslog://93.184.216.34:514" });
    world.post("/api/paas/apps/shop/drains").by("owner").json(&drain).send().await.is(201);
    assert_eq!(ears.heard().await, BOTH, "a drain");
    let failing = "UPDATE paas_log_drains SET failing_since = now(), last_error = 'gone' WHERE application_id = $1";
    assert_eq!(ears.after(failing, app.id.0).await, OF_APP, "a drain that fails");
    let same = "UPDATE paas_log_drains SET last_error = 'gone' WHERE application_id = $1";
    assert_eq!(ears.after(same, app.id.0).await, "", "a drain that fails as before");

    let alert = "INSERT INTO paas_alerts (id, rule, subject_kind, subject, subject_name, organization_id, severity, message,
             began_at, fired_at, last_seen)
         VALUES ('00000000-0000-4000-8000-00000000000c', 'app_deploys_failing', 'app', 'shop', 'shop', $1, 'warning', 'no',
             now(), now(), now())";
    assert_eq!(ears.after(alert, world.acme.id.0).await, ALL, "an alert");
    let again = "UPDATE paas_alerts SET last_seen = now(), message = '9', value = 9 WHERE organization_id = $1";
    assert_eq!(ears.after(again, world.acme.id.0).await, "", "an alert that is seen again");
    let over = "UPDATE paas_alerts SET resolved_at = now() WHERE organization_id = $1";
    assert_eq!(ears.after(over, world.acme.id.0).await, ALL, "an alert that is over");

    // Whether members have a second factor is in the list of them.
    let factor = "UPDATE users SET totp_confirmed_at = now() WHERE id = $1";
    let developer = world.users["developer"].id.0;
    let heard = "admin: admins+organization, owner: organization, viewer: organization";
    assert_eq!(ears.after(factor, developer).await, heard, "a member's second factor");
    drop(ears);
    world.close().await;
}

#[tokio::test]
async fn a_persons_own_things_are_told_to_nobody_else_and_the_platforms_to_whom_they_concern() {
    const EVERYBODY: &str = "admin: admins+everybody, loner: everybody, outsider: everybody, owner: everybody";
    let world = World::new().await;
    let mut ears = Ears::of(&world, &["admin", "loner", "outsider", "owner"]).await;
    let id = |name: &str| world.users[name].id.0;

    // Admins hear that there is another line in their audit log.
    world.post("/api/me/ssh-keys").by("owner").json(&json!({ "public_key": KEY })).send().await.is(201);
    assert_eq!(ears.heard().await, "admin: admins, owner: user", "a key");
    let token = json!({ "name": "CI", "scope": "read" });
    world.post("/api/me/tokens").by("loner").json(&token).send().await.is(201);
    assert_eq!(ears.heard().await, "admin: admins, loner: user", "a token");
    let session = "INSERT INTO user_sessions (id, user_id, created_at, last_used_at, expires_at)
         VALUES ('00000000-0000-4000-8000-00000000000d', $1, now(), now(), now() + interval '1 day')";
    assert_eq!(ears.after(session, id("loner")).await, "loner: user", "a session");
    let factor = "UPDATE users SET totp_confirmed_at = now() WHERE id = $1";
    assert_eq!(ears.after(factor, id("loner")).await, "admin: admins, loner: user", "a second factor");

    // What is used changes nothing that anybody looks at.
    let used = [
        "UPDATE api_tokens SET last_used_at = now(), last_used_address = '192.0.2.1' WHERE user_id = $1",
        "UPDATE user_sessions SET last_used_at = now(), expires_at = now() + interval '2 days' WHERE user_id = $1",
        "UPDATE ssh_keys SET last_used_at = now() WHERE user_id = $1",
        "UPDATE users SET last_login_at = now(), totp_last_step = 7 WHERE id = $1",
    ];
    for sql in used {
        assert_eq!(ears.after(sql, id("loner")).await, "", "{sql}");
        assert_eq!(ears.after(sql, id("owner")).await, "", "{sql}");
    }
    for name in ["loner", "owner", "admin"] {
        world.get("/api/me").by(name).send().await.is(200);
    }
    assert_eq!(ears.heard().await, "", "requests");

    let settings = json!({ "settings": { "git.allow_app_creation": false } });
    world.call(Method::PUT, "/api/admin/paas/settings").by("admin").json(&settings).send().await.is(200);
    assert_eq!(ears.heard().await, EVERYBODY, "a setting");
    let plans = world.get("/api/paas/plans").by("owner").send().await.is(200);
    let plan = plans.json["items"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("has an id");
    let price = "UPDATE paas_plans SET price_per_hour = 2 WHERE id = $1";
    assert_eq!(ears.after(price, plan).await, EVERYBODY.replace("admins+", ""), "a plan");
    assert_eq!(ears.after(price, plan).await, "", "a plan that is as it was");

    let target = json!({ "kind": "webhook", "address": "http://127.0.0.1:1/alerts" });
    world.post("/api/admin/paas/notifications").by("admin").json(&target).send().await.is(201);
    assert_eq!(ears.heard().await, "admin: admins", "a target of the platform");
    let alert = "INSERT INTO paas_alerts (id, rule, subject_kind, subject, subject_name, severity, message, began_at,
             fired_at, last_seen)
         VALUES ($1, 'disk_filling', 'node', 'one', 'one', 'warning', 'full', now(), now(), now())";
    assert_eq!(ears.after(alert, Uuid::from_u128(1)).await, "admin: admins", "an alert of the platform");
    let job = failed_job(&world).await;
    world.post(&format!("/api/admin/paas/jobs/{job}/retry")).by("admin").send().await.is(204);
    assert_eq!(ears.heard().await, "admin: admins", "a job");
    drop(ears);
    world.close().await;
}

/// What is announced before [`mark`], whoever may hear of it.
async fn announced(world: &World, changes: &mut Changes) -> Vec<Change> {
    mark(world).await;
    let mut heard = Vec::new();
    let marked = async {
        loop {
            match changes.next().await.expect("goes on") {
                Change::Unknown => return,
                change => heard.push(change),
            }
        }
    };
    tokio::time::timeout(SOON, marked).await.expect("is announced");
    heard
}

#[tokio::test]
async fn who_may_do_something_else_from_now_on_hears_of_it() {
    let world = World::new().await;
    let mut changes = world.actions.streams.changes();
    let loner = world.users["loner"].id;
    let path = format!("/api/admin/paas/users/{loner}");
    for change in [json!({ "is_admin": true }), json!({ "disabled": true })] {
        world.call(Method::PATCH, &path).by("admin").json(&change).send().await.is(200);
        let heard = announced(&world, &mut changes).await;
        assert!(heard.contains(&Change::User(loner)) && heard.contains(&Change::Admins), "{change}: {heard:?}");
    }
    // A stream that was opened before knows nothing of the new organisation.
    world.store().set_member(world.globex.id, loner, skypanel_core::model::Role::Viewer).await.expect("joins");
    let heard = announced(&world, &mut changes).await;
    assert!(heard.contains(&Change::User(loner)), "{heard:?}");
    world.close().await;
}

#[tokio::test]
async fn settling_many_apps_tells_an_organization_once() {
    let world = World::new().await;
    for slug in ["blog", "forum", "shop"] {
        running_app(&world, slug).await;
    }
    let money = json!({ "kind": "top_up", "amount": "12", "reference": "payment 12" });
    world.post("/api/admin/paas/organizations/acme/ledger").by("admin").json(&money).send().await.is(201);
    let mut ears = Ears::of(&world, &["admin", "outsider", "owner"]).await;
    let usage = json!({ "of": "organization", "organization_id": world.acme.id.0, "app_id": null, "app": null });
    // While nothing is charged, and while it is.
    for is_on in ["false", "true"] {
        world.store().set_setting("billing.enabled", is_on).await.expect("sets");
        world.actions.clock.advance(Duration::from_secs(7_200));
        if is_on == "true" {
            let since = world.actions.clock.now() - TimeDelta::hours(2);
            sqlx::query("UPDATE paas_billing_periods SET started_at = $1")
                .bind(since)
                .execute(world.store().pool())
                .await
                .expect("is on for as long");
        }
        ears.all().await;
        let settled = world.store().settle_usage().await.expect("settles");
        assert_eq!(
            (settled.app_hours > 2, settled.charged > skypanel_core::model::Money::ZERO),
            (true, is_on == "true")
        );
        for (name, heard) in ears.all().await {
            let expected = if name == "outsider" { Vec::new() } else { vec![usage.clone()] };
            assert_eq!(heard, expected, "{name}, {is_on}");
        }
    }
    drop(ears);
    world.close().await;
}
