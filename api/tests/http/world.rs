//! The API without a listener, over a real database with a few people: what the tests of handlers stand on. Two processes
//! of it take turns at answering, so that nothing can be in the memory of one that the other would have to know.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use skypanel_api::ApiOptions;
use skypanel_core::actions::{Actions, Actor, Scope};
use skypanel_core::blob::LocalBlobs;
use skypanel_core::model::{AppSlug, Application, Organization, Role, User};
use skypanel_core::store::{Identity, NewUser, Store};
use skypanel_observer::logs::{EmbeddedLogs, LogStoreOptions};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::document;
use crate::serving::{actions, options};
use crate::support::Database;

/// Password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Everything a test of a handler needs. People, each with a token of the scope `manage` unless told otherwise:
/// `owner`, `developer` and `viewer` of the organisation `acme`; `outsider`, who owns `globex`; `loner`, who is in no
/// organisation; `admin` of the platform, likewise in none.
pub(crate) struct World {
    pub(crate) router: Router,
    /// Of another process of the API on the same database: the two take turns.
    other: Option<Router>,
    asked: AtomicUsize,
    pub(crate) actions: Actions,
    pub(crate) acme: Organization,
    pub(crate) globex: Organization,
    pub(crate) users: HashMap<&'static str, User>,
    tokens: HashMap<&'static str, String>,
    /// What apps wrote; the other process only reads it.
    pub(crate) logs: EmbeddedLogs,
    database: Database,
    directory: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(options()).await
    }

    /// With any number of requests a minute.
    pub(crate) async fn unlimited() -> Self {
        Self::with(ApiOptions { requests_per_minute: None, ..options() }).await
    }

    async fn with(options: ApiOptions) -> Self {
        let database = Database::new().await;
        let directory = tempfile::tempdir().expect("makes a directory");
        let blobs = Arc::new(LocalBlobs::open(&directory.path().join("blobs")).expect("opens"));
        let mut actions = actions(database.store(), blobs).await;
        let logs_directory = directory.path().join("logs");
        let logs = EmbeddedLogs::open(&logs_directory, LogStoreOptions::default()).expect("opens");
        actions.logs = Arc::new(logs.clone());
        let store = &actions.store;
        let acme = store.ensure_organization("acme").await.expect("makes it");
        let globex = store.ensure_organization("globex").await.expect("makes it");
        let mut world = Self {
            router: skypanel_api::router(actions.clone(), options.clone()),
            other: None,
            asked: AtomicUsize::new(0),
            actions: actions.clone(),
            acme: acme.clone(),
            globex: globex.clone(),
            users: HashMap::new(),
            tokens: HashMap::new(),
            logs,
            database,
            directory,
        };
        let other = world.other_process().await;
        world.other = Some(skypanel_api::router(other, options));
        for (name, role) in [("owner", Role::Owner), ("developer", Role::Developer), ("viewer", Role::Viewer)] {
            world.person(name, Some((&acme, role))).await;
        }
        world.person("outsider", Some((&globex, Role::Owner))).await;
        world.person("loner", None).await;
        world.person("admin", None).await;
        world
    }

    /// For what each process counts for itself.
    pub(crate) async fn of_one_process() -> Self {
        let mut world = Self::new().await;
        world.serve_alone(options());
        world
    }

    /// Has one process answer everything, with these options and the actions as they are now.
    pub(crate) fn serve_alone(&mut self, options: ApiOptions) {
        self.router = skypanel_api::router(self.actions.clone(), options);
        self.other = None;
    }

    /// What another process on this database has in its memory.
    pub(crate) async fn other_process(&self) -> Actions {
        let store = self.database.another_store().await;
        let other = actions(&store, self.actions.blobs.clone()).await;
        let clock = self.actions.clock.clone();
        let logs = Arc::new(EmbeddedLogs::reader(&self.directory.path().join("logs")));
        Actions { store: store.with_clock(clock.clone()), clock, logs, ..other }
    }

    /// Whose turn it is.
    fn process(&self) -> Router {
        match &self.other {
            Some(other) if self.asked.fetch_add(1, Ordering::Relaxed) % 2 == 1 => other.clone(),
            _ => self.router.clone(),
        }
    }

    async fn person(&mut self, name: &'static str, member: Option<(&Organization, Role)>) {
        let store = &self.actions.store;
        let email = format!("{name}@example.com");
        let new = NewUser { email: &email, password: PASSWORD, is_admin: name == "admin" };
        let user = store.create_user(new).await.expect("makes a user");
        if let Some((organization, role)) = member {
            store.set_member(organization.id, user.id, role).await.expect("joins");
        }
        self.users.insert(name, user);
        let token = self.token(name, Scope::Manage).await;
        self.tokens.insert(name, token);
    }

    /// An app of `acme`.
    pub(crate) async fn app(&self, slug: &str) -> Application {
        let slug: AppSlug = slug.parse().expect("is a slug");
        self.store().create_app(&slug, &self.acme).await.expect("makes an app")
    }

    /// Another token of somebody.
    pub(crate) async fn token(&self, name: &str, scope: Scope) -> String {
        let actor = self.actor(name).await;
        let (_, token) = self.actions.create_token(&actor, "test", scope, None).await.expect("makes a token");
        token.as_str().to_owned()
    }

    /// Somebody as actions know them.
    pub(crate) async fn actor(&self, name: &str) -> Actor {
        let identity: Identity = self.store().identity(self.users[name].id).await.expect("answers").expect("is a user");
        Actor::browser(identity, None, None)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.actions.store
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Call<'_> {
        self.call(Method::POST, path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request = Request::builder().method(method).uri(path);
        let address = [192, 0, 2, 7].into();
        Call { world: self, request, body: Body::empty(), address }
    }

    pub(crate) async fn close(self) {
        let Self { router, other, actions, database, .. } = self;
        // Live streams hold a connection for as long as anybody could follow one.
        drop((router, other, actions));
        database.close().await;
    }
}

/// A request to be sent.
pub(crate) struct Call<'a> {
    world: &'a World,
    request: axum::http::request::Builder,
    body: Body,
    address: IpAddr,
}

impl Call<'_> {
    /// With the token of somebody in the world.
    pub(crate) fn by(self, name: &str) -> Self {
        let token = self.world.tokens[name].clone();
        self.token(&token)
    }

    /// From another address than usual.
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.address = address.parse().expect("is an address");
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = Body::from(body.to_string());
        self.header("content-type", "application/json")
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Answers as soon as the answer begins: for those that have no end.
    pub(crate) async fn open(self) -> Response {
        let request = self.request.extension(skypanel_api::Peer(SocketAddr::new(self.address, 4711)));
        let request = request.body(self.body).expect("is a request");
        self.world.process().oneshot(request).await.expect("answers")
    }

    pub(crate) async fn send(self) -> Answered {
        let peer = SocketAddr::new(self.address, 4711);
        let request = self.request.extension(skypanel_api::Peer(peer)).body(self.body).expect("is a request");
        let (method, uri) = (request.method().clone(), request.uri().to_string());
        let response = self.world.process().oneshot(request).await.expect("answers");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 16 * 1024 * 1024).await.expect("ends");
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        document::holds(&method, &uri, parts.status, &parts.headers, &json);
        Answered { status: parts.status, headers: parts.headers, json, text: String::from_utf8_lossy(&bytes).into() }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Null if it is none.
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Answered {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    /// Asserts an error with that code, and that it has the form of all errors.
    #[track_caller]
    pub(crate) fn fails(self, status: u16, code: &str) -> Self {
        let answered = self.is(status);
        assert_eq!(answered.json["code"], code, "{answered:#?}");
        assert_eq!(answered.json["request_id"], answered.headers["x-request-id"].to_str().expect("is text"));
        assert!(answered.json["error"].as_str().is_some_and(|text| text.ends_with('.')), "{answered:#?}");
        answered
    }

    /// Why the field was refused.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        self.json["details"]["fields"][name].as_str().unwrap_or_else(|| panic!("{name} is not named: {self:#?}"))
    }

    /// Status and body, for a snapshot. Redact what differs from run to run: ids, hashes, times of errors.
    pub(crate) fn snapshot(&self) -> Value {
        json!({ "status": self.status.as_u16(), "body": self.json })
    }

    /// Values of all cookies that were set, by name.
    pub(crate) fn cookies(&self) -> HashMap<String, String> {
        let lines = self.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = lines.filter_map(|line| line.split(';').next()?.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
