//! Sources: kept for another build, removed once that is over.

use skypanel_core::actions::Actor;
use skypanel_core::blob::BlobKey;
use skypanel_core::jobs::CleanUp;
use skypanel_core::model::{AppId, AppRef, DeploymentId};

use crate::world::{World, run};

impl World {
    /// Queues a push with its source and has it end: nothing can be built here.
    async fn fail(&self, app: AppId) -> DeploymentId {
        let id = self.push(app).await;
        self.actions.blobs.put_bytes(&BlobKey::source(id), b"no archive").await.expect("is stored");
        let told = self.while_working(self.told(id, None)).await;
        assert!(told.contains(" !     "), "{told}");
        id
    }

    async fn stored(&self) -> Vec<BlobKey> {
        let listed = self.actions.blobs.list(BlobKey::SOURCES).await.expect("lists");
        listed.into_iter().map(|blob| blob.key).collect()
    }

    async fn clean_up(&self) {
        self.actions.jobs.add(CleanUp::default()).await.expect("is queued");
        self.while_working(self.until_idle()).await;
    }
}

#[test]
fn the_source_of_the_newest_is_kept_until_the_next_has_ended() {
    run(async {
        let world = World::new().await;
        let app = world.app("shop").await;
        let first = world.fail(app.id).await;
        world.clean_up().await;
        assert_eq!(world.stored().await, [BlobKey::source(first)]);

        let reference = AppRef::Id(app.id);
        let again = world.actions.redeploy(&Actor::system(), &reference, first, false).await.expect("is queued");
        let told = world.while_working(world.told(again.stream, None)).await;
        assert!(!told.contains("is not in the blob store"), "{told}");
        world.clean_up().await;
        assert_eq!(world.stored().await, [BlobKey::source(first)], "it is that of the newest, too");

        let second = world.fail(app.id).await;
        world.while_working(world.until_idle()).await;
        assert_eq!(world.stored().await, [BlobKey::source(second)]);
        for gone in [first, again.deployment] {
            let refused = world.actions.redeploy(&Actor::system(), &reference, gone, false).await;
            assert!(refused.expect_err("is gone").to_string().contains("Push its commit again."));
        }

        let begun = world.actions.destroy_app(&Actor::system(), &reference, "shop").await.expect("begins");
        world.while_working(world.told(begun.job.expect("has a job"), None)).await;
        assert_eq!(world.stored().await, [], "it goes with its app, and not with a clean-up");
        world.close().await;
    });
}

#[test]
fn what_was_cancelled_while_it_waited_leaves_one_source_as_well() {
    run(async {
        let world = World::new().await;
        let app = world.app("shop").await;
        let mut last = None;
        for _ in 0..3 {
            // Each takes the place of the one before.
            let id = world.push(app.id).await;
            world.actions.blobs.put_bytes(&BlobKey::source(id), b"no archive").await.expect("is stored");
            last = Some(id);
        }
        let all = world.actions.cancel_deployment(&Actor::system(), &AppRef::Id(app.id), None).await;
        assert_eq!(all.expect("are cancelled").len(), 1);
        assert_eq!(world.stored().await.len(), 3);
        world.while_working(world.until_idle()).await;
        assert_eq!(world.stored().await, [BlobKey::source(last.expect("is one"))]);
        world.close().await;
    });
}
