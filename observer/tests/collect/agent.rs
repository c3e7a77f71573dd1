//! An agent in a process of its own, to be killed: this test program itself, told by its environment to be one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bollard::Docker;
use skypanel_core::clock::Clock;
use skypanel_core::secrets::Secrets;
use skypanel_core::store::Store;
use skypanel_observer::logs::collect::{LogCollector, LogCollectorOptions};
use skypanel_observer::logs::{EmbeddedLogs, LogStoreOptions};
use tokio_util::sync::CancellationToken;

/// Starts one; it runs until it is killed.
pub(crate) fn start(installation: &str, directory: &Path, database: &str) -> Child {
    Command::new(std::env::current_exe().expect("has a path"))
        .args(["--exact", "agent::be_an_agent", "--nocapture"])
        .env("AGENT_OF", installation)
        .env("AGENT_DIRECTORY", directory)
        .env("AGENT_DATABASE", database)
        .stdout(Stdio::null())
        .spawn()
        .expect("starts")
}

pub(crate) async fn engine() -> Docker {
    let engine =
        Docker::connect_with_unix("/var/run/docker.sock", 120, bollard::API_DEFAULT_VERSION).expect("an engine");
    engine.negotiate_version().await.expect("the engine answers")
}

/// Collects for an installation, whose files and logs lie in `directory`, until cancelled.
pub(crate) async fn collect(
    engine: Docker,
    store: Store,
    installation: String,
    directory: &Path,
    cancel: CancellationToken,
) {
    let logs = EmbeddedLogs::open(&directory.join("logs"), LogStoreOptions::default()).expect("opens");
    let options = LogCollectorOptions { installation, data_dir: directory.to_owned() };
    let collector = LogCollector::new(engine, store, Arc::new(logs.clone()), Clock::system(), options);
    tokio::join!(collector.run(cancel.clone()), logs.keep(cancel));
}

/// Does nothing where it is run as a test.
#[tokio::test(flavor = "multi_thread")]
async fn be_an_agent() {
    let Ok(installation) = std::env::var("AGENT_OF") else { return };
    let directory = std::env::var_os("AGENT_DIRECTORY").expect("is set");
    let directory = Path::new(&directory);
    let keys = Secrets::open_or_create(&directory.join("master.key")).expect("makes a key");
    let database = std::env::var("AGENT_DATABASE").expect("is set");
    let store = Store::connect(&database, keys).await.expect("connects");
    collect(engine().await, store, installation, directory, CancellationToken::new()).await;
}
