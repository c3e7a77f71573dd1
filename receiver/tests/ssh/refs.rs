//! Pushes of other refs than the deploy branch, and of the deploy branch in unusual ways; fetches and clones.

use std::collections::HashSet;

use crate::worker::Script;
use crate::world::{World, run};

#[tokio::test]
async fn other_branches_and_tags_are_stored_and_not_released() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["tag", "v1"]).await.ok();
    let said = world.git(&copy, &["push", "skypanel", "main:feature", "v1"]).await.ok();
    said.says(&["-----> Stored branch feature", "-----> Stored tag v1", "git push skypanel feature:main"]);
    assert!(world.worker.deployments().is_empty());
    assert!(world.server_ref("hello", "refs/heads/feature").await.is_some());
    let said = world.git(&copy, &["push", "skypanel", "HEAD:main", ":feature", ":v1"]).await.ok();
    said.says(&["-----> Deleted branch feature", "-----> Deleted tag v1"]);
    assert_eq!(world.worker.deployments().len(), 1);
    assert_eq!(world.server_ref("hello", "refs/heads/feature").await, None);
    world.close().await;
}

#[tokio::test]
async fn the_deploy_branch_can_be_forced_and_not_deleted() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let said = world.git(&copy, &["push", "skypanel", ":main"]).await.failed();
    said.says(&["main is this app's deploy branch and cannot be deleted", "apps:destroy"]);
    world.git(&copy, &["commit", "-q", "--amend", "-m", "Say it differently"]).await.ok();
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.failed();
    said.says(&["non-fast-forward"]);
    world.git(&copy, &["push", "--force", "skypanel", "main"]).await.ok();
    assert_eq!(world.worker.deployments().len(), 2);
    world.close().await;
}

#[tokio::test]
async fn master_becomes_the_deploy_branch_of_a_new_app() {
    let world = World::new().await;
    let copy = world.working_copy("old", &[("a", "1")]).await;
    let said = world.git(&copy, &["push", "skypanel", "main:master"]).await.ok();
    said.says(&["-----> master is this app's deploy branch from now on"]);
    assert_eq!(world.worker.deployments().len(), 1);
    assert_eq!(world.app("old").await.git_branch, "master");
    let said = world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    said.says(&["Only master is released"]);
    assert_eq!(world.worker.deployments().len(), 1);
    world.close().await;
}

#[tokio::test]
async fn an_atomic_push_moves_all_refs_or_none() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["tag", "v1"]).await.ok();
    world.script([Script::fails(" !     no\n")]);
    world.git(&copy, &["push", "--atomic", "skypanel", "main", "v1"]).await.failed();
    assert_eq!(world.server_ref("hello", "refs/tags/v1").await, None);
    world.git(&copy, &["push", "--atomic", "skypanel", "main", "v1"]).await.ok();
    assert!(world.server_ref("hello", "refs/tags/v1").await.is_some());
    world.close().await;
}

#[tokio::test]
async fn an_empty_repository_has_nothing_to_push_and_an_empty_commit_nothing_to_build() {
    let world = World::new().await;
    let copy = world.path("empty");
    std::fs::create_dir(&copy).expect("makes a directory");
    world.git(&copy, &["init", "-q"]).await.ok();
    world
        .git(&copy, &["push", &world.url("hello"), "main"])
        .await
        .failed()
        .says(&["src refspec main does not match any"]);
    world.commit(&copy, &[]).await;
    let said = world.git(&copy, &["push", &world.url("hello"), "main"]).await.failed();
    said.says(&["The commit holds no files, so there is nothing to build"]);
    world.close().await;
}

#[tokio::test]
async fn what_was_pushed_can_be_cloned_in_every_protocol_version() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    for version in ["0", "1", "2"] {
        let target = format!("clone-{version}");
        let protocol = format!("protocol.version={version}");
        let mut clone = world.git_command(
            "user",
            world.directory.path(),
            &["-c", &protocol, "clone", "-q", &world.url("hello"), &target],
        );
        clone.env("GIT_TRACE_PACKET", "1");
        let said = run(clone).await.ok();
        assert_eq!(said.stderr.contains("clone< version 2"), version == "2", "{said:#?}");
        assert_eq!(std::fs::read_to_string(world.path(&target).join("a")).expect("is there"), "1");
    }
    world
        .git(world.directory.path(), &["clone", "-q", &world.url("missing")])
        .await
        .failed()
        .says(&["There is no app \"missing\""]);
    world.close().await;
}

#[tokio::test]
async fn pushes_leave_no_temporary_objects() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.script([Script::fails(" !     no\n"), Script::succeeds("ok\n")]);
    world.git(&copy, &["push", "skypanel", "main"]).await.failed();
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let app = world.app("hello").await;
    let objects = world.data().join("repositories").join(format!("{}.git", app.id)).join("objects");
    let names: HashSet<String> = std::fs::read_dir(objects)
        .expect("is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|name| name.starts_with("tmp") || name.starts_with("incoming")), "{names:?}");
    world.close().await;
}

#[tokio::test]
async fn a_clone_without_history_can_be_pushed_from_and_a_full_one_afterwards() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.commit(&copy, &[("a", "2")]).await;
    let origin = format!("file://{}", copy.display());
    world.git(world.directory.path(), &["clone", "-q", "--depth=1", &origin, "shallow"]).await.ok();
    let shallow = world.path("shallow");
    world.git(&shallow, &["push", &world.url("hello"), "main"]).await.ok().says(&["-----> Received"]);
    world.commit(&copy, &[("a", "3")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let source = world.source(world.worker.deployments()[1]);
    assert_eq!(source[&b"a"[..]].1, b"3");
    world.close().await;
}
