//! Asking for and fetching repositories of real Git hosts, friendly and otherwise.

#[path = "../git_hosts/mod.rs"]
mod git_hosts;
mod over_http;
mod over_ssh;
#[path = "../ports/mod.rs"]
mod ports;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use skypanel_core::Error;
use skypanel_core::network::Resolve;
use skypanel_core::repository::{Credentials, GitClient, Remote};
use skypanel_core::settings::Settings;

/// Answers every name with loopback the first time and with an address nobody has after that.
#[derive(Default)]
struct Rebinding(AtomicUsize);

#[async_trait]
impl Resolve for Rebinding {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let address = if self.0.fetch_add(1, Ordering::SeqCst) == 0 { "127.0.0.1" } else { "192.0.2.1" };
        Ok(vec![address.parse().expect("is an address")])
    }
}

/// A client that finds every host on loopback.
fn client() -> GitClient {
    GitClient::new(Arc::new(Rebinding::default()))
}

/// Loopback and plain HTTP allowed.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.set("network.allowed", "127.0.0.0/8").expect("sets");
    settings.set("git.allow_http", "true").expect("sets");
    settings
}

fn remote(url: &str, branch: &str, credentials: Credentials) -> Remote {
    Remote { url: url.parse().expect("is an address"), branch: branch.parse().expect("is a branch"), credentials }
}

/// Which of the values an error finds fault with, and its words.
#[track_caller]
fn fault(error: Error) -> (&'static str, String) {
    match error {
        Error::Repository { field, reason } => (field, reason),
        other => panic!("another error: {other}"),
    }
}

/// A file of a commit in a bare repository.
fn file_of(repository: &Path, commit: &str, name: &str) -> String {
    git_hosts::git(repository, &["cat-file", "blob", &format!("{commit}:{name}")])
}
