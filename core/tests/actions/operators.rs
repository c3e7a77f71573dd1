//! What the operator does on the host is done by actions, and stands in the audit log.

use skypanel_core::Error;
use skypanel_core::actions::{Actor, Via};
use skypanel_core::model::Role;
use skypanel_core::store::{AuditFilter, NewUser};

use crate::world::World;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@laptop";

#[tokio::test]
async fn everything_the_operator_does_is_in_the_audit_log() {
    let world = World::new().await;
    let (actions, operator) = (&world.actions, Actor::system());
    let before = actions.audit_log(&operator, &AuditFilter::default(), None, 100).await.expect("reads").len();
    let new = NewUser { email: "ada@example.com", password: "a long password", is_admin: false };
    let (ada, made) = actions.create_user(&operator, new, "initech", Role::Developer).await.expect("makes her");
    let key = actions.add_ssh_key_of(&operator, "ada@example.com", KEY).await.expect("adds it");
    let found = actions.ensure_organization(&operator, "initech", Some("ada@example.com")).await.expect("is there");
    assert_eq!(made.id, found.id);
    let changes = [("slug.max_mb".to_owned(), Some("20".to_owned()))].into();
    actions.change_settings(&operator, &changes).await.expect("changes");
    actions.move_to_plan(&operator, &world.shop, "pro", false).await.expect("moves");
    actions.store.reset_password("ada@example.com", "another long password").await.expect("sets it");

    let lines = actions.audit_log(&operator, &AuditFilter::default(), None, 100).await.expect("reads");
    let mut told: Vec<&str> = lines[..lines.len() - before].iter().map(|line| line.action.as_str()).collect();
    told.reverse();
    assert_eq!(
        told,
        [
            "organization.create",
            "user.create",
            "ssh_key.add",
            "member.set_role",
            "settings.change",
            "app.plan",
            "password.reset"
        ]
    );
    let new = &lines[..lines.len() - before];
    assert!(new.iter().all(|line| line.via == Via::System && line.user_id.is_none()), "{new:#?}");
    let text = format!("{new:?}");
    assert!(!text.contains("long password") && !text.contains("AAAAC3Nza"), "{text}");
    assert!(text.contains(&key.fingerprint) && text.contains(&ada.id.to_string()), "{text}");
    assert_eq!(new[3].before["role"], "developer");
    world.close().await;
}

#[tokio::test]
async fn what_stands_in_the_audit_log_stays_there() {
    let world = World::new().await;
    world.actions.ensure_organization(&Actor::system(), "initech", None).await.expect("makes it");
    for change in [
        "UPDATE paas_audit_log SET actor = 'nobody'",
        "DELETE FROM paas_audit_log",
        "TRUNCATE paas_audit_log",
        "INSERT INTO paas_audit_log SELECT * FROM paas_audit_log",
    ] {
        assert!(sqlx::query(change).execute(world.pool()).await.is_err(), "{change}");
    }
    let lines = world.actions.audit_log(&world.admin, &AuditFilter::default(), None, 10).await.expect("reads");
    assert_eq!(lines.iter().map(|line| line.action.as_str()).collect::<Vec<_>>(), ["organization.create"]);
    world.close().await;
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_and_nobody_else_may_do_it() {
    let world = World::new().await;
    let actions = &world.actions;
    let new = |email| NewUser { email, password: "a long password", is_admin: true };
    for actor in [&world.owner, &world.developer] {
        let refused = actions.create_user(actor, new("eve@example.com"), "acme", Role::Owner).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        assert!(matches!(actions.add_ssh_key_of(actor, "x@example.com", KEY).await, Err(Error::Forbidden(_))));
        assert!(matches!(actions.ensure_organization(actor, "eves", None).await, Err(Error::Forbidden(_))));
    }
    let operator = Actor::system();
    assert!(actions.create_user(&operator, new("no address"), "initech", Role::Owner).await.is_err());
    assert!(actions.store.organization("initech").await.is_err(), "made with its first member or not at all");
    assert!(actions.ensure_organization(&operator, "initech", Some("nobody@example.com")).await.is_err());
    assert!(actions.store.organization("initech").await.is_err());
    world.close().await;
}

#[tokio::test]
async fn a_job_knows_the_request_that_it_follows_from() {
    let world = World::new().await;
    let id = skypanel_core::request::new_id();
    let restart = world.actions.adopt_branch(&world.developer, &world.shop, "live");
    skypanel_core::request::within(id.clone(), restart).await.expect("adopts");
    let lines = world.actions.audit_log(&world.admin, &AuditFilter::default(), None, 1).await.expect("reads");
    assert_eq!((lines[0].action.as_str(), &lines[0].after["git_branch"]), ("app.edit", &serde_json::json!("live")));

    let queue = skypanel_core::jobs::SettleUsage {};
    skypanel_core::request::within(id.clone(), world.actions.jobs.add(queue)).await.expect("waits");
    let (payload,): (serde_json::Value,) = sqlx::query_as(
        "SELECT payload::jsonb FROM skypanel_jobs._private_jobs AS job
         JOIN skypanel_jobs._private_tasks AS task ON task.id = job.task_id WHERE task.identifier = 'settle_usage'",
    )
    .fetch_one(world.database.pool())
    .await
    .expect("is there");
    assert_eq!(payload["request_id"], id);
    world.close().await;
}
