//! Two at the same time: what one has looked at is not what another has left.

use std::time::Duration;

use serde_json::Value;
use skypanel_core::Error;
use skypanel_core::actions::{Actor, OrganizationLimits, RepositoryChange, UserChange};
use skypanel_core::model::{Formation, OrganizationId, WebhookProvider};
use skypanel_core::store::AuditFilter;
use sqlx::{PgConnection, PgPool};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{World, person};

/// Until somebody waits for a lock that another has, or `done` ends first.
async fn until_it_waits<T>(pool: &PgPool, done: impl Future<Output = T>) {
    until_they_wait(pool, 1, done).await;
}

/// Until so many wait for locks that others have, or `done` ends first.
async fn until_they_wait<T>(pool: &PgPool, number: i64, done: impl Future<Output = T>) {
    let waits = async {
        loop {
            let (waiting,): (i64,) = sqlx::query_as(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
            )
            .fetch_one(pool)
            .await
            .expect("looks");
            if waiting >= number {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = waits => {}
        _ = done => panic!("it did not wait"),
    }
}

/// Holds the app as whoever changes it does.
async fn hold(world: &World) -> sqlx::PgTransaction<'static> {
    let mut transaction = world.pool().begin().await.expect("begins");
    sqlx::query("SELECT FROM paas_applications WHERE id = $1 FOR NO KEY UPDATE")
        .bind(world.app.id)
        .execute(&mut *transaction)
        .await
        .expect("holds");
    transaction
}

async fn move_to(connection: &mut PgConnection, world: &World, organization: OrganizationId) {
    sqlx::query("UPDATE paas_applications SET organization_id = $2 WHERE id = $1")
        .bind(world.app.id)
        .bind(organization)
        .execute(connection)
        .await
        .expect("moves it");
}

async fn run(connection: &mut PgConnection, sql: &'static str, world: &World, value: i64) {
    sqlx::query(sql).bind(world.app.id).bind(value).execute(connection).await.expect("changes");
}

#[tokio::test]
async fn secrets_are_sealed_for_the_organisation_that_the_app_is_in() {
    let world = World::new().await;
    let (actions, developer, shop) = (&world.actions, &world.developer, &world.shop);
    let globex = world.store().ensure_organization("globex").await.expect("makes it");
    let known = actions.create_webhook(developer, shop, WebhookProvider::Github).await.expect("makes it").webhook;
    macro_rules! waits_and_is_refused {
        ($call:expr) => {{
            let mut transaction = hold(&world).await;
            let call = $call;
            tokio::pin!(call);
            until_it_waits(world.pool(), &mut call).await;
            move_to(&mut transaction, &world, globex.id).await;
            transaction.commit().await.expect("commits");
            let refused = call.await.map(drop).expect_err("is refused");
            assert!(matches!(&refused, Error::Conflict(words) if words.contains("moved")), "{refused}");
            move_to(&mut *world.pool().acquire().await.expect("connects"), &world, world.acme.id).await;
        }};
    }
    waits_and_is_refused!(actions.create_webhook(developer, shop, WebhookProvider::Github));
    waits_and_is_refused!(actions.rotate_webhook(developer, shop, known.id));
    waits_and_is_refused!(actions.create_deploy_key(developer, shop));
    let change = RepositoryChange { report_status: Some(false), ..RepositoryChange::default() };
    waits_and_is_refused!(actions.change_repository(developer, shop, change));
    assert_eq!(actions.webhooks(developer, shop).await.expect("lists").len(), 1);
    assert_eq!(actions.repository(developer, shop).await.expect("reads").deploy_key, None);
    world.close().await;
}

#[tokio::test]
async fn scaling_costs_what_it_changes() {
    let world = World::new().await;
    world.release(world.app.id).await;
    let standard = world.actions.move_to_plan(&world.developer, &world.shop, "standard", false).await.expect("moves");
    let price = standard.begun.app.price_per_hour;
    let wanted: Formation = [("web".parse().expect("is a type"), 2)].into();
    let mut transaction = hold(&world).await;
    let mut scaling = Box::pin(world.actions.scale(&world.developer, &world.shop, &wanted, false));
    until_it_waits(world.pool(), &mut scaling).await;
    let three = "INSERT INTO paas_process_formation (application_id, process_type, replicas) VALUES ($1, 'web', $2)";
    run(&mut transaction, three, &world, 3).await;
    transaction.commit().await.expect("commits");
    let scaled = scaling.as_mut().await.expect("scales");
    drop(scaling);
    assert_eq!((scaled.cost.before, scaled.cost.after), (price.times(3), price.times(2)));

    // The release that comes meanwhile has no such process.
    let mut transaction = hold(&world).await;
    let worker: Formation = [("worker".parse().expect("is a type"), 1)].into();
    let mut scaling = Box::pin(world.actions.scale(&world.developer, &world.shop, &worker, false));
    until_it_waits(world.pool(), &mut scaling).await;
    let without =
        "UPDATE paas_deployments SET process_types = '{\"web\": \"serve\"}', slug_bytes = $2 WHERE application_id = $1";
    run(&mut transaction, without, &world, 1).await;
    transaction.commit().await.expect("commits");
    let refused = scaling.as_mut().await.expect_err("is refused");
    drop(scaling);
    assert!(refused.to_string().contains("no process type \"worker\""), "{refused}");
    world.close().await;
}

#[tokio::test]
async fn limits_that_two_admins_set_at_once_are_both_set() {
    let world = World::new().await;
    let acme = world.organization();
    let limits = OrganizationLimits { max_apps: Some(Some(3)), ..OrganizationLimits::default() };
    let mut transaction = world.pool().begin().await.expect("begins");
    sqlx::query("UPDATE organizations SET max_concurrent_builds = 2 WHERE id = $1")
        .bind(world.acme.id)
        .execute(&mut *transaction)
        .await
        .expect("sets");
    let mut limiting = Box::pin(world.actions.limit_organization(&world.admin, &acme, limits));
    until_it_waits(world.pool(), &mut limiting).await;
    transaction.commit().await.expect("commits");
    let limited = limiting.as_mut().await.expect("sets");
    drop(limiting);
    assert_eq!((limited.max_apps, limited.max_concurrent_builds), (Some(3), Some(2)));
    let log = world.actions.audit_log(&world.admin, &AuditFilter::default(), None, 1).await.expect("reads");
    assert_eq!((&log[0].before["max_concurrent_builds"], &log[0].before["max_apps"]), (&2.into(), &Value::Null));

    let mut transaction = world.pool().begin().await.expect("begins");
    sqlx::query("UPDATE organizations SET owners_allow_app_creation = false WHERE id = $1")
        .bind(world.acme.id)
        .execute(&mut *transaction)
        .await
        .expect("sets");
    let mut allowing = Box::pin(world.actions.set_app_creation(&world.owner, &acme, true));
    until_it_waits(world.pool(), &mut allowing).await;
    transaction.commit().await.expect("commits");
    allowing.as_mut().await.expect("sets");
    drop(allowing);
    let log = world.actions.audit_log(&world.admin, &AuditFilter::default(), None, 1).await.expect("reads");
    assert_eq!(log[0].before["owners_allow_app_creation"], false, "what it was in truth");
    world.close().await;
}

#[tokio::test]
async fn two_admins_who_demote_each_other_at_once_leave_one() {
    let world = World::new().await;
    let other = person(world.store(), "other@x.io", None, true).await;
    let demote = UserChange { is_admin: Some(false), disabled: None };
    let id = |actor: &Actor| actor.user_id().expect("is a user");
    let mut transaction = world.pool().begin().await.expect("begins");
    sqlx::query("SELECT FROM users FOR UPDATE").execute(&mut *transaction).await.expect("holds");
    let mut both = Box::pin(async {
        tokio::join!(
            world.actions.change_user(&world.admin, id(&other), demote),
            world.actions.change_user(&other, id(&world.admin), demote),
        )
    });
    until_they_wait(world.pool(), 2, &mut both).await;
    transaction.commit().await.expect("commits");
    let (one, another) = both.as_mut().await;
    drop(both);
    assert!(matches!((&one, &another), (Ok(_), Err(Error::Conflict(_))) | (Err(Error::Conflict(_)), Ok(_))));
    assert!(world.store().has_admin().await.expect("looks"));
    world.close().await;
}

/// While a host is asked, another changes the connection; even what nobody can see of it, such as the token.
#[tokio::test]
async fn a_connection_that_another_has_changed_is_not_overwritten() {
    let world = World::new().await;
    let (actions, developer, shop) = (&world.actions, &world.developer, &world.shop);
    let host = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let url = format!("http://git.example.test:{}/acme/shop.git", host.local_addr().expect("has one").port());
    let mut transaction = hold(&world).await;
    sqlx::query("UPDATE paas_applications SET git_url = $2 WHERE id = $1")
        .bind(world.app.id)
        .bind(&url)
        .execute(&mut *transaction)
        .await
        .expect("connects");
    transaction.commit().await.expect("commits");

    let branch = RepositoryChange { git_branch: Some("next".to_owned()), ..RepositoryChange::default() };
    let changing = actions.change_repository(developer, shop, branch);
    let meanwhile = async {
        // Whoever connects without asking anything only looks whether somebody is there.
        let mut asked = loop {
            let (mut caller, _) = host.accept().await.expect("is asked");
            let mut request = Vec::new();
            while let Ok(byte) = caller.read_u8().await {
                request.push(byte);
                if request.ends_with(b"\r\n\r\n") {
                    break;
                }
            }
            if !request.is_empty() {
                break caller;
            }
        };
        let sealed = "INSERT INTO paas_repositories (application_id, token) VALUES ($1, '\\x00')";
        sqlx::query(sealed).bind(world.app.id).execute(world.pool()).await.expect("changes");
        let head = "001e# service=git-upload-pack\n0000";
        let refs = "00401111111111111111111111111111111111111111 refs/heads/next\0 x\n0000";
        let body = format!("{head}{refs}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        asked.write_all(answer.as_bytes()).await.expect("answers");
    };
    let (changed, ()) = tokio::join!(changing, meanwhile);
    let refused = changed.expect_err("is refused");
    assert!(matches!(&refused, Error::Conflict(words) if words.contains("changed by somebody else")), "{refused}");
    let kept: (Vec<u8>,) =
        sqlx::query_as("SELECT token FROM paas_repositories").fetch_one(world.pool()).await.expect("reads");
    assert_eq!(kept.0, [0]);
    world.close().await;
}
