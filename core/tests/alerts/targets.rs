//! Targets: who may have which, what each is told, and trying one.

use skypanel_core::actions::{AlertsOf, TargetChange};
use skypanel_core::error::Error;
use skypanel_core::model::{AlertRule, NotificationState, Severity, TargetId, TargetKind};

use crate::hook::Hook;
use crate::watched::{is_signed, wanted};
use crate::world::World;

#[tokio::test]
async fn each_target_is_told_what_it_is_there_for() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let url = hook.url("/");
    let acme = AlertsOf::Organization(world.organization());
    let of_acme = world.target(TargetKind::Webhook, &url).await.target.id;
    let critical = {
        let mut wanted = wanted(TargetKind::Webhook, &url);
        wanted.min_severity = Severity::Critical;
        world.actions.add_notification_target(&world.owner, &acme, &wanted).await.expect("is made").target.id
    };
    let of_platform = world.platform_target(TargetKind::Webhook, &url).await.target.id;
    let chosen = {
        let mut wanted = wanted(TargetKind::Webhook, &url);
        wanted.rules = Some(vec![AlertRule::AppDeploysFailing]);
        world
            .actions
            .add_notification_target(&world.admin, &AlertsOf::Platform, &wanted)
            .await
            .expect("is made")
            .target
            .id
    };
    let globex = world.store().ensure_organization("globex").await.expect("makes it");
    let elsewhere = {
        let of = AlertsOf::Organization(skypanel_core::model::OrganizationRef::Id(globex.id));
        let wanted = wanted(TargetKind::Webhook, &url);
        world.actions.add_notification_target(&world.admin, &of, &wanted).await.expect("is made").target.id
    };
    world.fails(&world.app, 5).await;
    world.look().await;
    let tells = async |target: TargetId| -> Vec<String> {
        world.messages(target).await.into_iter().flat_map(|message| message.tells).collect()
    };
    assert_eq!(tells(of_acme).await, ["fired: app_deploys_failing shop"]);
    assert_eq!(tells(critical).await, [""; 0]);
    assert_eq!(tells(of_platform).await, ["fired: deploy_failures platform"]);
    assert_eq!(tells(chosen).await, ["fired: app_deploys_failing shop"]);
    assert_eq!(tells(elsewhere).await, [""; 0]);
    world.close().await;
}

#[tokio::test]
async fn targets_are_made_changed_and_removed_by_owners_and_their_secrets_are_kept() {
    let world = World::new().await;
    let actions = &world.actions;
    let acme = AlertsOf::Organization(world.organization());
    let url = "https://hooks.example.com/s3cr3t-path";
    let made = actions.add_notification_target(&world.owner, &acme, &wanted(TargetKind::Webhook, url)).await;
    let made = made.expect("is made");
    assert_eq!(made.target.shown_address, "https://hooks.example.com/…");
    let refused = actions.add_notification_target(&world.developer, &acme, &wanted(TargetKind::Webhook, url)).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    let refused = actions.notification_targets(&world.owner, &AlertsOf::Platform).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");

    let change = TargetChange {
        address: Some("https://other.example.com/x".to_owned()),
        min_severity: Some(Severity::Critical),
        rules: Some(Some(vec![AlertRule::AppDeploysFailing])),
        enabled: None,
    };
    let id = made.target.id;
    let changed = actions.change_notification_target(&world.owner, &acme, id, &change).await.expect("changes");
    assert_eq!(changed.shown_address, "https://other.example.com/…");
    assert_eq!(actions.notification_targets(&world.owner, &acme).await.expect("lists")[0].rules, changed.rules);
    // Not even admins find it among the platform's.
    let missing = actions.remove_notification_target(&world.admin, &AlertsOf::Platform, id).await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
    let rotated = actions.rotate_notification_target(&world.owner, &acme, id).await.expect("rotates");
    assert_ne!(rotated.secret, made.secret);
    actions.remove_notification_target(&world.owner, &acme, id).await.expect("is removed");

    let foreign = TargetChange { rules: Some(Some(vec![AlertRule::DeployFailures])), ..TargetChange::default() };
    let made = actions.add_notification_target(&world.owner, &acme, &wanted(TargetKind::Webhook, url)).await;
    let refused =
        actions.change_notification_target(&world.owner, &acme, made.expect("is made").target.id, &foreign).await;
    assert!(refused.expect_err("is refused").to_string().contains("admins of the platform alone"));

    // What lies in the database and in the log tells nothing secret.
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT t::text FROM paas_notification_targets AS t UNION ALL SELECT a::text FROM paas_audit_log AS a",
    )
    .fetch_all(world.pool())
    .await
    .expect("reads");
    assert!(rows.len() >= 5);
    assert!(rows.iter().all(|(row,)| !row.contains("s3cr3t")), "{rows:#?}");
    world.close().await;
}

#[tokio::test]
async fn organisations_mail_their_members_and_what_an_admin_allows() {
    let world = World::new().await;
    let actions = &world.actions;
    let acme = AlertsOf::Organization(world.organization());
    let try_address = async |address: &str| {
        actions.add_notification_target(&world.owner, &acme, &wanted(TargetKind::Email, address)).await.map(drop)
    };
    try_address("OWNER@x.io").await.expect("is a member");
    let refused = try_address("ops@acme.example").await.expect_err("is no member").to_string();
    assert!(refused.contains("alerts.mail_domains"), "{refused}");
    world.set("alerts.mail_domains", "globex.example, acme.example").await;
    try_address("ops@acme.example").await.expect("is allowed");
    try_address("ops@sub.acme.example").await.expect_err("is another domain");
    // Admins know whom they mail.
    world.platform_target(TargetKind::Email, "anybody@example.com").await;
    for _ in 0..18 {
        try_address("owner@x.io").await.expect("is made");
    }
    let refused = try_address("owner@x.io").await.expect_err("is one too many").to_string();
    assert!(refused.contains("20 targets"), "{refused}");
    world.close().await;
}

#[tokio::test]
async fn a_try_says_what_came_of_it() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let made = world.target(TargetKind::Webhook, &hook.url("/")).await;
    let (id, secret) = (made.target.id, made.secret.expect("has one"));
    let acme = AlertsOf::Organization(world.organization());
    let tried = world.actions.test_notification_target(&world.owner, &acme, id).await.expect("is tried");
    assert!(tried.sent, "{tried:?}");
    assert_eq!(tried.message, "127.0.0.1 answered 200: done");
    let call = &hook.calls()[0];
    assert!(is_signed(call, &secret));
    assert_eq!((call.header("x-skypanel-event"), &call.json()["event"]), ("test", &"test".into()));
    assert_eq!(call.news(), []);

    hook.answer_with(&[500]);
    let tried = world.actions.test_notification_target(&world.owner, &acme, id).await.expect("is tried");
    assert_eq!((tried.sent, tried.message.as_str()), (false, "127.0.0.1 answered 500: done"));
    // It is not tried again.
    world.deliver_all().await;
    assert_eq!(hook.calls().len(), 2);
    let states: Vec<_> = world.messages(id).await.into_iter().map(|message| (message.state, message.is_test)).collect();
    assert_eq!(states, [(NotificationState::Failed, true), (NotificationState::Sent, true)]);

    // Private addresses are an admin's to allow; the platform's own targets may have any.
    world.set("network.allowed", "").await;
    let tried = world.actions.test_notification_target(&world.owner, &acme, id).await.expect("is tried");
    assert!(!tried.sent && tried.message.contains("network.allowed"), "{tried:?}");
    let target = world.platform_target(TargetKind::Slack, &hook.url("/")).await.target.id;
    let tried = world.actions.test_notification_target(&world.admin, &AlertsOf::Platform, target).await;
    assert!(tried.expect("is tried").sent);
    assert_eq!(hook.calls().len(), 3);

    for _ in 0..27 {
        world.actions.test_notification_target(&world.owner, &acme, id).await.expect("is tried");
    }
    let refused = world.actions.test_notification_target(&world.owner, &acme, id).await;
    assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
    world.close().await;
}
