//! A platform with a past of many rows: no query of the API or of the workers reads a big table from end to end.
//! PostgreSQL itself tells, by the counters of its statistics, so that no query is forgotten.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request};
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use skypanel_core::model::{
    AppId, AppStatus, Artifact, CertificateStatus, DeploymentId, DeploymentStatus, DomainId, NoChanges, OrganizationId,
    ReleaseBefore, Sha256Digest, Stage, UserId,
};
use skypanel_core::store::{Incident, SeenCertificate, StoredCache};
use sqlx::PgPool;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::requests;
use crate::serving::options;
use crate::world::World;

const PAST: &str = include_str!("../../../infra/dev/large-platform.sql");
const ADMIN: &str = "skp_large_admin";
const OWNER: &str = "skp_large_owner";
const MEMBER: &str = "skp_large_member";
/// From so many rows on a table is big.
const BIG: f32 = 1_000.0;
/// After five times PostgreSQL may choose a plan for all values of the parameters; every connection counts for itself.
const OFTEN: usize = 24;

/// Reads that want all of a table's rows, which no index makes quicker, and why.
const WHOLE: &[(&str, &str, &str)] = &[
    ("apps(None)", "paas_applications", "what the agent and clean-up compare with what there is"),
    ("routed_domains()", "paas_applications", "all routes are written together"),
    ("routed_domains()", "paas_domains", "all routes are written together"),
    ("caches_in_use()", "paas_build_cache", "what clean-up compares with the blobs that there are"),
    ("images_in_use()", "paas_deployments", "what clean-up compares with the blobs that there are"),
    ("/overview", "users", "it counts all of them"),
    ("/metrics", "users", "it counts all of them"),
    ("drop_old_streams()", "paas_deployments", "it looks for streams without any"),
    ("settle_usage()", "paas_applications", "it holds all apps of an organisation that has half of them"),
    ("/billing/settle", "paas_applications", "likewise"),
    ("DELETE /api/admin/paas/plans/", "paas_applications", "a quarter of all apps is on that plan"),
    ("group=day", "paas_usage_days", "all days of an organisation that has half of all apps"),
    ("/api/paas/requests", "paas_applications", "the ids of all apps, or of half of them, are wanted"),
    ("/large-1/invoices", "paas_usage_months", "all months of an organisation that has half of all apps"),
];

struct Large {
    world: World,
    counted: BTreeMap<String, i64>,
    /// What was read as a whole, and by what.
    found: Vec<String>,
}

impl Large {
    async fn new() -> Self {
        let mut world = World::new().await;
        let unlimited = skypanel_api::ApiOptions { requests_per_minute: None, ..options() };
        world.serve_alone(unlimited);
        let pool = world.store().pool();
        let mut connection = pool.acquire().await.expect("connects");
        // Clean-up goes by the database's own clock.
        world.actions.clock.set(Utc::now());
        let now = Utc::now().to_rfc3339();
        sqlx::query("SELECT set_config('large.now', $1, false), set_config('large.hours', '100', false)")
            .bind(now)
            .execute(&mut *connection)
            .await
            .expect("sets");
        sqlx::raw_sql(PAST).execute(&mut *connection).await.expect("fills");
        sqlx::query("VACUUM ANALYZE").execute(&mut *connection).await.expect("analyzes");
        drop(connection);
        let counted = whole_reads(pool).await;
        Self { world, counted, found: Vec::new() }
    }

    /// Adds what was read as a whole since the last time to what was found.
    async fn look(&mut self, what: &str) {
        let now = whole_reads(self.world.store().pool()).await;
        for (table, scans) in &now {
            let expected = WHOLE.iter().any(|(call, of, _)| what.replace(" (", "(").contains(call) && of == table);
            if self.counted.get(table) != Some(scans) && !expected {
                self.found.push(format!("{what}: {table}"));
            }
        }
        self.counted = now;
    }

    /// Asks, and answers the status and the body; of a live stream no more than its head.
    async fn ask(&mut self, method: &Method, uri: &str, token: &str, body: Option<(String, String)>) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(uri).header("authorization", format!("Bearer {token}"));
        let mut content = Body::empty();
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type);
            content = Body::from(body);
        }
        let peer = skypanel_api::Peer(SocketAddr::from(([192, 0, 2, 7], 4711)));
        let request = request.extension(peer).body(content).expect("is a request");
        let (head, body) = self.world.router.clone().oneshot(request).await.expect("answers").into_parts();
        let live = head.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let bytes = if live { Bytes::new() } else { to_bytes(body, 16 << 20).await.expect("ends") };
        self.look(&format!("{method} {uri}")).await;
        // Secrets of the past cannot be opened, so that some writes fail half-way.
        if method == Method::GET && head.status.is_server_error() && head.status != 503 {
            self.found.push(format!("{method} {uri}: {} {}", head.status, String::from_utf8_lossy(&bytes)));
        }
        (head.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn end(self) {
        assert!(self.found.is_empty(), "read as a whole, or not answered:\n{}", self.found.join("\n"));
        self.world.close().await;
    }
}

/// Big tables, and how often each was read from end to end.
async fn whole_reads(pool: &PgPool) -> BTreeMap<String, i64> {
    // Every connection keeps its own count for a while. All but the one that live streams listen on come back by
    // themselves.
    let back = async {
        while pool.num_idle() + 1 < usize::try_from(pool.size()).expect("is small") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), back).await.expect("all connections come back");
    let mut connections = Vec::new();
    while let Some(connection) = pool.try_acquire() {
        connections.push(connection);
    }
    for connection in &mut connections {
        // It tells when it has nothing else to do, which is over when it answers again.
        for ask in ["SELECT pg_stat_force_next_flush()", "SELECT 1"] {
            sqlx::query(ask).execute(&mut **connection).await.expect("flushes");
        }
    }
    drop(connections);
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "SELECT pg_class.relname::text, seq_scan FROM pg_stat_user_tables JOIN pg_class ON pg_class.oid = relid
         WHERE reltuples >= $1 ORDER BY 1",
    )
    .bind(BIG)
    .fetch_all(pool)
    .await
    .expect("counts");
    counts.into_iter().collect()
}

/// An id as the past has it.
async fn id_of(pool: &PgPool, name: &str) -> Uuid {
    let (id,) = sqlx::query_as("SELECT md5($1)::uuid").bind(name).fetch_one(pool).await.expect("answers");
    id
}

/// The path with things of the past; of app `number` where it is about an app.
async fn filled(pool: &PgPool, path: &str, organization: &str, number: u32) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            parts.push(part.to_owned());
            continue;
        };
        let of = |kind: &str| format!("{kind} {number}");
        parts.push(match name {
            "app" => format!("large-app-{number:04}"),
            "organization" => organization.to_owned(),
            "user" => id_of(pool, "user 101").await.to_string(),
            "id" if path.contains("/jobs/") => id_of(pool, &(of("deployment") + " 9")).await.to_string(),
            "id" if path.contains("/sessions/") => id_of(pool, "session 2000").await.to_string(),
            "id" if path.contains("/tokens/") => id_of(pool, "token 3").await.to_string(),
            "id" if path.contains("/admin/paas/notifications/") => id_of(pool, "target 0").await.to_string(),
            "id" if path.contains("/notifications/") => {
                id_of(pool, &organization.replace("large-", "target ")).await.to_string()
            }
            "id" => id_of(pool, "invitation 50").await.to_string(),
            "deployment" => id_of(pool, &(of("deployment") + " 9")).await.to_string(),
            "domain" => id_of(pool, &(of("domain") + " 1")).await.to_string(),
            "drain" => Uuid::nil().to_string(),
            "webhook" => id_of(pool, &of("webhook")).await.to_string(),
            "delivery" => id_of(pool, &(of("delivery") + " 5")).await.to_string(),
            "token" => id_of(pool, &of("webhook")).await.simple().to_string(),
            "fingerprint" => "SHA256:unknown".to_owned(),
            "key" => "VAR_1".to_owned(),
            "month" => a_while_ago("%Y-%m"),
            "node" => "one".to_owned(),
            "job" => "1".to_owned(),
            "plan" => "00000000-0000-4000-8000-000000000001".to_owned(),
            "provider" => "github".to_owned(),
            "user_code" => "CODE-5".to_owned(),
            other => panic!("{path} has {other}: say what it is to be"),
        });
    }
    parts.join("/")
}

/// Queries that narrow a list down, each by one of its parameters.
async fn narrowed(pool: &PgPool, operation: &Value) -> Vec<String> {
    let mut queries = vec![a_while_ago("from=%FT05:00:00Z&to=") + &Utc::now().format("%FT07:00:00Z").to_string()];
    let mut known = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        if parameter["in"] != "query" || ["cursor", "to"].contains(&name) {
            continue;
        }
        known.push(name);
        let values = match name {
            "organization" => vec!["large-1".to_owned(), "large-2".to_owned()],
            "organization_id" => vec![id_of(pool, "organization 1").await.to_string()],
            "user_id" => vec![id_of(pool, "user 7").await.to_string()],
            "app" => vec!["large-app-0002".to_owned()],
            "target" => vec![id_of(pool, "app 2").await.to_string()],
            "target_kind" => vec!["app".to_owned(), "user".to_owned()],
            "action" => ["app.scale", "app.", "settings."].map(str::to_owned).to_vec(),
            "address" => vec!["192.0.2.7".to_owned(), "192.0.2.255".to_owned()],
            "status" => ["running", "failed", "building"].map(str::to_owned).to_vec(),
            "search" => vec!["large".to_owned(), "nothing".to_owned()],
            "since" | "until" => vec![a_while_ago("%FT00:00:00Z"), "2020-01-01T00:00:00Z".to_owned()],
            "resolved" => vec!["true".to_owned(), "false".to_owned()],
            "month" => vec![a_while_ago("%Y-%m")],
            "group" => ["app", "process", "plan", "day"].map(str::to_owned).to_vec(),
            "limit" => vec!["1".to_owned(), "100".to_owned()],
            "lines" => vec!["1".to_owned()],
            "process" => vec!["web".to_owned()],
            "dry_run" | "no_cache" => vec!["true".to_owned()],
            "description" | "from" => Vec::new(),
            _ => told(&parameter["schema"]),
        };
        queries.extend(values.into_iter().map(|value| format!("{name}={value}")));
    }
    if !known.contains(&"from") {
        queries.remove(0);
    }
    queries
}

/// A time within what the past has hours of, as text.
fn a_while_ago(format: &str) -> String {
    (Utc::now() - TimeDelta::days(3)).format(format).to_string()
}

/// Values that a schema itself names.
fn told(schema: &Value) -> Vec<String> {
    let named = schema["enum"].as_array().cloned().unwrap_or_default();
    let values = named.iter().chain(schema.get("example")).chain(schema.get("default"));
    values.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
}

/// All operations of the document, those that read or those that write.
fn operations(reads: bool) -> Vec<(String, Method, Value)> {
    let document = serde_json::to_value(skypanel_api::openapi()).expect("is JSON");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("has paths") {
        for (method, operation) in item.as_object().expect("has operations") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            if (method == Method::GET) == reads {
                operations.push((path.clone(), method, operation.clone()));
            }
        }
    }
    operations
}

#[tokio::test]
async fn no_big_table_is_read_as_a_whole() {
    let mut large = Large::new().await;
    ask_for_all_that_is_read(&mut large).await;
    do_what_pushes_and_jobs_do(&mut large).await;
    ask_for_all_that_is_written(&mut large).await;
    large.end().await;
}

async fn ask_for_all_that_is_read(large: &mut Large) {
    let tables: Vec<&str> = large.counted.keys().map(String::as_str).collect();
    for table in ["paas_applications", "paas_deployments", "paas_resource_usage", "wallet_ledger", "paas_audit_log"] {
        assert!(tables.contains(&table), "{table} is not among {tables:?}");
    }
    let pool = large.world.store().pool().clone();
    for (path, method, operation) in operations(true) {
        // The second page is one of its own: it begins after something.
        let uri = filled(&pool, &path, "large-1", 2).await;
        let tokens: &[&str] = if path.starts_with("/api/admin/") { &[ADMIN] } else { &[OWNER, MEMBER, ADMIN] };
        for query in [String::new()].into_iter().chain(narrowed(&pool, &operation).await) {
            let uri = if query.is_empty() { uri.clone() } else { format!("{uri}?{query}") };
            let mut statuses = Vec::new();
            for token in tokens {
                let (status, page) = large.ask(&method, &uri, token, None).await;
                statuses.push(status);
                if let Some(cursor) = page["next_cursor"].as_str() {
                    let and = if query.is_empty() { '?' } else { '&' };
                    statuses.push(large.ask(&method, &format!("{uri}{and}cursor={cursor}"), token, None).await.0);
                }
            }
            // Whoever may ask got an answer; devices are only shown to sessions, and there is no engine.
            if !statuses.contains(&200) && !statuses.contains(&503) && !path.starts_with("/api/auth/device/") {
                large.found.push(format!("{method} {uri}: {statuses:?}"));
            }
        }
        // What is only looked up by its key has one plan at any rate.
        let often = if narrowed(&pool, &operation).await.is_empty() { 0 } else { OFTEN };
        for _ in 0..often {
            large.ask(&method, &uri, tokens[0], None).await;
        }
    }
}

async fn ask_for_all_that_is_written(large: &mut Large) {
    let document = serde_json::to_value(skypanel_api::openapi()).expect("is JSON");
    let pool = large.world.store().pool().clone();
    // What ends the session's own token, user or organisation comes last; each write has an app of its own.
    let mut operations = operations(false);
    operations.sort_by_key(|(path, method, _)| (method == Method::DELETE, path.clone()));
    for (number, (path, method, operation)) in (3u32..).step_by(2).zip(operations) {
        // An admin, who may do all of it, with things of small organisations: in half of a table no index helps.
        let own = ["/api/me", "/api/auth"].iter().any(|area| path.starts_with(area));
        let (token, organization) = if own { (OWNER, "large-1") } else { (ADMIN, "large-2") };
        let uri = filled(&pool, &path, organization, number).await;
        let body = requests::body(&document, &operation);
        large.ask(&method, &uri, token, body).await;
    }
}

async fn do_what_pushes_and_jobs_do(large: &mut Large) {
    let pool = large.world.store().pool().clone();
    let store = large.world.store().clone();
    // Versions 5 to 10 are kept. The newest deployment of the 100th app waits for its build.
    let (id, waiting) = (AppId(id_of(&pool, "app 2").await), DeploymentId(id_of(&pool, "deployment 100 10").await));
    let (organization, user) =
        (OrganizationId(id_of(&pool, "organization 1").await), UserId(id_of(&pool, "user 1").await));
    let deployment = DeploymentId(id_of(&pool, "deployment 2 10").await);
    let domain = DomainId(id_of(&pool, "domain 2 1").await);
    let app = store.app(id).await.expect("is there");
    // Nobody has the key to those of the past.
    let forget = sqlx::query("DELETE FROM paas_environment_vars WHERE application_id = $1");
    forget.bind(id).execute(&pool).await.expect("forgets");
    let (slug, now) = (app.slug.clone(), large.world.actions.clock.now());
    let image = Sha256Digest::of(b"image");
    let artifact =
        Artifact { image, slug: Some(image), bytes: 1, buildpack: "python".to_owned(), processes: BTreeMap::default() };
    let cache = StoredCache { application_id: id, cache_key: "key".to_owned(), blob_digest: image, bytes: 1 };
    let seen = SeenCertificate { status: CertificateStatus::Active, issuer: None, expires_at: None, problem: None };
    macro_rules! look_at {
        ($($call:ident($($argument:expr),*);)+) => {$(
            if let Err(error) = store.$call($($argument),*).await {
                large.found.push(format!("{}: {error:?}", stringify!($call)));
            }
            large.look(stringify!($call($($argument),*))).await;
        )+};
    }
    look_at! {
        identify("SHA256:unknown");
        knows_key("SHA256:unknown");
        ssh_keys(user);
        user("large-1@example.com");
        identity(user);
        emails(&[user]);
        has_admin();
        settings();
        app_by_slug(&slug);
        apps(Some(&[OrganizationId(id_of(&pool, "organization 2").await)]));
        apps(None);
        quotas(organization);
        ensure_funds(organization);
        unfinished_deployments(id);
        take_turn(waiting, true);
        start_stage(waiting, Stage::Build, now);
        config_vars(id);
        deployment(waiting);
        deployment_source(waiting);
        release_before(id);
        save_changes(id, deployment, &ReleaseBefore::default(), Err(NoChanges::FirstRelease));
        stored_changes(deployment);
        repository(id);
        use_build_cache(id, "key");
        set_artifact(waiting, &artifact);
        put_build_cache(&cache);
        finish_stage(waiting, Stage::Build, false);
        assign_version(waiting, 1);
        advance_deployment(waiting, DeploymentStatus::Deploying);
        report_app_status(id, AppStatus::Deploying);
        formation(id);
        complete_deployment(waiting);
        report_app_status(id, AppStatus::Running);
        record_event(id, None, "deploy", "Deployed");
        stages(deployment);
        releases(id, 10);
        release(id, "v9".parse().expect("is a version"));
        stream_text(deployment.into());
        prune_releases(id, 3);
        routed_domains();
        take_due_domains(now + TimeDelta::minutes(5), 20);
        certificates_due(now + TimeDelta::hours(2), 20);
        note_certificate(domain, &seen, now);
        all_unfinished_deployments();
        expire_build_caches(30);
        drop_old_streams();
        images_in_use();
        give_up_sources(id);
        sources(id);
        sources_in_use();
        caches_in_use();
        drop_build_caches(id);
        apps_that_fail(now - TimeDelta::days(1), 3);
        deployments_ended(now - TimeDelta::hours(1));
        stage_time(Stage::Build, now - TimeDelta::hours(1));
        incidents(Incident::Crash, now - TimeDelta::hours(1), 3);
        apps_given_up(1);
        certificates_that_fail(now + TimeDelta::days(14));
        low_wallets([72, 24], 0.9);
        budgets_used(skypanel_core::model::Month::of(now), 80);
        held_by_wallets(1);
        unsettled_since(now);
        billing_differences(now.date_naive());
        requeue_notifications(now);
        drop_old_alerts(now - TimeDelta::days(90));
        deployment_outcomes();
        stage_outcomes();
        delete_app(id);
    }
    large.world.actions.clock.advance(Duration::from_hours(2));
    look_at! {
        settle_usage();
    }
}

#[tokio::test]
async fn what_refers_to_a_row_is_found_by_an_index() {
    let world = World::new().await;
    let lacking: Vec<(String,)> = sqlx::query_as(
        "SELECT conname::text FROM pg_constraint WHERE contype = 'f' AND NOT EXISTS (
             SELECT FROM pg_index WHERE indrelid = conrelid
             AND (indkey::int2[])[0:array_length(conkey, 1) - 1] @> conkey)
         ORDER BY conname",
    )
    .fetch_all(world.store().pool())
    .await
    .expect("lists");
    assert!(lacking.is_empty(), "foreign keys without an index: {lacking:?}");
    world.close().await;
}
