//! A real PostgreSQL for tests. Test runners give each test a process of its own, so that the server is shared
//! between processes: the first that needs it starts it, the last one stops it. Each test has its own database, a
//! copy of a template that has all tables already.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use skypanel_core::embedded_postgres::EmbeddedPostgres;
use skypanel_core::jobs::Jobs;
use skypanel_core::model::Sha256Digest;
use skypanel_core::secrets::Secrets;
use skypanel_core::store::{MIGRATIONS, Store};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

/// A database for one test, dropped with it.
pub(crate) struct Database {
    name: String,
    admin_url: String,
    store: Store,
    server: Option<SharedServer>,
    secrets: tempfile::TempDir,
}

impl Database {
    /// A fresh database with all tables.
    pub(crate) async fn new() -> Self {
        let server = SharedServer::join().await;
        let admin_url = server.postgres.url();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let template = template(&server).await;
        let mut admin = PgConnection::connect(&admin_url).await.expect("connects");
        let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
        admin.execute(sqlx::AssertSqlSafe(create)).await.expect("makes a database");
        admin.close().await.expect("closes");
        let secrets = tempfile::tempdir().expect("makes a directory");
        let store = connect(&admin_url, &name, &secrets).await;
        Self { name, admin_url, store, server: Some(server), secrets }
    }

    /// The store over it.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The store of another process over it, with caches and connections of its own.
    #[allow(dead_code, reason = "most tests have one process")]
    pub(crate) async fn another_store(&self) -> Store {
        connect(&self.admin_url, &self.name, &self.secrets).await
    }

    /// Its address, for another process.
    #[allow(dead_code, reason = "most tests have one process")]
    pub(crate) fn url(&self) -> String {
        database_url(&self.admin_url, &self.name)
    }

    /// The pool of that store.
    #[allow(dead_code, reason = "some tests need no more than the store")]
    pub(crate) fn pool(&self) -> &PgPool {
        self.store.pool()
    }

    /// Drops the database, and stops the server if no other test uses it.
    pub(crate) async fn close(mut self) {
        self.store.pool().close().await;
        let mut admin = PgConnection::connect(&self.admin_url).await.expect("connects");
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        admin.execute(sqlx::AssertSqlSafe(drop)).await.expect("drops the database");
        admin.close().await.expect("closes");
        if let Some(server) = self.server.take() {
            server.leave().await;
        }
    }
}

impl Drop for Database {
    /// After a test that failed, and so did not close it.
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        let stopped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("starts");
            runtime.block_on(server.leave());
        });
        let _ = stopped.join();
    }
}

async fn connect(admin_url: &str, name: &str, secrets: &tempfile::TempDir) -> Store {
    let keys = Secrets::open_or_create(&secrets.path().join("master.key")).expect("makes a key");
    Store::connect(&database_url(admin_url, name), keys).await.expect("connects")
}

fn database_url(admin_url: &str, name: &str) -> String {
    admin_url.replacen("/postgres?", &format!("/{name}?"), 1)
}

/// The database that is copied: made by the first test that needs this version of the tables.
async fn template(server: &SharedServer) -> String {
    let migrations: Vec<u8> = MIGRATIONS.iter().flat_map(|migration| migration.checksum.to_vec()).collect();
    let name = format!("template_{}", &Sha256Digest::of(&migrations).hex()[..16]);
    let making = format!("{name}_making");
    let _making = exclusive(&server.directory, "template.lock").await;
    let admin_url = server.postgres.url();
    let mut admin = PgConnection::connect(&admin_url).await.expect("connects");
    let (exists,): (bool,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut admin)
        .await
        .expect("looks");
    if !exists {
        for sql in [format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)"), format!("CREATE DATABASE {making}")] {
            admin.execute(sqlx::AssertSqlSafe(sql)).await.expect("makes a database");
        }
        let pool = PgPool::connect(&database_url(&admin_url, &making)).await.expect("connects");
        MIGRATIONS.run(&pool).await.expect("makes the tables");
        Jobs::connect(pool.clone()).await.expect("makes the queue");
        pool.close().await;
        // Renamed when it is complete, so that a test that dies half-way leaves no broken template.
        let rename = format!("ALTER DATABASE {making} RENAME TO {name}");
        admin.execute(sqlx::AssertSqlSafe(rename)).await.expect("is a template");
    }
    admin.close().await.expect("closes");
    name
}

/// The server of all tests of this user. Locks on files say who uses it: they go with their process, however
/// that ends.
struct SharedServer {
    postgres: EmbeddedPostgres,
    directory: PathBuf,
    used: File,
}

impl SharedServer {
    async fn join() -> Self {
        // The system's directory for temporary files: PostgreSQL's user may enter it, whoever we are.
        let directory = std::env::temp_dir().join(format!("skypanel-tests-{}", whoami()));
        std::fs::create_dir_all(&directory).expect("makes a directory");
        let _starting = exclusive(&directory, "start.lock").await;
        let postgres = EmbeddedPostgres::start(&directory.join("postgres")).await.expect("PostgreSQL starts");
        let used = open(&directory.join("used.lock"));
        used.lock_shared().expect("locks");
        Self { postgres, directory, used }
    }

    async fn leave(self) {
        let _starting = exclusive(&self.directory, "start.lock").await;
        self.used.unlock().expect("unlocks");
        if self.used.try_lock().is_ok() {
            self.postgres.stop().await.expect("PostgreSQL stops");
        }
    }
}

async fn exclusive(directory: &Path, name: &str) -> File {
    let path = directory.join(name);
    let locked = tokio::task::spawn_blocking(move || {
        let file = open(&path);
        file.lock().expect("locks");
        file
    });
    locked.await.expect("locks")
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).expect("opens a lock")
}

fn whoami() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").expect("is there").uid()
}
