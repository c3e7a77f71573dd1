//! Workers and the places of an organisation to build in: what waits for one holds no worker up.

use skypanel_core::actions::{Actor, RepositoryDeploy};
use skypanel_core::model::{AppRef, DeploymentId, DeploymentStatus};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::world::{World, run};

/// A Git host that tells of every call, by the app's name, and refuses them all once it is let go.
async fn slow_host() -> (u16, mpsc::UnboundedReceiver<String>, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = listener.local_addr().expect("has one").port();
    let (calls, called) = mpsc::unbounded_channel();
    let (let_go, released) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (calls, mut released) = (calls.clone(), released.clone());
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    request.push(byte);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let app = request.split(['/', '.']).nth(1).unwrap_or_default().to_owned();
                let _ = calls.send(app);
                let _ = released.wait_for(|released| *released).await;
                let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
            });
        }
    });
    (port, called, let_go)
}

#[test]
fn what_waits_for_a_place_gives_its_worker_back_and_is_called() {
    run(waiting());
}

async fn waiting() {
    let world = World::new().await;
    let (store, actions) = (world.store(), &world.actions);
    for (key, value) in [("network.allowed", "127.0.0.0/8"), ("git.allow_http", "true")] {
        store.set_setting(key, value).await.expect("sets");
    }
    let (port, mut called, let_go) = slow_host().await;
    let queue = async |organization: &str, slug: &str| -> DeploymentId {
        let organization = store.ensure_organization(organization).await.expect("makes it");
        sqlx::query("UPDATE organizations SET max_concurrent_builds = 1").execute(store.pool()).await.expect("limits");
        let app = store.create_app(&slug.parse().expect("is a slug"), &organization).await.expect("makes it");
        sqlx::query("UPDATE paas_applications SET git_url = $2 WHERE id = $1")
            .bind(app.id)
            .bind(format!("http://git.example.test:{port}/{slug}/app.git"))
            .execute(store.pool())
            .await
            .expect("connects");
        let what = RepositoryDeploy::default();
        let started = actions.deploy_from_repository(&Actor::system(), &AppRef::Id(app.id), what).await;
        started.expect("queues").deployment
    };
    let stop = CancellationToken::new();
    let first = queue("acme", "first").await;
    let running = tokio::spawn(world.worker().run(stop.clone()));
    assert_eq!(called.recv().await.as_deref(), Some("first"));
    let second = queue("acme", "second").await;
    let waits = "Waiting for other builds of the organisation";
    assert!(world.told(second, Some(waits)).await.contains(waits));
    assert_eq!(store.deployment(second).await.expect("is there").status, DeploymentStatus::Queued);
    // Of two workers one fetches and the other is free for another organisation's.
    let other = queue("globex", "other").await;
    assert_eq!(called.recv().await.as_deref(), Some("other"));
    let_go.send(true).expect("is heard");
    for deployment in [first, other, second] {
        let told = world.told(deployment, None).await;
        assert_eq!(told.matches(waits).count(), usize::from(deployment == second), "{told}");
        assert_eq!(store.deployment(deployment).await.expect("is there").status, DeploymentStatus::Failed);
    }
    while called.recv().await.expect("is called") != "second" {}
    stop.cancel();
    running.await.expect("ends").expect("ends well");
    world.close().await;
}
