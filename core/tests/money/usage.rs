//! Usage as it is shown: settled and not, by month and hour, and the invoice.

use skypanel_core::actions::{Actor, Period};
use skypanel_core::model::{AppStatus, Hour, Money};

use crate::world::{World, at, money};

#[tokio::test]
async fn usage_counts_up_to_this_moment_and_months_and_hours_agree() {
    let world = World::billing("2026-11-30T22:00:00Z").await;
    let organization = world.organization("acme", "100").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    let small = world.running_app(&organization, "small").await;
    let system = Actor::system();
    let november = Period::Month("2026-11".parse().expect("is a month"));

    world.clock.set(at("2026-11-30T23:30:00Z"));
    world.store.settle_usage().await.expect("settles");
    let usage = world.actions.usage(&system, organization.id, None, november).await.expect("tells");
    assert_eq!((usage.cost, usage.charged, usage.unsettled), (money("1.51035"), money("1.0069"), money("0.50345")));
    assert_eq!(usage.lines.iter().map(|line| line.app_slug.as_str()).collect::<Vec<_>>(), ["shop", "small"]);
    assert_eq!(usage.lines[0].replica_hours().to_string(), "1.500000");
    let wallet = world.actions.wallet(&system, &organization).await.expect("tells");
    assert_eq!(wallet.balance, money("98.9931"));
    assert_eq!((wallet.month_to_date, wallet.forecast), (money("1.51035"), money("2.0138")));
    assert_eq!((wallet.cost_per_hour, wallet.lasts_hours), (money("1.0069"), Some(97)));

    world.clock.set(at("2026-12-01T00:30:00Z"));
    world.store.settle_usage().await.expect("settles");
    let whole = world.actions.usage(&system, organization.id, None, november).await.expect("tells");
    assert_eq!((whole.cost, whole.charged, whole.unsettled), (money("2.0138"), money("2.0138"), Money::ZERO));
    let hours = Period::Hours(Hour::of(at("2026-11-30T22:00:00Z")), Hour::of(at("2026-12-01T00:00:00Z")));
    let by_hour = world.actions.usage(&system, organization.id, None, hours).await.expect("tells");
    assert_eq!((by_hour.cost, by_hour.lines), (whole.cost, whole.lines));
    let one = world.actions.usage(&system, organization.id, Some(small.id), november).await.expect("tells");
    assert_eq!(one.cost, money("0.0138"));

    let bounds = (Hour::of(at("2026-11-01T00:00:00Z")), Hour::of(at("2027-01-01T00:00:00Z")));
    let mut exported = Vec::new();
    loop {
        let position = exported.last().map(skypanel_core::store::UsageHour::position);
        let page = world.store.usage_hours(organization.id, None, bounds, position.as_ref(), 1).await.expect("pages");
        if page.is_empty() {
            break;
        }
        exported.extend(page);
    }
    assert_eq!(exported.len(), 4);
    assert_eq!(exported.iter().map(|hour| hour.cost).sum::<Money>(), whole.cost);
    let days = world.store.usage_by_day(organization.id, None, bounds.0, bounds.1).await.expect("adds up");
    assert_eq!(days, [("2026-11-30".parse().expect("is a day"), whole.cost)]);

    let invoice =
        world.actions.invoice(&system, &organization, "2026-11".parse().expect("is one")).await.expect("is made");
    assert_eq!((invoice.total(), invoice.payments.len(), invoice.preliminary), (whole.cost, 1, false));
    assert!(invoice.html().contains("$2.013800"));
    assert_eq!((invoice.opening, invoice.closing()), (Money::ZERO, money("97.9862")));
    let months = world.actions.invoices(&system, organization.id).await.expect("lists");
    assert_eq!(months, [("2026-11".parse().expect("is one"), whole.cost)]);
    world.close().await;
}

#[tokio::test]
async fn the_wallet_lasts_for_what_is_left_when_all_that_will_be_charged_is() {
    let world = World::new("2026-11-30T21:00:00Z").await;
    let organization = world.organization("acme", "50").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "10").await;
    let lasts = async |now: &str| {
        world.clock.set(at(now));
        let wallet = world.actions.wallet(&Actor::system(), &organization).await.expect("tells");
        let warned = wallet.warning.as_deref().is_some_and(|warning| warning.contains("less than 24 hours"));
        assert_eq!(warned, wallet.billing_enabled, "{:?}", wallet.warning);
        wallet.lasts_hours
    };
    assert_eq!(lasts("2026-11-30T21:20:00Z").await, None, "nothing is charged");
    world.switch_on("2026-11-30T21:20:00Z").await;
    assert_eq!(lasts("2026-11-30T21:59:59Z").await, Some(5), "the hour in which billing was switched on is free");
    assert_eq!(lasts("2026-11-30T22:30:00Z").await, Some(4), "45 are left");
    assert_eq!(lasts("2026-11-30T23:59:59Z").await, Some(3));
    // What is not settled when the month is over will be charged all the same.
    assert_eq!(lasts("2026-12-01T00:30:00Z").await, Some(2));
    world.store.settle_usage().await.expect("settles");
    assert_eq!(lasts("2026-12-01T00:30:00Z").await, Some(2));
    world.close().await;
}

#[tokio::test]
async fn what_a_stopped_app_used_in_this_hour_is_not_forgotten_and_has_no_forecast() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    world.clock.set(at("2026-11-22T10:15:00Z"));
    world.store.set_app_status(app.id, AppStatus::Stopped).await.expect("stops");
    world.clock.set(at("2026-11-22T10:45:00Z"));
    let wallet = world.actions.wallet(&Actor::system(), &organization).await.expect("tells");
    assert_eq!((wallet.month_to_date, wallet.forecast), (money("0.25"), money("0.25")));
    assert_eq!((wallet.billing_enabled, wallet.lasts_hours), (false, None));
    world.close().await;
}

#[tokio::test]
async fn an_invoice_is_final_when_all_of_its_month_is_settled_and_has_the_time_that_was_charged_for() {
    let world = World::new("2026-11-30T20:00:00Z").await;
    let organization = world.organization("acme", "100").await;
    let app = world.running_app(&organization, "shop").await;
    world.price(app.id, "1").await;
    let (system, november) = (Actor::system(), "2026-11".parse().expect("is one"));
    // Two hours without billing, two with it.
    world.switch_on("2026-11-30T22:00:00Z").await;
    world.clock.set(at("2026-11-30T23:10:00Z"));
    world.store.settle_usage().await.expect("settles");
    world.move_money(organization.id, skypanel_core::model::LedgerKind::Adjustment, "-8").await;
    world.clock.set(at("2026-12-01T00:00:01Z"));
    let early = world.actions.invoice(&system, &organization, november).await.expect("is made");
    assert!(early.preliminary && early.html().contains("not all of it is settled"));
    assert_eq!(early.total(), money("1"));
    world.store.settle_usage().await.expect("settles");
    let last = world.actions.invoice(&system, &organization, november).await.expect("is made");
    assert_eq!((last.preliminary, last.total()), (false, money("2")));
    let [line] = last.lines.as_slice() else { panic!("one line: {:?}", last.lines) };
    assert_eq!(line.replica_hours().to_string(), "2.000000", "two of the four hours were charged");
    let page = last.html();
    let parts = ["<h2>Payments</h2>", "<h2>Adjustments</h2>", "-$8.000000", "$0.000000", "$90.000000"];
    assert!(parts.iter().all(|part| page.contains(part)), "{page}");
    world.clock.set(at("2026-12-01T01:00:00Z"));
    let next =
        world.actions.invoice(&system, &organization, "2026-12".parse().expect("is one")).await.expect("is made");
    assert_eq!(next.opening, last.closing());
    assert!(next.preliminary);
    world.close().await;
}

#[tokio::test]
async fn books_are_kept_of_organisations_that_are_no_more_and_names_are_free_again() {
    use skypanel_core::actions::AppsGo;
    use skypanel_core::model::{LedgerKind, OrganizationRef};

    let world = World::billing("2026-11-22T10:00:00Z").await;
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let organization = world.organization("acme", "5").await;
        world.move_money(organization.id, LedgerKind::Adjustment, "-5").await;
        let (system, named) = (Actor::system(), OrganizationRef::Id(organization.id));
        world.actions.delete_organization(&system, &named, "acme", &AppsGo::Nowhere).await.expect("goes");
        let past = world.actions.organization_with_books(&system, &named).await.expect("has books");
        assert_eq!((past.id, past.name.as_str()), (organization.id, "acme"));
        assert_eq!(world.actions.ledger(&system, past.id, None, 9).await.expect("lists").len(), 2);
        let invoice = world.actions.invoice(&system, &past, "2026-11".parse().expect("is one")).await.expect("is made");
        numbers.push(invoice.number());
        let nobody = Actor { identity: None, via: skypanel_core::actions::Via::Browser, ..Actor::system() };
        assert!(world.actions.organization_with_books(&nobody, &named).await.is_err());
    }
    assert_ne!(numbers[0], numbers[1]);
    world.close().await;
}

#[tokio::test]
async fn a_wallet_warns_when_it_gets_low() {
    let world = World::billing("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "100").await;
    let app = world.running_app(&organization, "shop").await;
    let warning = async || world.actions.wallet(&Actor::system(), &organization).await.expect("tells").warning;
    assert_eq!(warning().await, None);
    world.price(app.id, "2").await;
    assert!(warning().await.expect("warns").contains("less than 72 hours"));
    world.price(app.id, "5").await;
    assert!(warning().await.expect("warns").contains("less than 24 hours"));
    world.clock.set(at("2026-11-23T10:00:00Z"));
    assert!(warning().await.expect("warns").contains("is empty"), "what is not settled counts, too");
    world.close().await;
}
