//! A session has one id, which stands wherever something tells of what it did.

use crate::world::World;

/// Request ids and actions of the audit log, oldest first.
async fn audited(world: &World) -> Vec<(Option<String>, String)> {
    sqlx::query_as("SELECT request_id, action FROM paas_audit_log WHERE via = 'ssh' ORDER BY id")
        .fetch_all(world.store().pool())
        .await
        .expect("reads")
}

#[tokio::test]
async fn all_that_a_session_does_bears_its_id() {
    let world = World::new().await;
    let copy = world.working_copy("hello", &[("a", "1")]).await;
    // Makes the app, takes the branch over, and deploys.
    world.git(&copy, &["push", "skypanel", "main:master"]).await.ok();
    let pushed = audited(&world).await;
    let actions: Vec<&str> = pushed.iter().map(|(_, action)| action.as_str()).collect();
    assert!(["app.create", "app.edit", "app.deploy"].iter().all(|action| actions.contains(action)), "{actions:?}");
    let id = pushed[0].0.clone().expect("has one");
    assert!(pushed.iter().all(|(other, _)| other.as_ref() == Some(&id)), "{pushed:?}");
    assert_eq!(world.app("hello").await.git_branch, "master");

    world.ssh("config:set -a hello A=1").await.ok();
    let then = audited(&world).await;
    let (other, _) = then.last().expect("is written down");
    assert!(then.len() > pushed.len() && other.is_some() && other.as_ref() != Some(&id), "{then:?}");
    world.close().await;
}
