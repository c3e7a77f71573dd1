//! Config vars: sealed, versioned, changed in one step.

use std::collections::BTreeMap;

use skypanel_core::Error;
use skypanel_core::model::ConfigKey;
use zeroize::Zeroizing;

use crate::{World, slug};

type Vars = BTreeMap<ConfigKey, Zeroizing<Vec<u8>>>;

fn vars(pairs: &[(&str, &[u8])]) -> Vars {
    pairs.iter().map(|(name, value)| (key(name), Zeroizing::new(value.to_vec()))).collect()
}

fn key(name: &str) -> ConfigKey {
    name.parse().expect("is a key")
}

#[tokio::test]
async fn values_are_sealed_for_their_app_and_name() {
    let world = World::new().await;
    let store = world.store();
    let secret = b"tell-nobody-tell-nobody";
    assert!(store.change_config(&world.app, &vars(&[("TOKEN", secret)]), &[]).await.expect("sets"));
    let (version, opened) = store.config_vars(world.app.id).await.expect("opens");
    assert_eq!((version, opened), (1, vars(&[("TOKEN", secret)])));
    let (stored,): (Vec<u8>,) =
        sqlx::query_as("SELECT value FROM paas_environment_vars").fetch_one(world.database.pool()).await.expect("one");
    assert!(!stored.windows(4).any(|part| secret.windows(4).any(|plain| plain == part)), "it is in the table");

    // The same sealed bytes in another row, of this app or of another, do not open.
    let other = store.create_app(&slug("other"), &world.organization).await.expect("makes it");
    for (app, name) in [(world.app.id, "STOLEN"), (other.id, "TOKEN")] {
        sqlx::query("INSERT INTO paas_environment_vars (application_id, key, value) VALUES ($1, $2, $3)")
            .bind(app)
            .bind(name)
            .bind(&stored)
            .execute(world.database.pool())
            .await
            .expect("copies");
        assert!(matches!(store.config_vars(app).await, Err(Error::Secret)));
    }
    world.database.close().await;
}

#[tokio::test]
async fn a_change_counts_once_and_nothing_counts_not_at_all() {
    let world = World::new().await;
    let store = world.store();
    let change = async |set: &[(&str, &[u8])], unset: &[&str]| {
        let unset: Vec<_> = unset.iter().map(|name| key(name)).collect();
        store.change_config(&world.app, &vars(set), &unset).await.expect("changes")
    };
    assert!(change(&[("A", b"1"), ("B", b"2")], &[]).await);
    assert!(!change(&[("A", b"1")], &[]).await, "the same value");
    assert!(!change(&[], &["C"]).await, "nothing to remove");
    assert!(change(&[("C", b"")], &["B"]).await);
    assert!(change(&[("A", b"2")], &["A"]).await, "removed, then set");
    let (version, opened) = store.config_vars(world.app.id).await.expect("opens");
    assert_eq!((version, opened), (3, vars(&[("A", b"2"), ("C", b"")])));
    let keys: Vec<_> = store.config_keys(world.app.id).await.expect("lists").into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [key("A"), key("C")]);
    world.database.close().await;
}

#[tokio::test]
async fn what_no_process_or_secret_can_hold_is_refused() {
    let world = World::new().await;
    let store = world.store();
    let nul = store.change_config(&world.app, &vars(&[("A", b"a\0b")]), &[]).await.expect_err("holds a NUL");
    assert!(nul.to_string().contains('A') && !nul.to_string().contains("a\0b"), "{nul}");
    let large = vec![b'x'; 401 * 1024];
    assert!(matches!(store.change_config(&world.app, &vars(&[("A", &large)]), &[]).await, Err(Error::Invalid(_))));
    assert_eq!(store.config_vars(world.app.id).await.expect("opens"), (0, Vars::new()));
    let bytes = b"\xff\xfe not UTF-8\n";
    store.change_config(&world.app, &vars(&[("A", bytes)]), &[]).await.expect("any other bytes are fine");
    assert_eq!(store.config_vars(world.app.id).await.expect("opens").1, vars(&[("A", bytes)]));
    world.database.close().await;
}

#[tokio::test]
async fn changes_at_once_lose_nothing() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (store, app) = (world.store().clone(), world.app.clone());
        tasks.spawn(async move {
            let name = format!("KEY_{number}");
            store.change_config(&app, &vars(&[(name.as_str(), b"x")]), &[]).await
        });
    }
    for outcome in tasks.join_all().await {
        assert!(outcome.expect("changes"));
    }
    let (version, opened) = world.store().config_vars(world.app.id).await.expect("opens");
    assert_eq!((version, opened.len()), (10, 10));
    world.database.close().await;
}

#[tokio::test]
async fn the_limit_holds_for_changes_at_once() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (store, app) = (world.store().clone(), world.app.clone());
        tasks.spawn(async move {
            let (name, value) = (format!("KEY_{number}"), vec![b'x'; 100 * 1024]);
            store.change_config(&app, &vars(&[(name.as_str(), &value)]), &[]).await
        });
    }
    let kept = tasks.join_all().await.into_iter().flatten().count();
    let (_, opened) = world.store().config_vars(world.app.id).await.expect("opens");
    assert_eq!((kept, opened.len()), (3, 3), "400 KB hold three of 100 KB and their names");
    world.database.close().await;
}

#[tokio::test]
async fn an_app_that_went_away_has_no_config() {
    let world = World::new().await;
    world.store().delete_app(world.app.id).await.expect("deletes");
    assert!(matches!(world.store().config_vars(world.app.id).await, Err(Error::NotFound(_))));
    let change = world.store().change_config(&world.app, &vars(&[("A", b"1")]), &[]).await;
    assert!(matches!(change, Err(Error::NotFound(_))));
    world.database.close().await;
}
