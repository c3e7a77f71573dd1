//! The job that looks after custom domains.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::actions::Actor;
use skypanel_core::clock::Clock;
use skypanel_core::jobs::CheckDomains;
use skypanel_core::model::{AppRef, Application, Domain, DomainId, DomainStatus};

use crate::name_server::NameServer;
use crate::world::{World, run};

impl World {
    async fn add_domain(&self, app: &Application, name: &str) -> Domain {
        let name = name.parse().expect("a name");
        let added = self.actions.add_domain(&Actor::system(), &AppRef::Id(app.id), &name).await;
        added.expect("is added").domain
    }

    async fn domain(&self, id: DomainId) -> Domain {
        self.store().domain(id).await.expect("answers").expect("is there")
    }

    /// Has the job done at that time.
    async fn check_at(&self, at: DateTime<Utc>) {
        self.actions.clock.set(at);
        self.actions.jobs.add(CheckDomains {}).await.expect("queues");
        self.while_working(async {
            while self.is_queued().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    async fn is_queued(&self) -> bool {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM skypanel_jobs._private_jobs WHERE key = 'check_domains')")
            .fetch_one(self.database.pool())
            .await
            .expect("looks")
    }
}

#[test]
fn domains_become_active_are_demoted_and_wait_out_silence() {
    run(async {
        let world = World::with_clock(Clock::standing_at("2026-03-01T12:00:00Z".parse().expect("a time"))).await;
        let app = world.app("shop").await;
        let mut dns = NameServer::start().await;
        for (key, value) in [("dns.resolver", dns.address.to_string()), ("apps.default_domain", "apps.test".to_owned())]
        {
            world.store().set_setting(key, &value).await.expect("is set");
        }
        dns.set_addresses("shop.apps.test", &["192.0.2.1"]).await;
        for name in ["right.example.com", "silent.example.com"] {
            dns.set_txt(&format!("_paas-verify.{name}"), &format!("paas-verify={}", app.id)).await;
            dns.set_alias(name, "shop.apps.test").await;
        }
        let wrong = world.add_domain(&app, "right.example.com").await.id;
        let silent = world.add_domain(&app, "silent.example.com").await.id;
        world.check_at(world.domain(wrong).await.next_check_at).await;
        for id in [wrong, silent] {
            assert_eq!(world.domain(id).await.status, DomainStatus::Active);
        }

        // Wrong beyond the time of grace, and silent for as long.
        dns.clear_alias("right.example.com").await;
        dns.fail("silent.example.com").await;
        let began = world.domain(silent).await.next_check_at;
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let at = world.domain(silent).await.next_check_at;
            world.check_at(at).await;
            pauses.push(world.domain(silent).await.next_check_at - at);
        }
        assert_eq!(pauses, [5, 5, 10, 20].map(TimeDelta::minutes));
        world.check_at(began + TimeDelta::hours(73)).await;
        assert_eq!(world.domain(wrong).await.status, DomainStatus::Failed);
        let before = world.domain(silent).await;
        assert_eq!((before.status, before.unanswered_since), (DomainStatus::Active, Some(began)));

        // Where nobody answers at all, it comes back in some minutes and nothing else happens to it.
        dns.stop();
        world.check_at(began + TimeDelta::days(8)).await;
        let after = world.domain(silent).await;
        assert_eq!((after.status, after.problem), (DomainStatus::Active, None));
        assert_eq!(after.next_check_at, began + TimeDelta::days(8) + TimeDelta::minutes(5));
        world.close().await;
    });
}
