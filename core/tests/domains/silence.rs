//! Name servers that give no answer.

use chrono::TimeDelta;
use skypanel_core::Error;
use skypanel_core::actions::{Actor, check_domain, note_silence};
use skypanel_core::model::DomainStatus;

use crate::world;

#[tokio::test]
async fn a_domain_whose_name_servers_fail_for_a_week_is_routed_no_more() {
    let mut world = world().await;
    world.add("www.example.com").await.expect("is added");
    world.prove("www.example.com").await;
    let (mut domain, _) = world.verify("www.example.com").await.expect("asks");
    world.dns.fail("www.example.com").await;
    let store = world.actions.store.clone();
    let begun = domain.next_check_at;
    while domain.status == DomainStatus::Active {
        world.clock.set(domain.next_check_at);
        assert!(world.clock.now() - begun < TimeDelta::days(8), "it ends");
        let checked = check_domain(&store, &Actor::system(), domain.id).await;
        assert!(matches!(checked, Err(Error::Upstream(_))), "{checked:?}");
        domain = note_silence(&store, domain.id).await.expect("notes");
        assert_eq!(domain.unanswered_since, Some(begun));
    }
    let took = world.clock.now() - begun;
    assert!(took >= TimeDelta::days(7), "{took}");
    assert!(domain.problem.as_deref().is_some_and(|problem| problem.contains("no answer")), "{domain:?}");
    assert_eq!(store.routed_domains().await.expect("answers"), []);
    assert_eq!(world.audit().await.last().expect("is told").2, "failed");

    world.dns.answer("www.example.com").await;
    world.clock.set(domain.next_check_at);
    let (revived, _) = check_domain(&store, &Actor::system(), domain.id).await.expect("checks");
    assert_eq!((revived.status, revived.unanswered_since), (DomainStatus::Active, None));

    // Where nobody answers at all, it is not the domain's doing.
    world.dns.stop();
    assert!(matches!(note_silence(&store, domain.id).await, Err(Error::Upstream(_))));
    assert_eq!(store.domain(domain.id).await.expect("answers").expect("is there").unanswered_since, None);
    world.close().await;
}
