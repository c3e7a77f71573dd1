//! A real name server for one test: `pebble-challtestsrv` of the Debian package `pebble`, which answers what it is told.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ports::free_port;

pub(crate) struct NameServer {
    child: Child,
    /// Where it answers, over UDP and TCP.
    pub(crate) address: SocketAddr,
    management: SocketAddr,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let [address, management] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let child = Command::new("pebble-challtestsrv")
            .args(["-dns01", &address.to_string(), "-management", &management.to_string()])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv4", "", "-defaultIPv6", ""])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts; infra/dev/prepare test installs it");
        let server = Self { child, address, management };
        until_open(management).await;
        until_open(address).await;
        server
    }

    /// Sets the TXT record of a name.
    pub(crate) async fn set_txt(&self, name: &str, value: &str) {
        self.tell("set-txt", &json!({ "host": format!("{name}."), "value": value })).await;
    }

    pub(crate) async fn clear_txt(&self, name: &str) {
        self.tell("clear-txt", &json!({ "host": format!("{name}.") })).await;
    }

    pub(crate) async fn set_addresses(&self, name: &str, addresses: &[&str]) {
        self.tell("clear-a", &json!({ "host": name })).await;
        self.tell("add-a", &json!({ "host": name, "addresses": addresses })).await;
    }

    pub(crate) async fn set_alias(&self, name: &str, target: &str) {
        self.tell("set-cname", &json!({ "host": name, "target": target })).await;
    }

    pub(crate) async fn clear_alias(&self, name: &str) {
        self.tell("clear-cname", &json!({ "host": name })).await;
    }

    /// From now on questions about a name are answered with SERVFAIL.
    pub(crate) async fn fail(&self, name: &str) {
        self.tell("set-servfail", &json!({ "host": name })).await;
    }

    pub(crate) async fn answer(&self, name: &str) {
        self.tell("clear-servfail", &json!({ "host": name })).await;
    }

    /// From now on no question is answered.
    pub(crate) fn stop(&mut self) {
        self.child.kill().expect("ends");
        self.child.wait().expect("ended");
    }

    async fn tell(&self, path: &str, body: &Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.management).await.expect("connects");
        let request = format!(
            "POST /{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.management,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path} {body}: {answer}");
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn until_open(address: SocketAddr) {
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{address} opens");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
