//! What runs for somebody ends with their right to it. A push that has begun goes on.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use skypanel_core::model::Role;
use skypanel_receiver::{Limits, SourceLimits};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Notify;

use crate::commands::released;
use crate::tokens;
use crate::worker::Script;
use crate::world::{World, eventually};

/// Longest an end may be waited for: it is looked at every 50 ms.
const SOON: Duration = Duration::from_secs(20);

/// A world with the app `shop`, in which rights are looked at again at once.
async fn world() -> World {
    let limits = Limits { recheck_time: Duration::from_millis(50), ..Limits::default() };
    let world = World::with(limits, SourceLimits::default()).await;
    released(&world, "shop").await;
    world
}

async fn execute(world: &World, sql: &'static str) {
    sqlx::query(sql).execute(world.store().pool()).await.expect("is done");
}

/// A client that goes on until it is ended.
struct Watching {
    child: Child,
    output: BufReader<ChildStdout>,
    // Its input stays open for as long as it runs.
    _input: ChildStdin,
}

impl Watching {
    /// Starts a client and waits until it has been told something.
    async fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut input = child.stdin.take().expect("is piped");
        input.write_all(b"hello\n").await.expect("writes");
        let mut output = BufReader::new(child.stdout.take().expect("is piped"));
        let mut line = String::new();
        let read = tokio::time::timeout(SOON, output.read_line(&mut line)).await;
        assert!(read.expect("says something").expect("reads") > 0, "it ended at once");
        Self { child, output, _input: input }
    }

    /// Asserts that it is ended, and told why.
    async fn ends_because(mut self, why: &str) {
        let ended = async {
            let mut rest = String::new();
            self.output.read_to_string(&mut rest).await.expect("reads");
            self.child.wait_with_output().await.expect("ends")
        };
        let ended = tokio::time::timeout(SOON, ended).await.expect("is ended");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains("This was ended, because your right to it was.") && told.contains(why), "{told}");
    }
}

#[tokio::test]
async fn watching_ends_with_the_right_to_see_it() {
    let world = world().await;
    world.member("viewer", Role::Viewer).await;
    let logs = Watching::start(world.ssh_command("viewer", &[], "logs -a shop -t")).await;
    let hold = Arc::new(Notify::new());
    world.script([Script::succeeds("-----> Working\n").held(&hold)]);
    let setting = tokio::spawn(crate::world::run(world.ssh_command("user", &[], "config:set -a shop A=1")));
    let store = world.store().clone();
    eventually("it runs", async || !store.all_unfinished_deployments().await.expect("asks").is_empty()).await;
    let job = store.all_unfinished_deployments().await.expect("asks")[0].id;
    let following = Watching::start(world.ssh_command("viewer", &[], &format!("jobs:follow {job}"))).await;
    execute(&world, "DELETE FROM organization_members WHERE role = 'viewer'").await;
    logs.ends_because("There is no app").await;
    following.ends_because("There is no job").await;
    // Whoever still may is not disturbed.
    hold.notify_one();
    setting.await.expect("ends").ok();
    world.close().await;
}

#[tokio::test]
async fn nothing_runs_on_by_a_key_or_token_that_is_taken_away() {
    let world = world().await;
    let fingerprint = world.key("laptop", Some(&world.user)).await;
    let by_key = Watching::start(world.ssh_command("laptop", &[], "logs -a shop -t")).await;
    let token = tokens::token(&world, &world.user, "watching", "read").await;
    let by_token = Watching::start(tokens::ssh_command(&world, &token, "logs -a shop -t")).await;
    world.ssh(&format!("keys:remove {fingerprint}")).await.ok();
    by_key.ends_because("Your key is not registered any more.").await;
    execute(&world, "UPDATE api_tokens SET revoked_at = now()").await;
    by_token.ends_because("unknown, revoked or expired").await;

    let locked_out = Watching::start(world.ssh_command("user", &[], "logs -a shop -t")).await;
    execute(&world, "UPDATE users SET disabled_at = now()").await;
    locked_out.ends_because("").await;
    world.close().await;
}

#[tokio::test]
async fn a_process_ends_with_the_role_that_may_run_it() {
    let world = world().await;
    world.member("developer", Role::Developer).await;
    let shell = Watching::start(world.ssh_command("developer", &[], "run -a shop cat")).await;
    execute(&world, "UPDATE organization_members SET role = 'viewer' WHERE role = 'developer'").await;
    shell.ends_because("this needs the role developer").await;
    eventually("it is removed", async || *world.console.removed.lock().expect("not poisoned") == 1).await;
    world.close().await;
}

#[tokio::test]
async fn a_push_that_has_begun_goes_on() {
    let world = world().await;
    world.member("developer", Role::Developer).await;
    let hold = Arc::new(Notify::new());
    world.script([Script::succeeds("-----> Building\n").held(&hold)]);
    let copy = world.working_copy("shop", &[("a", "2")]).await;
    let push = world.git_command("developer", &copy, &["push", "-f", "skypanel", "main"]);
    let pushing = tokio::spawn(crate::world::run(push));
    let store = world.store().clone();
    eventually("it runs", async || !store.all_unfinished_deployments().await.expect("asks").is_empty()).await;
    execute(&world, "DELETE FROM ssh_keys WHERE name = 'developer'").await;
    // Time for many looks.
    tokio::time::sleep(Duration::from_millis(500)).await;
    hold.notify_one();
    pushing.await.expect("ends").ok().says(&["-----> Building"]);
    world.close().await;
}
