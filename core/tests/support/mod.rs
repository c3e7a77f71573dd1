//! A real PostgreSQL for tests. Test runners give each test a process of its own, so that the server is shared
//! between processes: the first that needs it starts it, the last one stops it. Each test has its own database.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use skypanel_core::embedded_postgres::EmbeddedPostgres;
use skypanel_core::secrets::Secrets;
use skypanel_core::store::Store;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

/// A database for one test, dropped with it.
pub(crate) struct Database {
    name: String,
    admin_url: String,
    store: Store,
    server: Option<SharedServer>,
    _secrets: tempfile::TempDir,
}

impl Database {
    /// A fresh database with all tables.
    pub(crate) async fn new() -> Self {
        let server = SharedServer::join().await;
        let admin_url = server.postgres.url();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut admin = PgConnection::connect(&admin_url).await.expect("connects");
        admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("makes a database");
        admin.close().await.expect("closes");
        let url = admin_url.replacen("/postgres?", &format!("/{name}?"), 1);
        let secrets = tempfile::tempdir().expect("makes a directory");
        let keys = Secrets::open_or_create(&secrets.path().join("master.key")).expect("makes a key");
        let store = Store::connect(&url, keys).await.expect("connects");
        Self { name, admin_url, store, server: Some(server), _secrets: secrets }
    }

    /// The store over it.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The pool of that store.
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
        let _starting = exclusive(&directory).await;
        let postgres = EmbeddedPostgres::start(&directory.join("postgres")).await.expect("PostgreSQL starts");
        let used = open(&directory.join("used.lock"));
        used.lock_shared().expect("locks");
        Self { postgres, directory, used }
    }

    async fn leave(self) {
        let _starting = exclusive(&self.directory).await;
        self.used.unlock().expect("unlocks");
        if self.used.try_lock().is_ok() {
            self.postgres.stop().await.expect("PostgreSQL stops");
        }
    }
}

async fn exclusive(directory: &Path) -> File {
    let path = directory.join("start.lock");
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
