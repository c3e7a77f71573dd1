//! Every write is in the audit log: all of the OpenAPI document's are made, and each that succeeds is looked up. A new
//! route is looked up as soon as it is there.

use serde_json::{Value, json};
use skypanel_core::actions::Scope;
use skypanel_core::model::{AppId, DeploymentId};

use crate::releases::{go_live, push};
use crate::things::{Things, things};
use crate::walk::{Findings, Operation, operations, writes};
use crate::world::{PASSWORD, World};

/// What succeeds here and writes nothing down, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("post /api/admin/paas/organizations/{organization}/resume", "nothing is suspended yet"),
    ("post /api/admin/paas/settings/validate", "it tries what the settings lead to, and saves nothing"),
];
/// So many succeed at least; the others want what is not here, such as a repository elsewhere.
const MANY: usize = 45;

#[derive(Debug, sqlx::FromRow)]
struct Row {
    actor: Option<String>,
    address: Option<String>,
    request_id: Option<String>,
}

#[tokio::test]
async fn every_write_that_succeeds_is_in_the_audit_log_with_who_from_where_and_in_which_request() {
    let world = World::unlimited().await;
    let things = things(&world).await;
    serve(&world, &things).await;
    let mut operations = operations(&things);
    for operation in &mut operations {
        if let Some(body) = changing(&operation.name) {
            operation.body = Some(("application/json".to_owned(), body.to_string()));
        }
    }
    let mut findings = Findings::default();
    let (mut found, mut refused) = (0, Vec::new());
    for operation in writes(&operations) {
        let who = if operation.is_of_admins() { "admin" } else { "owner" };
        let call = call(&world, operation, who).await;
        let last = last_row(&world).await;
        let answered = operation.open(call).await;
        let status = answered.status();
        if !status.is_success() {
            refused.push(format!("{status} {}", operation.name));
            continue;
        }
        if EXCEPTIONS.iter().any(|(name, _)| operation.name == *name) {
            continue;
        }
        let request_id = answered.headers()["x-request-id"].to_str().expect("is text");
        let email = format!("{who}@example.com");
        let is_theirs = |row: &Row| {
            row.actor.as_ref() == Some(&email)
                && row.address.as_deref() == Some("192.0.2.7")
                && row.request_id.as_deref() == Some(request_id)
        };
        let rows = rows_after(&world, last).await;
        if rows.is_empty() || !rows.iter().all(is_theirs) {
            findings.0.push(format!("{status} {} by {email}: {rows:?}", operation.name));
        }
        found += 1;
    }
    findings.none();
    assert!(found >= MANY, "only {found} succeed; refused are\n{}", refused.join("\n"));
    world.close().await;
}

/// The app serves a release, and another deployment waits.
async fn serve(world: &World, things: &Things) {
    let id = |name: &str| things.get(name).parse::<uuid::Uuid>().expect("is an id");
    go_live(world, DeploymentId(id("deployment"))).await;
    push(world, AppId(id("app_id")), "2").await;
}

/// A body that changes something, where the least one that can be read does not.
fn changing(operation: &str) -> Option<Value> {
    let plan = || {
        json!({
            "name": "nano", "cpu_cores": "0.25", "ram_mb": 256, "disk_gb": 5, "max_replicas": 2,
            "price_per_hour": "0.0035",
        })
    };
    Some(match operation {
        "delete /api/paas/apps/{app}" => json!({ "confirm": "shop" }),
        "patch /api/admin/paas/organizations/{organization}" => json!({ "max_apps": 7 }),
        "patch /api/admin/paas/users/{user}" => json!({ "is_admin": true }),
        "post /api/organizations/{organization}/notifications" | "post /api/admin/paas/notifications" => {
            json!({ "kind": "email", "address": "owner@example.com" })
        }
        "patch /api/organizations/{organization}/wallet" => json!({ "month_budget": "12.50" }),
        "patch /api/paas/apps/{app}" => json!({ "name": "The shop" }),
        "patch /api/paas/apps/{app}/domains" => json!({ "https_redirect": false }),
        "patch /api/paas/apps/{app}/env" => json!({ "vars": { "NAME": "another" } }),
        "post /api/admin/paas/organizations/{organization}/ledger" => {
            json!({ "kind": "top_up", "amount": "5", "reference": "wire 1" })
        }
        "post /api/admin/paas/plans" => plan(),
        "post /api/me/password" => json!({ "current_password": PASSWORD, "new_password": "a much better one" }),
        "post /api/me/totp" => json!({ "password": "a much better one" }),
        "post /api/organizations" => json!({ "name": "initech" }),
        "post /api/paas/apps/{app}/domains" => json!({ "domain": "shop.example.org" }),
        "put /api/admin/paas/plans/{plan}" => {
            let mut plan = plan();
            plan["name"] = json!("micro");
            plan
        }
        "put /api/admin/paas/settings" => json!({ "settings": { "slug.max_mb": 20 } }),
        "put /api/paas/apps/{app}/env" => json!({ "vars": { "NAME": "value", "OTHER": "value" } }),
        _ => return None,
    })
}

async fn call<'a>(world: &'a World, operation: &Operation, who: &str) -> crate::world::Call<'a> {
    if operation.name == "delete /api/auth/token" {
        let spare = world.token(who, Scope::Manage).await;
        return operation.call(world).token(&spare);
    }
    operation.call(world).by(who)
}

async fn last_row(world: &World) -> i64 {
    let (last,) = sqlx::query_as("SELECT coalesce(max(id), 0) FROM paas_audit_log")
        .fetch_one(world.store().pool())
        .await
        .expect("looks");
    last
}

async fn rows_after(world: &World, last: i64) -> Vec<Row> {
    sqlx::query_as("SELECT actor, address, request_id FROM paas_audit_log WHERE id > $1")
        .bind(last)
        .fetch_all(world.store().pool())
        .await
        .expect("reads")
}
