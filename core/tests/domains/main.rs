//! Custom domains, with a real name server and a real database: added, proven, lost, taken over, removed.

mod contested;
mod name_server;
#[path = "../ports/mod.rs"]
mod ports;
mod silence;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::BoxStream;
use name_server::NameServer;
use serde_json::Value;
use skypanel_core::actions::{Actions, Actor, check_domain};
use skypanel_core::blob::LocalBlobs;
use skypanel_core::clock::Clock;
use skypanel_core::console::{Console, LogLine, LogQuery, OneOff, OneOffSession, ProcessState};
use skypanel_core::jobs::Jobs;
use skypanel_core::measurements::NoMeasurements;
use skypanel_core::model::{AppRef, Application, CertificateStatus, Domain, DomainRef, DomainStatus, Role};
use skypanel_core::store::{NewUser, SeenCertificate};
use skypanel_core::stream::Streams;
use skypanel_core::{Error, Result};
use support::Database;

struct World {
    database: Database,
    actions: Actions,
    clock: Clock,
    dns: NameServer,
    owner: Actor,
    viewer: Actor,
    shop: Application,
    _directory: tempfile::TempDir,
}

/// The app `shop` of `acme`, whose people are asked for by the name server of the test.
async fn world() -> World {
    let database = Database::new().await;
    let clock = Clock::standing_at("2026-03-01T12:00:00Z".parse().expect("a time"));
    let store = database.store().clone().with_clock(clock.clone());
    let store = store.with_own_hosts(["panel.example.org".to_owned()]);
    let dns = NameServer::start().await;
    let directory = tempfile::tempdir().expect("makes a directory");
    let actions = Actions {
        store: store.clone(),
        streams: Streams::connect(database.pool().clone()).await.expect("connects"),
        jobs: Jobs::connect(database.pool().clone()).await.expect("connects"),
        blobs: Arc::new(LocalBlobs::open(directory.path()).expect("opens")),
        console: Arc::new(NoEngine),
        logs: Arc::new(skypanel_core::logs::NoLogs),
        measurements: Arc::new(NoMeasurements),
        git: skypanel_core::repository::GitClient::default(),
        clock: clock.clone(),
    };
    let acme = store.ensure_organization("acme").await.expect("makes it");
    let shop = store.create_app(&"shop".parse().expect("a slug"), &acme).await.expect("makes it");
    for (key, value) in [("dns.resolver", dns.address.to_string()), ("apps.default_domain", "apps.test".to_owned())] {
        store.set_setting(key, &value).await.expect("is set");
    }
    dns.set_addresses("shop.apps.test", &["192.0.2.1"]).await;
    let mut people = Vec::new();
    for role in [Role::Developer, Role::Viewer] {
        let email = format!("{role}@example.com");
        let new = NewUser { email: &email, password: "correct horse battery", is_admin: false };
        let user = store.create_user(new).await.expect("makes a user");
        store.set_member(acme.id, user.id, role).await.expect("joins");
        let identity = store.identity(user.id).await.expect("answers").expect("is a user");
        people.push(Actor::browser(identity, None, None));
    }
    let viewer = people.pop().expect("is there");
    let owner = people.pop().expect("is there");
    World { database, actions, clock, dns, owner, viewer, shop, _directory: directory }
}

impl World {
    fn app(&self) -> AppRef {
        AppRef::Id(self.shop.id)
    }

    async fn add(&self, domain: &str) -> Result<Domain> {
        let name = domain.parse()?;
        Ok(self.actions.add_domain(&self.owner, &self.app(), &name).await?.domain)
    }

    async fn verify(&self, domain: &str) -> Result<(Domain, Option<String>)> {
        let domain: DomainRef = domain.parse()?;
        let (view, checked) = self.actions.verify_domain(&self.owner, &self.app(), &domain).await?;
        Ok((view.domain, checked.problem))
    }

    /// Puts the right records into DNS.
    async fn prove(&self, domain: &str) {
        self.dns.set_txt(&format!("_paas-verify.{domain}"), &format!("paas-verify={}", self.shop.id)).await;
        self.dns.set_alias(domain, "shop.apps.test").await;
    }

    /// What the worker does, at the time of every check, until the domain is no more as it is.
    async fn until_changed(&self, domain: &Domain) -> (Domain, DateTime<Utc>) {
        let mut domain = domain.clone();
        for _ in 0..500 {
            self.clock.set(domain.next_check_at);
            let take = async || self.actions.store.take_due_domains(self.clock.now(), 10).await.expect("answers");
            assert_eq!(take().await.len(), 1, "is due at {}", domain.next_check_at);
            assert_eq!(take().await.len(), 0, "is checked once");
            let (after, _) = check_domain(&self.actions.store, &Actor::system(), domain.id).await.expect("checks");
            if after.status != domain.status {
                return (after, self.clock.now());
            }
            domain = after;
        }
        panic!("it stays as it is");
    }

    /// Actions in the audit log with how the domain was and became.
    async fn audit(&self) -> Vec<(String, String, String)> {
        let rows: Vec<(String, Value, Value)> =
            sqlx::query_as("SELECT action, before, after FROM paas_audit_log WHERE action LIKE 'domain.%' ORDER BY id")
                .fetch_all(self.database.pool())
                .await
                .expect("answers");
        let status = |value: &Value| value["status"].as_str().unwrap_or("-").to_owned();
        rows.into_iter().map(|(action, before, after)| (action, status(&before), status(&after))).collect()
    }

    async fn close(self) {
        let Self { database, actions, .. } = self;
        drop(actions);
        database.close().await;
    }
}

#[tokio::test]
async fn a_domain_is_added_proven_and_removed() {
    let world = world().await;
    let name = "bücher.example.com".parse().expect("a name");
    let added = world.actions.add_domain(&world.owner, &world.app(), &name).await.expect("is added");
    assert_eq!(added.instructions.proof.name, "_paas-verify.xn--bcher-kva.example.com");
    assert_eq!(added.instructions.proof.value, format!("paas-verify={}", world.shop.id));
    assert_eq!(
        (added.instructions.routing[0].kind, added.instructions.routing[0].value.as_str()),
        ("CNAME", "shop.apps.test")
    );

    let (domain, problem) = world.verify("bücher.example.com").await.expect("asks");
    assert_eq!(domain.status, DomainStatus::Pending);
    let problem = problem.expect("nothing is there");
    assert!(problem.contains("is not there") && problem.contains("leads nowhere"), "{problem}");
    assert_eq!(world.actions.store.routed_domains().await.expect("answers"), []);

    world.prove("xn--bcher-kva.example.com").await;
    let (domain, problem) = world.verify("bücher.example.com").await.expect("asks");
    assert_eq!((domain.status, problem), (DomainStatus::Active, None));
    let routed = world.actions.store.routed_domains().await.expect("answers");
    assert_eq!((routed.len(), routed[0].domain.as_str(), routed[0].redirect), (1, "xn--bcher-kva.example.com", false));

    // Redirected once it has a certificate, unless that is not wanted.
    let expires_at = Some(world.clock.now() + TimeDelta::days(90));
    let issuer = Some("A CA".to_owned());
    let seen = SeenCertificate { status: CertificateStatus::Active, issuer, expires_at, problem: None };
    let store = &world.actions.store;
    assert_eq!(store.certificates_due(world.clock.now(), 10).await.expect("answers").len(), 1);
    store.note_certificate(domain.id, &seen, world.clock.now()).await.expect("is noted");
    assert_eq!(store.certificates_due(world.clock.now(), 10).await.expect("answers").len(), 0);
    assert!(store.routed_domains().await.expect("answers")[0].redirect);
    world.actions.set_https_redirect(&world.owner, &world.app(), false).await.expect("is set");
    assert!(!store.routed_domains().await.expect("answers")[0].redirect);

    let named = "bücher.example.com".parse().expect("a name");
    world.actions.remove_domain(&world.owner, &world.app(), &named).await.expect("is removed");
    assert_eq!(store.routed_domains().await.expect("answers"), []);
    let (pending, active) = ("pending".to_owned(), "active".to_owned());
    let none = || "-".to_owned();
    assert_eq!(
        world.audit().await,
        [
            ("domain.add".to_owned(), none(), pending.clone()),
            ("domain.verify".to_owned(), pending.clone(), pending.clone()),
            ("domain.verify".to_owned(), pending, active.clone()),
            ("domain.redirect".to_owned(), none(), none()),
            ("domain.remove".to_owned(), active, none()),
        ]
    );
    world.close().await;
}

#[tokio::test]
async fn what_is_not_there_to_have_is_refused() {
    let world = world().await;
    for (domain, why) in [
        ("apps.test", "platform's own"),
        ("other.apps.test", "platform's own"),
        ("Panel.example.org", "platform's own"),
        ("*.example.com", "Wildcards"),
        ("co.uk", "below this one"),
    ] {
        let error = world.add(domain).await.expect_err(domain).to_string();
        assert!(error.contains(why), "{domain}: {error}");
    }
    let store = &world.actions.store;
    store.set_setting("domains.reserved", "paas.example, corp.example").await.expect("is set");
    assert!(world.add("www.corp.example").await.is_err());
    world.add("www.panel.example.org").await.expect("is somebody's");
    world.verify("www.panel.example.org").await.expect("asks");
    let named = "www.panel.example.org".parse().expect("a name");
    world.actions.remove_domain(&world.owner, &world.app(), &named).await.expect("is removed");

    let name = "www.example.com".parse().expect("a name");
    let forbidden = world.actions.add_domain(&world.viewer, &world.app(), &name).await;
    assert!(matches!(forbidden, Err(Error::Forbidden(_))), "{forbidden:?}");
    world.add("www.example.com").await.expect("is added");
    let twice = world.add("WWW.example.com.").await;
    assert!(matches!(twice, Err(Error::Conflict(_))), "{twice:?}");
    store.set_setting("domains.max_per_app", "1").await.expect("is set");
    let more = world.add("other.example.com").await;
    assert!(matches!(more, Err(Error::Conflict(_))), "{more:?}");
    world.close().await;
}

#[tokio::test]
async fn the_record_and_the_way_here_are_both_needed() {
    let world = world().await;
    world.add("www.example.com").await.expect("is added");
    world.prove("www.example.com").await;
    world.dns.set_txt("_paas-verify.www.example.com", "paas-verify=another").await;
    world.dns.clear_txt("_paas-verify.www.example.com").await;
    let (_, problem) = world.verify("www.example.com").await.expect("asks");
    assert!(problem.expect("no proof").contains("TXT record"));
    // Other values beside the right one do not matter.
    world.dns.set_txt("_paas-verify.www.example.com", "something else").await;
    let (_, problem) = world.verify("www.example.com").await.expect("asks");
    assert!(problem.expect("no proof").contains("says something else"));
    world.prove("www.example.com").await;
    assert_eq!(world.verify("www.example.com").await.expect("asks").1, None);

    // By way of other names.
    world.dns.set_alias("www.example.com", "one.example.net").await;
    world.dns.set_alias("one.example.net", "two.example.net").await;
    world.dns.set_alias("two.example.net", "shop.apps.test").await;
    assert_eq!(world.verify("www.example.com").await.expect("asks").1, None);
    world.dns.set_alias("two.example.net", "elsewhere.example.net").await;
    let problem = world.verify("www.example.com").await.expect("asks").1.expect("leads elsewhere");
    assert!(problem.contains("leads nowhere"), "{problem}");

    // By addresses, as at an apex.
    world.dns.clear_alias("www.example.com").await;
    world.dns.set_addresses("www.example.com", &["192.0.2.1"]).await;
    assert_eq!(world.verify("www.example.com").await.expect("asks").1, None);
    world.dns.set_addresses("www.example.com", &["192.0.2.1", "198.51.100.7"]).await;
    let problem = world.verify("www.example.com").await.expect("asks").1.expect("leads elsewhere, too");
    assert!(problem.contains("198.51.100.7") && !problem.contains("192.0.2.1"), "{problem}");
    // The operator says where the edges are.
    let both = "192.0.2.1, 198.51.100.7";
    world.actions.store.set_setting("domains.addresses", both).await.expect("is set");
    assert_eq!(world.verify("www.example.com").await.expect("asks").1, None);
    world.close().await;
}

#[tokio::test]
async fn a_domain_that_leads_elsewhere_is_given_up_after_the_time_of_grace() {
    let mut world = world().await;
    world.add("www.example.com").await.expect("is added");
    world.prove("www.example.com").await;
    let (active, _) = world.verify("www.example.com").await.expect("asks");
    assert_eq!(active.status, DomainStatus::Active);

    world.dns.clear_alias("www.example.com").await;
    let began = active.next_check_at;
    let expires_at = Some(began + TimeDelta::days(90));
    let issuer = Some("A CA".to_owned());
    let seen = SeenCertificate { status: CertificateStatus::Active, issuer, expires_at, problem: None };
    world.actions.store.note_certificate(active.id, &seen, began).await.expect("is noted");
    let (failed, at) = world.until_changed(&active).await;
    // What was looked at before and is noted after says nothing of it.
    world.actions.store.note_certificate(active.id, &seen, at).await.expect("answers");
    let kept = world.actions.store.domain(active.id).await.expect("answers").expect("is there");
    assert_eq!(kept.ssl_status, CertificateStatus::Pending);
    assert_eq!((kept.ssl_issuer, kept.ssl_cert_expires_at, kept.ssl_checked_at), (None, None, None));
    assert_eq!(failed.status, DomainStatus::Failed);
    let took = at - began;
    assert!(took >= TimeDelta::hours(72) && took < TimeDelta::hours(73), "{took}");
    assert_eq!(world.actions.store.routed_domains().await.expect("answers"), []);

    // It comes back by itself.
    world.dns.set_alias("www.example.com", "shop.apps.test").await;
    let (revived, _) = world.until_changed(&failed).await;
    assert_eq!(revived.status, DomainStatus::Active);

    // A name may become the platform's own after it was added.
    let store = &world.actions.store;
    store.set_setting("domains.reserved", "example.com").await.expect("is set");
    let (_, problem) = world.verify("www.example.com").await.expect("asks");
    assert!(problem.expect("has one").contains("platform's own"));
    store.set_setting("domains.reserved", "").await.expect("is set");
    let (right, _) = world.verify("www.example.com").await.expect("asks");
    assert_eq!(right.status, DomainStatus::Active);

    // Silent name servers say nothing about a domain.
    world.dns.stop();
    let silent = tokio::time::timeout(Duration::from_secs(60), world.verify("www.example.com")).await;
    assert!(matches!(silent, Ok(Err(Error::Upstream(_)))), "{silent:?}");
    let (kept,) = sqlx::query_as::<_, (String,)>("SELECT status FROM paas_domains")
        .fetch_one(world.database.pool())
        .await
        .expect("answers");
    assert_eq!(kept, "active");
    world.close().await;
}

#[tokio::test]
async fn a_claim_keeps_nobody_from_a_domain_but_a_proof_does() {
    let world = world().await;
    let store = &world.actions.store;
    let acme = store.ensure_organization("acme").await.expect("is there");
    let other = store.create_app(&"other".parse().expect("a slug"), &acme).await.expect("makes it");
    let name = "www.example.com".parse().expect("a name");
    // Somebody else was first to name it, and proved nothing.
    world.actions.add_domain(&world.owner, &AppRef::Id(other.id), &name).await.expect("is added");
    world.add("www.example.com").await.expect("is added");
    world.prove("www.example.com").await;
    assert_eq!(world.verify("www.example.com").await.expect("asks").0.status, DomainStatus::Active);

    world.dns.set_txt("_paas-verify.www.example.com", &format!("paas-verify={}", other.id)).await;
    let domain = DomainRef::Name("www.example.com".to_owned());
    let (view, checked) =
        world.actions.verify_domain(&world.owner, &AppRef::Id(other.id), &domain).await.expect("asks");
    assert_eq!(view.domain.status, DomainStatus::Pending);
    assert!(checked.problem.expect("is taken").contains("belongs to another app"));
    // Nor can a third one begin.
    let third = store.create_app(&"third".parse().expect("a slug"), &acme).await.expect("makes it");
    let taken = world.actions.add_domain(&world.owner, &AppRef::Id(third.id), &name).await;
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
    world.close().await;
}

/// Domains ask nothing of the engine.
struct NoEngine;

#[async_trait]
impl Console for NoEngine {
    async fn logs(&self, _: &Application, _: LogQuery) -> Result<BoxStream<'static, Result<LogLine>>> {
        Err(Error::System("there is no engine".to_owned()))
    }
    async fn processes(&self, _: &Application) -> Result<Vec<ProcessState>> {
        Ok(Vec::new())
    }
    async fn run(&self, _: &Application, _: OneOff) -> Result<OneOffSession> {
        Err(Error::System("there is no engine".to_owned()))
    }
}
