//! A console over a WebSocket: what it passes on, who may open one, and when it ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use skypanel_api::Api;
use skypanel_core::actions::Scope;
use skypanel_core::console::{Console, LogLine, LogQuery, OneOff, OneOffSession, Output, ProcessState};
use skypanel_core::model::Application;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use crate::browser::Browser;
use crate::releases::{audited, running};
use crate::serving::options;
use crate::world::World;

/// Longest anything here may take.
const SOON: Duration = Duration::from_secs(20);

/// An engine whose only process says what it was started as, repeats what it is sent, tells of its terminal's size, and
/// ends at a `q`.
struct Echo;

#[async_trait]
impl Console for Echo {
    async fn logs(
        &self,
        _app: &Application,
        _query: LogQuery,
    ) -> skypanel_core::Result<BoxStream<'static, skypanel_core::Result<LogLine>>> {
        Ok(futures_util::stream::empty().boxed())
    }

    async fn processes(&self, _app: &Application) -> skypanel_core::Result<Vec<ProcessState>> {
        Ok(Vec::new())
    }

    async fn run(&self, _app: &Application, one_off: OneOff) -> skypanel_core::Result<OneOffSession> {
        let (input, mut typed) = mpsc::channel::<Bytes>(8);
        let (writes, output) = mpsc::channel(8);
        let (resize, mut sizes) = mpsc::channel::<(u16, u16)>(8);
        let (exits, exit) = oneshot::channel();
        tokio::spawn(async move {
            let terminal = one_off.terminal.expect("has one");
            let begun = format!("{} {}x{}", one_off.command, terminal.columns, terminal.rows);
            let _ = writes.send(Output::Stdout(begun.into())).await;
            loop {
                let written = tokio::select! {
                    bytes = typed.recv() => match bytes {
                        Some(bytes) if bytes.as_ref() != b"q" => bytes,
                        _ => break,
                    },
                    Some((columns, rows)) = sizes.recv() => format!("{columns}x{rows}").into(),
                };
                if writes.send(Output::Stdout(written)).await.is_err() {
                    return;
                }
            }
            drop(writes);
            let _ = exits.send(7);
        });
        Ok(OneOffSession { input, output, resize, exit })
    }
}

struct Served {
    world: World,
    address: String,
    cancel: CancellationToken,
    running: JoinHandle<skypanel_core::Result<()>>,
}

impl Served {
    async fn start() -> Self {
        let mut world = World::of_one_process().await;
        world.actions.console = Arc::new(Echo);
        world.serve_alone(options());
        let api = Api::bind(world.actions.clone(), options()).await.expect("binds");
        let address = api.addresses().expect("has addresses").0.to_string();
        let cancel = CancellationToken::new();
        let running = tokio::spawn(api.run(cancel.clone()));
        Self { world, address, cancel, running }
    }

    /// Opens a console with these headers; the status of the refusal if there is one.
    async fn open(&self, app: &str, headers: &[(&str, &str)]) -> Result<WebSocketStream<TcpStream>, u16> {
        let mut request =
            format!("ws://{}/api/paas/apps/{app}/console", self.address).into_client_request().expect("is a request");
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().expect("is a name");
            request.headers_mut().insert(name, value.parse().expect("is a value"));
        }
        let stream = TcpStream::connect(&self.address).await.expect("connects");
        match tokio::time::timeout(SOON, tokio_tungstenite::client_async(request, stream)).await.expect("answers") {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn open_by(&self, name: &str) -> Result<WebSocketStream<TcpStream>, u16> {
        let token = self.world.token(name, Scope::Manage).await;
        self.open("shop", &[("authorization", &format!("Bearer {token}"))]).await
    }

    async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(SOON, self.running).await.expect("stops").expect("does not panic").expect("stops well");
        self.world.close().await;
    }
}

async fn begin(socket: &mut WebSocketStream<TcpStream>) {
    let begin = json!({ "command": "bash", "columns": 80, "rows": 24 });
    socket.send(Message::text(begin.to_string())).await.expect("sends");
}

/// The next message that is no ping; none once it is closed.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Option<Message> {
    loop {
        match tokio::time::timeout(SOON, socket.next()).await.expect("comes in time") {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(message)) => return Some(message),
        }
    }
}

async fn told(socket: &mut WebSocketStream<TcpStream>) -> Value {
    match next(socket).await {
        Some(Message::Text(text)) => serde_json::from_str(&text).expect("is JSON"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_typed_and_written_passes_to_the_exit_status() {
    let served = Served::start().await;
    running(&served.world, "shop").await;
    let mut socket = served.open_by("developer").await.expect("opens");
    begin(&mut socket).await;
    assert_eq!(next(&mut socket).await, Some(Message::binary(&b"bash 80x24"[..])));
    socket.send(Message::binary(&b"\x1b[31m\xff"[..])).await.expect("sends");
    assert_eq!(next(&mut socket).await, Some(Message::binary(&b"\x1b[31m\xff"[..])));
    socket.send(Message::text(json!({ "columns": 0, "rows": 9_999 }).to_string())).await.expect("sends");
    assert_eq!(next(&mut socket).await, Some(Message::binary(&b"1x1000"[..])));
    socket.send(Message::binary(&b"q"[..])).await.expect("sends");
    assert_eq!(told(&mut socket).await, json!({ "exit": 7 }));
    assert_eq!(next(&mut socket).await, None);
    assert!(audited(&served.world).await.contains(&"app.run".to_owned()));
    served.stop().await;
}

#[tokio::test]
async fn only_those_who_may_change_the_app_open_one_and_only_from_our_pages() {
    let served = Served::start().await;
    running(&served.world, "shop").await;
    for (who, status) in [("viewer", 403), ("outsider", 404), ("loner", 404)] {
        assert_eq!(served.open_by(who).await.err(), Some(status), "{who}");
    }
    assert_eq!(served.open("shop", &[]).await.err(), Some(401));
    let reads = served.world.token("owner", Scope::Read).await;
    let reads = format!("Bearer {reads}");
    assert_eq!(served.open("shop", &[("authorization", &reads)]).await.err(), Some(403));
    let browser = Browser::logged_in(&served.world, "owner").await;
    let cookie = format!("skypanel_session={}", browser.cookies["skypanel_session"]);
    assert_eq!(served.open("shop", &[("cookie", &cookie)]).await.err(), Some(403), "says no page");
    for page in ["https://evil.example", "http://shop.paas.example", "null"] {
        let headers = [("cookie", cookie.as_str()), ("origin", page)];
        assert_eq!(served.open("shop", &headers).await.err(), Some(403), "{page}");
    }
    let ours = [("cookie", cookie.as_str()), ("origin", "http://paas.example")];
    served.open("shop", &ours).await.expect("opens");
    // Without the handshake it is no console.
    served.world.get("/api/paas/apps/shop/console").by("owner").send().await.fails(426, "WEB_SOCKET_NEEDED");
    served.stop().await;
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    let served = Served::start().await;
    served.world.app("shop").await;
    for (first, reason) in [
        (json!({ "command": "bash", "columns": 80, "rows": 24 }), "no release yet"),
        (json!({ "command": " ", "columns": 80, "rows": 24 }), "Give a command"),
        (json!({ "command": "bash" }), "The first message"),
    ] {
        let mut socket = served.open_by("owner").await.expect("opens");
        socket.send(Message::text(first.to_string())).await.expect("sends");
        let told = told(&mut socket).await;
        assert!(told["error"].as_str().is_some_and(|error| error.contains(reason)), "{told}");
        assert_eq!(next(&mut socket).await, None);
    }
    served.stop().await;
}

#[tokio::test]
async fn a_console_ends_with_the_right_to_it_and_with_the_server() {
    let served = Served::start().await;
    running(&served.world, "shop").await;
    let mut socket = served.open_by("developer").await.expect("opens");
    begin(&mut socket).await;
    next(&mut socket).await.expect("begins");
    let member = format!("/api/organizations/acme/members/{}", served.world.users["developer"].id);
    served.world.delete(&member).by("owner").send().await.is(204);
    assert!(told(&mut socket).await["error"].as_str().is_some_and(|error| error.contains("not run")));
    assert_eq!(next(&mut socket).await, None);

    let mut socket = served.open_by("owner").await.expect("opens");
    begin(&mut socket).await;
    next(&mut socket).await.expect("begins");
    served.stop().await;
    assert_eq!(next(&mut socket).await, None);
}
