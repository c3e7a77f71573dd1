//! Which sources are kept, while deployments begin and end.

use skypanel_core::blob::BlobKey;
use skypanel_core::model::{DeploymentId, DeploymentStatus, NewDeployment, Trigger};

use crate::World;

impl World {
    async fn ends(&self, id: DeploymentId, status: DeploymentStatus) {
        assert!(self.store().finish_deployment(id, status, None).await.expect("ends"));
    }

    /// A deployment that runs again what another built, and is live.
    async fn runs_again(&self, trigger: Trigger, parent: DeploymentId) -> DeploymentId {
        let new = NewDeployment {
            id: DeploymentId::new(),
            application_id: self.app.id,
            trigger,
            git_branch: None,
            git_commit: None,
            git_message: None,
            git_author: None,
            no_cache: false,
            description: "Again".to_owned(),
            parent_id: Some(parent),
            created_by: None,
        };
        self.store().create_deployment(&new).await.expect("makes it");
        assert!(self.store().complete_deployment(new.id).await.expect("goes live"));
        new.id
    }

    async fn given_up(&self) -> Vec<BlobKey> {
        self.store().give_up_sources(self.app.id).await.expect("answers")
    }

    async fn in_use(&self) -> Vec<BlobKey> {
        let mut keys = self.store().sources_in_use().await.expect("lists");
        keys.sort();
        keys
    }
}

fn sorted<const N: usize>(of: [DeploymentId; N]) -> Vec<BlobKey> {
    let mut keys: Vec<BlobKey> = of.into_iter().map(BlobKey::source).collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn those_of_the_newest_and_of_what_is_live_are_kept() {
    let world = World::new().await;
    let first = world.deployment().await;
    assert!(world.store().complete_deployment(first).await.expect("goes live"));
    let second = world.deployment().await;
    assert_eq!(world.given_up().await, []);
    world.ends(second, DeploymentStatus::Failed).await;
    assert_eq!(world.given_up().await, []);
    let third = world.deployment().await;
    assert_eq!(world.given_up().await, [], "what is queued takes no place yet");
    assert_eq!(world.in_use().await, sorted([first, second, third]));
    world.ends(third, DeploymentStatus::Cancelled).await;
    assert_eq!(world.given_up().await, [BlobKey::source(second)]);
    assert_eq!(world.in_use().await, sorted([first, third]));
    assert_eq!(world.given_up().await, [], "it is given up once");

    let view = async |id| world.store().deployment_view(world.app.id, id).await.expect("is there").can_redeploy();
    assert_eq!((view(first).await, view(second).await, view(third).await), (true, false, true));
    let fourth = world.deployment().await;
    assert!(!view(fourth).await, "it has not ended");
    assert!(world.store().complete_deployment(fourth).await.expect("goes live"));
    let mut given_up = world.given_up().await;
    given_up.sort();
    assert_eq!(given_up, sorted([first, third]));
    assert_eq!(world.store().sources(world.app.id).await.expect("lists"), sorted([fourth]));
    world.database.close().await;
}

#[tokio::test]
async fn a_rollback_and_a_change_of_config_vars_keep_what_they_were_built_from() {
    let world = World::new().await;
    let built = world.deployment().await;
    assert!(world.store().complete_deployment(built).await.expect("goes live"));
    let back = world.runs_again(Trigger::Rollback, built).await;
    let changed = world.runs_again(Trigger::Config, back).await;
    for _ in 0..2 {
        let failed = world.deployment().await;
        world.ends(failed, DeploymentStatus::Failed).await;
        world.given_up().await;
        assert_eq!(world.in_use().await, sorted([built, failed]));
    }
    let view = world.store().deployment_view(world.app.id, changed).await.expect("is there");
    assert!(view.is_current && !view.can_redeploy(), "it built nothing");
    world.database.close().await;
}

#[tokio::test]
async fn a_source_that_several_share_is_kept_while_one_of_them_needs_it() {
    let world = World::new().await;
    let first = world.deployment().await;
    world.ends(first, DeploymentStatus::Failed).await;
    let again = world.deployment().await;
    sqlx::query("UPDATE paas_deployments SET source_id = $2 WHERE id = $1")
        .bind(again)
        .bind(first)
        .execute(world.database.pool())
        .await
        .expect("shares it");
    let deployment = world.store().deployment(again).await.expect("is there");
    assert_eq!(deployment.source_key(), BlobKey::source(first));
    let later = world.deployment().await;
    world.ends(later, DeploymentStatus::Cancelled).await;
    assert_eq!(world.given_up().await, [], "one of them waits to be built");
    world.ends(again, DeploymentStatus::Failed).await;
    assert_eq!(world.given_up().await, [BlobKey::source(first)], "the newest ended before it");
    assert_eq!(world.in_use().await, sorted([later]));
    world.database.close().await;
}
