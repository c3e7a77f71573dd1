//! Who may connect, and what of: keys, roles, limits, refused features, the algorithms on offer.

use std::time::Duration;

use skypanel_core::model::Role;
use skypanel_core::store::NewUser;
use skypanel_receiver::{Limits, SourceLimits};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::world::{World, run};

#[tokio::test]
async fn a_stranger_is_told_the_fingerprint_and_what_to_do() {
    let world = World::new().await;
    let fingerprint = world.key("stranger", None).await;
    let said = world.ssh_as("stranger", "apps").await.failed();
    said.says(&[
        "Skypanel does not know your key",
        &fingerprint,
        "skypanel admin key:add",
        "keys:add < YOUR_KEY.pub",
        "Permission denied",
    ]);
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    let said = run(world.git_command("stranger", &copy, &["push", "skypanel", "main"])).await.failed();
    said.says(&[&fingerprint]);
    world.close().await;
}

#[tokio::test]
async fn roles_decide_and_other_organisations_are_invisible() {
    let world = World::new().await;
    world.member("viewer", Role::Viewer).await;
    world.member("developer", Role::Developer).await;
    let outsider = NewUser { email: "eve@example.com", password: "a long password", is_admin: false };
    let outsider = world.store().create_user(outsider).await.expect("makes a user");
    world.key("outsider", Some(&outsider)).await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    run(world.git_command("developer", &copy, &["push", "skypanel", "main"])).await.ok();
    run(world.git_command("viewer", &copy, &["fetch", "skypanel"])).await.ok();
    run(world.git_command("viewer", &copy, &["push", "skypanel", "main:x"]))
        .await
        .failed()
        .says(&["this needs the role developer"]);
    run(world.git_command("viewer", &copy, &["push", &world.url("new"), "main"]))
        .await
        .failed()
        .says(&["no organisation in which you may create apps"]);
    run(world.git_command("outsider", &copy, &["fetch", "skypanel"]))
        .await
        .failed()
        .says(&["There is no app \"hello\""]);
    world.ssh_as("viewer", "config:set -a hello A=1").await.failed().says(&["this needs the role developer"]);
    world.ssh_as("developer", "apps:destroy hello --confirm hello").await.failed().says(&["this needs the role owner"]);
    world.ssh_as("outsider", "ps -a hello").await.failed().says(&["There is no app \"hello\""]);
    world.ssh_as("outsider", "apps").await.ok().says(&["You have no apps yet"]);
    world.close().await;
}

#[tokio::test]
async fn an_app_of_others_cannot_be_pushed_to_and_creation_can_be_switched_off() {
    let world = World::new().await;
    let other = NewUser { email: "bob@example.com", password: "a long password", is_admin: false };
    let other = world.store().create_user(other).await.expect("makes a user");
    let organization = world.store().ensure_organization("other").await.expect("makes one");
    world.store().set_member(organization.id, other.id, Role::Owner).await.expect("makes a member");
    world.store().create_app(&"theirs".parse().expect("a slug"), &organization).await.expect("makes an app");
    let copy = world.working_copy("theirs", &[("a", "1")]).await;
    world.git(&copy, &["push", "skypanel", "main"]).await.failed().says(&["The name \"theirs\" is taken"]);
    world.store().set_setting("git.allow_app_creation", "false").await.expect("sets");
    world.git(&copy, &["push", &world.url("mine"), "main"]).await.failed().says(&["creating apps is switched off"]);
    world.close().await;
}

#[tokio::test]
async fn shells_subsystems_and_forwardings_are_refused() {
    let world = World::new().await;
    let said = world.ssh("").await.failed();
    assert_eq!(said.status, Some(1));
    said.says(&["Hello ada@example.com! Skypanel gives no shell; try: ssh -p"]);
    run(world.ssh_command("user", &["-s"], "sftp")).await.failed().says(&["subsystem request failed"]);
    let forward = ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"];
    run(world.ssh_command("user", &forward, "apps")).await.failed().says(&["remote port forwarding failed"]);
    run(world.ssh_command("user", &["-W", "127.0.0.1:22"], "")).await.failed().says(&["administratively prohibited"]);
    run(world.ssh_command("user", &["-A"], "apps")).await.ok();
    world.close().await;
}

#[tokio::test]
async fn only_modern_algorithms_are_taken() {
    let world = World::new().await;
    for weak in [
        ["-o", "KexAlgorithms=diffie-hellman-group14-sha256"],
        ["-o", "KexAlgorithms=ecdh-sha2-nistp256"],
        ["-o", "Ciphers=aes256-ctr"],
        ["-o", "Ciphers=aes128-cbc"],
        ["-o", "HostKeyAlgorithms=rsa-sha2-512"],
    ] {
        run(world.ssh_command("user", &weak, "apps")).await.failed().says(&["Unable to negotiate"]);
    }
    let password = ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password,keyboard-interactive"];
    run(world.ssh_command("user", &password, "apps")).await.failed().says(&["offered no key", "Permission denied"]);
    world.close().await;
}

#[tokio::test]
async fn connections_are_limited_in_number_and_time() {
    let limits = Limits {
        connections_per_address: 2,
        auth_time: Duration::from_millis(600),
        idle_time: Duration::from_millis(500),
        ..Limits::default()
    };
    let world = World::with(limits, SourceLimits::default()).await;
    let mut silent = TcpStream::connect(world.address).await.expect("connects");
    let mut second = TcpStream::connect(world.address).await.expect("connects");
    let mut banner = [0; 21];
    second.read_exact(&mut banner).await.expect("is greeted");
    assert!(banner.starts_with(b"SSH-2.0-Skypanel_"));
    let mut third = TcpStream::connect(world.address).await.expect("connects");
    let mut told = String::new();
    third.read_to_string(&mut told).await.expect("is told");
    assert!(told.contains("too many connections from your address"), "{told}");
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a client that says nothing is ended");
    drop(second);
    // A connection that runs nothing is ended, one that runs something is not.
    let said = run(world.ssh_command("user", &["-N"], "")).await.failed();
    said.says(&["idle for too long"]);
    world.ssh("apps").await.ok();
    world.close().await;
}

#[tokio::test]
async fn a_connection_is_ended_after_its_time_also_while_it_runs_something() {
    let limits = Limits { total_time: Duration::from_secs(1), ..Limits::default() };
    let world = World::with(limits, SourceLimits::default()).await;
    let open = ["-o", "ControlMaster=yes", "-N"];
    run(world.ssh_command("user", &open, "")).await.failed().says(&["open for too long"]);
    world.close().await;
}

#[tokio::test]
async fn a_removed_key_is_of_no_use_on_an_open_connection() {
    let limits = Limits { identity_time: Duration::ZERO, ..Limits::default() };
    let world = World::with(limits, SourceLimits::default()).await;
    let socket = world.path("control").display().to_string();
    let open = ["-o", "ControlMaster=yes", "-o", "ControlPersist=30", "-S", &socket];
    run(world.ssh_command("user", &open, "apps")).await.ok();
    let again = ["-S", socket.as_str()];
    run(world.ssh_command("user", &again, "apps")).await.ok();
    sqlx::query("DELETE FROM ssh_keys").execute(world.store().pool()).await.expect("deletes");
    run(world.ssh_command("user", &again, "apps")).await.failed().says(&["Your key is not registered any more."]);
    run(world.ssh_command("user", &["-S", &socket, "-O", "exit"], "")).await.ok();
    world.close().await;
}

#[tokio::test]
async fn too_many_keys_end_the_connection() {
    let limits = Limits { auth_tries: 3, ..Limits::default() };
    let world = World::with(limits, SourceLimits::default()).await;
    let mut extra = Vec::new();
    for number in 0..6 {
        let name = format!("other-{number}");
        world.key(&name, None).await;
        extra.extend(["-i".to_owned(), world.path(&name).display().to_string()]);
    }
    let extra: Vec<&str> = extra.iter().map(String::as_str).collect();
    world.key("stranger", None).await;
    run(world.ssh_command("stranger", &extra, "apps")).await.failed().says(&["Too many authentication"]);
    world.close().await;
}
