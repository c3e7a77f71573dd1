//! What a worker does before it builds: fetching a commit from a real Git host, and telling that host how it goes.

#[path = "../../core/tests/git_hosts/mod.rs"]
mod git_hosts;
#[path = "../../core/tests/ports/mod.rs"]
mod ports;
#[path = "../../core/tests/support/mod.rs"]
mod support;

use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use skypanel_core::blob::{Blobs, LocalBlobs};
use skypanel_core::jobs::{Jobs, ReportStatus};
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{
    Application, Deployment, DeploymentId, DeploymentStatus, NewDeployment, NoChanges, Trigger,
};
use skypanel_core::network::Resolve;
use skypanel_core::repository::GitClient;
use skypanel_core::store::StoredChanges;
use skypanel_core::stream::{StreamItem, Streams};
use skypanel_worker::Fetcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use git_hosts::Origin;
use git_hosts::http::{HttpHost, Manners};
use support::Database;

struct Loopback;

#[async_trait]
impl Resolve for Loopback {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec!["127.0.0.1".parse().expect("is an address")])
    }
}

struct World {
    database: Database,
    fetcher: Fetcher,
    streams: Streams,
    app: Application,
    _blobs: tempfile::TempDir,
}

impl World {
    async fn new(git_url: &str) -> Self {
        let database = Database::new().await;
        let store = database.store().clone();
        for (key, value) in [("network.allowed", "127.0.0.0/8"), ("git.allow_http", "true")] {
            store.set_setting(key, value).await.expect("sets");
        }
        Jobs::connect(database.pool().clone()).await.expect("has a queue");
        let organization = store.ensure_organization("acme").await.expect("makes it");
        let app = store.create_app(&"shop".parse().expect("is a slug"), &organization).await.expect("makes it");
        sqlx::query("UPDATE paas_applications SET git_url = $2 WHERE id = $1")
            .bind(app.id)
            .bind(git_url)
            .execute(database.pool())
            .await
            .expect("sets");
        let directory = tempfile::tempdir().expect("makes a directory");
        let blobs: Blobs = Arc::new(LocalBlobs::open(directory.path()).expect("opens"));
        let streams = Streams::connect(database.pool().clone()).await.expect("listens");
        let fetcher = Fetcher { store, blobs, git: GitClient::new(Arc::new(Loopback)) };
        Self { database, fetcher, streams, app, _blobs: directory }
    }

    async fn deployment(&self, git_url: &str, commit: Option<&str>) -> Deployment {
        let new = NewDeployment {
            id: DeploymentId::new(),
            application_id: self.app.id,
            trigger: Trigger::Webhook,
            git_branch: Some("main".to_owned()),
            git_commit: commit.map(str::to_owned),
            git_message: None,
            git_author: None,
            no_cache: false,
            description: "Deploy main".to_owned(),
            parent_id: None,
            created_by: None,
        };
        self.fetcher.store.create_deployment(&new).await.expect("makes it");
        sqlx::query("INSERT INTO paas_deployment_sources (deployment_id, git_url, git_branch, git_commit) VALUES ($1, $2, 'main', $3)")
            .bind(new.id)
            .bind(git_url)
            .bind(commit)
            .execute(self.database.pool())
            .await
            .expect("notes it");
        self.fetcher.store.deployment(new.id).await.expect("is there")
    }

    /// Fetches, and gives what was told meanwhile.
    async fn fetch(&self, deployment: &Deployment) -> (skypanel_core::Result<()>, String) {
        let source = self.fetcher.missing(deployment).await.expect("answers").expect("is to be fetched");
        let log = self.streams.writer(deployment.id.into()).await.expect("opens");
        let fetched = self.fetcher.fetch(&self.app, deployment, source, &log).await;
        log.close(true).await.expect("closes");
        let mut follower = self.streams.follow(deployment.id.into(), 0);
        let mut told = String::new();
        while let Some(StreamItem::Chunk(_, bytes)) = follower.next().await.expect("reads") {
            told.push_str(&String::from_utf8_lossy(&bytes));
        }
        (fetched, told)
    }

    /// Makes this what the app runs.
    async fn live(&self, deployment: &Deployment) {
        sqlx::query("UPDATE paas_applications SET current_deployment_id = $2 WHERE id = $1")
            .bind(self.app.id)
            .bind(deployment.id)
            .execute(self.database.pool())
            .await
            .expect("sets");
        self.fetcher.store.assign_version(deployment.id, 1).await.expect("numbers");
    }

    async fn changes(&self, deployment: &Deployment) -> StoredChanges {
        self.fetcher.store.stored_changes(deployment.id).await.expect("reads").expect("are written down")
    }

    async fn close(self) {
        let Self { database, fetcher, streams, .. } = self;
        drop((fetcher, streams));
        database.close().await;
    }
}

#[tokio::test]
async fn what_changed_since_the_release_before_is_fetched_along() {
    let origin = Origin::new();
    let first = origin.commit("app.txt", b"one\n", "One");
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let url = host.url("git.example.test");
    let world = World::new(&url).await;
    let deployment = world.deployment(&url, Some(&first)).await;
    world.fetch(&deployment).await.0.expect("is fetched");
    let stored = world.changes(&deployment).await;
    assert_eq!((stored.missing, stored.base_commit), (Some(NoChanges::FirstRelease), None));
    world.live(&deployment).await;

    origin.commit("app.txt", b"two\n", "Two");
    let third = origin.commit("app.txt", b"three\n", "Three");
    let deployment = world.deployment(&url, Some(&third)).await;
    world.fetch(&deployment).await.0.expect("is fetched");
    let stored = world.changes(&deployment).await;
    assert_eq!((stored.base_version.map(|version| version.0), stored.base_commit), (Some(1), Some(first)));
    let changes = stored.changes.expect("are known").0;
    assert_eq!((changes.commits[0].hash.as_str(), changes.goes_on), (third.as_str(), None));
    assert_eq!(changes.files[0].patch, "@@ -1 +1 @@\n-one\n+three\n");

    // One that the host does not have (any more) keeps nothing from being fetched.
    sqlx::query("UPDATE paas_deployments SET git_commit = $1")
        .bind("3".repeat(40))
        .execute(world.database.pool())
        .await
        .expect("sets");
    let deployment = world.deployment(&url, Some(&third)).await;
    world.fetch(&deployment).await.0.expect("is fetched");
    assert_eq!(world.changes(&deployment).await.missing, Some(NoChanges::NotInHistory));
    world.close().await;
}

#[tokio::test]
async fn the_delivered_commit_becomes_the_deployments_source() {
    let origin = Origin::new();
    let wanted = origin.commit("app.txt", b"wanted", "Wanted\n\nBecause.");
    origin.commit("app.txt", b"newer", "Newer");
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let url = host.url("git.example.test");
    let world = World::new(&url).await;
    let deployment = world.deployment(&url, Some(&wanted)).await;
    let (fetched, told) = world.fetch(&deployment).await;
    fetched.expect("is fetched");
    assert!(told.contains(&format!("-----> Cloning {url} (main)\n")), "{told}");
    assert!(told.contains(&format!("       Received {} (1 file, 6 B)\n", &wanted[..7])), "{told}");

    let after = world.fetcher.store.deployment(deployment.id).await.expect("is there");
    assert_eq!(after.git_commit.as_deref(), Some(wanted.as_str()));
    assert_eq!(after.git_message.as_deref(), Some("Wanted"));
    assert_eq!(after.git_author.as_deref(), Some("Ada <ada@example.com>"));
    assert!(world.fetcher.missing(&after).await.expect("answers").is_none(), "a second try builds what is there");
    let (mut blob, _) = world.fetcher.blobs.get(&after.source_key()).await.expect("is stored");
    let mut bytes = Vec::new();
    blob.read_to_end(&mut bytes).await.expect("reads");
    let mut archive = tar::Archive::new(zstd::Decoder::new(&bytes[..]).expect("is zstd"));
    let mut entry = archive.entries().expect("is a tar").next().expect("has one").expect("reads");
    let mut content = String::new();
    entry.read_to_string(&mut content).expect("reads");
    assert_eq!((entry.path().expect("has one").to_string_lossy().as_ref(), content.as_str()), ("app.txt", "wanted"));
    drop(blob);
    world.close().await;
}

/// A deployment is fetched from where its app's repository was when it was asked for.
#[tokio::test]
async fn a_token_is_for_the_host_that_it_was_given_for() {
    let origin = Origin::new();
    let manners = Manners { login: Some(("ada".to_owned(), "s3cret".to_owned())), ..Manners::default() };
    let host = HttpHost::serve(origin.root().to_owned(), manners).await;
    let (before, now) = (host.url("before.example.test"), host.url("now.example.test"));
    let world = World::new(&now).await;
    let (here, elsewhere) = (world.deployment(&now, None).await, world.deployment(&before, None).await);
    world.give_token_of("ada", "s3cret").await;
    sqlx::query("UPDATE paas_applications SET git_url = $1")
        .bind(&now)
        .execute(world.database.pool())
        .await
        .expect("sets");
    let (fetched, _) = world.fetch(&elsewhere).await;
    assert_eq!(fetched.expect_err("is refused").code(), "INVALID_GIT_URL");
    assert!(world.fetcher.missing(&elsewhere).await.expect("answers").is_some());
    world.fetch(&here).await.0.expect("is fetched");
    let keys = "now.example.test ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    let keys = keys.parse().expect("are keys");
    for (url, pinned) in [(&before, false), (&now, true)] {
        let url = url.parse().expect("is an address");
        world.fetcher.store.pin_host_keys(world.app.id, &url, &keys).await.expect("answers");
        let known = world.fetcher.store.repository(world.app.id).await.expect("reads").host_keys;
        assert_eq!(known.is_some(), pinned, "{url}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_fetch_that_fails_says_what_to_change_and_stores_nothing() {
    let origin = Origin::new();
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let url = host.url("git.example.test");
    let world = World::new(&url).await;
    let gone = world.deployment(&url, Some(&"1".repeat(40))).await;
    let error = world.fetch(&gone).await.0.expect_err("is gone");
    assert_eq!(error.code(), "INVALID_GIT_URL");
    assert!(error.to_string().contains("1111111"), "{error}");
    assert!(world.fetcher.missing(&gone).await.expect("answers").is_some());
    world.close().await;
}

/// A host that answers as many calls as it has answers (a status and a body). Its port, and the calls once it is done.
async fn answering(answers: &'static [(&'static str, &'static str)]) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = listener.local_addr().expect("has an address").port();
    let host = tokio::spawn(async move {
        let mut calls = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut call = vec![0; 16 * 1024];
            let mut length = 0;
            // The body ends with the brace of its one object.
            while !call[..length].ends_with(b"}") {
                length += stream.read(&mut call[length..]).await.expect("reads");
            }
            calls.push(String::from_utf8_lossy(&call[..length]).into_owned());
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.expect("writes");
        }
        calls
    });
    (port, host)
}

#[tokio::test]
async fn the_host_is_told_how_the_deployment_goes() {
    let answers = &[("503 Busy", "{}"), ("201 Created", "{}"), ("201 Created", "{}"), ("403 Forbidden", "{}")];
    let (port, host) = answering(answers).await;
    let url = format!("http://gitea.example.test:{port}/acme/shop.git");
    let world = World::new(&url).await;
    let commit = "a".repeat(40);
    let deployment = world.deployment(&url, Some(&commit)).await;
    let report = ReportStatus { deployment: deployment.id };
    // Nobody is told without a token.
    world.fetcher.report(&report).await.expect("does nothing");
    world.give_token("s3cret").await;
    // Nor in the clear, unless that is allowed. What is not told is not answered, either.
    world.fetcher.store.set_setting("git.allow_http", "false").await.expect("sets");
    world.fetcher.report(&report).await.expect("does nothing");
    world.fetcher.store.set_setting("git.allow_http", "true").await.expect("sets");
    assert_eq!(world.fetcher.report(&report).await.expect_err("is tried again").code(), "UPSTREAM_FAILED");
    world.fetcher.report(&report).await.expect("is told");
    let failed = Some(("BUILD_FAILED", "The build failed.\nMore."));
    world.fetcher.store.finish_deployment(deployment.id, DeploymentStatus::Failed, failed).await.expect("ends");
    world.fetcher.report(&report).await.expect("is told");
    world.fetcher.report(&report).await.expect("a refusal is final");
    let calls = host.await.expect("answered all");
    assert_eq!(calls.len(), 4);
    assert!(
        calls[1].starts_with(&format!("POST /api/v1/repos/acme/shop/statuses/{commit} HTTP/1.1\r\n")),
        "{}",
        calls[1]
    );
    assert!(calls[1].contains("authorization: token s3cret\r\n"), "{}", calls[1]);
    assert!(
        calls[1].contains(r#""state":"pending""#) && calls[1].contains(r#""context":"skypanel/shop""#),
        "{}",
        calls[1]
    );
    assert!(calls[2].contains(r#""state":"failure""#) && calls[2].contains("The build failed."), "{}", calls[2]);
    assert_eq!(world.refusals().await, 1);
    world.close().await;
}

#[tokio::test]
async fn github_and_gitlab_are_told_in_their_words_and_what_gitlab_knows_already_is_no_refusal() {
    let commit = "a".repeat(40);
    let known =
        r#"{"message":"Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition)"}"#;
    let (github, created) = (format!("POST /api/v3/repos/acme/shop/statuses/{commit} "), ("201 Created", "{}"));
    let gitlab = format!("POST /api/v4/projects/acme%2Fshop/statuses/{commit} ");
    for (kind, answers, path, header, states) in [
        ("github", vec![created, created], github, "authorization: Bearer s3cret\r\n", ["pending", "success"]),
        (
            "gitlab",
            vec![("400 Bad Request", known), created],
            gitlab,
            "private-token: s3cret\r\n",
            ["pending", "success"],
        ),
    ] {
        let (port, host) = answering(answers.leak()).await;
        let url = format!("http://{kind}.example.test:{port}/acme/shop.git");
        let world = World::new(&url).await;
        let deployment = world.deployment(&url, Some(&commit)).await;
        world.give_token("s3cret").await;
        sqlx::query("UPDATE paas_repositories SET host_kind = $1")
            .bind(kind)
            .execute(world.database.pool())
            .await
            .expect("sets");
        let report = ReportStatus { deployment: deployment.id };
        world.fetcher.report(&report).await.expect("is told");
        assert!(world.fetcher.store.complete_deployment(deployment.id).await.expect("ends"));
        world.fetcher.report(&report).await.expect("is told");
        for (call, state) in host.await.expect("answered all").iter().zip(states) {
            assert!(call.starts_with(&path) && call.contains(header), "{call}");
            assert!(call.contains(&format!(r#""state":"{state}""#)) && call.contains("skypanel/shop"), "{call}");
        }
        assert_eq!(world.refusals().await, 0, "{kind}");
        world.close().await;
    }
}

#[tokio::test]
async fn a_marker_that_the_call_did_not_tell_of_ends_the_deployment_when_its_commit_is_known() {
    let origin = Origin::new();
    let commit = origin.commit("app.txt", b"wanted", "Wanted\n\nNot yet. [skip ci]");
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let url = host.url("git.example.test");
    let world = World::new(&url).await;
    let deployment = world.deployment(&url, Some(&commit)).await;
    world.fetch(&deployment).await.0.expect("is fetched");
    let after = world.fetcher.store.deployment(deployment.id).await.expect("is there");
    assert_eq!((after.status, after.error_code.as_deref()), (DeploymentStatus::Cancelled, Some("SKIPPED")));
    assert!(after.error.as_deref().is_some_and(|why| why.contains("[skip ci]")), "{:?}", after.error);
    assert!(world.fetcher.missing(&after).await.expect("answers").is_some(), "nothing is stored");
    // Who asks for it by hand gets it.
    let mut asked = world.deployment(&url, Some(&commit)).await;
    asked.trigger = Trigger::Api;
    world.fetch(&asked).await.0.expect("is fetched");
    assert!(world.fetcher.missing(&asked).await.expect("answers").is_none());
    world.close().await;
}

#[tokio::test]
async fn files_of_git_lfs_are_named_as_what_they_are() {
    let origin = Origin::new();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
    let commit = origin.commit("film.mp4", pointer, "Add a film");
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let url = host.url("git.example.test");
    let world = World::new(&url).await;
    let deployment = world.deployment(&url, Some(&commit)).await;
    let (fetched, told) = world.fetch(&deployment).await;
    fetched.expect("is fetched");
    assert!(told.contains(" !     film.mp4 is kept by Git LFS."), "{told}");
    world.close().await;
}

impl World {
    /// How often a host refused a commit's status for good.
    async fn refusals(&self) -> i64 {
        let count = "SELECT count(*) FROM paas_events WHERE kind = 'commit_status'";
        sqlx::query_scalar(count).fetch_one(self.database.pool()).await.expect("counts")
    }

    /// As a saved connection would have it.
    async fn give_token(&self, token: &str) {
        self.give_token_of("x-access-token", token).await;
    }

    async fn give_token_of(&self, user: &str, token: &str) {
        use skypanel_core::actions::{Actions, Actor, RepositoryChange};
        use skypanel_core::clock::Clock;
        let actions = Actions {
            store: self.fetcher.store.clone(),
            streams: self.streams.clone(),
            jobs: Jobs::connect(self.database.pool().clone()).await.expect("connects"),
            blobs: self.fetcher.blobs.clone(),
            console: Arc::new(no_engine::NoEngine),
            logs: Arc::new(skypanel_core::logs::NoLogs),
            measurements: Arc::new(NoMeasurements),
            git: self.fetcher.git.clone(),
            clock: Clock::system(),
        };
        // The host does not serve Git, so what is saved with the token is what the test put there.
        sqlx::query("UPDATE paas_applications SET git_url = NULL WHERE id = $1")
            .bind(self.app.id)
            .execute(self.database.pool())
            .await
            .expect("sets");
        let change = RepositoryChange {
            token: Some(Some(token.to_owned().into())),
            token_username: Some(user.to_owned()),
            host_kind: Some(Some(skypanel_core::model::HostKind::Gitea)),
            ..RepositoryChange::default()
        };
        let app = skypanel_core::model::AppRef::Slug(self.app.slug.clone());
        let source =
            self.fetcher.store.deployment_source(self.any_deployment().await).await.expect("reads").expect("is there");
        actions.change_repository(&Actor::system(), &app, change).await.expect("saves");
        sqlx::query("UPDATE paas_applications SET git_url = $2 WHERE id = $1")
            .bind(self.app.id)
            .bind(&source.git_url)
            .execute(self.database.pool())
            .await
            .expect("sets");
    }

    async fn any_deployment(&self) -> DeploymentId {
        let (id,): (DeploymentId,) = sqlx::query_as("SELECT deployment_id FROM paas_deployment_sources LIMIT 1")
            .fetch_one(self.database.pool())
            .await
            .expect("is there");
        id
    }
}

#[path = "../../core/tests/webhooks/console.rs"]
mod no_engine;
