//! Apps, their formation and their plans, and what goes with them.

use std::collections::BTreeMap;

use skypanel_core::Error;
use skypanel_core::model::{AppSlug, AppStatus, Formation, Sha256Digest, Stage};
use skypanel_core::store::StoredCache;
use zeroize::Zeroizing;

use crate::{World, slug};

#[tokio::test]
async fn a_name_is_taken_for_everybody() {
    let world = World::new().await;
    let store = world.store();
    let other = store.ensure_organization("other").await.expect("makes it");
    assert!(matches!(store.create_app(&slug("shop"), &other).await, Err(Error::SlugTaken(name)) if name == "shop"));
    let app = store.create_app(&slug("shop-2"), &other).await.expect("is free");
    assert_eq!((app.subdomain.as_str(), app.git_branch.as_str(), app.config_version), ("shop-2", "main", 0));
    let all = store.apps(None).await.expect("lists");
    assert_eq!(all.iter().map(|app| app.slug.as_str()).collect::<Vec<_>>(), ["shop", "shop-2"]);
    let theirs = store.apps(Some(&[other.id])).await.expect("lists");
    assert_eq!(theirs.len(), 1);
    assert!(store.apps(Some(&[])).await.expect("lists").is_empty(), "no organisation means no app");
    world.database.close().await;
}

#[tokio::test]
async fn one_of_many_gets_a_contested_name() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, organization) = (world.store().clone(), world.organization.clone());
        tasks.spawn(async move { store.create_app(&slug("contested"), &organization).await });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::SlugTaken(_)))));
    world.database.close().await;
}

#[tokio::test]
async fn creating_apps_can_be_switched_off_and_a_suspended_organisation_may_not() {
    let world = World::new().await;
    let store = world.store();
    store.set_setting("git.allow_app_creation", "false").await.expect("sets");
    assert!(matches!(store.create_app(&slug("new"), &world.organization).await, Err(Error::Forbidden(_))));
    store.set_setting("git.allow_app_creation", "true").await.expect("sets");
    for change in ["allow_app_creation = false", "allow_app_creation = true, suspended_at = now()"] {
        let sql = format!("UPDATE organizations SET {change}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(world.database.pool()).await.expect("updates");
        let organization = store.organization("acme").await.expect("is there");
        assert!(matches!(store.create_app(&slug("new"), &organization).await, Err(Error::Forbidden(_))), "{change}");
    }
    world.database.close().await;
}

#[tokio::test]
async fn formations_stay_within_the_plan() {
    let world = World::new().await;
    let store = world.store();
    assert!(store.formation(world.app.id).await.expect("reads").is_empty());
    let wish = |text: &str| -> Formation {
        text.split(' ')
            .filter_map(|pair| pair.split_once('='))
            .map(|(process, count)| (process.parse().expect("is a type"), count.parse().expect("is a number")))
            .collect()
    };
    let plan = store.plan(world.app.plan_id).await.expect("reads");
    assert_eq!((plan.name.as_str(), plan.max_replicas, plan.ram_mb), ("hobby", 1, 512));
    assert_eq!(plan.price_per_hour.per_month().to_string(), "$5.037");
    store.scale(&world.app, &wish("web=0 worker=1")).await.expect("scales");
    let error = store.scale(&world.app, &wish("clock=1 web=2")).await.expect_err("is too many");
    assert!(matches!(error, Error::PlanLimitReached(_)), "{error}");
    assert_eq!(store.formation(world.app.id).await.expect("reads"), wish("web=0 worker=1"), "nothing of it is kept");
    store.scale(&world.app, &wish("web=1")).await.expect("scales");
    assert_eq!(store.formation(world.app.id).await.expect("reads"), wish("web=1 worker=1"));
    world.database.close().await;
}

#[tokio::test]
async fn an_app_from_before_its_name_was_reserved_is_still_read() {
    let world = World::new().await;
    assert!("build".parse::<AppSlug>().is_err());
    sqlx::query("UPDATE paas_applications SET slug = 'build'").execute(world.database.pool()).await.expect("renames");
    assert_eq!(world.store().app(world.app.id).await.expect("reads").slug.as_str(), "build");
    world.database.close().await;
}

#[tokio::test]
async fn everything_of_an_app_goes_with_it() {
    let world = World::new().await;
    let store = world.store();
    let other = store.create_app(&slug("other"), &world.organization).await.expect("makes it");
    crate::deployment(store, &other).await;
    for app in [&world.app, &other] {
        let deployment = crate::deployment(store, app).await;
        store.start_stage(deployment, Stage::Build, chrono::Utc::now()).await.expect("starts");
        store.set_current_deployment(app.id, deployment).await.expect("sets");
        store.scale(app, &Formation::from([("web".parse().expect("is one"), 1)])).await.expect("scales");
        store.record_event(app.id, None, "release", "Released v1").await.expect("records");
        let vars = BTreeMap::from([("KEY".parse().expect("is one"), Zeroizing::new(b"value".to_vec()))]);
        store.change_config(app, &vars, &[]).await.expect("sets");
        let cache = StoredCache {
            application_id: app.id,
            cache_key: "key".to_owned(),
            blob_digest: Sha256Digest::of(b"cache"),
            bytes: 1,
        };
        store.put_build_cache(&cache).await.expect("stores");
        sqlx::query("INSERT INTO paas_stream_chunks (stream_id, seq, data) VALUES ($1, 0, '')")
            .bind(deployment.0)
            .execute(world.database.pool())
            .await
            .expect("writes");
    }
    let before = rows(&world).await;
    store.delete_app(world.app.id).await.expect("deletes");
    let after = rows(&world).await;
    for (table, count) in &before {
        let left = after[table];
        // The other app has one deployment and stream more.
        let more = i64::from(matches!(table.as_str(), "paas_deployments" | "paas_streams" | "paas_log_streams"));
        // How many were begun is about the organisation.
        let kept = if table == "paas_begun_deployments" { *count } else { (count + more) / 2 };
        assert_eq!(left, kept, "{table}: {count} before");
    }
    assert!(matches!(store.app(world.app.id).await, Err(Error::NotFound(_))));
    sqlx::query("DELETE FROM organizations").execute(world.database.pool()).await.expect("deletes");
    assert!(rows(&world).await.values().all(|count| *count == 0));
    world.database.close().await;
}

/// Rows of every table that holds something of an app.
async fn rows(world: &World) -> BTreeMap<String, i64> {
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'
         AND table_name LIKE 'paas_%' AND table_name NOT IN ('paas_plans', 'paas_settings')",
    )
    .fetch_all(world.database.pool())
    .await
    .expect("lists");
    let mut found = BTreeMap::new();
    for (table,) in tables {
        let sql = format!("SELECT count(*) FROM {table}");
        let (count,): (i64,) =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(world.database.pool()).await.expect("counts");
        found.insert(table, count);
    }
    found
}

#[tokio::test]
async fn only_the_newest_cache_of_an_app_is_of_use() {
    let world = World::new().await;
    let store = world.store();
    let cache = |key: &str| StoredCache {
        application_id: world.app.id,
        cache_key: key.to_owned(),
        blob_digest: Sha256Digest::of(key.as_bytes()),
        bytes: 7,
    };
    store.put_build_cache(&cache("python")).await.expect("stores");
    store.put_build_cache(&cache("python")).await.expect("stores again");
    assert!(store.use_build_cache(world.app.id, "node").await.expect("looks").is_none());
    assert_eq!(store.use_build_cache(world.app.id, "python").await.expect("looks").expect("is there").bytes, 7);
    store.put_build_cache(&cache("node")).await.expect("stores");
    assert!(store.use_build_cache(world.app.id, "python").await.expect("looks").is_none());
    assert_eq!(store.caches_in_use().await.expect("lists"), [Sha256Digest::of(b"node")]);
    assert_eq!(store.expire_build_caches(1).await.expect("expires"), 0);
    sqlx::query("UPDATE paas_build_cache SET last_used_at = now() - interval '2 days'")
        .execute(world.database.pool())
        .await
        .expect("ages");
    assert_eq!(store.expire_build_caches(1).await.expect("expires"), 1);
    store.put_build_cache(&cache("node")).await.expect("stores");
    store.drop_build_caches(world.app.id).await.expect("drops");
    assert!(store.caches_in_use().await.expect("lists").is_empty());
    world.database.close().await;
}

#[tokio::test]
async fn what_a_worker_sees_does_not_undo_what_people_asked_for() {
    let world = World::new().await;
    let store = world.store();
    let now = async || store.app(world.app.id).await.expect("is there").status;
    assert!(store.report_app_status(world.app.id, AppStatus::Running).await.expect("reports"));
    assert_eq!(now().await, AppStatus::Running);
    for asked in [AppStatus::Stopped, AppStatus::Suspended] {
        store.set_app_status(world.app.id, asked).await.expect("sets");
        assert!(!store.report_app_status(world.app.id, AppStatus::Running).await.expect("is refused"));
        assert_eq!(now().await, asked);
    }
    world.database.close().await;
}
