//! From what is wrong to a message, and to the one that it is over.

use chrono::TimeDelta;
use skypanel_core::model::{DeploymentStatus, NotificationState, TargetKind};
use skypanel_core::notifications::Delivered;

use crate::hook::Hook;
use crate::watched::{is_signed, look, news};
use crate::world::World;

fn told(lines: &[&str]) -> Vec<(String, String, String)> {
    let words = |line: &&str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    lines.iter().map(words).map(|words| (words[0].clone(), words[1].clone(), words[2].clone())).collect()
}

#[tokio::test]
async fn an_alert_is_told_of_once_together_with_others_and_once_more_when_it_is_over() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let made = world.target(TargetKind::Webhook, &hook.url("/alerts?x=1")).await;
    let (target, secret) = (made.target.id, made.secret.expect("has one"));
    let blog = world.app_named("blog").await;
    world.fails(&world.app, 2).await;
    assert_eq!(news(&world.look().await), [""; 0]);
    world.fails(&world.app, 1).await;
    assert_eq!(news(&world.look().await), ["fired app_deploys_failing shop"]);
    // What comes a moment later is part of the same message.
    world.advance(TimeDelta::seconds(20));
    world.fails(&blog, 3).await;
    assert_eq!(news(&world.look().await), ["fired app_deploys_failing blog", "fired deploy_failures platform"]);
    assert_eq!(news(&world.look().await), [""; 0]);

    let messages = world.messages(target).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].tells, ["fired: app_deploys_failing shop", "fired: app_deploys_failing blog"]);
    assert_eq!(world.deliver(messages[0].id, target).await, Delivered::Early);
    assert_eq!(world.deliver_all().await, [Delivered::Sent]);
    assert_eq!(world.deliver(messages[0].id, target).await, Delivered::Ended);
    let calls = hook.calls();
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    assert_eq!(call.line, "POST /alerts?x=1 HTTP/1.1");
    assert!(is_signed(call, &secret) && !is_signed(call, "another"));
    assert_eq!(call.header("x-skypanel-timestamp"), world.now().timestamp().to_string());
    assert_eq!(call.header("x-skypanel-event"), "alerts");
    assert_eq!(call.header("x-skypanel-delivery"), messages[0].id.to_string());
    assert_eq!(call.news(), told(&["app_deploys_failing shop fired", "app_deploys_failing blog fired"]));
    let alert = &call.json()["alerts"][0];
    assert_eq!(
        (&alert["value"], &alert["threshold"], &alert["severity"]),
        (&3.0.into(), &3.0.into(), &"warning".into())
    );
    assert_eq!(alert["organization_id"], world.acme.id.to_string());
    let message = &world.messages(target).await[0];
    assert_eq!((message.state, message.attempts), (NotificationState::Sent, 1));
    assert_eq!(message.answer.as_deref(), Some("127.0.0.1 answered 200: done"));

    // One goes well again. It stays an alert for two minutes more, and is then over.
    world.deployed(&blog, DeploymentStatus::Succeeded).await;
    assert_eq!(world.look_for(2).await, [""; 0]);
    assert_eq!(world.look_for(1).await, ["resolved app_deploys_failing blog"]);
    world.deliver_all().await;
    assert_eq!(hook.calls()[1].news(), told(&["app_deploys_failing blog resolved"]));
    assert_eq!(hook.calls()[1].json()["alerts"][0]["status"], "resolved");
    assert_eq!(hook.calls().len(), 2);
    world.close().await;
}

#[tokio::test]
async fn two_workers_tell_of_an_alert_once() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let target = world.target(TargetKind::Webhook, &hook.url("/")).await.target.id;
    world.fails(&world.app, 5).await;
    let other = world.database.another_store().await.with_clock(world.clock.clone());
    let looks = [world.store(), &other, world.store(), &other].map(look);
    let looked = futures_util::future::join_all(looks).await;
    let all: Vec<String> = looked.iter().flat_map(news).collect();
    assert_eq!(all.iter().filter(|line| line.starts_with("fired app_deploys_failing")).count(), 1, "{all:?}");
    let messages = world.messages(target).await;
    assert_eq!(messages.len(), 1);

    world.advance(TimeDelta::seconds(30));
    let tries = (0..4).map(|_| world.deliver(messages[0].id, target));
    let delivered = futures_util::future::join_all(tries).await;
    assert_eq!(delivered.iter().filter(|one| **one == Delivered::Sent).count(), 1, "{delivered:?}");
    assert_eq!(hook.calls().len(), 1);
    other.pool().close().await;
    world.close().await;
}

#[tokio::test]
async fn what_fails_now_and_then_is_one_alert_and_what_is_switched_off_is_none() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let target = world.platform_target(TargetKind::Webhook, &hook.url("/")).await.target.id;
    world.set("alerts.app_deploy_failures", "0").await;
    // Six of ten, then five of ten more: the share falls below the threshold for a moment, and is not over.
    for status in [DeploymentStatus::Failed, DeploymentStatus::Succeeded] {
        for _ in 0..5 {
            world.deployed(&world.app, status).await;
        }
    }
    assert_eq!(news(&world.look().await), ["fired deploy_failures platform"]);
    world.deployed(&world.app, DeploymentStatus::Succeeded).await;
    assert_eq!(world.look_for(5).await, [""; 0]);
    assert_eq!(world.open_alerts().await.len(), 1);
    // A day later it still lasts, which is told again.
    world.set("alerts.window_minutes", "10080").await;
    world.advance(TimeDelta::hours(24));
    assert_eq!(news(&world.look().await), ["lasting deploy_failures platform"]);
    // Who switches it off wants to hear no more of it.
    world.set("alerts.deploy_failure_percent", "0").await;
    assert_eq!(world.look_for(5).await, [""; 0]);
    assert_eq!(world.open_alerts().await, []);
    world.deliver_all().await;
    let tells: Vec<Vec<String>> = world.messages(target).await.into_iter().map(|message| message.tells).collect();
    assert_eq!(tells, [["fired: deploy_failures platform", "lasting: deploy_failures platform"]]);
    world.close().await;
}

#[tokio::test]
async fn history_is_kept_for_a_while() {
    let world = World::new().await;
    let hook = Hook::start().await;
    let target = world.target(TargetKind::Webhook, &hook.url("/")).await.target.id;
    world.fails(&world.app, 3).await;
    world.look().await;
    world.deliver_all().await;
    world.deployed(&world.app, DeploymentStatus::Succeeded).await;
    world.look_for(3).await;
    world.deliver_all().await;
    let over = world.now();
    world.store().drop_old_alerts(over - TimeDelta::hours(1)).await.expect("drops");
    assert_eq!((world.alerts().await.len(), world.messages(target).await.len()), (1, 2));
    world.store().drop_old_alerts(over + TimeDelta::hours(1)).await.expect("drops");
    assert_eq!((world.alerts().await.len(), world.messages(target).await.len()), (0, 0));
    world.close().await;
}
