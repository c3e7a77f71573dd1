//! The destruction of apps: what goes, and that it comes to its end whatever happens on the way.

use std::time::{Duration, SystemTime};

use serde_json::json;
use skypanel_core::actions::Actor;
use skypanel_core::blob::BlobKey;
use skypanel_core::jobs::CleanUp;
use skypanel_core::model::{
    AppRef, AppStatus, Application, Artifact, DeploymentId, ProcessType, Sha256Digest, StreamId,
};
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

    /// A release of the app that runs, and everything that an app can have beside it.
    async fn keep(&self, app: &Application) -> DeploymentId {
        let id = self.push(app.id).await;
        let digest = |what: &str| Sha256Digest::of(format!("{what} of {}", app.slug).as_bytes());
        let layer = Sha256Digest::of(b"the stack");
        let (slug, cache, config) = (digest("slug"), digest("cache"), digest("config"));
        let manifest = json!({ "config": { "digest": config }, "layers": [{ "digest": layer }, { "digest": slug }] });
        let manifest = manifest.to_string();
        let artifact = Artifact {
            image: Sha256Digest::of(manifest.as_bytes()),
            slug: Some(slug),
            bytes: 1,
            buildpack: "python".to_owned(),
            processes: [(ProcessType::web(), "serve".to_owned())].into(),
        };
        self.store().set_artifact(id, &artifact).await.expect("stores");
        let told = self.while_working(self.told(id, None)).await;
        assert!(told.contains("is live"), "{told}");
        for (key, bytes) in [
            (BlobKey::slug(slug), "slug"),
            (BlobKey::layer(layer), "layer"),
            (BlobKey::image(config), "config"),
            (BlobKey::image(artifact.image), manifest.as_str()),
            (BlobKey::cache(cache), "cache"),
        ] {
            self.put_old(&key, bytes.as_bytes()).await;
        }
        let stored = StoredCache { application_id: app.id, cache_key: "key".to_owned(), blob_digest: cache, bytes: 1 };
        self.store().put_build_cache(&stored).await.expect("is noted");
        let labels = [
            ("skypanel.installation", "test".to_owned()),
            ("skypanel.app", app.slug.to_string()),
            ("skypanel.app_id", app.id.to_string()),
            ("skypanel.role", "cache".to_owned()),
        ];
        self.engine.swarm(|swarm| swarm.add_volume(&format!("cache-of-{}", app.slug), &labels));
        let name = format!("www.{}.example.com", app.slug).parse().expect("a name");
        self.actions.add_domain(&Actor::system(), &AppRef::Id(app.id), &name).await.expect("is added");
        let set = [("GREETING".parse().expect("is a name"), b"hello".to_vec().into())].into();
        self.store().change_config(app, &set, &[]).await.expect("is set");
        let routes = self.directory.path().join("edge/dynamic/apps");
        std::fs::create_dir_all(&routes).expect("is made");
        std::fs::write(routes.join(format!("{}.yml", app.slug)), "{}").expect("is routed");
        id
    }

    /// A blob that has lain there long enough to be nobody's.
    async fn put_old(&self, key: &BlobKey, bytes: &[u8]) {
        self.actions.blobs.put_bytes(key, bytes).await.expect("is stored");
        let path = self.directory.path().join("blobs").join(key.as_str());
        let file = std::fs::File::options().write(true).open(path).expect("is a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(360_000)).expect("is old");
    }

    /// What the store, the engine and the edge have of an app.
    async fn things_of(&self, app: &Application) -> Vec<String> {
        let mut things = Vec::new();
        let columns: Vec<(String, String)> = sqlx::query_as(
            "SELECT table_name::text, column_name::text FROM information_schema.columns
             WHERE table_schema = 'public' AND (column_name = 'application_id' OR column_name = 'id')
             AND table_name LIKE 'paas_%' AND udt_name = 'uuid' ORDER BY 1, 2",
        )
        .fetch_all(self.database.pool())
        .await
        .expect("lists");
        assert!(columns.len() > 10, "{columns:?}");
        for (table, column) in columns {
            // What it used is the organisation's to pay, whatever becomes of it.
            if ["paas_metering", "paas_usage", "paas_usage_days", "paas_usage_months"].contains(&table.as_str()) {
                continue;
            }
            let sql = format!("SELECT count(*) FROM {table} WHERE {column} = $1");
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .bind(app.id)
                .fetch_one(self.database.pool())
                .await
                .expect("counts");
            if count > 0 {
                things.push(format!("{count} in {table}"));
            }
        }
        let name = format!("-{}", app.slug);
        things.extend(self.engine.swarm(|swarm| swarm.all()).into_iter().filter(|thing| thing.contains(&name)));
        let route = self.directory.path().join(format!("edge/dynamic/apps/{}.yml", app.slug));
        things.extend(route.exists().then(|| format!("route {}", app.slug)));
        things
    }

    async fn blobs(&self) -> Vec<String> {
        let mut found = Vec::new();
        for prefix in [BlobKey::SOURCES, BlobKey::SLUGS, BlobKey::LAYERS, BlobKey::IMAGES, BlobKey::CACHES] {
            let listed = self.actions.blobs.list(prefix).await.expect("lists");
            found.extend(listed.into_iter().map(|blob| blob.key.as_str().to_owned()));
        }
        found.sort();
        found
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

#[test]
fn nothing_of_a_destroyed_app_is_left_after_the_clean_up() {
    run(async {
        let world = World::new().await;
        world.engine.join_swarm();
        let blog = world.app("blog").await;
        world.keep(&blog).await;
        let (of_blog, blobs_of_blog) = (world.things_of(&blog).await, world.blobs().await);
        let shop = world.app("shop").await;
        let release = world.keep(&shop).await;
        // Its build was interrupted after it had ended.
        world.put_old(&BlobKey::source(release), b"source").await;
        let of_shop = world.things_of(&shop).await;
        for kind in ["services ", "networks ", "secrets ", "volumes ", "route ", "1 in paas_domains"] {
            assert!(of_shop.iter().any(|thing| thing.starts_with(kind)), "{kind}: {of_shop:?}");
        }
        assert_eq!((blobs_of_blog.len(), world.blobs().await.len()), (5, 10), "one layer is both's");

        let job = world.destroy(&shop).await;
        let told = world
            .while_working(async {
                let told = world.told(job, None).await;
                world.until_idle().await;
                told
            })
            .await;
        assert!(told.contains("Destroyed shop"), "{told}");
        assert_eq!(world.things_of(&shop).await, Vec::<String>::new());
        assert_eq!(world.things_of(&blog).await, of_blog, "another app's things stay");
        assert_eq!(world.blobs().await, blobs_of_blog);

        // The destruction itself can be looked up for a week.
        let pool = world.database.pool();
        sqlx::query("UPDATE paas_streams SET closed_at = closed_at - interval '8 days' WHERE id = $1")
            .bind(job)
            .execute(pool)
            .await
            .expect("is long ago");
        world.actions.jobs.add(CleanUp::default()).await.expect("is queued");
        world.while_working(world.until_idle()).await;
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM paas_streams WHERE destroyed_id IS NOT NULL")
            .fetch_one(pool)
            .await
            .expect("counts");
        assert_eq!(left, 0);
        world.close().await;
    });
}
