//! The time limits that the server keeps for our connections.

use std::time::Duration;

use skypanel_core::jobs::Jobs;
use skypanel_core::secrets::Secrets;
use skypanel_core::store::Store;
use sqlx::postgres::PgListener;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _};

use crate::support::Database;

/// Limits that a test can wait for, as a part of the database's address.
const SHORT: &str = "&options=-c%20statement_timeout%3D300ms%20-c%20lock_timeout%3D200ms\
                     %20-c%20idle_in_transaction_session_timeout%3D300ms";

fn short(database: &Database) -> String {
    format!("{}{SHORT}", database.pool().connect_options().to_url_lossy())
}

async fn connect(url: &str) -> Store {
    let directory = tempfile::tempdir().expect("makes a directory");
    let secrets = Secrets::open_or_create(&directory.path().join("master.key")).expect("makes a key");
    Store::connect(url, secrets).await.expect("connects")
}

#[tokio::test]
async fn every_connection_has_them() {
    let database = Database::new().await;
    for (name, value) in
        [("statement_timeout", "1min"), ("idle_in_transaction_session_timeout", "30s"), ("lock_timeout", "20s")]
    {
        let sql = format!("SHOW {name}");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(database.pool()).await.expect("shows");
        assert_eq!(row.get::<String, _>(0), value, "{name}");
    }
    database.close().await;
}

#[tokio::test]
async fn what_hangs_is_ended_and_the_pool_goes_on() {
    let database = Database::new().await;
    let store = connect(&short(&database)).await;
    let error = store.pool().execute("SELECT pg_sleep(20)").await.expect_err("is ended").to_string();
    assert!(error.contains("statement timeout"), "{error}");

    let mut holder = database.pool().begin().await.expect("begins");
    holder.execute("LOCK TABLE paas_settings").await.expect("locks");
    let error = store.pool().execute("SELECT * FROM paas_settings").await.expect_err("is ended").to_string();
    assert!(error.contains("lock timeout"), "{error}");
    holder.rollback().await.expect("rolls back");

    let mut forgotten = store.pool().begin().await.expect("begins");
    forgotten.execute("LOCK TABLE paas_settings").await.expect("locks");
    tokio::time::sleep(Duration::from_millis(900)).await;
    store.settings().await.expect("the lock of a forgotten transaction is gone");
    forgotten.execute("SELECT 1").await.expect_err("and so is the transaction");
    drop(forgotten);
    store.ping().await.expect("answers");
    store.pool().close().await;
    database.close().await;
}

#[tokio::test]
async fn a_listener_may_wait_for_as_long_as_it_likes() {
    let database = Database::new().await;
    let store = connect(&short(&database)).await;
    let mut listener = PgListener::connect_with(store.pool()).await.expect("connects");
    listener.listen("test").await.expect("listens");
    let (told, announced) = tokio::join!(tokio::time::timeout(Duration::from_secs(10), listener.try_recv()), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        store.pool().execute("NOTIFY test").await
    },);
    announced.expect("notifies");
    // None would tell that the connection was lost and made anew.
    assert!(told.expect("in time").expect("receives").is_some());
    drop(listener);
    store.pool().close().await;
    database.close().await;
}

#[tokio::test]
async fn bringing_up_to_date_has_none() {
    let database = Database::new().await;
    Jobs::connect(database.pool().clone()).await.expect("makes the queue");
    let url = short(&database);
    for table in ["_sqlx_migrations", "skypanel_jobs.migrations"] {
        let mut other = PgConnection::connect_with(&database.pool().connect_options()).await.expect("connects");
        let mut holder = other.begin().await.expect("begins");
        let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        holder.execute(sqlx::AssertSqlSafe(lock)).await.expect("locks");
        let starting = tokio::spawn({
            let url = url.clone();
            async move {
                let store = connect(&url).await;
                Jobs::connect(store.pool().clone()).await.expect("makes the queue");
                store.pool().close().await;
            }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!starting.is_finished(), "it waits for {table}");
        holder.rollback().await.expect("rolls back");
        starting.await.expect("starts");
    }
    database.close().await;
}
