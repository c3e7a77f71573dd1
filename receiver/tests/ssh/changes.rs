//! What a push changes is written down while its history is at hand, and shown to whoever may clone.

use skypanel_core::model::{NoChanges, Role};

use crate::worker::Script;
use crate::world::World;

#[tokio::test]
async fn what_a_push_changes_is_told_beside_what_ran_before() {
    let world = World::new().await;
    let copy = world.working_copy("shop", &[("app.txt", "one\n")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let said = world.ssh("releases:diff -a shop --json").await.ok().json();
    assert_eq!((&said["missing"], &said["changes"]), (&"first_release".into(), &serde_json::Value::Null));
    world.ssh("releases:diff -a shop").await.ok().says(&["Nothing was released before it"]);

    let first = world.git(&copy, &["rev-parse", "HEAD"]).await.ok().stdout.trim().to_owned();
    world.commit(&copy, &[("lib/b.txt", "b\n")]).await;
    let second = world.commit(&copy, &[("app.txt", "two\n")]).await;
    // A build that fails leaves nothing of the pushed objects behind.
    world.script([Script::fails("it was told to fail\n")]);
    world.git(&copy, &["push", "skypanel", "main"]).await.failed();
    let said = world.ssh("releases:diff -a shop --json").await.ok().json();
    assert_eq!((&said["base_version"], &said["base_commit"]), (&1.into(), &first.clone().into()));
    assert_eq!((&said["commit"], &said["changes"]["goes_on"]), (&second.clone().into(), &true.into()));
    assert_eq!(said["changes"]["commits"].as_array().map(Vec::len), Some(2));
    assert_eq!(said["changes"]["files"][0]["patch"], "@@ -1 +1 @@\n-one\n+two\n");
    world.member("bob", Role::Viewer).await;
    let shown = world.ssh_as("bob", "releases:diff -a shop").await.ok();
    shown.says(&[
        &format!("=== {}..{} (beside v1)", &first[..10], &second[..10]),
        "2 files, +2 -1",
        "--- modified: app.txt\n@@ -1 +1 @@\n-one\n+two\n",
        "--- added: lib/b.txt\n",
    ]);

    // Config vars change the release, and not the code that the next is held against.
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    world.ssh("config:set -a shop NAME=value").await.ok();
    let said = world.ssh("releases:diff -a shop --json").await.ok().json();
    assert_eq!(said["missing"], "runs_again");
    world.git(&copy, &["checkout", "--quiet", "--orphan", "other"]).await.ok();
    let other = world.commit(&copy, &[("app.txt", "three\n")]).await;
    world.git(&copy, &["push", "--force", "skypanel", "other:main"]).await.ok();
    let said = world.ssh("releases:diff -a shop --json").await.ok().json();
    assert_eq!((&said["base_commit"], &said["commit"]), (&second.into(), &other.into()));
    assert_eq!((&said["base_version"], &said["changes"]["goes_on"]), (&3.into(), &false.into()));
    assert_eq!(said["changes"]["files"][0]["patch"], "@@ -1 +1 @@\n-two\n+three\n");
    world.ssh("releases:diff -a shop").await.ok().says(&["does not go on from the release before"]);
    world.close().await;
}

#[tokio::test]
async fn those_of_the_newest_deployments_are_kept() {
    let world = World::new().await;
    let copy = world.working_copy("shop", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let (app, store) = (world.app("shop").await.id, world.store());
    sqlx::query(
        "WITH old AS (
             INSERT INTO paas_deployments (id, application_id, status, trigger, git_commit, created_at)
             SELECT gen_random_uuid(), $1, 'succeeded', 'push', repeat('1', 40), now() - interval '1 day'
             FROM generate_series(1, 120) RETURNING id)
         INSERT INTO paas_deployment_changes (deployment_id, application_id, missing, created_at)
         SELECT id, $1, 'first_release', now() - row_number() OVER () * interval '1 minute' FROM old",
    )
    .bind(app)
    .execute(store.pool())
    .await
    .expect("writes");
    let newest = world.worker.deployments()[0];
    let before = store.release_before(app).await.expect("answers");
    store.save_changes(app, newest, &before, Err(NoChanges::SameCommit)).await.expect("saves");
    let (kept,): (i64,) = sqlx::query_as("SELECT count(*) FROM paas_deployment_changes WHERE application_id = $1")
        .bind(app)
        .fetch_one(store.pool())
        .await
        .expect("counts");
    assert_eq!(kept, 100);
    let stored = store.stored_changes(newest).await.expect("reads").expect("is the newest");
    assert_eq!(stored.missing, Some(NoChanges::SameCommit));
    world.close().await;
}
