//! Commands about money: plans, what a change costs, wallets, usage, invoices.

use std::time::Duration;

use chrono::{TimeZone as _, Utc};
use serde_json::json;
use skypanel_core::clock::Clock;
use skypanel_core::model::{AppStatus, Role};
use skypanel_core::store::NewUser;
use skypanel_receiver::{Limits, SourceLimits};

use crate::commands::released;
use crate::world::World;

#[tokio::test]
async fn plans_are_listed_and_what_a_change_costs_is_told_before() {
    let world = World::new().await;
    world.ssh("plans").await.ok().says(&["NAME", "A MONTH", "hobby", "$0.0069", "$5.037"]);
    let plans = world.ssh("plans --json").await.ok().json();
    let hobby = &plans["items"][0];
    assert_eq!((&hobby["name"], &hobby["cpu_cores"]), (&json!("hobby"), &json!("0.5")));
    assert_eq!(hobby["price_per_month"], "5.037000");

    released(&world, "shop").await;
    world.store().set_app_status(world.app("shop").await.id, AppStatus::Running).await.expect("sets");
    world.ssh("ps:plan -a shop").await.ok().says(&["hobby, $0.0069 an hour"]);
    let said = world.ssh("ps:plan -a shop standard --dry-run").await.ok();
    said.says(&["Nothing was changed", "costs $0.0069 and would cost $0.0347"]);
    assert_eq!(world.ssh("ps:plan -a shop --json").await.ok().json()["plan"], "hobby");
    let moved = world.ssh("ps:plan -a shop standard").await.ok();
    moved.says(&["-----> Moving shop to the plan standard", "cost $0.0069 and costs $0.0347 now", "-----> Done"]);
    world.ssh("ps:plan -a shop none --json").await.refused("INVALID_INPUT");

    let done = world.worker.done().len();
    let would = world.ssh("ps:scale -a shop web=3 --dry-run --json").await.ok().json();
    assert_eq!((&would["dry_run"], &would["job_id"]), (&json!(true), &json!(null)));
    assert_eq!(would["cost_per_hour_before"], "0.034700");
    assert_eq!(would["cost_per_hour_after"], "0.104100");
    assert_eq!(world.worker.done().len(), done, "nothing was done");
    assert_eq!(world.ssh("ps:scale -a shop --json").await.ok().json()["formation"], json!({ "web": 1 }));
    let scaled = world.ssh("ps:scale -a shop web=3 --json").await.ok().documents();
    assert_eq!((&scaled[0]["dry_run"], &scaled[0]["cost_per_hour_after"]), (&json!(false), &json!("0.104100")));
    assert_eq!(scaled.last(), Some(&json!({ "succeeded": true })));
    world.ssh("ps:scale -a shop web=3").await.ok().says(&["It is like that already."]);
    world.close().await;
}

#[tokio::test]
async fn wallet_usage_and_invoices_tell_one_story() {
    // Billing is switched on by the database's own time, which is earlier.
    let clock = Clock::standing_at(Utc.with_ymd_and_hms(2030, 5, 10, 10, 0, 0).single().expect("a time"));
    let world = World::at(clock.clone(), Limits::default(), SourceLimits::default()).await;
    let root = NewUser { email: "root@example.com", password: "a long password", is_admin: true };
    let root = world.store().create_user(root).await.expect("makes a user");
    world.key("root", Some(&root)).await;
    world.member("viewer", Role::Viewer).await;
    world.ssh("wallet").await.ok().says(&["=== acme", "off: nothing is charged"]);
    world.ssh("wallet:ledger").await.ok().says(&["Nothing was moved yet."]);
    world.ssh("invoices").await.ok().says(&["Nothing was charged yet."]);
    world.ssh_as("root", "admin:settings:set billing.enabled=true").await.ok().says(&["billing.enabled  true"]);
    let paid = world.ssh_as("root", "admin:topup acme 10 --reference PAY-1 --json").await.ok().json();
    assert_eq!(paid["entry"]["balance_after"], "10.000000");
    world.ssh_as("root", "admin:topup acme 10 --reference PAY-1 --json").await.refused("CONFLICT");
    released(&world, "shop").await;
    world.actions.store.set_app_status(world.app("shop").await.id, AppStatus::Running).await.expect("sets");
    clock.advance(Duration::from_hours(2));
    let settled = world.ssh_as("root", "admin:billing:settle --json").await.ok().json();
    assert_eq!((&settled["app_hours"], &settled["charged"]), (&json!(2), &json!("0.013800")));

    let wallet = world.ssh_as("viewer", "wallet --json").await.ok().json();
    assert_eq!((&wallet["balance"], &wallet["month_to_date"]), (&json!("9.986200"), &json!("0.013800")));
    assert_eq!((&wallet["billing_enabled"], &wallet["month"]), (&json!(true), &json!("2030-05")));
    world.ssh("wallet").await.ok().says(&["$9.9862", "$0.0138 so far", "Lasts:"]);
    world.ssh("wallet:alerts").await.ok().says(&["below 72 hours, as the platform says", "Budget:", "none"]);
    let set = world.ssh("wallet:alerts --hours 5000 --budget 0.02 --json").await.ok().json();
    assert_eq!((&set["low_balance_hours"], &set["month_budget"]), (&json!(5_000), &json!("0.020000")));
    let seen = world.ssh_as("viewer", "wallet:alerts").await.ok();
    seen.says(&["below 5000 hours", "$0.02 a month, of which $0.0138 were charged in 2030-05", "Nothing is stopped"]);
    world.ssh("wallet").await.ok().says(&["lasts for less than 5000 hours"]);
    world.ssh("wallet:alerts --hours 0").await.ok().says(&["only below 24 hours", "$0.02 a month"]);
    world.ssh("wallet:alerts --hours none --budget none --json").await.ok();
    assert_eq!(world.ssh("wallet --json").await.ok().json()["alerts"]["month_budget"], json!(null));
    for refused in ["--hours 8761", "--budget 0"] {
        world.ssh(&format!("wallet:alerts {refused} --json")).await.refused("INVALID_INPUT");
    }
    for misspelt in ["--hours -1", "--hours soon", "--budget 1.0000001", "--budget 1e3"] {
        world.ssh(&format!("wallet:alerts {misspelt}")).await.failed();
    }
    let ledger = world.ssh("wallet:ledger --json").await.ok().json();
    let kinds: Vec<_> = ledger["items"].as_array().expect("a list").iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["charge", "charge", "top_up"]);
    assert_eq!(world.ssh("wallet:ledger -n 1 --json").await.ok().json()["items"].as_array().map(Vec::len), Some(1));
    world.ssh("wallet:ledger").await.ok().says(&["top_up", "$10", "PAY-1", "-$0.0069", "shop"]);

    let usage = world.ssh("usage --json").await.ok().json();
    assert_eq!((&usage["cost"], &usage["items"][0]["app"]), (&json!("0.013800"), &json!("shop")));
    world.ssh("usage -a shop --month 2030-05").await.ok().says(&["=== 2030-05", "hobby", "Total: $0.0138"]);
    world.ssh("usage --month 2030-04").await.ok().says(&["Total: $0"]).says_not("shop");
    world.ssh("usage --month november").await.failed();
    let csv = world.ssh("usage --csv").await.ok().stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[0].starts_with("hour,app_id,app,process,"), "{csv}");
    assert!(
        lines[1].starts_with("2030-05-10T10:00:00Z,") && lines[1].contains(",shop,web,\"hobby\",0.006900,3600."),
        "{csv}"
    );
    world.ssh("usage --csv --json").await.refused("INVALID_INPUT");

    world.ssh("invoices").await.ok().says(&["2030-05", "$0.0138"]);
    assert_eq!(
        world.ssh("invoices --json").await.ok().json()["items"],
        json!([{ "month": "2030-05", "total": "0.013800" }])
    );
    let shown = world.ssh("invoices:show 2030-05").await.ok();
    shown.says(&["=== Invoice 2030-05-", "(preliminary", "shop", "Total: $0.0138", "top_up: $10"]);
    let invoice = world.ssh("invoices:show 2030-05 --json").await.ok().json();
    assert_eq!((&invoice["total"], &invoice["preliminary"]), (&json!("0.013800"), &json!(true)));
    assert!(world.ssh("invoices:show 2030-05 --html").await.ok().stdout.starts_with("<!"));
    world.ssh("invoices:show 2030-06 --json").await.refused("NOT_FOUND");

    let billing = world.ssh_as("root", "admin:billing --json").await.ok().json();
    assert_eq!(billing["organizations"]["items"][0]["balance"], "9.986200");
    world.ssh_as("root", "admin:billing").await.ok().says(&["on since 20", "acme", "$0.0138 used"]);
    world.close().await;
}
