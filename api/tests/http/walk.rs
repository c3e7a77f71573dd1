//! The authorisation walk: every operation of the OpenAPI document, asked for by those who may, and by those who may not.
//! A new route is walked as soon as it is there.

use axum::body::to_bytes;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use skypanel_core::actions::Scope;

use crate::browser::Browser;
use crate::requests::body;
use crate::things::{Things, things};
use crate::world::{Call, PASSWORD, World};

/// What anybody may ask for. Whatever else turns up without a caller is a mistake.
const PUBLIC: &[&str] = &[
    "get /api/health",
    "get /api/health/live",
    "get /api/health/ready",
    "get /api/platform",
    "post /api/auth/device",
    "post /api/auth/device/token",
    "post /api/auth/invitation",
    "post /api/auth/login",
    "post /api/auth/logout",
    "post /api/auth/refresh",
    "post /api/auth/sign-up",
    "post /api/webhooks/{provider}/{token}",
];
/// Read by admins, too, though it is not below /api/admin.
const METRICS: &str = "get /metrics";
/// What is read by owners alone.
const OWNERS_READ: &[&str] = &[
    "get /api/organizations/{organization}/audit",
    "get /api/organizations/{organization}/invitations",
    "get /api/organizations/{organization}/notifications",
    "get /api/organizations/{organization}/notifications/{id}/messages",
];
/// What answers as if it were not there even to those who may, and why.
pub(crate) const NOT_THERE_EITHER_WAY: &[(&str, &str)] = &[
    ("post /api/paas/apps/{app}/rollback", "there is no release to go back to"),
    ("get /api/organizations/{organization}/invoices/{month}", "nothing was charged in that month"),
    ("get /api/auth/device/{user_code}", "browsers alone may look, and one does at the end"),
    ("post /api/auth/device/{user_code}", "browsers alone may decide, and one does at the end"),
];

/// One operation, ready to be asked for.
pub(crate) struct Operation {
    method: Method,
    /// Method and path as in the document.
    pub(crate) name: String,
    /// With everything filled in.
    pub(crate) uri: String,
    pub(crate) body: Option<(String, String)>,
    public: bool,
    /// Whether it is about things of `acme`.
    pub(crate) of_acme: bool,
}

impl Operation {
    pub(crate) fn is_of_admins(&self) -> bool {
        self.name.contains(" /api/admin/") || self.name == METRICS
    }

    /// Whether it is about one thing of the owner's own.
    fn is_of_owner(&self) -> bool {
        self.name.contains(" /api/me/") && self.name.contains('{')
    }

    fn writes(&self) -> bool {
        self.method != Method::GET
    }

    pub(crate) fn is_in(&self, list: &[&str]) -> bool {
        list.contains(&self.name.as_str())
    }

    /// The answer to `call`, as soon as it begins.
    pub(crate) async fn open(&self, mut call: Call<'_>) -> Response {
        if let Some((content_type, body)) = &self.body {
            call = call.header("content-type", content_type).body(body.clone());
        }
        call.open().await
    }

    /// Status and text of the answer to `call`; of live streams, which have no end, the status alone.
    pub(crate) async fn ask(&self, call: Call<'_>) -> (u16, String) {
        let answered = self.open(call).await;
        let status = answered.status().as_u16();
        if self.uri.ends_with("/stream") {
            return (status, String::new());
        }
        let text = to_bytes(answered.into_body(), 16 * 1024 * 1024).await.expect("ends");
        (status, String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) fn call<'a>(&self, world: &'a World) -> Call<'a> {
        world.call(self.method.clone(), &self.uri)
    }
}

/// Those who ask, beside the people of the world with their tokens for everything.
struct Others {
    owner_reads: String,
    admin_reads: String,
    admin_deploys: String,
    /// Ended on the way.
    spare: String,
    owner_browser: Browser,
    outsider_browser: Browser,
}

impl Others {
    async fn of(world: &World) -> Self {
        Self {
            owner_reads: world.token("owner", Scope::Read).await,
            admin_reads: world.token("admin", Scope::Read).await,
            admin_deploys: world.token("admin", Scope::Deploy).await,
            spare: world.token("owner", Scope::Manage).await,
            owner_browser: Browser::logged_in(world, "owner").await,
            outsider_browser: Browser::logged_in(world, "outsider").await,
        }
    }
}

/// What went otherwise than it should.
#[derive(Default)]
pub(crate) struct Findings(pub(crate) Vec<String>);

impl Findings {
    pub(crate) fn look(
        &mut self,
        who: &str,
        operation: &Operation,
        (status, text): &(u16, String),
        fine: impl Fn(u16) -> bool,
    ) {
        if !fine(*status) {
            let text: String = text.chars().take(300).collect();
            self.0.push(format!("{who}: {} {}: {status} {text}", operation.method, operation.uri));
        }
    }

    pub(crate) fn none(self) {
        assert!(self.0.is_empty(), "{} answers are wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Whether the caller was let in, whatever came of it.
pub(crate) fn let_in(status: u16) -> bool {
    !matches!(status, 401 | 403 | 404 | 500..)
}

fn refused(status: u16) -> bool {
    matches!(status, 403 | 404)
}

#[tokio::test]
async fn everybody_gets_where_they_belong_and_nobody_elsewhere() {
    let world = World::unlimited().await;
    let things = things(&world).await;
    let others = Others::of(&world).await;
    let operations = operations(&things);
    assert!(operations.len() > 100, "the document is walked");
    let public: Vec<&str> = operations.iter().filter(|one| one.public).map(|one| one.name.as_str()).collect();
    assert_eq!(public, PUBLIC);

    let mut findings = Findings::default();
    for operation in operations.iter().filter(|one| !one.public && !one.writes()) {
        those_who_may(&world, &others, operation, &mut findings).await;
    }
    for (number, operation) in operations.iter().filter(|one| !one.public).enumerate() {
        // Guessing is slowed down for each address, which is not what is looked at here.
        let from = format!("198.51.{}.{}", number / 200, number % 200 + 1);
        those_without_a_name(&world, operation, &from, &mut findings).await;
        if operation.is_of_admins() {
            all_but_admins(&world, &others, operation, &mut findings).await;
        } else if operation.of_acme || operation.is_of_owner() {
            those_of_elsewhere(&world, &others, operation, &mut findings).await;
        } else if !operation.writes() {
            nothing_of_acme_is_shown(&world, operation, &things, &mut findings).await;
        }
        if operation.of_acme && !operation.is_of_admins() {
            viewers_and_readers(&world, &others, operation, &mut findings).await;
        }
    }
    // What was refused changed nothing: all of it is there for those who may.
    for operation in writes(&operations) {
        those_who_may(&world, &others, operation, &mut findings).await;
    }
    findings.none();
    world.close().await;
}

/// What changes something and is not for everybody. What takes most away comes last.
pub(crate) fn writes(operations: &[Operation]) -> Vec<&Operation> {
    let mut writes: Vec<&Operation> = operations.iter().filter(|one| !one.public && one.writes()).collect();
    writes.sort_by_key(|one| {
        let takes_away = match one.name.as_str() {
            name if name.ends_with("/suspend") => 1,
            "post /api/auth/logout-all" => 3,
            name if name.starts_with("delete ") => 2,
            _ => 0,
        };
        (takes_away, if takes_away == 2 { usize::MAX - one.name.len() } else { 0 })
    });
    writes
}

async fn those_who_may(world: &World, others: &Others, operation: &Operation, findings: &mut Findings) {
    if NOT_THERE_EITHER_WAY.iter().any(|(name, _)| operation.name == *name) {
        return;
    }
    let who = if operation.is_of_admins() { "admin" } else { "owner" };
    let call = operation.call(world);
    let ends_its_token = operation.name == "delete /api/auth/token";
    let call = if ends_its_token { call.token(&others.spare) } else { call.by(who) };
    findings.look(&format!("{who}, who may"), operation, &operation.ask(call).await, let_in);
}

async fn those_without_a_name(world: &World, operation: &Operation, from: &str, findings: &mut Findings) {
    let only_401 = |status| status == 401;
    findings.look("nobody", operation, &operation.ask(operation.call(world)).await, only_401);
    let made_up = operation.call(world).token("skp_x").from(from);
    findings.look("a made-up token", operation, &operation.ask(made_up).await, only_401);
    let cookie = operation.call(world).header("cookie", "skypanel_session=x.y.z").header("x-csrf-token", "0");
    findings.look("a made-up session", operation, &operation.ask(cookie).await, only_401);
}

async fn all_but_admins(world: &World, others: &Others, operation: &Operation, findings: &mut Findings) {
    for who in ["owner", "outsider"] {
        findings.look(who, operation, &operation.ask(operation.call(world).by(who)).await, refused);
    }
    if operation.name == METRICS {
        // A Prometheus has a token of an admin that can do nothing else.
        let read = operation.ask(operation.call(world).token(&others.admin_reads)).await;
        findings.look("admin's reading token", operation, &read, let_in);
        return;
    }
    for (who, token) in
        [("admin's reading token", &others.admin_reads), ("admin's deploying token", &others.admin_deploys)]
    {
        findings.look(who, operation, &operation.ask(operation.call(world).token(token)).await, refused);
    }
}

/// A member of another organisation, in two ways, and somebody who is in none.
async fn those_of_elsewhere(world: &World, others: &Others, operation: &Operation, findings: &mut Findings) {
    for who in ["outsider", "loner"] {
        findings.look(who, operation, &operation.ask(operation.call(world).by(who)).await, refused);
    }
    let call = others.outsider_browser.call(world, operation.method.clone(), &operation.uri);
    findings.look("outsider in a browser", operation, &operation.ask(call).await, refused);
    if operation.writes() {
        let cookie = format!("skypanel_session={}", others.owner_browser.cookies["skypanel_session"]);
        let forged = operation.call(world).header("cookie", &cookie);
        findings
            .look("owner's browser on a foreign page", operation, &operation.ask(forged).await, |status| status == 403);
    }
}

async fn viewers_and_readers(world: &World, others: &Others, operation: &Operation, findings: &mut Findings) {
    let viewer = operation.ask(operation.call(world).by("viewer")).await;
    let reader = operation.ask(operation.call(world).token(&others.owner_reads)).await;
    if operation.writes() {
        findings.look("viewer", operation, &viewer, refused);
        findings.look("owner's reading token", operation, &reader, refused);
    } else if operation.is_in(OWNERS_READ) {
        findings.look("viewer", operation, &viewer, |status| status == 403);
        findings.look("developer", operation, &operation.ask(operation.call(world).by("developer")).await, |status| {
            status == 403
        });
    } else if !NOT_THERE_EITHER_WAY.iter().any(|(name, _)| operation.name == *name) {
        findings.look("viewer", operation, &viewer, let_in);
        findings.look("owner's reading token", operation, &reader, let_in);
    }
}

async fn nothing_of_acme_is_shown(world: &World, operation: &Operation, things: &Things, findings: &mut Findings) {
    for who in ["outsider", "loner"] {
        let (status, text) = operation.ask(operation.call(world).by(who)).await;
        let acme = world.acme.id.to_string();
        let secrets = [things.get("app_id"), &acme, "\"acme\"", "owner@example.com"];
        if let Some(part) = secrets.into_iter().find(|part| text.contains(part)) {
            findings.0.push(format!("{who}: {} shows {part}: {status} {text}", operation.uri));
        }
    }
}

#[tokio::test]
async fn a_device_is_decided_about_by_a_browser_and_no_token() {
    let world = World::new().await;
    let things = things(&world).await;
    let path = format!("/api/auth/device/{}", things.get("user_code"));
    for who in ["owner", "admin"] {
        world.get(&path).by(who).send().await.fails(403, "FORBIDDEN");
        world.post(&path).by(who).json(&json!({ "approve": true })).send().await.fails(403, "FORBIDDEN");
    }
    let mut browser = Browser::logged_in(&world, "owner").await;
    browser.get(&world, &path).await.is(200);
    browser.post(&world, &path, json!({ "approve": true })).await.is(204);
    world.close().await;
}

pub(crate) fn operations(things: &Things) -> Vec<Operation> {
    let document = serde_json::to_value(skypanel_api::openapi()).expect("is JSON");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("has paths") {
        for (method, operation) in item.as_object().expect("has operations") {
            let Ok(parsed) = method.to_uppercase().parse::<Method>() else { continue };
            let security = operation.get("security").and_then(Value::as_array);
            let public = security.is_some_and(|list| list.contains(&json!({})));
            let name = format!("{method} {path}");
            let mut body = body(&document, operation);
            let mut of_acme = ["{app}", "{organization}", "/api/paas/jobs/"].iter().any(|part| path.contains(part));
            let takes_organization = names_organization(&document, operation);
            if let Some((_, text)) = &mut body
                && takes_organization
            {
                let mut filled: Value = serde_json::from_str(text).expect("is JSON");
                filled["organization"] = json!("acme");
                *text = filled.to_string();
                of_acme = true;
            }
            if path == "/api/me/invitations/accept" {
                body = Some(("application/json".to_owned(), json!({ "token": things.get("invited") }).to_string()));
            }
            if path == "/api/auth/login" || path == "/api/me/totp" {
                let code = (method == "delete").then_some("000000");
                let known =
                    code.map_or(json!({ "password": PASSWORD }), |code| json!({ "password": PASSWORD, "code": code }));
                body = Some(("application/json".to_owned(), known.to_string()));
            }
            let uri = filled(things, path);
            let queries = operation["parameters"].as_array().into_iter().flatten();
            if queries.clone().any(|one| one["in"] == "query" && one["name"] == "organization") {
                let uri = format!("{uri}?organization=acme");
                let (name, body, method) = (name.clone(), body.clone(), parsed.clone());
                operations.push(Operation { method, name, uri, body, public, of_acme: true });
            }
            operations.push(Operation { method: parsed, name, uri, body, public, of_acme });
        }
    }
    operations.sort_by(|one, other| one.name.cmp(&other.name));
    operations
}

/// Whether the body of an operation can say which organisation it is for.
fn names_organization(document: &Value, operation: &Value) -> bool {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let reference = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
    document["components"]["schemas"][reference]["properties"].get("organization").is_some()
}

/// The path with what is there.
fn filled(things: &Things, path: &str) -> String {
    let part = |part: &str| {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else { return part.to_owned() };
        if name != "id" {
            return things.get(name).to_owned();
        }
        let end = path.find("{id}").map_or(path.len(), |at| at + "{id}".len());
        things.get(&path[..end]).to_owned()
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
