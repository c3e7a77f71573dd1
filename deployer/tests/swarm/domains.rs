//! Custom domains from end to end: a real authority asks the real edge, and who trusts it reaches the app over HTTPS.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bollard::query_parameters::RestartContainerOptions;
use chrono::Utc;
use skypanel_core::actions::{Actor, check_domain};
use skypanel_core::model::{AppStatus, Application, CertificateStatus, Domain, DomainId, DomainStatus};
use skypanel_core::store::Store;

use crate::authority::{Authority, curl};
use crate::name_server::NameServer;
use crate::ports::free_port;
use crate::task::command;
use crate::world::World;

const DOMAIN: &str = "www.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_domain_gets_a_certificate_and_keeps_it() {
    let (http, https) = (free_port(), free_port());
    let dns = NameServer::start().await;
    let mut authority = Authority::start(&dns, http).await;
    let mut world = World::with_ports(Some(authority.options()), http, https).await;
    let app = world.app().await;
    world.release(&app, &[("web", &command("web"))], &[("web", 1)]).await.expect("goes live");

    // Before it is proven there is nothing under the name.
    let id = add(&world, &app, &dns).await;
    let root = authority.root();
    let plain = format!("http://{DOMAIN}:{http}/");
    let secure = format!("https://{DOMAIN}:{https}/");
    assert_eq!(curl(&plain, DOMAIN, http, &root).expect("answers").1, "/_edge/unknown");

    dns.set_addresses(DOMAIN, &["127.0.0.1"]).await;
    let store = world.database.store().clone();
    let other = world.database.another_store().await;
    let domain = checked_by_one_of(&store, &other, id).await;
    let begun = Instant::now();
    let (status, body) = until_trusted(&secure, https, &root).await;
    println!("certificate after {:?}", begun.elapsed());
    assert_eq!(status.trim(), "200");
    assert!(body.ends_with("web.1"), "{body}");
    // The agent has seen it, at the latest when it looks for the second time.
    until(|| async { noted(&store, id).await.ssl_status == CertificateStatus::Active }).await;
    let seen = noted(&other, id).await;
    assert!(seen.ssl_issuer.as_deref().is_some_and(|issuer| issuer.contains("Pebble")), "{seen:?}");
    let days = (seen.ssl_cert_expires_at.expect("ends") - Utc::now()).num_days();
    assert!((8..=10).contains(&days), "{seen:?}");
    until(|| async {
        let (status, _) = curl(&plain, DOMAIN, http, &root).expect("answers");
        status == format!("301 {secure}")
    })
    .await;

    // Unless its people want none.
    for (wanted, answer) in [("false", "200".to_owned()), ("true", format!("301 {secure}"))] {
        let set = format!("UPDATE paas_applications SET https_redirect = {wanted}");
        sqlx::query(sqlx::AssertSqlSafe(set)).execute(world.database.pool()).await.expect("is set");
        until(|| async { curl(&plain, DOMAIN, http, &root).expect("answers").0 == answer }).await;
    }

    // It has the edge's mark for renewal all the time, and the edge renews when it starts.
    let edge = world.containers(&[("skypanel.role", "edge")]).await.pop().expect("runs");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let restart = world.engine.restart_container(&edge, None::<RestartContainerOptions>);
    restart.await.expect("restarts");
    let before = seen.ssl_cert_expires_at.expect("ends");
    let begun = Instant::now();
    while !world
        .deployer
        .served_certificate(&domain, Utc::now())
        .await
        .is_ok_and(|seen| seen.expires_at.is_some_and(|at| at > before))
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "is not renewed; the edge says:\n{}", log_of(&edge));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(until_trusted(&secure, https, &root).await.0, "200");

    // The certificate is there again when the authority is not.
    authority.stop();
    world.engine.restart_container(&edge, None::<RestartContainerOptions>).await.expect("restarts");
    assert_eq!(until_trusted(&secure, https, &root).await.0, "200");

    // A removed domain is nobody's.
    sqlx::query("DELETE FROM paas_domains").execute(world.database.pool()).await.expect("is removed");
    until(|| async { curl(&plain, DOMAIN, http, &root).is_ok_and(|(_, body)| body == "/_edge/unknown") }).await;
    world.close().await;
}

/// Adds the domain to the app, proven but leading nowhere.
async fn add(world: &World, app: &Application, dns: &NameServer) -> DomainId {
    let store = world.database.store();
    store.set_setting("dns.resolver", &dns.address.to_string()).await.expect("is set");
    store.set_setting("domains.addresses", "127.0.0.1").await.expect("is set");
    store.set_app_status(app.id, AppStatus::Running).await.expect("is set");
    let id = DomainId::new();
    sqlx::query(
        "INSERT INTO paas_domains (id, application_id, domain, next_check_at, created_at)
         VALUES ($1, $2, $3, now(), now())",
    )
    .bind(id)
    .bind(app.id)
    .bind(DOMAIN)
    .execute(world.database.pool())
    .await
    .expect("is added");
    dns.set_txt(&format!("_paas-verify.{DOMAIN}"), &format!("paas-verify={}", app.id)).await;
    id
}

/// Two workers, each a process with a store of its own, look after domains at the same moment, while a user asks a third
/// time. The domain comes to be what it is once.
async fn checked_by_one_of(store: &Store, other: &Store, id: DomainId) -> Domain {
    let by_worker = async |store: &Store| {
        let due = store.take_due_domains(Utc::now(), 16).await.expect("answers");
        for domain in &due {
            check_domain(store, &Actor::system(), domain.id).await.expect("asks");
        }
        due.len()
    };
    let nobody = Actor::system();
    let (one, two, asked) = tokio::join!(by_worker(store), by_worker(other), check_domain(other, &nobody, id));
    assert_eq!(one + two, 1, "one of the two took it");
    let (domain, checked) = asked.expect("asks");
    assert_eq!((domain.status, checked.problem), (DomainStatus::Active, None));
    for store in [store, other] {
        assert_eq!(noted(store, id).await.status, DomainStatus::Active);
    }
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM paas_events WHERE kind = 'domain'")
        .fetch_one(store.pool())
        .await
        .expect("counts");
    assert_eq!(told, 1, "it became active once");
    domain
}

async fn noted(store: &Store, id: DomainId) -> Domain {
    store.domain(id).await.expect("answers").expect("is there")
}

fn log_of(container: &str) -> String {
    let output = Command::new("docker").args(["logs", "--tail", "20", container]).output().expect("runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

async fn until_trusted(url: &str, port: u16, root: &Path) -> (String, String) {
    let begun = Instant::now();
    loop {
        match curl(url, DOMAIN, port, root) {
            Ok(answer) if answer.0 != "503" => return answer,
            other => assert!(begun.elapsed() < Duration::from_secs(60), "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until<F: Future<Output = bool>>(is: impl Fn() -> F) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "does not become so");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
