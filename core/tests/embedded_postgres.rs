//! The private PostgreSQL: taken over, recovered after a crash, refused with a reason.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use skypanel_core::embedded_postgres::EmbeddedPostgres;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// A directory that PostgreSQL's user may enter.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("makes a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).expect("opens it");
    directory
}

fn process_id(directory: &Path) -> String {
    let file = std::fs::read_to_string(directory.join("data/postmaster.pid")).expect("runs");
    file.lines().next().expect("has a first line").to_owned()
}

async fn connect(server: &EmbeddedPostgres) -> PgConnection {
    PgConnection::connect(&server.url()).await.expect("connects")
}

#[tokio::test]
async fn a_second_start_takes_over_and_a_crash_is_recovered_from() {
    let directory = directory();
    let home = directory.path().join("a space, 100 % 'of' \"quotes\" \\ $(id)");
    let server = EmbeddedPostgres::start(&home).await.expect("starts");
    let mut connection = connect(&server).await;
    connection.execute("CREATE TABLE kept (id int)").await.expect("makes a table");
    connection.execute("INSERT INTO kept VALUES (1)").await.expect("inserts");
    let first = process_id(&home);

    let again = EmbeddedPostgres::start(&home).await.expect("takes over");
    assert_eq!(process_id(&home), first, "the same server runs");
    connection.execute("INSERT INTO kept VALUES (2)").await.expect("its connections live on");
    drop(again);

    let killed = tokio::process::Command::new("kill").args(["-9", &first]).status().await.expect("runs");
    assert!(killed.success());
    let started = Instant::now();
    let server = EmbeddedPostgres::start(&home).await.expect("starts again");
    println!("back after {:?}", started.elapsed());
    let (count,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM kept").fetch_one(&mut connect(&server).await).await.expect("reads");
    assert_eq!(count, 2);
    server.stop().await.expect("stops");
    assert!(!home.join("data/postmaster.pid").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_first_starts_at_once_make_one_server() {
    let directory = directory();
    let home = directory.path().join("pg");
    let starts = [(); 4].map(|()| {
        let home = home.clone();
        tokio::spawn(async move { EmbeddedPostgres::start(&home).await.map(|server| server.url()) })
    });
    for start in starts {
        start.await.expect("ends").expect("starts");
    }
    let server = EmbeddedPostgres::start(&home).await.expect("takes over");
    connect(&server).await.execute("SELECT 1").await.expect("answers");
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn a_first_start_that_was_cut_short_begins_anew() {
    let directory = directory();
    let home = directory.path().join("pg");
    std::fs::create_dir_all(home.join("data/base")).expect("makes what a cut initdb leaves");
    std::fs::write(home.join("data/postgresql.conf"), "half").expect("writes");
    std::fs::create_dir_all(home.join("data.new/base")).expect("makes what a killed initdb leaves");
    std::fs::write(home.join("data.new/PG_VERSION"), "15\n").expect("writes");
    let server = EmbeddedPostgres::start(&home).await.expect("starts");
    connect(&server).await.execute("SELECT 1").await.expect("answers");
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn it_listens_on_no_port_and_its_socket_is_its_own() {
    let directory = directory();
    let home = directory.path().join("pg");
    let server = EmbeddedPostgres::start(&home).await.expect("starts");
    let (addresses,): (String,) = sqlx::query_as("SELECT setting FROM pg_settings WHERE name = 'listen_addresses'")
        .fetch_one(&mut connect(&server).await)
        .await
        .expect("reads");
    assert_eq!(addresses, "");
    for path in [home.clone(), home.join("socket")] {
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
    }
    server.stop().await.expect("stops");
}

#[tokio::test]
async fn a_directory_that_cannot_work_is_refused_with_a_reason() {
    let directory = directory();
    let long = directory.path().join("x".repeat(120));
    let error = EmbeddedPostgres::start(&long).await.expect_err("is too long").to_string();
    assert!(error.contains("too long") && error.contains("shorter"), "{error}");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("writes");
    let error = EmbeddedPostgres::start(&file.join("pg")).await.expect_err("is no directory").to_string();
    assert!(error.contains(&file.display().to_string()), "{error}");

    let closed = directory.path().join("closed");
    std::fs::create_dir(&closed).expect("makes it");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).expect("closes it");
    let outcome = EmbeddedPostgres::start(&closed.join("pg")).await;
    if std::fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0) {
        let error = outcome.expect_err("another user's server cannot get there").to_string();
        assert!(error.contains("closed") && error.contains("SKYPANEL_DATA_DIR"), "{error}");
    } else {
        outcome.expect("runs as us").stop().await.expect("stops");
    }
}
