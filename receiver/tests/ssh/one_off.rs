//! `run`: one-off processes with and without a terminal.

use skypanel_core::model::AppStatus;

use crate::world::{World, eventually};

async fn released(world: &World) {
    let copy = world.working_copy("shop", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.ok();
}

#[tokio::test]
async fn outputs_stay_apart_and_the_status_comes_back() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    world.ssh("run -a shop ls").await.failed().says(&["shop has no release yet"]);
    released(&world).await;
    let said = world.ssh("run -a shop -- ls -l 'a  b' | wc").await;
    assert_eq!(said.status, Some(7), "{said:?}");
    assert_eq!(said.stdout, "ran ls -l 'a  b' | wc\n");
    assert!(said.stderr.contains("oops\n"), "{said:?}");
    assert!(world.console.runs.lock().expect("not poisoned")[0].terminal.is_none());
    // All of it in quotes is a line for the shell; so the client sends it.
    for line in ["run -a shop 'ls | wc -l'", "run -ashop -- \"ls | wc -l\""] {
        assert_eq!(world.ssh(line).await.stdout, "ran ls | wc -l\n", "{line}");
    }
    assert_eq!(world.ssh("run --app=shop ls -a").await.stdout, "ran ls -a\n", "-a is an option of ls");
    world.ssh("run -a shop -l").await.failed().says(&["Unexpected argument '-l'", "behind --"]);
    let echoed = world.ssh_with_input(&[], "run -a shop cat", b"one\ntwo\n").await.ok();
    assert_eq!(echoed.stdout, "one\ntwo\n");
    world.close().await;
}

#[tokio::test]
async fn nothing_runs_of_an_app_that_is_stopped_or_held() {
    let world = World::new().await;
    released(&world).await;
    let shop = world.store().app_by_slug(&"shop".parse().expect("is a slug")).await.expect("reads").expect("is there");
    world.store().set_app_status(shop.id, AppStatus::Stopped).await.expect("stops");
    world.ssh("run -a shop ls").await.failed().says(&["shop is stopped", "ps:start -a shop"]);
    world.store().set_app_status(shop.id, AppStatus::Running).await.expect("starts");
    world.ssh("run -a shop ls").await;
    let held = "UPDATE organizations SET suspended_at = now()";
    sqlx::query(held).execute(world.store().pool()).await.expect("suspends");
    world.ssh("run -a shop ls").await.failed().says(&["suspended"]);
    assert_eq!(world.console.runs.lock().expect("not poisoned").len(), 1);
    let audited: Vec<(serde_json::Value,)> =
        sqlx::query_as("SELECT after FROM paas_audit_log WHERE action = 'app.run'")
            .fetch_all(world.store().pool())
            .await
            .expect("lists");
    assert_eq!(audited, [(serde_json::json!({ "command": "ls" }),)]);
    world.close().await;
}

#[tokio::test]
async fn a_lot_of_input_comes_back_whole() {
    let world = World::new().await;
    released(&world).await;
    let input: Vec<u8> = (0..8 << 20).map(|byte: u32| b'a' + (byte % 23) as u8).collect();
    let echoed = world.ssh_with_input(&[], "run -a shop cat", &input).await.ok();
    assert!(echoed.stdout.as_bytes() == input, "{} of {} bytes", echoed.stdout.len(), input.len());
    world.close().await;
}

#[tokio::test]
async fn a_terminal_gets_its_size_and_ctrl_c_goes_to_the_process() {
    let world = World::new().await;
    released(&world).await;
    let said = world.ssh_with_terminal("run -a shop cat", &[b"hi\r", b"\x03"]).await;
    assert_eq!(said.status, Some(130), "{said:?}");
    let terminal = world.console.runs.lock().expect("not poisoned")[0].terminal.clone().expect("has one");
    assert_eq!((terminal.term.as_str(), terminal.columns, terminal.rows), ("xterm-256color", 100, 40));
    world.close().await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_container_along() {
    let world = World::new().await;
    released(&world).await;
    let mut client =
        world.ssh_command("user", &[], "run -a shop cat").stdin(std::process::Stdio::piped()).spawn().expect("starts");
    eventually("it runs", async || world.console.runs.lock().expect("not poisoned").len() == 1).await;
    client.kill().await.expect("kills");
    eventually("it is removed", async || *world.console.removed.lock().expect("not poisoned") == 1).await;
    world.close().await;
}
