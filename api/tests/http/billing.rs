//! Money over HTTP: usage, wallets, ledgers, invoices, and what admins do.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::json;
use skypanel_core::actions::Scope;
use skypanel_core::model::{
    AppStatus, Application, Artifact, DeploymentId, NewDeployment, ProcessType, Sha256Digest, Trigger,
};

use crate::world::World;

/// An app of `acme` with a release that runs one `web`.
pub(crate) async fn running_app(world: &World, slug: &str) -> Application {
    let app = world.app(slug).await;
    let store = world.store();
    let new = NewDeployment {
        id: DeploymentId::new(),
        application_id: app.id,
        trigger: Trigger::Push,
        git_branch: None,
        git_commit: None,
        git_message: None,
        git_author: None,
        no_cache: false,
        description: "Deploy".to_owned(),
        parent_id: None,
        created_by: None,
    };
    store.create_deployment(&new).await.expect("makes one");
    let artifact = Artifact {
        image: Sha256Digest::of(b"image"),
        slug: None,
        bytes: 1,
        buildpack: "python".to_owned(),
        processes: BTreeMap::from([(ProcessType::web(), "run".to_owned())]),
    };
    store.set_artifact(new.id, &artifact).await.expect("sets");
    store.report_app_status(app.id, AppStatus::Deploying).await.expect("sets");
    assert!(store.complete_deployment(new.id).await.expect("completes"));
    store.report_app_status(app.id, AppStatus::Running).await.expect("sets");
    app
}

/// Billing as if it had been on for ever.
async fn switch_on(world: &World) {
    sqlx::query("INSERT INTO paas_billing_periods (started_at) VALUES ('2000-01-01T00:00:00Z')")
        .execute(world.store().pool())
        .await
        .expect("switches");
}

async fn top_up(world: &World, amount: &str) {
    let body = json!({ "kind": "top_up", "amount": amount, "reference": format!("payment of {amount}") });
    world.post("/api/admin/paas/organizations/acme/ledger").by("admin").json(&body).send().await.is(201);
}

#[tokio::test]
async fn an_hour_of_an_app_goes_from_use_to_invoice() {
    let world = World::new().await;
    switch_on(&world).await;
    top_up(&world, "1").await;
    running_app(&world, "shop").await;
    world.actions.clock.advance(Duration::from_secs(5_400));
    let settled = world.post("/api/admin/paas/billing/settle").by("admin").send().await.is(200);
    assert_json_snapshot!("settled", settled.snapshot());

    let ids = |answered: &crate::world::Answered| {
        let mut shown = answered.snapshot();
        mask(&mut shown);
        shown
    };
    let usage = world.get("/api/paas/usage").by("viewer").send().await.is(200);
    assert_json_snapshot!("usage", ids(&usage));
    for group in ["app", "process", "plan"] {
        let grouped = world.get(&format!("/api/paas/usage?group={group}")).by("viewer").send().await.is(200);
        assert_eq!(grouped.json["items"].as_array().map(Vec::len), Some(1), "{group}");
        assert_eq!(grouped.json["items"][0]["cost"], "0.010350", "{group}");
    }
    let days = world.get("/api/paas/usage?group=day&app=shop&month=2026-03").by("viewer").send().await.is(200);
    assert_eq!(days.json["items"], json!([{ "day": "2026-03-01", "cost": "0.006900" }]));
    let wallet = world.get("/api/organizations/acme/wallet").by("viewer").send().await.is(200);
    assert_json_snapshot!("wallet", ids(&wallet));
    let ledger = world.get("/api/organizations/acme/ledger?limit=1").by("viewer").send().await.is(200);
    assert_json_snapshot!("ledger", ids(&ledger));
    let cursor = ledger.json["next_cursor"].as_str().expect("there is more");
    let rest = world.get(&format!("/api/organizations/acme/ledger?limit=1&cursor={cursor}")).by("viewer").send().await;
    assert_eq!((&rest.json["items"][0]["kind"], &rest.json["next_cursor"]), (&json!("top_up"), &json!(null)));

    let csv = world.get("/api/paas/usage.csv?organization=acme").by("viewer").send().await.is(200);
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8; header=present");
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), 2, "{}", csv.text);
    assert_eq!(lines[0], "hour,app_id,app,process,plan,price_per_hour,replica_seconds,cost,charged");
    assert!(lines[1].starts_with("2026-03-01T12:00:00Z,"), "{}", lines[1]);
    assert!(lines[1].ends_with(",shop,web,\"hobby\",0.006900,3600.000000,0.006900,true"), "{}", lines[1]);

    let invoices = world.get("/api/organizations/acme/invoices").by("viewer").send().await.is(200);
    assert_eq!(invoices.json["items"], json!([{ "month": "2026-03", "total": "0.006900" }]));
    let invoice = world.get("/api/organizations/acme/invoices/2026-03").by("viewer").send().await.is(200);
    assert_eq!(invoice.headers["content-type"], "text/html; charset=utf-8");
    assert!(invoice.text.contains("Preliminary") && invoice.text.contains("$0.006900"), "{}", invoice.text);
    for month in ["2026-04", "nonsense"] {
        let path = format!("/api/organizations/acme/invoices/{month}");
        world.get(&path).by("viewer").send().await.fails(404, "NOT_FOUND");
    }
    let overview = world.get("/api/admin/paas/billing").by("admin").send().await.is(200);
    assert_json_snapshot!("overview", ids(&overview));
    world.close().await;
}

#[tokio::test]
async fn owners_set_when_they_are_warned_and_all_members_see_it() {
    let world = World::new().await;
    switch_on(&world).await;
    top_up(&world, "1").await;
    running_app(&world, "shop").await;
    let path = "/api/organizations/acme/wallet";
    let wallet = async |who: &str| world.get(path).by(who).send().await.is(200).json;
    assert_eq!(wallet("viewer").await["warning"], json!(null), "it lasts for 144 hours");
    let set =
        async |who: &str, wanted: serde_json::Value| world.call(Method::PATCH, path).by(who).json(&wanted).send().await;
    let answered = set("owner", json!({ "low_balance_hours": 200, "month_budget": "12.5" })).await.is(200).json;
    assert_eq!(answered, wallet("viewer").await);
    let alerts = json!({
        "low_balance_hours": 200, "platform_low_balance_hours": 72, "last_warning_hours": 24,
        "month_budget": "12.500000", "budget_percent": 80,
    });
    assert_eq!(answered["alerts"], alerts);
    assert!(answered["warning"].as_str().expect("warns").contains("200 hours"), "{answered}");
    // What is left out stays as it is; null takes it away; what is the same already is not written down again.
    let changed = set("owner", json!({ "month_budget": null })).await.is(200).json;
    assert_eq!(
        (&changed["alerts"]["low_balance_hours"], &changed["alerts"]["month_budget"]),
        (&json!(200), &json!(null))
    );
    set("owner", json!({})).await.is(200);
    let changed = set("admin", json!({ "low_balance_hours": null })).await.is(200).json;
    assert_eq!((&changed["alerts"]["low_balance_hours"], &changed["warning"]), (&json!(null), &json!(null)));

    for (wanted, field) in [
        (json!({ "low_balance_hours": 8_761 }), "low_balance_hours"),
        (json!({ "low_balance_hours": -1 }), "low_balance_hours"),
        (json!({ "month_budget": "0" }), "month_budget"),
        (json!({ "month_budget": "-1" }), "month_budget"),
        (json!({ "month_budget": "1.0000001" }), "month_budget"),
        (json!({ "month_budget": "1000000000000" }), "month_budget"),
        (json!({ "month_budget": 5 }), "month_budget"),
        (json!({ "budget": "5" }), "budget"),
    ] {
        let refused = set("owner", wanted.clone()).await.fails(422, "INVALID_INPUT");
        assert!(!refused.field(field).is_empty(), "{wanted}");
    }
    set("owner", json!({ "month_budget": "999999999999.999999" })).await.is(200);
    for who in ["developer", "viewer"] {
        set(who, json!({ "month_budget": "5" })).await.fails(403, "FORBIDDEN");
    }
    set("outsider", json!({ "month_budget": "5" })).await.fails(404, "NOT_FOUND");
    let deploys = world.token("owner", Scope::Deploy).await;
    let by_token = world.call(Method::PATCH, path).token(&deploys).json(&json!({ "month_budget": "5" })).send().await;
    by_token.fails(403, "FORBIDDEN");
    let written: Vec<(serde_json::Value, serde_json::Value)> =
        sqlx::query_as("SELECT before, after FROM paas_audit_log WHERE action = 'wallet.alerts' ORDER BY id")
            .fetch_all(world.store().pool())
            .await
            .expect("reads");
    assert_eq!(written.len(), 4, "{written:?}");
    assert_eq!(written[0].0, json!({ "low_balance_hours": null, "month_budget": null }));
    assert_eq!(written[0].1, json!({ "low_balance_hours": 200, "month_budget": "12.500000" }));
    world.close().await;
}

#[tokio::test]
async fn a_gone_app_is_found_in_usage_by_its_id() {
    let world = World::new().await;
    let app = running_app(&world, "shop").await;
    world.actions.clock.advance(Duration::from_secs(1_800));
    world.store().delete_app(app.id).await.expect("deletes");
    let usage = world.get(&format!("/api/paas/usage?app={}", app.id)).by("owner").send().await.is(200);
    assert_eq!((&usage.json["cost"], &usage.json["items"][0]["app"]), (&json!("0.003450"), &json!("shop")));
    // Of another organisation's records nothing is shown.
    let other = world.get(&format!("/api/paas/usage?app={}", app.id)).by("outsider").send().await.is(200);
    assert_eq!(other.json["items"], json!([]));
    world.get("/api/paas/usage?app=shop").by("owner").send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told_by_field() {
    let world = World::new().await;
    for (query, field) in [
        ("month=2026-13", "month"),
        ("month=2026-03&from=2026-03-01T00:00:00Z", "month"),
        ("from=2026-03-01T00:00:01Z&to=2026-03-02T00:00:00Z", "from"),
        ("from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "to"),
        ("from=2020-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "to"),
        ("group=nonsense", "group"),
    ] {
        let answered = world.get(&format!("/api/paas/usage?{query}")).by("owner").send().await;
        assert!(!answered.fails(422, "INVALID_INPUT").field(field).is_empty(), "{query}");
    }
    for strange in ["%00", "%ff", "..", "Acme"] {
        world.get(&format!("/api/organizations/{strange}/wallet")).by("owner").send().await.fails(404, "NOT_FOUND");
        world.get(&format!("/api/paas/usage?organization={strange}")).by("owner").send().await.is(422);
    }
    let unclear = world.get("/api/paas/usage").by("loner").send().await.fails(422, "INVALID_INPUT");
    assert!(unclear.field("organization").contains("name or id"));
    let misspelt =
        world.get("/api/paas/usage?month=2026-03&mouth=1").by("owner").send().await.fails(422, "INVALID_INPUT");
    assert!(misspelt.field("mouth").contains("month"));
    world.close().await;
}

#[tokio::test]
async fn outsiders_see_nothing_and_only_admins_move_money() {
    let world = World::new().await;
    for path in [
        "/api/organizations/acme/wallet",
        "/api/organizations/acme/ledger",
        "/api/organizations/acme/invoices",
        "/api/organizations/acme/invoices/2026-03",
        "/api/paas/usage?organization=acme",
        "/api/paas/usage.csv?organization=acme",
    ] {
        world.get(path).by("outsider").send().await.fails(404, "NOT_FOUND");
        world.get(path).send().await.fails(401, "UNAUTHENTICATED");
        let token = world.token("viewer", Scope::Read).await;
        world.get(path).token(&token).send().await.is(200);
    }
    let body = json!({ "kind": "top_up", "amount": "5", "reference": "payment 1" });
    let path = "/api/admin/paas/organizations/acme/ledger";
    world.post(path).by("owner").json(&body).send().await.fails(403, "FORBIDDEN");
    let made = world.post(path).by("admin").json(&body).send().await.is(201);
    assert_eq!(
        (&made.json["entry"]["balance_after"], &made.json["entry"]["actor"]),
        (&json!("5.000000"), &json!("admin@example.com"))
    );
    world.post(path).by("admin").json(&body).send().await.fails(409, "CONFLICT");
    for (body, field) in [
        (json!({ "kind": "charge", "amount": "5" }), "kind"),
        (json!({ "kind": "top_up", "amount": "-5" }), "amount"),
        (json!({ "kind": "top_up", "amount": 5 }), "amount"),
        (json!({ "kind": "top_up", "amount": "5" }), "reference"),
        (json!({ "kind": "top_up", "amount": "5", "reference": "payment 2", "note": "\n" }), "note"),
        (json!({ "kind": "gift", "amount": "5" }), "kind"),
    ] {
        let answered = world.post(path).by("admin").json(&body).send().await.fails(422, "INVALID_INPUT");
        assert!(!answered.field(field).is_empty(), "{body}");
    }
    for path in ["/api/admin/paas/billing", "/api/admin/paas/plans"] {
        world.get(path).by("owner").send().await.fails(403, "FORBIDDEN");
    }
    world.post("/api/admin/paas/billing/settle").by("owner").send().await.fails(403, "FORBIDDEN");
    world.close().await;
}

#[tokio::test]
async fn admins_make_edit_and_delete_plans() {
    let world = World::new().await;
    let plan = json!({
        "name": "nano", "cpu_cores": "0.25", "ram_mb": 256, "disk_gb": 5, "max_replicas": 2, "price_per_hour": "0.0035",
        "features": { "support": "community" },
    });
    let made = world.post("/api/admin/paas/plans").by("admin").json(&plan).send().await.is(201);
    assert_json_snapshot!("plan", made.snapshot(), { ".body.id" => "[id]" });
    world.post("/api/admin/paas/plans").by("admin").json(&plan).send().await.fails(409, "CONFLICT");
    let path = format!("/api/admin/paas/plans/{}", made.json["id"].as_str().expect("has an id"));
    world.app("tiny").await;
    let listed = world.get("/api/admin/paas/plans").by("admin").send().await.is(200);
    assert_eq!((&listed.json["items"][0]["name"], &listed.json["items"][0]["apps"]), (&json!("nano"), &json!(1)));
    let mut dearer = plan.clone();
    dearer["price_per_hour"] = json!("0.004");
    let edited = world.call(Method::PUT, &path).by("admin").json(&dearer).send().await.is(200);
    assert_eq!(edited.json["price_per_month"], "2.920000");
    dearer["max_replicas"] = json!(0);
    let refused = world.call(Method::PUT, &path).by("admin").json(&dearer).send().await.fails(422, "INVALID_INPUT");
    assert!(refused.field("max_replicas").contains("100"));
    world.delete(&path).by("admin").send().await.fails(409, "CONFLICT");
    let app = world.store().app_by_slug(&"tiny".parse().expect("is a slug")).await.expect("reads").expect("is there");
    world.store().delete_app(app.id).await.expect("deletes");
    world.delete(&path).by("admin").send().await.is(204);
    world.delete(&path).by("admin").send().await.fails(404, "NOT_FOUND");
    world.post("/api/admin/paas/plans").by("owner").json(&plan).send().await.fails(403, "FORBIDDEN");
    world.close().await;
}

/// Puts `[id]` in the place of every id, at any depth.
fn mask(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => map.iter_mut().for_each(|(key, value)| {
            if (key == "id" || key.ends_with("_id") && key != "plan_id" || key == "next_cursor") && !value.is_null() {
                *value = json!("[id]");
            } else {
                mask(value);
            }
        }),
        serde_json::Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}
