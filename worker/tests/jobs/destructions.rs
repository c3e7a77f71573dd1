//! The destruction of apps: what goes, and that it comes to its end whatever happens on the way.

use skypanel_core::actions::Actor;
use skypanel_core::model::{AppRef, AppStatus, Application, Sha256Digest, StreamId};
use skypanel_core::store::StoredCache;

use crate::world::{World, run};

impl World {
    /// An app with a container, a domain and a cache.
    async fn furnished(&self) -> Application {
        let app = self.app("shop").await;
        let release = self.push(app.id).await;
        self.go_live(release, "one").await;
        self.engine.add("web", &[("skypanel.app", "shop".to_owned()), ("skypanel.role", "task".to_owned())]);
        self.engine.add("other", &[("skypanel.app", "blog".to_owned()), ("skypanel.role", "task".to_owned())]);
        let name = "www.example.com".parse().expect("a name");
        self.actions.add_domain(&Actor::system(), &AppRef::Id(app.id), &name).await.expect("is added");
        let cache = StoredCache {
            application_id: app.id,
            cache_key: "key".to_owned(),
            blob_digest: Sha256Digest::of(b"cache"),
            bytes: 1,
        };
        self.store().put_build_cache(&cache).await.expect("is noted");
        app
    }

    async fn destroy(&self, app: &Application) -> StreamId {
        let begun = self.actions.destroy_app(&Actor::system(), &AppRef::Id(app.id), app.slug.as_str()).await;
        begun.expect("begins").job.expect("has a job")
    }

    async fn is_clean(&self) {
        assert_eq!(self.engine.containers(), ["other"]);
        for table in ["paas_domains", "paas_deployments", "paas_build_cache", "paas_applications"] {
            let sql = format!("SELECT count(*) FROM {table}");
            let left: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(self.database.pool()).await.expect("counts");
            assert_eq!(left, 0, "{table}");
        }
        // The name is anybody's.
        self.app("shop").await;
    }
}

#[test]
fn a_destruction_that_was_cut_short_is_carried_on() {
    run(async {
        let world = World::new().await;
        let app = world.furnished().await;
        // The containers are gone by then, and the caches are not.
        world.engine.breaks(Some("volumes"));
        let job = world.destroy(&app).await;
        let told = world
            .while_working(async {
                let told = world.told(job, Some("It is tried again.")).await;
                assert_eq!(world.store().app(app.id).await.expect("is there").status, AppStatus::Deleting);
                world.engine.breaks(None);
                world.told(job, None).await.replace(&told, "")
            })
            .await;
        assert!(told.contains("Destroyed shop"), "{told}");
        world.is_clean().await;
        world.close().await;
    });
}

#[test]
fn a_destruction_that_used_its_tries_up_is_taken_up_again() {
    run(async {
        let world = World::new().await;
        let app = world.furnished().await;
        let job = world.destroy(&app).await;
        sqlx::query("UPDATE skypanel_jobs._private_jobs SET attempts = max_attempts")
            .execute(world.database.pool())
            .await
            .expect("uses them up");
        world.worker().recover().await.expect("looks");
        let told = world.while_working(world.told(job, None)).await;
        assert!(told.contains("Destroyed shop"), "{told}");
        world.is_clean().await;
        world.close().await;
    });
}
