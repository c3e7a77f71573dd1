//! Log drains over HTTP.

use serde_json::json;

use crate::world::World;

const DRAINS: &str = "/api/paas/apps/shop/drains";

#[tokio::test]
async fn drains_are_added_listed_without_what_lets_in_and_removed() {
    let world = World::new().await;
    world.app("shop").await;
    let wanted = json!({ "url": "https://me:s3cr3t@93.184.216.34/in?token=t0k3n" });
    let made = world.post(DRAINS).by("developer").json(&wanted).send().await.is(201);
    assert_eq!(made.json["address"], "https://93.184.216.34:443");
    assert_eq!((&made.json["failing_since"], &made.json["last_error"]), (&json!(null), &json!(null)));
    let listed = world.get(DRAINS).by("viewer").send().await.is(200);
    assert_eq!(listed.json["items"], json!([made.json]));
    for secret in ["s3cr3t", "t0k3n"] {
        assert!(!made.text.contains(secret) && !listed.text.contains(secret));
    }
    // Neither the audit log nor the events tell it, nor is it written down as it is.
    let (audited,): (String,) = sqlx::query_as(
        "SELECT (SELECT string_agg(entry::text, ' ') FROM paas_audit_log AS entry)
             || (SELECT string_agg(event::text, ' ') FROM paas_events AS event)
             || (SELECT string_agg(encode(address, 'escape'), ' ') FROM paas_log_drains)",
    )
    .fetch_one(world.store().pool())
    .await
    .expect("reads");
    assert!(audited.contains("drain.create") && !audited.contains("s3cr3t") && !audited.contains("t0k3n"), "{audited}");
    let one = format!("{DRAINS}/{}", made.json["id"].as_str().expect("has one"));
    world.delete(&one).by("developer").send().await.is(204);
    world.delete(&one).by("developer").send().await.is(404);
    assert_eq!(world.get(DRAINS).by("viewer").send().await.is(200).json["items"], json!([]));
    world.close().await;
}

#[tokio::test]
async fn addresses_that_are_none_or_lead_inside_are_refused() {
    let world = World::new().await;
    world.app("shop").await;
    for (url, why) in [
        ("http://93.184.216.34/", "syslog, syslog+tls or https"),
        ("syslog://93.184.216.34", "port"),
        ("syslog://127.0.0.1:514", "this machine itself"),
        ("syslog+tls://10.1.2.3:6514", "in a private network"),
        ("https://[::ffff:169.254.169.254]/latest", "link-local"),
    ] {
        let refused = world.post(DRAINS).by("developer").json(&json!({ "url": url })).send().await;
        assert!(matches!(refused.status.as_u16(), 400 | 422) && refused.text.contains(why), "{url}: {refused:?}");
    }
    let wanted = json!({ "url": "syslog://93.184.216.34:514" });
    for _ in 0..5 {
        world.post(DRAINS).by("developer").json(&wanted).send().await.is(201);
    }
    world.post(DRAINS).by("developer").json(&wanted).send().await.is(409);
    world.close().await;
}
