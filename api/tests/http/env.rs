//! Config vars: names go out, values only come in.

use axum::http::Method;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::releases::{queued, running};
use crate::world::World;

const PATH: &str = "/api/paas/apps/shop/env";

fn keys(answered: &Value) -> Vec<&str> {
    answered["items"].as_array().expect("is a list").iter().filter_map(|item| item["key"].as_str()).collect()
}

#[tokio::test]
async fn they_are_set_in_bulk_with_one_rollout() {
    let world = World::new().await;
    let app = running(&world, "shop").await;
    let vars = json!({ "vars": { "GREETING": "hello", "SECRET": "hunter2" } });
    let set = world.call(Method::PATCH, PATH).by("developer").json(&vars).send().await.is(202);
    assert_json_snapshot!(set.snapshot(), { ".body.deployment_id" => "[id]" });
    assert_eq!(queued(&world).await, ["deploy", "deploy"]);
    let listed = world.get(PATH).by("viewer").send().await.is(200);
    assert_eq!(keys(&listed.json), ["GREETING", "SECRET"]);
    assert!(!listed.text.contains("hunter2"));
    let same = world.call(Method::PATCH, PATH).by("developer").json(&vars).send().await.is(200);
    assert_eq!(same.json, json!({ "set": [], "unset": [], "deployment_id": null }));

    let change = json!({ "vars": { "GREETING": null, "OTHER": "1", "SECRET": "hunter2" } });
    let changed = world.call(Method::PATCH, PATH).by("developer").json(&change).send().await.is(202);
    assert_eq!((&changed.json["set"], &changed.json["unset"]), (&json!(["OTHER"]), &json!(["GREETING"])));
    let id = changed.json["deployment_id"].as_str().expect("is released").to_owned();
    let shown = world.get(&format!("/api/paas/apps/shop/deployments/{id}")).by("viewer").send().await.is(200);
    assert_eq!(
        (&shown.json["description"], &shown.json["trigger"]),
        (&json!("Set OTHER, unset GREETING"), &json!("config"))
    );
    assert_eq!(
        (&shown.json["parent_version"], &shown.json["created_by"]),
        (&json!(1), &json!("developer@example.com"))
    );

    let only = json!({ "vars": { "LAST": "1" } });
    let replaced = world.call(Method::PUT, PATH).by("developer").json(&only).send().await.is(202);
    assert_eq!(replaced.json["unset"], json!(["OTHER", "SECRET"]));
    world.delete(&format!("{PATH}/LAST")).by("developer").send().await.is(202);
    world.delete(&format!("{PATH}/LAST")).by("developer").send().await.is(200);
    assert_eq!(keys(&world.get(PATH).by("viewer").send().await.is(200).json), Vec::<&str>::new());
    let (version, _) = world.store().config_vars(app).await.expect("opens");
    assert_eq!(version, 4);
    world.close().await;
}

#[tokio::test]
async fn a_file_is_imported_and_exported_without_values() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let text = "# comment\nexport GREETING=\"hello\\nworld\"\nKEY='-----BEGIN\nabc'\nPLAIN=a b # c\n";
    let import = format!("{PATH}/import");
    let imported = world.post(&import).by("developer").json(&json!({ "text": text })).send().await.is(200);
    assert_eq!(imported.json, json!({ "set": ["GREETING", "KEY", "PLAIN"], "unset": [], "deployment_id": null }));
    let (_, vars) = world.store().config_vars(app.id).await.expect("opens");
    let values: Vec<&[u8]> = vars.values().map(|value| value.as_slice()).collect();
    assert_eq!(values, [&b"hello\nworld"[..], b"-----BEGIN\nabc", b"a b"]);
    let exported = world.get(&format!("{PATH}/export")).by("viewer").send().await.is(200);
    assert_eq!(exported.text, "GREETING=\nKEY=\nPLAIN=\n");
    assert_eq!(exported.headers["content-type"], "text/plain; charset=utf-8");

    let bad = json!({ "text": "FINE=1\nno-name=hunter2\nPORT=1\n", "replace": true });
    let refused = world.post(&import).by("developer").json(&bad).send().await.fails(422, "INVALID_INPUT");
    assert!(!refused.field("line 2").is_empty() && refused.field("line 3").contains("PORT"));
    assert!(!refused.text.contains("hunter2"));
    let replace = json!({ "text": "PLAIN=2", "replace": true });
    let replaced = world.post(&import).by("developer").json(&replace).send().await.is(200);
    assert_eq!(replaced.json["unset"], json!(["GREETING", "KEY"]));
    world.close().await;
}

#[tokio::test]
async fn bad_names_are_told_and_values_never() {
    let world = World::new().await;
    world.app("shop").await;
    let vars = json!({ "vars": { "lower": "hunter2", "PORT": "hunter2", "FINE": "hunter2" } });
    for method in [Method::PUT, Method::PATCH] {
        let refused = world.call(method, PATH).by("developer").json(&vars).send().await.fails(422, "INVALID_INPUT");
        assert!(!refused.field("lower").is_empty() && !refused.field("PORT").is_empty());
        assert!(!refused.text.contains("hunter2"));
    }
    world.delete(&format!("{PATH}/lower")).by("developer").send().await.fails(404, "NOT_FOUND");
    let huge = json!({ "vars": { "HUGE": "x".repeat(500_000) } });
    world.call(Method::PATCH, PATH).by("developer").json(&huge).send().await.fails(422, "INVALID_INPUT");
    let wrong = json!({ "vars": { "SECRET": 12_345_678 } });
    let refused = world.call(Method::PATCH, PATH).by("developer").json(&wrong).send().await.fails(422, "INVALID_INPUT");
    assert!(refused.field("vars.SECRET").contains("string"), "{refused:?}");
    world.close().await;
}
