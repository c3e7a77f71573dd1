//! The ledger: append-only, chained, and the only thing that moves a wallet.

use skypanel_core::Error;
use skypanel_core::actions::Actor;
use skypanel_core::model::{LedgerKind, NewLedgerEntry, Role};
use skypanel_core::store::{Identity, NewUser};

use crate::world::{World, money};

#[tokio::test]
async fn the_database_refuses_whatever_would_make_balance_and_ledger_differ() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "10").await;
    for change in [
        "UPDATE organizations SET wallet_balance = 11",
        "UPDATE wallet_ledger SET amount = 11",
        "DELETE FROM wallet_ledger",
        "TRUNCATE wallet_ledger",
        "INSERT INTO organizations (id, name, wallet_balance) VALUES (gen_random_uuid(), 'rich', 1)",
        // An entry whose balance does not follow from the one before.
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, actor, occurred_at)
         SELECT id, 'top_up', 1, 12, 'me', now() FROM organizations",
        // A charge that gives, a top-up that takes, a movement by nobody, a charge for nothing.
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, application_id, app_slug, hour, occurred_at)
         SELECT id, 'charge', 1, 11, id, 'shop', now(), now() FROM organizations",
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, actor, occurred_at)
         SELECT id, 'top_up', -1, 9, 'me', now() FROM organizations",
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, occurred_at)
         SELECT id, 'refund', 1, 11, now() FROM organizations",
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, occurred_at)
         SELECT id, 'charge', -1, 9, now() FROM organizations",
        // A wallet that does not exist.
        "INSERT INTO wallet_ledger (organization_id, kind, amount, balance_after, actor, occurred_at)
         VALUES (gen_random_uuid(), 'top_up', 1, 1, 'me', now())",
    ] {
        assert!(sqlx::query(change).execute(world.database.pool()).await.is_err(), "{change}");
    }
    assert_eq!(world.balance(organization.id).await, money("10"));
    world.close().await;
}

#[tokio::test]
async fn a_hundred_movements_at_once_are_all_in_the_balance() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "0").await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100u32 {
        let (actions, organization) = (world.actions.clone(), organization.id);
        tasks.spawn(async move {
            let kind = if number % 2 == 0 { LedgerKind::TopUp } else { LedgerKind::Adjustment };
            let amount = if number % 2 == 0 { money("0.3") } else { money("-0.1") };
            // Every reference comes twice, as from a payment provider that tells again.
            let reference = Some(format!("payment {}", number / 4));
            let new = NewLedgerEntry { kind, amount, reference, note: None };
            actions.move_money(&Actor::system(), organization, new).await
        });
    }
    let outcomes = tasks.join_all().await;
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(Error::Conflict(_)))), "{outcomes:?}");
    assert_eq!(written, 50);
    assert_eq!(world.balance(organization.id).await, money("5"));
    let entries = world.store.ledger(organization.id, None, 100).await.expect("lists");
    assert_eq!(entries.len(), 50);
    for pair in entries.windows(2) {
        assert_eq!(pair[0].balance_after, pair[1].balance_after + pair[0].amount);
    }
    let older = world.store.ledger(organization.id, Some(entries[9].id), 5).await.expect("pages");
    assert_eq!(
        older.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        entries[10..15].iter().map(|e| e.id).collect::<Vec<_>>()
    );
    world.close().await;
}

#[tokio::test]
async fn only_admins_move_money_and_only_members_see_it() {
    let world = World::new("2026-11-22T10:00:00Z").await;
    let organization = world.organization("acme", "5").await;
    let user = |email: &'static str, is_admin| NewUser { email, password: "correct horse battery", is_admin };
    let owner = world.store.create_user(user("owner@example.com", false)).await.expect("makes one");
    let admin = world.store.create_user(user("admin@example.com", true)).await.expect("makes one");
    let actor =
        |user: &skypanel_core::model::User, memberships| Actor::ssh(Identity { user: user.clone(), memberships }, None);
    let owner_actor = actor(&owner, vec![(organization.clone(), Role::Owner)]);
    let stranger = actor(&owner, Vec::new());
    let admin_actor = actor(&admin, Vec::new());
    let new = NewLedgerEntry {
        kind: LedgerKind::Refund,
        amount: money("2"),
        reference: Some("ticket 7".to_owned()),
        note: Some("Outage".to_owned()),
    };
    for actor in [&owner_actor, &stranger] {
        let refused = world.actions.move_money(actor, organization.id, new.clone()).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    }
    let moved = world.actions.move_money(&admin_actor, organization.id, new.clone()).await.expect("moves");
    assert_eq!((moved.entry.balance_after, moved.entry.actor.as_deref()), (money("7"), Some("admin@example.com")));
    assert_eq!(world.actions.wallet(&owner_actor, &organization).await.expect("shows").balance, money("7"));
    assert!(matches!(world.actions.wallet(&stranger, &organization).await, Err(Error::NotFound(_))));
    assert!(matches!(world.actions.ledger(&stranger, organization.id, None, 9).await, Err(Error::NotFound(_))));
    for (kind, amount) in
        [(LedgerKind::TopUp, "-1"), (LedgerKind::TopUp, "0"), (LedgerKind::Charge, "1"), (LedgerKind::Adjustment, "0")]
    {
        let wrong = NewLedgerEntry { kind, amount: money(amount), ..new.clone() };
        let refused = world.actions.move_money(&admin_actor, organization.id, wrong).await;
        assert!(matches!(refused, Err(Error::InvalidFields(_))), "{kind} {amount}: {refused:?}");
    }
    // A payment has a reference, which credits once on the whole platform.
    let payment = |reference: Option<&str>| NewLedgerEntry {
        kind: LedgerKind::TopUp,
        amount: money("1"),
        reference: reference.map(str::to_owned),
        note: None,
    };
    let refused = world.actions.move_money(&admin_actor, organization.id, payment(None)).await;
    assert!(matches!(refused, Err(Error::InvalidFields(fields)) if fields[0].field == "reference"));
    let other = world.organization("other", "0").await;
    world.actions.move_money(&admin_actor, other.id, payment(Some("wire 1"))).await.expect("credits");
    let again = world.actions.move_money(&admin_actor, organization.id, payment(Some("wire 1"))).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
    let (audited,): (i64,) = sqlx::query_as("SELECT count(*) FROM paas_audit_log WHERE action = 'wallet.refund'")
        .fetch_one(world.database.pool())
        .await
        .expect("counts");
    assert_eq!(audited, 1);
    world.close().await;
}
