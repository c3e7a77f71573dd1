//! `git push`, as developers do it.

use crate::worker::Script;
use crate::world::World;

#[tokio::test]
async fn a_push_is_stored_built_and_shown() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("Procfile", "web: serve\n"), ("lib/a.txt", "a")]).await;
    world.script([Script::succeeds("-----> Building\n       with colours\n-----> Launched v1\n")]);
    let commit = world.git(&copy, &["rev-parse", "HEAD"]).await.ok().stdout.trim().to_owned();
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    said.says(&[
        "remote: -----> Created app hello",
        &format!("remote: -----> Received {} (2 files, 12 B)", &commit[..7]),
        "remote: -----> Building",
        "remote:        with colours",
        "remote: -----> Launched v1",
        "main -> main",
    ]);
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, Some(commit.clone()));
    let [id] = world.worker.deployments()[..] else { panic!("one deployment") };
    let deployment = world.store().deployment(id).await.expect("is stored");
    assert_eq!(deployment.git_commit, Some(commit));
    assert_eq!(deployment.git_message.as_deref(), Some("Say hello"));
    assert_eq!(deployment.git_author.as_deref(), Some("Ada <ada@example.com>"));
    assert_eq!(deployment.created_by, Some(world.user.id));
    let source = world.source(id);
    assert_eq!(source[&b"lib/a.txt"[..]].1, b"a");
    assert_eq!(source[&b"Procfile"[..]].1, b"web: serve\n");
    let again = world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    again.says(&["Everything up-to-date"]);
    world.close().await;
}
