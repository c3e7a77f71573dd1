//! Deployments that are deployed again.

use serde_json::{Value, json};
use skypanel_core::blob::BlobKey;
use skypanel_core::model::{AppId, DeploymentId, DeploymentStatus};

use crate::releases::{audited, go_live, push};
use crate::world::World;

fn path(id: DeploymentId) -> String {
    format!("/api/paas/apps/shop/deployments/{id}")
}

impl World {
    /// A push whose source is stored.
    async fn push_stored(&self, app: AppId, commit: &str) -> DeploymentId {
        let id = push(self, app, commit).await;
        self.actions.blobs.put_bytes(&BlobKey::source(id), b"source").await.expect("is stored");
        id
    }

    async fn end_badly(&self, id: DeploymentId) {
        let why = Some(("BUILD_FAILED", "The registry is down."));
        assert!(self.store().finish_deployment(id, DeploymentStatus::Failed, why).await.expect("ends"));
    }

    async fn again(&self, id: DeploymentId) -> Value {
        let call = self.post(&format!("{}/redeploy", path(id))).by("developer").json(&json!({}));
        call.send().await.is(202).json
    }

    async fn shown(&self, id: DeploymentId) -> Value {
        self.get(&path(id)).by("viewer").send().await.is(200).json
    }
}

fn id_of(queued: &Value) -> DeploymentId {
    DeploymentId(queued["deployment_id"].as_str().expect("has one").parse().expect("is an id"))
}

#[tokio::test]
async fn what_failed_is_built_again_from_its_source() {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    let failed = world.push_stored(app, "1").await;
    let redeploy = format!("{}/redeploy", path(failed));
    assert_eq!(world.shown(failed).await["can_redeploy"], false);
    world.post(&redeploy).by("developer").json(&json!({})).send().await.fails(409, "CONFLICT");
    world.end_badly(failed).await;
    assert_eq!(world.shown(failed).await["can_redeploy"], true);
    world.post(&redeploy).by("viewer").json(&json!({})).send().await.fails(403, "FORBIDDEN");
    world.post(&redeploy).by("developer").json(&json!({ "cache": 1 })).send().await.is(422);

    let queued = world.post(&redeploy).by("developer").json(&json!({ "no_cache": true })).send().await.is(202);
    let again = id_of(&queued.json);
    let shown = world.shown(again).await;
    let expected = json!({
        "status": "queued", "trigger": "api", "description": "Deploy 1111111 again", "git_commit": "1".repeat(40),
        "git_branch": "main", "git_author": "Ada <ada@example.com>", "created_by": "developer@example.com",
        "parent_id": null, "can_redeploy": false,
    });
    for (name, value) in expected.as_object().expect("has fields") {
        assert_eq!(&shown[name], value, "{name}");
    }
    let stored = world.store().deployment(again).await.expect("is there");
    assert!(stored.no_cache && stored.source_key() == BlobKey::source(failed));
    assert_eq!(audited(&world).await.last().map(String::as_str), Some("app.deploy"));

    // Once more: it takes the place of the one that waits, and its name stays what it is.
    let third = world.again(failed).await;
    assert_eq!(third["superseded"], json!([again]));
    world.end_badly(id_of(&third)).await;
    let fourth = id_of(&world.again(id_of(&third)).await);
    assert_eq!(world.shown(fourth).await["description"], "Deploy 1111111 again");
    assert_eq!(world.store().deployment(fourth).await.expect("is there").source_id, Some(failed));
    world.close().await;
}

#[tokio::test]
async fn one_whose_source_is_gone_says_what_helps() {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    let first = world.push_stored(app, "1").await;
    go_live(&world, first).await;
    let failed = world.push_stored(app, "2").await;
    world.end_badly(failed).await;
    assert_eq!(world.shown(first).await["can_redeploy"], true, "it is live");
    go_live(&world, world.push_stored(app, "3").await).await;
    world.store().give_up_sources(app).await.expect("gives up");
    for (id, helps) in [(first, "roll back to v1"), (failed, "Push its commit again.")] {
        assert_eq!(world.shown(id).await["can_redeploy"], false);
        let call = world.post(&format!("{}/redeploy", path(id))).by("developer").json(&json!({}));
        let refused = call.send().await.fails(409, "CONFLICT");
        assert!(refused.text.contains("is not kept any more") && refused.text.contains(helps), "{}", refused.text);
    }
    // An operator lost it.
    let lost = push(&world, app, "4").await;
    world.end_badly(lost).await;
    let call = world.post(&format!("{}/redeploy", path(lost))).by("developer").json(&json!({}));
    assert!(call.send().await.fails(409, "CONFLICT").text.contains("Push its commit again."));
    // What built nothing has no source of its own.
    let back = world.post("/api/paas/apps/shop/rollback").by("developer").json(&json!({ "version": 1 }));
    let back = id_of(&back.send().await.is(202).json);
    world.end_badly(back).await;
    let call = world.post(&format!("{}/redeploy", path(back))).by("developer").json(&json!({}));
    assert!(call.send().await.fails(409, "CONFLICT").text.contains("built nothing"));
    let unknown = world.post(&format!("{}/redeploy", path(DeploymentId::new()))).by("developer").json(&json!({}));
    unknown.send().await.fails(404, "NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn what_was_fetched_is_fetched_again_at_its_commit() {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    sqlx::query("UPDATE paas_applications SET git_url = 'https://git.example/shop.git' WHERE id = $1")
        .bind(app)
        .execute(world.store().pool())
        .await
        .expect("is connected");
    let begun = world.post("/api/paas/apps/shop/deploy").by("developer").json(&json!({})).send().await.is(202);
    let first = id_of(&begun.json);
    let commit = "a".repeat(40).parse().expect("is a hash");
    world.store().set_fetched(first, &commit, "Say hello", "Ada <ada@example.com>").await.expect("is noted");
    world.end_badly(first).await;
    let later = push(&world, app, "2").await;
    world.end_badly(later).await;
    world.store().give_up_sources(app).await.expect("gives up");
    assert_eq!(world.shown(first).await["can_redeploy"], true);
    let again = id_of(&world.again(first).await);
    let source = world.store().deployment_source(again).await.expect("answers").expect("is fetched");
    assert_eq!(source.git_commit, Some(commit));
    assert_eq!(world.store().deployment(again).await.expect("is there").source_key(), BlobKey::source(again));
    world.close().await;
}

#[tokio::test]
async fn it_counts_as_a_deployment_and_needs_what_one_needs() {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    let failed = world.push_stored(app, "1").await;
    world.end_badly(failed).await;
    let redeploy = || world.post(&format!("{}/redeploy", path(failed))).by("developer").json(&json!({}));
    let set = async |value: &str| {
        world.store().set_setting("limits.deployments_per_hour", value).await.expect("is set");
    };
    set("1").await;
    redeploy().send().await.fails(429, "TOO_MANY_REQUESTS");
    set("100").await;
    let suspend = world.post("/api/admin/paas/organizations/acme/suspend").by("admin").json(&json!({}));
    suspend.send().await.is(200);
    let refused = redeploy().send().await;
    assert!([402, 403, 409].contains(&refused.status.as_u16()), "{}", refused.text);
    assert_eq!(world.store().unfinished_deployments(app).await.expect("lists").len(), 0);
    world.close().await;
}

/// However they meet, a source is given up before somebody builds from it again, or stays for that.
#[tokio::test]
async fn no_source_is_given_up_that_is_to_be_built_from() {
    let world = World::new().await;
    let app = world.app("shop").await.id;
    for _ in 0..8 {
        let failed = world.push_stored(app, "1").await;
        world.end_badly(failed).await;
        let later = world.push_stored(app, "2").await;
        world.end_badly(later).await;
        let (store, actions, actor) = (world.store().clone(), world.actions.clone(), world.actor("developer").await);
        let give_up = tokio::spawn(async move { store.give_up_sources(app).await.expect("gives up") });
        let reference = skypanel_core::model::AppRef::Id(app);
        let again = tokio::spawn(async move { actions.redeploy(&actor, &reference, failed, false).await });
        let (given_up, again) = (give_up.await.expect("ends"), again.await.expect("ends"));
        match again {
            Ok(started) => {
                let key = world.store().deployment(started.deployment).await.expect("is there").source_key();
                assert!(key == BlobKey::source(failed) && !given_up.contains(&key));
                assert!(world.store().sources_in_use().await.expect("lists").contains(&key));
                world.end_badly(started.deployment).await;
            }
            Err(error) => assert!(given_up.contains(&BlobKey::source(failed)), "{error}"),
        }
    }
    world.close().await;
}
