//! Messages on their way: tried again, given up, lost on the way and found again; and how each kind of target takes them.

use chrono::TimeDelta;
use skypanel_core::actions::{AlertsOf, TargetChange};
use skypanel_core::model::{NotificationState, TargetKind};
use skypanel_core::notifications::Delivered;

use crate::hook::Hook;
use crate::stand_ins::{Manners, StandIn};
use crate::world::World;

#[tokio::test]
async fn a_target_that_is_down_is_tried_again_and_given_up_in_the_end() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let target = world.target(TargetKind::Webhook, &hook.url("/")).await.target.id;
    world.fails(&world.app, 3).await;
    world.look().await;
    hook.answer_with(&[503, 429]);
    world.advance(TimeDelta::seconds(30));
    let id = world.messages(target).await[0].id;
    for (attempt, pause) in [(1, 15), (2, 30)] {
        assert_eq!(world.deliver(id, target).await, Delivered::Retried);
        let message = world.messages(target).await.remove(0);
        assert_eq!((message.attempts, message.state), (attempt, NotificationState::Waiting));
        assert_eq!(message.next_try_at, Some(world.now() + TimeDelta::seconds(pause)));
        // Nobody is called before.
        assert_eq!(world.deliver(id, target).await, Delivered::Early);
        world.advance(TimeDelta::seconds(pause));
    }
    assert_eq!(world.deliver(id, target).await, Delivered::Sent);
    assert_eq!(hook.calls().len(), 3);
    // Each try is signed for its own time.
    let times: Vec<String> = hook.calls().iter().map(|call| call.header("x-skypanel-timestamp").to_owned()).collect();
    assert_eq!(times.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{times:?}");

    let blog = world.app_named("blog").await;
    world.fails(&blog, 3).await;
    world.look().await;
    drop(hook);
    let id = world.messages(target).await[0].id;
    let mut tries = 0;
    loop {
        world.advance(TimeDelta::hours(1));
        tries += 1;
        match world.deliver(id, target).await {
            Delivered::Retried => {}
            Delivered::Failed => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tries, 9);
    let message = &world.messages(target).await[0];
    assert_eq!((message.state, message.next_try_at), (NotificationState::Failed, None));
    let answer = message.answer.as_deref().expect("says why");
    assert!(answer.contains("does not answer"), "{answer}");
    world.close().await;
}

#[tokio::test]
async fn a_target_that_refuses_is_given_up_soon_and_redirects_are_not_followed() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let target = world.target(TargetKind::Webhook, &hook.url("/")).await.target.id;
    for (slug, status, words) in [("one", 410, "answered 410: done"), ("two", 302, "Redirects are not followed")] {
        let app = world.app_named(slug).await;
        world.fails(&app, 3).await;
        world.look().await;
        hook.answer_with(&[status; 3]);
        let mut delivered = Vec::new();
        for _ in 0..3 {
            delivered.extend(world.deliver_all().await);
        }
        assert_eq!(delivered, [Delivered::Retried, Delivered::Retried, Delivered::Failed]);
        let answer = world.messages(target).await[0].answer.clone().expect("says why");
        assert!(answer.contains(words), "{answer}");
    }
    assert_eq!(hook.calls().len(), 6);
    world.close().await;
}

#[tokio::test]
async fn what_was_being_sent_when_a_worker_died_is_sent_by_the_next() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let target = world.target(TargetKind::Webhook, &hook.url("/")).await.target.id;
    world.fails(&world.app, 3).await;
    world.look().await;
    world.advance(TimeDelta::seconds(30));
    let id = world.messages(target).await[0].id;
    // As it is left by one that took it and died, with its job.
    sqlx::query("UPDATE paas_notifications SET attempts = 1, gathers = false, next_try_at = $1")
        .bind(world.now() + TimeDelta::minutes(3))
        .execute(world.pool())
        .await
        .expect("changes");
    sqlx::query("DELETE FROM skypanel_jobs._private_jobs").execute(world.pool()).await.expect("is lost");
    assert_eq!(world.store().requeue_notifications(world.now()).await.expect("looks"), 0);
    world.advance(TimeDelta::minutes(5));
    assert_eq!(world.store().requeue_notifications(world.now()).await.expect("looks"), 1);
    let (jobs,): (i64,) = sqlx::query_as("SELECT count(*) FROM skypanel_jobs._private_jobs WHERE key = $1")
        .bind(format!("notify:{id}"))
        .fetch_one(world.pool())
        .await
        .expect("looks");
    assert_eq!(jobs, 1);
    assert_eq!(world.deliver(id, target).await, Delivered::Sent);
    assert_eq!(hook.calls().len(), 1);
    world.close().await;
}

#[tokio::test]
async fn slack_gets_text() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let made = world.target(TargetKind::Slack, &hook.url("/services/T0/B0/s3cr3t")).await;
    assert!(made.secret.is_none());
    world.fails(&world.app, 3).await;
    world.look().await;
    world.deliver_all().await;
    let call = &hook.calls()[0];
    assert_eq!(call.line, "POST /services/T0/B0/s3cr3t HTTP/1.1");
    assert_eq!(call.header("content-type"), "application/json");
    let json = call.json();
    let text = json["text"].as_str().expect("is text");
    assert!(text.starts_with("Skypanel localhost: warning: app_deploys_failing shop\n"), "{text}");
    assert!(text.contains("The last 3 deployments of shop failed."), "{text}");
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(1));
    world.close().await;
}

#[tokio::test]
async fn mail_goes_to_members_for_as_long_as_they_are() {
    let world = World::new().await;
    let host = StandIn::mail(Manners { takes_mail: true, ..Manners::default() }).await;
    for (key, value) in [
        ("smtp.host", "127.0.0.1"),
        ("smtp.port", &host.port.to_string()),
        ("smtp.security", "none"),
        ("smtp.from", "Skypanel <paas@example.com>"),
    ] {
        world.set(key, value).await;
    }
    let target = world.target(TargetKind::Email, "dev@x.io").await.target.id;
    world.fails(&world.app, 3).await;
    world.look().await;
    assert_eq!(world.deliver_all().await, [Delivered::Sent]);
    let heard = host.heard();
    for line in [
        "MAIL FROM:<paas@example.com>",
        "RCPT TO:<dev@x.io>",
        "From: Skypanel <paas@example.com>",
        "To: dev@x.io",
        "Subject: [Skypanel localhost] warning: app_deploys_failing shop",
        "Auto-Submitted: auto-generated",
        "warning: app_deploys_failing shop",
    ] {
        assert!(heard.iter().any(|heard| heard == line), "{line}: {heard:#?}");
    }
    let message = &world.messages(target).await[0];
    assert!(message.answer.as_deref().is_some_and(|answer| answer.contains("took it for dev@x.io")), "{message:?}");

    sqlx::query("DELETE FROM organization_members WHERE role = 'developer'")
        .execute(world.pool())
        .await
        .expect("leaves");
    let blog = world.app_named("blog").await;
    world.fails(&blog, 3).await;
    world.look().await;
    assert_eq!(world.deliver_all().await, [Delivered::Failed]);
    let message = &world.messages(target).await[0];
    assert!(message.answer.as_deref().is_some_and(|answer| answer.contains("no member's address")), "{message:?}");
    world.close().await;
}

#[tokio::test]
async fn who_is_switched_off_is_told_nothing_more() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let target = world.target(TargetKind::Webhook, &hook.url("/")).await.target.id;
    world.fails(&world.app, 3).await;
    world.look().await;
    let of = AlertsOf::Organization(world.organization());
    let off = TargetChange { enabled: Some(false), ..TargetChange::default() };
    world.actions.change_notification_target(&world.owner, &of, target, &off).await.expect("changes");
    assert_eq!(world.deliver_all().await, [Delivered::Failed]);
    let blog = world.app_named("blog").await;
    world.fails(&blog, 3).await;
    world.look().await;
    assert_eq!(world.messages(target).await.len(), 1);
    assert_eq!(hook.calls().len(), 0);
    world.close().await;
}
