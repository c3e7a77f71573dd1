//! Settings over HTTP.

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use skypanel_core::settings::StorageBackend;

use crate::seaweed::{ACCESS_KEY, SECRET_KEY, Seaweed};
use crate::stand_ins::{Manners, StandIn};
use crate::world::World;

fn setting<'a>(answer: &'a Value, key: &str) -> &'a Value {
    let items = answer["items"].as_array().expect("is a list");
    items.iter().find(|item| item["key"] == key).expect("is listed")
}

#[tokio::test]
async fn admins_see_every_setting_and_change_several_at_once() {
    let world = World::new().await;
    let path = "/api/admin/paas/settings";
    let answered = world.get(path).by("admin").send().await.is(200);
    for key in ["build.timeout_seconds", "git.allow_app_creation", "storage.backend", "storage.s3_secret_key"] {
        assert_json_snapshot!(key, setting(&answered.json, key));
    }
    let change = json!({ "settings": {
        "build.timeout_seconds": 600, "git.allow_app_creation": false, "storage.s3_secret_key": "hunter22",
        "build.http_proxy": "http://proxy.example:3128",
    } });
    let answered = world.call(Method::PUT, path).by("admin").json(&change).send().await.is(200);
    assert!(!answered.text.contains("hunter22"), "secrets are not shown");
    assert_eq!(setting(&answered.json, "build.timeout_seconds")["value"], 600);
    assert_eq!(setting(&answered.json, "git.allow_app_creation")["value"], false);
    assert_eq!(setting(&answered.json, "storage.s3_secret_key")["is_set"], true);
    assert_eq!(world.store().settings().await.expect("reads").storage_s3_secret_key, "hunter22");

    let back = json!({ "settings": { "build.timeout_seconds": null } });
    let answered = world.call(Method::PUT, path).by("admin").json(&back).send().await.is(200);
    assert_eq!(setting(&answered.json, "build.timeout_seconds")["value"], 1800);

    let log = world.get("/api/admin/paas/audit?action=settings.").by("admin").send().await.is(200);
    assert!(!log.text.contains("hunter22"), "secrets are masked");
    let changes: Vec<_> = log.json["items"].as_array().expect("a list").iter().map(|line| &line["after"]).collect();
    assert_json_snapshot!("audited", changes);
    world.close().await;
}

#[tokio::test]
async fn one_bad_setting_saves_none() {
    let world = World::new().await;
    let path = "/api/admin/paas/settings";
    let change = json!({ "settings": {
        "slug.max_mb": 20, "build.timeout_seconds": 1, "no.such": 1, "cache.enabled": "maybe", "build.no_proxy": [1],
    } });
    let answered = world.call(Method::PUT, path).by("admin").json(&change).send().await.fails(422, "INVALID_INPUT");
    assert!(answered.field("build.no_proxy").contains("text"));
    let change = json!({ "settings": { "slug.max_mb": 20, "build.timeout_seconds": 1, "no.such": 1 } });
    let answered = world.call(Method::PUT, path).by("admin").json(&change).send().await.fails(422, "INVALID_INPUT");
    assert!(answered.field("build.timeout_seconds").contains("between 10 and 86400"));
    assert!(answered.field("no.such").contains("no setting"));
    // A bucket that is not described cannot be kept blobs in.
    let change = json!({ "settings": { "slug.max_mb": 20, "storage.backend": "s3" } });
    let answered = world.call(Method::PUT, path).by("admin").json(&change).send().await.fails(422, "INVALID_INPUT");
    assert!(answered.field("storage.backend").contains("storage.s3_bucket is empty"));
    assert_eq!(world.store().settings().await.expect("reads").slug_max_mb, 500);
    for name in ["owner", "loner"] {
        world.get(path).by(name).send().await.fails(403, "FORBIDDEN");
    }
    world.close().await;
}

#[tokio::test]
async fn validating_really_tries() {
    let world = World::new().await;
    let path = "/api/admin/paas/settings/validate";
    let answered = world.post(path).by("admin").json(&json!({ "settings": {} })).send().await.is(200);
    assert_json_snapshot!(answered.snapshot(), {
        ".body.checks[].milliseconds" => "[ms]",
        // What the host's own name servers say.
        ".body.checks[6].outcome" => "[outcome]",
        ".body.checks[6].message" => "[message]",
        ".body.ok" => "[ok]",
    });
    // Nothing listens there.
    let bucket = json!({ "settings": {
        "storage.s3_endpoint": "http://127.0.0.1:9", "storage.s3_bucket": "skypanel", "storage.s3_access_key": "a",
        "storage.s3_secret_key": "s3cr3t-value",
    } });
    let answered = world.post(path).by("admin").json(&bucket).send().await.is(200);
    assert_eq!(answered.json["ok"], false);
    assert_eq!(answered.json["checks"][1]["outcome"], "failed", "{answered:#?}");
    assert!(!answered.text.contains("s3cr3t-value"));
    assert_eq!(world.store().settings().await.expect("reads").storage_s3_bucket, "", "nothing was saved");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_really_written_to_before_it_is_chosen() {
    let world = World::new().await;
    let server = Seaweed::start().await;
    let path = "/api/admin/paas/settings";
    let validate = format!("{path}/validate");
    let bucket = |name: &str, secret: &str| {
        json!({ "settings": {
            "storage.backend": "s3", "storage.s3_endpoint": server.endpoint, "storage.s3_bucket": name,
            "storage.s3_access_key": ACCESS_KEY, "storage.s3_secret_key": secret,
        } })
    };
    for (name, secret) in [("no-such-bucket", SECRET_KEY), ("blobs", "a-wr0ng-secret")] {
        let tried = world.post(&validate).by("admin").json(&bucket(name, secret)).send().await.is(200);
        assert_eq!((&tried.json["ok"], &tried.json["checks"][1]["outcome"]), (&json!(false), &json!("failed")));
        let change = world.call(Method::PUT, path).by("admin").json(&bucket(name, secret)).send().await;
        let refused = change.fails(422, "INVALID_INPUT");
        assert!(refused.field("storage.backend").contains("nothing was saved"), "{refused:#?}");
        assert!(![tried.text, refused.text].iter().any(|text| text.contains(secret)));
        assert_eq!(world.store().settings().await.expect("reads").storage_backend, StorageBackend::Local);
    }
    let right = bucket("blobs", SECRET_KEY);
    let tried = world.post(&validate).by("admin").json(&right).send().await.is(200);
    assert_eq!((&tried.json["checks"][1]["part"], &tried.json["checks"][1]["outcome"]), (&json!("s3"), &json!("ok")));
    assert_eq!(world.store().settings().await.expect("reads").storage_backend, StorageBackend::Local);
    let changed = world.call(Method::PUT, path).by("admin").json(&right).send().await.is(200);
    assert_eq!(setting(&changed.json, "storage.backend")["value"], "s3");
    assert!(!changed.text.contains(SECRET_KEY));
    world.close().await;
}

#[tokio::test]
async fn validating_uses_mail_logs_and_metrics_as_they_will_be_used() {
    let world = World::new().await;
    let path = "/api/admin/paas/settings/validate";
    let mail = StandIn::mail(Manners { login: Some(("paas", "s3cr3t-word")), ..Manners::default() }).await;
    let loki = StandIn::http("204 No Content", "").await;
    let answer = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"3"]}]}}"#;
    let prometheus = StandIn::http("200 OK", answer).await;
    let wanted = |password: &str| {
        json!({ "settings": {
            "smtp.host": "localhost", "smtp.port": mail.port, "smtp.security": "none", "smtp.user": "paas",
            "smtp.password": password, "smtp.from": "paas@example.com",
            "logs.loki_url": format!("http://127.0.0.1:{}", loki.port),
            "metrics.prometheus_url": format!("http://127.0.0.1:{}", prometheus.port),
        } })
    };
    let answered = world.post(path).by("admin").json(&wanted("s3cr3t-word")).send().await.is(200);
    let outcomes: Vec<(&str, &str)> = answered.json["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|check| (check["part"].as_str().expect("a word"), check["outcome"].as_str().expect("a word")))
        .collect();
    assert_eq!(outcomes[0], ("local_storage", "ok"));
    assert_eq!(outcomes[3..6], [("smtp", "ok"), ("log_store", "ok"), ("metrics", "ok")], "{answered:#?}");
    let answered = world.post(path).by("admin").json(&wanted("wr0ng-word")).send().await.is(200);
    assert_eq!((&answered.json["ok"], &answered.json["checks"][3]["outcome"]), (&json!(false), &json!("failed")));
    assert!(!answered.text.contains("wr0ng-word"));
    // Whoever is no admin makes the platform call nobody.
    let before = (mail.heard().len(), loki.heard().len(), prometheus.heard().len());
    world.post(path).by("owner").json(&wanted("s3cr3t-word")).send().await.fails(403, "FORBIDDEN");
    assert_eq!(before, (mail.heard().len(), loki.heard().len(), prometheus.heard().len()));
    let wrong = json!({ "settings": { "logs.loki_url": "loki:3100", "smtp.security": "ssl" } });
    let answered = world.post(path).by("admin").json(&wrong).send().await.fails(422, "INVALID_INPUT");
    assert!(answered.field("logs.loki_url").contains("http://loki:3100"));
    assert!(answered.field("smtp.security").contains("starttls, tls or none"));
    // A name server that is none.
    let deaf = json!({ "settings": { "dns.resolver": "127.0.0.1:1", "apps.default_domain": "apps.example.com" } });
    let answered = world.post(path).by("admin").json(&deaf).send().await.is(200);
    let dns = &answered.json["checks"][6];
    assert_eq!((&dns["part"], &dns["outcome"]), (&json!("dns"), &json!("failed")), "{dns}");
    world.close().await;
}
