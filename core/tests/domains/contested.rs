//! One name that two apps want.

use skypanel_core::Error;
use skypanel_core::actions::{Actor, check_domain};
use skypanel_core::model::{AppRef, Application, Domain, DomainStatus};

use crate::{World, world};

const NAME: &str = "www.example.com";

impl World {
    async fn another(&self) -> Application {
        let store = &self.actions.store;
        let acme = store.ensure_organization("acme").await.expect("is there");
        store.create_app(&"other".parse().expect("a slug"), &acme).await.expect("makes it")
    }

    async fn add_to(&self, app: &Application) -> Domain {
        let name = NAME.parse().expect("a name");
        self.actions.add_domain(&self.owner, &AppRef::Id(app.id), &name).await.expect("is added").domain
    }

    async fn prove_for(&self, app: &Application) {
        self.dns.set_txt(&format!("_paas-verify.{NAME}"), &format!("paas-verify={}", app.id)).await;
    }

    async fn check(&self, domain: &Domain) -> skypanel_core::Result<Domain> {
        check_domain(&self.actions.store, &Actor::system(), domain.id).await.map(|(domain, _)| domain)
    }
}

#[tokio::test]
async fn of_two_that_prove_it_at_once_one_has_it() {
    let world = world().await;
    let other = world.another().await;
    let domains = [world.add_to(&world.shop).await, world.add_to(&other).await];
    // Another value replaces none: both are proven.
    world.prove(NAME).await;
    world.prove_for(&other).await;
    let (one, two) = tokio::join!(world.check(&domains[0]), world.check(&domains[1]));
    let active = [&one, &two]
        .into_iter()
        .filter(|checked| matches!(checked, Ok(domain) if domain.status == DomainStatus::Active));
    assert_eq!(active.count(), 1, "{one:?} {two:?}");
    for checked in [one, two] {
        match checked {
            Ok(domain) if domain.status == DomainStatus::Active => {}
            Ok(domain) => assert!(domain.problem.as_deref().is_some_and(|problem| problem.contains("another app"))),
            Err(Error::Conflict(words)) => assert!(words.contains("another app"), "{words}"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(world.actions.store.routed_domains().await.expect("answers").len(), 1);
    world.close().await;
}

#[tokio::test]
async fn a_name_whose_proof_moves_goes_to_the_other_app_after_the_time_of_grace() {
    let world = world().await;
    let other = world.another().await;
    let (mut old, mut new) = (world.add_to(&world.shop).await, world.add_to(&other).await);
    world.prove(NAME).await;
    old = world.check(&old).await.expect("checks");
    assert_eq!(old.status, DomainStatus::Active);

    world.dns.clear_txt(&format!("_paas-verify.{NAME}")).await;
    world.prove_for(&other).await;
    let moved = old.next_check_at;
    while new.status != DomainStatus::Active {
        world.clock.set(old.next_check_at.min(new.next_check_at));
        let now = world.clock.now();
        assert!(now - moved < chrono::TimeDelta::days(4), "it comes to it");
        if old.next_check_at <= now {
            old = world.check(&old).await.expect("checks");
        }
        if new.next_check_at <= now {
            new = world.check(&new).await.expect("checks");
        }
        let routed = world.actions.store.routed_domains().await.expect("answers");
        assert!(routed.len() <= 1, "{routed:?}");
        let grace = now - moved < chrono::TimeDelta::hours(72);
        assert_eq!(old.status == DomainStatus::Active, grace, "{now}");
    }
    let routed = world.actions.store.routed_domains().await.expect("answers");
    assert_eq!((routed.len(), routed[0].application_id), (1, other.id));
    assert_eq!(world.check(&old).await.expect("checks").status, DomainStatus::Failed);
    world.close().await;
}
