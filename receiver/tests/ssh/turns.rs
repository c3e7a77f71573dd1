//! Several pushes at once, clients that go away, and Skypanel that stops.

use std::sync::Arc;
use std::time::Duration;

use skypanel_core::locks::Locks;
use skypanel_receiver::{Limits, SourceLimits};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::sync::Notify;

use crate::worker::Script;
use crate::world::{World, eventually, run};

/// Waits until the client has shown a text on standard error. A client whose output nobody takes would die of
/// it, so what was read from is given back.
async fn shown(client: &mut Child, text: &str) -> Lines<BufReader<ChildStderr>> {
    let mut lines = BufReader::new(client.stderr.take().expect("is piped")).lines();
    let mut all = String::new();
    let found = async {
        while let Some(line) = lines.next_line().await.expect("reads") {
            all.push_str(&line);
            all.push('\n');
            if line.contains(text) {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await.expect("in time");
    assert!(found, "{text:?} is missing in {all}");
    lines
}

#[tokio::test]
async fn the_second_of_two_pushes_waits_visibly_and_sees_what_the_first_left() {
    let world = World::new().await;
    let first = world.working_copy("hello", &[("a", "1")]).await;
    let second = world.working_copy("hello", &[("b", "2")]).await;
    let hold = Arc::new(Notify::new());
    world.script([Script::succeeds("-----> Building slowly\n").held(&hold)]);
    let mut pushing = world.git_command("user", &first, &["push", "skypanel", "main"]);
    let mut pushing = pushing.stderr(std::process::Stdio::piped()).spawn().expect("starts");
    let _output = shown(&mut pushing, "Building slowly").await;
    let waiting = tokio::spawn(run(world.git_command("user", &second, &["push", "--force", "skypanel", "main"])));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished());
    hold.notify_one();
    assert!(pushing.wait().await.expect("ends").success());
    let said = waiting.await.expect("ends").ok();
    said.says(&["Another push to this app is being built; yours is next."]);
    assert_eq!(world.worker.deployments().len(), 2);
    world.close().await;
}

#[tokio::test]
async fn a_push_waits_for_one_to_another_receiver_but_not_for_ever() {
    let limits = Limits { turn_time: Duration::from_secs(6), ..Limits::default() };
    let world = World::with(limits, SourceLimits::default()).await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    // What another receiver, on the same database, holds while it serves a push.
    let other = Locks::new(world.store().pool());
    let name = format!("skypanel.push:{}", world.app("hello").await.id);
    let held = other.try_take(&name).await.expect("asks").expect("is free after the push");
    let commit = world.commit(&copy, &[("a", "2")]).await;
    let refused = world.git(&copy, &["push", "skypanel", "main"]).await.failed();
    refused.says(&["Another push to this app is being built; yours is next.", "builds:cancel, then push again"]);
    let waiting = tokio::spawn(run(world.git_command("user", &copy, &["push", "skypanel", "main"])));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!waiting.is_finished());
    drop(held);
    let said = waiting.await.expect("ends").ok();
    said.says(&["Another push to this app is being built; yours is next."]);
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, Some(commit));
    drop(other);
    world.close().await;
}

#[tokio::test]
async fn pushes_to_different_apps_do_not_wait_for_each_other() {
    let world = World::new().await;
    let mut pushes = tokio::task::JoinSet::new();
    for number in 0..10 {
        let copy = world.working_copy(&format!("app-{number}"), &[("a", "1")]).await;
        pushes.spawn(run(world.git_command("user", &copy, &["push", "skypanel", "main"])));
    }
    while let Some(said) = pushes.join_next().await {
        said.expect("ends").ok().says_not("Another push");
    }
    assert_eq!(world.worker.deployments().len(), 10);
    world.close().await;
}

#[tokio::test]
async fn a_client_killed_in_mid_build_still_gets_its_release() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    let hold = Arc::new(Notify::new());
    // More than every buffer between the worker and the client holds, so that an undrained one would block.
    let flood = format!("-----> Building slowly\n{}", "       and saying a lot about it\n".repeat(100_000));
    world.script([Script::succeeds(&flood).held(&hold)]);
    let mut pushing = world.git_command("user", &copy, &["push", "skypanel", "main"]);
    let mut pushing = pushing.stderr(std::process::Stdio::piped()).process_group(0).spawn().expect("starts");
    let _output = shown(&mut pushing, "Building slowly").await;
    let group =
        rustix::process::Pid::from_raw(i32::try_from(pushing.id().expect("runs")).expect("fits")).expect("is one");
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("kills");
    pushing.wait().await.expect("ends");
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, None);
    hold.notify_one();
    eventually("the ref moves", async || world.server_ref("hello", "refs/heads/main").await.is_some()).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok().says(&["Everything up-to-date"]);
    world.close().await;
}

#[tokio::test]
async fn when_skypanel_stops_a_push_is_told_and_ends() {
    let mut world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    let hold = Arc::new(Notify::new());
    world.script([Script::succeeds("-----> Building slowly\n").held(&hold)]);
    let pushing = tokio::spawn(run(world.git_command("user", &copy, &["push", "skypanel", "main"])));
    let store = world.store().clone();
    eventually("the build runs", async || !store.all_unfinished_deployments().await.expect("asks").is_empty()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.stop_receiver().await;
    pushing.await.expect("ends").failed().says(&["Skypanel is stopping", "Check with the command `releases`"]);
    assert_eq!(world.server_ref("hello", "refs/heads/main").await, None);
    world.close().await;
}

#[tokio::test]
async fn a_build_behind_another_release_says_what_it_waits_for() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
    let hold = Arc::new(Notify::new());
    world.script([Script::succeeds("-----> Rolling\n").held(&hold)]);
    let setting = tokio::spawn(run(world.ssh_command("user", &[], "config:set -a hello GREETING=hi")));
    let store = world.store().clone();
    eventually("it is queued", async || !store.all_unfinished_deployments().await.expect("asks").is_empty()).await;
    world.commit(&copy, &[("a", "2")]).await;
    let pushing = tokio::spawn(run(world.git_command("user", &copy, &["push", "skypanel", "main"])));
    tokio::time::sleep(Duration::from_secs(3)).await;
    hold.notify_one();
    setting.await.expect("ends").ok();
    pushing.await.expect("ends").ok().says(&["Another build of this app is running (Set GREETING); yours is next."]);
    world.close().await;
}
