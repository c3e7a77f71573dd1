//! Commands about what a login in a browser needs: sessions, the password, the second factor.

use serde_json::{Value, json};
use skypanel_core::actions::{Login, OpenSession};
use skypanel_core::{Error, Result};
use totp_rs::{Builder, Secret};

use crate::world::World;

/// Of `ada@example.com`, as every user of a test.
const PASSWORD: &str = "a long password";

async fn log_in(world: &World, password: &str, code: Option<&str>) -> Result<OpenSession> {
    let email = "ada@example.com";
    let login = Login { email, password, code, user_agent: Some("A browser"), address: None, request_id: None };
    world.actions.log_in(login).await
}

async fn sessions(world: &World) -> Vec<Value> {
    world.ssh("sessions --json").await.ok().json()["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let world = World::new().await;
    world.ssh("sessions").await.ok().says(&["You are logged in in no browser."]);
    let opened = log_in(&world, PASSWORD, None).await.expect("logs in");
    for _ in 0..2 {
        log_in(&world, PASSWORD, None).await.expect("logs in");
    }
    let id = opened.session.id;
    world.ssh("sessions").await.ok().says(&["ID", "A browser", &id.to_string()]);
    world.ssh("sessions:end").await.failed().says(&["required"]);
    world.ssh(&format!("sessions:end {id}")).await.ok().says(&["-----> Ended the session"]);
    world.ssh(&format!("sessions:end {id} --json")).await.refused("NOT_FOUND");
    let left = sessions(&world).await;
    assert!(left.len() == 2 && left.iter().all(|session| session["id"] != json!(id)), "{left:?}");
    assert_eq!(world.ssh("sessions:end --all --json").await.ok().json(), json!({ "ended": 2 }));
    assert!(sessions(&world).await.is_empty());
    world.close().await;
}

#[tokio::test]
async fn a_password_is_changed_and_never_shown() {
    let world = World::new().await;
    log_in(&world, PASSWORD, None).await.expect("logs in");
    let new = "a much better one";
    let change = async |input: &str| world.ssh_with_input(&[], "password", input.as_bytes()).await;
    change("").await.failed().says(&["your password, the new password", "ssh -t"]);
    change(PASSWORD).await.failed().says(&["a line each"]);
    change(&format!("wrong one\n{new}\n")).await.failed().says(&["not your password"]);
    change(&format!("{PASSWORD}\nshort\n")).await.failed().says(&["12 characters"]);
    change(&format!("{PASSWORD}\n{new}\n")).await.ok().says(&["-----> Changed your password"]);
    assert!(sessions(&world).await.is_empty(), "they have ended");
    assert!(log_in(&world, PASSWORD, None).await.is_err());
    log_in(&world, new, None).await.expect("logs in");

    let typed: [&[u8]; 3] = [b"a much better one\r", b"the third one it is\r", b"the third one if it\r"];
    let said = world.ssh_with_terminal("password", &typed).await.failed();
    said.says(&["Your password: ", "two different new passwords"]).says_not("third one").says_not(new);
    let typed: [&[u8]; 3] = [b"a much better one\r", b"the thirdd\x7f one it is\r", b"the third one it is\r"];
    let said = world.ssh_with_terminal("password", &typed).await.ok();
    said.says(&["The new password once more: ", "-----> Changed"]).says_not("third").says_not(new);
    log_in(&world, "the third one it is", None).await.expect("logs in");
    world.close().await;
}

#[tokio::test]
async fn a_second_factor_is_set_up_confirmed_and_taken_away() {
    let world = World::new().await;
    world.ssh("2fa").await.ok().says(&["Second factor:", "off"]);
    world.ssh_with_input(&[], "2fa:setup", b"wrong").await.failed().says(&["not your password"]);
    world.ssh_with_input(&[], "2fa:setup", PASSWORD.as_bytes()).await.ok().says(&["otpauth://totp/", "2fa:confirm"]);
    let begun = world.ssh_with_input(&[], "2fa setup --json", PASSWORD.as_bytes()).await.ok().json();
    assert!(begun["url"].as_str().expect("is text").starts_with("otpauth://totp/Skypanel"));
    log_in(&world, PASSWORD, None).await.expect("is not in force yet");
    world.ssh("2fa:confirm 000000 --json").await.refused("INVALID_INPUT");
    let secret = Secret::try_from_base32(begun["secret"].as_str().expect("is text")).expect("is base 32");
    let app = Builder::new().with_secret(secret).with_account_name("a").build().expect("is set up");
    let now = u64::try_from(world.actions.clock.now().timestamp()).expect("is after 1970");
    let confirmed = world.ssh(&format!("2fa:confirm {} --json", app.generate(now))).await.ok().json();
    let recovery = confirmed["recovery_codes"].as_array().expect("a list");
    assert_eq!(recovery.len(), 10);
    let code = |number: usize| recovery[number].as_str().expect("is text");
    assert!(matches!(log_in(&world, PASSWORD, None).await, Err(Error::SecondFactorRequired)));
    log_in(&world, PASSWORD, Some(code(0))).await.expect("logs in");
    world.ssh("2fa").await.ok().says(&["on", "Recovery codes left:", "9"]);
    world.ssh_with_input(&[], &format!("2fa:remove {}", code(0)), PASSWORD.as_bytes()).await.failed().says(&["wrong"]);
    let said = world.ssh_with_terminal(&format!("2fa:remove {}", code(1)), &[b"a long password\r"]).await.ok();
    said.says(&["Your password: ", "no code any more"]).says_not(PASSWORD);
    log_in(&world, PASSWORD, None).await.expect("logs in");
    world.close().await;
}
