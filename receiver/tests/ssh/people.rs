//! Commands about oneself and others: tokens, keys, organisations, members, invitations, logins elsewhere.

use serde_json::json;
use skypanel_core::actions::{DeviceState, Scope};
use skypanel_core::model::Role;
use skypanel_core::store::NewUser;

use crate::world::World;

#[tokio::test]
async fn one_learns_who_one_is_and_makes_organisations() {
    let world = World::new().await;
    world.ssh("whoami").await.ok().says(&["ada@example.com", "acme (owner)", "Second factor:"]);
    let me = world.ssh("whoami --json").await.ok().json();
    assert_eq!((&me["email"], &me["scope"]), (&json!("ada@example.com"), &json!("manage")));
    assert_eq!(me["organizations"][0]["role"], "owner");
    world.ssh("orgs:create lab").await.ok().says(&["-----> Created lab"]);
    world.ssh("orgs:create lab --json").await.failed();
    world.ssh("orgs").await.ok().says(&["NAME", "acme", "lab", "owner", "active"]);
    assert_eq!(world.ssh("orgs --json").await.ok().json()["items"].as_array().map(Vec::len), Some(2));
    // In several, it has to be said which one is meant.
    world.ssh("wallet").await.failed().says(&["You are in several organisations", "--org acme or lab"]);
    world.ssh("wallet --org lab").await.ok().says(&["=== lab", "Balance:"]);
    let edited = world.ssh("orgs:edit --org lab --app-creation off --json").await.ok().json();
    assert_eq!((&edited["name"], &edited["allow_app_creation"]), (&json!("lab"), &json!(false)));
    world.ssh("apps:create --org lab").await.failed().says(&["creating apps is switched off"]);
    world.close().await;
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let world = World::new().await;
    world.ssh("tokens").await.ok().says(&["You have no API tokens."]);
    let made = world.ssh("tokens:create 'from CI' --scope deploy --days 30 --json").await.ok().json();
    let token = made["token"].as_str().expect("is shown once");
    assert!(token.starts_with("skp_"), "{made}");
    assert_eq!((&made["name"], &made["scope"]), (&json!("from CI"), &json!("deploy")));
    assert!(made["expires_at"].is_string());
    world
        .ssh("tokens:create other --endless")
        .await
        .ok()
        .says(&["-----> Made the token other (read)", "does not end by itself"]);
    let listed = world.ssh("tokens --json").await.ok().says_not(token).json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
    world.ssh("tokens").await.ok().says(&["ID", "from CI", "deploy", "never"]);
    let id = made["id"].as_str().expect("has one");
    world.ssh(&format!("tokens:revoke {id}")).await.ok().says(&["-----> Revoked the token"]);
    world.ssh(&format!("tokens:revoke {id} --json")).await.refused("NOT_FOUND");
    world.ssh("tokens").await.ok().says_not("from CI");
    world.ssh("tokens:create x --scope all").await.failed().says(&["read, deploy, manage"]);
    world.ssh("tokens:revoke x").await.failed().says(&["that is no id"]);
    world.close().await;
}

#[tokio::test]
async fn a_removed_key_opens_nothing() {
    let world = World::new().await;
    let fingerprint = world.key("laptop", Some(&world.user)).await;
    world.ssh_as("laptop", "whoami").await.ok();
    world.ssh(&format!("keys:remove {fingerprint}")).await.ok().says(&["-----> Removed the key", &fingerprint]);
    world.ssh_as("laptop", "whoami").await.failed().says(&["Permission denied"]);
    world.ssh(&format!("keys:remove {fingerprint} --json")).await.refused("NOT_FOUND");
    world.close().await;
}

#[tokio::test]
async fn people_are_invited_join_change_and_leave() {
    let world = World::new().await;
    let bob = NewUser { email: "bob@example.com", password: "a long password", is_admin: false };
    let bob = world.store().create_user(bob).await.expect("makes a user");
    world.key("bob", Some(&bob)).await;
    world.ssh_as("bob", "members").await.failed().says(&["You are in no organisation"]);
    world.ssh("invitations").await.ok().says(&["There are no open invitations."]);
    let said = world.ssh("members:invite bob@example.com --role viewer").await.ok();
    said.says(&[
        "-----> Invited bob@example.com as viewer",
        "https://paas.example/invitation#ski_",
        "invitations:accept",
    ]);
    let invited = world.ssh("members:invite bob@example.com --role viewer --json").await.ok().json();
    assert_eq!(invited["role"], "viewer");
    let url = invited["url"].as_str().expect("has one");
    world.ssh("invitations").await.ok().says(&["bob@example.com", "viewer"]);
    let open = world.ssh("invitations --json").await.ok().json();
    assert_eq!(open["items"][0]["id"], invited["id"]);
    world.ssh(&format!("invitations:accept '{url}' --json")).await.refused("FORBIDDEN");
    world.ssh_as("bob", "invitations:accept ski_nothing --json").await.refused("NOT_FOUND");
    world.ssh_as("bob", &format!("invitations:accept '{url}'")).await.ok().says(&["You are viewer of acme now"]);
    world.ssh_as("bob", "members").await.ok().says(&["ada@example.com", "owner", "bob@example.com", "viewer"]);
    world.ssh_as("bob", "members:role bob@example.com owner --json").await.refused("FORBIDDEN");
    let changed = world.ssh("members:role bob@example.com developer --json").await.ok().json();
    assert_eq!(changed["role"], "developer");
    world.ssh("members:role nobody@example.com viewer --json").await.refused("NOT_FOUND");
    world.ssh("members:role ada@example.com viewer --json").await.refused("CONFLICT");
    world.ssh_as("bob", "members:remove bob@example.com").await.ok().says(&["-----> Removed bob@example.com"]);
    world.ssh_as("bob", "orgs").await.ok().says(&["You are in no organisation."]);
    let invited = world.ssh("members:invite eve@example.com --json").await.ok().json();
    let id = invited["id"].as_str().expect("has one");
    world.ssh(&format!("invitations:remove {id}")).await.ok().says(&["-----> Took back the invitation"]);
    assert_eq!(world.ssh("invitations --json").await.ok().json()["items"], json!([]));
    world.close().await;
}

#[tokio::test]
async fn a_login_elsewhere_is_approved_or_refused_with_a_key() {
    let world = World::new().await;
    world.member("viewer", Role::Viewer).await;
    let actions = &world.actions;
    let begin = async || actions.begin_device_login("ada's laptop", Scope::Deploy, None).await.expect("begins");
    let (login, device) = begin().await;
    let approved = world.ssh(&format!("login:approve {}", login.user_code.to_lowercase())).await.ok();
    approved.says(&["-----> Let in: ada's laptop", "scope deploy"]);
    match actions.poll_device_login(device.as_str(), None, None).await.expect("asks") {
        DeviceState::Granted { user, scope, .. } => assert_eq!((user.id, scope), (world.user.id, Scope::Deploy)),
        other => panic!("{other:?}"),
    }
    let (login, device) = begin().await;
    let denied = world.ssh(&format!("login:deny {} --json", login.user_code)).await.ok().json();
    assert_eq!((&denied["client_name"], &denied["approved"]), (&json!("ada's laptop"), &json!(false)));
    let state = actions.poll_device_login(device.as_str(), None, None).await.expect("asks");
    assert!(matches!(state, DeviceState::Denied), "{state:?}");
    world.ssh("login:approve BCDF-GHJK --json").await.refused("NOT_FOUND");
    world.close().await;
}
