//! The calls of Loki's HTTP API that we make, and what it answers.
//! See <https://grafana.com/docs/loki/latest/reference/loki-http-api/>.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use form_urlencoded::Serializer;
use hyper::{Method, Uri};
use skypanel_core::network::{Connection, HttpAnswer, HttpClient, HttpRequest};
use skypanel_core::settings::HttpAddress;
use skypanel_core::{Error, Result};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, ClientRequestBuilder};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Most bytes of an answer: a page of long lines, written as JSON.
const MAX_ANSWER: usize = 64 << 20;
/// Most characters of a refusal that are passed on.
const SHOWN: usize = 300;
/// Has what is beside a line told apart from the labels of its stream. Without it a tail leaves it out.
const APART: (&str, &str) = ("x-loki-response-encoding-flags", "categorize-labels");

/// The way to a Loki. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Api {
    http: HttpClient,
    address: HttpAddress,
    tenant: String,
}

/// New lines as they come.
pub(super) type Socket = WebSocketStream<Connection>;

/// What came of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// All lines are kept.
    Taken,
    /// Some lines, or all where that is not told, will never be taken, for this reason; the others are kept.
    Refused { lines: Option<u64>, why: String },
}

/// A range of times in nanoseconds since 1970; the end is no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Api {
    pub(super) fn new(http: HttpClient, address: HttpAddress, tenant: String) -> Self {
        Self { http: http.with_answers_up_to(MAX_ANSWER), address, tenant }
    }

    /// Hands lines over: `POST /loki/api/v1/push`.
    pub(super) async fn push(&self, body: &[u8]) -> Result<Pushed> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = packed.write_all(body).and_then(|()| packed.finish());
        let packed = packed.map_err(|error| Error::System(format!("Lines for the Loki cannot be packed: {error}.")))?;
        let headers = vec![("content-type", "application/json".to_owned()), ("content-encoding", "gzip".to_owned())];
        let answer = self.call(Method::POST, "/loki/api/v1/push", headers, packed.into()).await?;
        match answer.status {
            // Other good answers are none: one that is told to take nothing for a while says 260.
            200 | 204 => Ok(Pushed::Taken),
            400 | 413 | 422 => {
                let why = shown(&answer.body);
                Ok(Pushed::Refused { lines: ignored(&why), why })
            }
            _ => Err(self.refused("took no lines", answer.status, &answer.body)),
        }
    }

    /// Asks for lines: `GET /loki/api/v1/query_range`; at most `limit`, the newest or the oldest of the span.
    pub(super) async fn query(&self, query: &str, span: Span, limit: usize, newest: bool) -> Result<Bytes> {
        let parameters = Serializer::new(String::new())
            .append_pair("query", query)
            .append_pair("start", &span.start.to_string())
            .append_pair("end", &span.end.to_string())
            .append_pair("limit", &limit.to_string())
            .append_pair("direction", if newest { "backward" } else { "forward" })
            .finish();
        let path = format!("/loki/api/v1/query_range?{parameters}");
        let headers = vec![(APART.0, APART.1.to_owned())];
        let answer = self.call(Method::GET, &path, headers, Bytes::new()).await?;
        match answer.status {
            200 => Ok(answer.body),
            400 => Err(Error::Invalid(format!("The Loki does not take this search: {}.", shown(&answer.body)))),
            _ => Err(self.refused("did not answer a query", answer.status, &answer.body)),
        }
    }

    /// Opens `GET /loki/api/v1/tail`, which begins with at most `limit` lines since `start`. The caller limits how long
    /// that may take.
    pub(super) async fn tail(&self, query: &str, start: i64, limit: usize) -> Result<Socket> {
        let HttpAddress { tls, host, port, prefix } = &self.address;
        let parameters = Serializer::new(String::new())
            .append_pair("query", query)
            .append_pair("start", &start.to_string())
            .append_pair("limit", &limit.to_string())
            .finish();
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let uri: Uri = format!("ws://{authority}{prefix}/loki/api/v1/tail?{parameters}")
            .parse()
            .map_err(|error| self.unreachable(&format!("Its address has no right form: {error}.")))?;
        let mut request = ClientRequestBuilder::new(uri).with_header(APART.0, APART.1);
        if !self.tenant.is_empty() {
            request = request.with_header("x-scope-orgid", &self.tenant);
        }
        let connection = self.http.open(*tls, host, *port).await.map_err(|reason| self.unreachable(&reason))?;
        let config = WebSocketConfig::default().max_message_size(Some(MAX_ANSWER)).max_frame_size(Some(MAX_ANSWER));
        match client_async_with_config(request, connection, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                Err(self.refused("does not tell new lines", answer.status().as_u16(), body))
            }
            Err(error) => Err(self.unreachable(&format!("{error}."))),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        mut headers: Vec<(&'static str, String)>,
        body: Bytes,
    ) -> Result<HttpAnswer> {
        if !self.tenant.is_empty() {
            headers.push(("x-scope-orgid", self.tenant.clone()));
        }
        let HttpAddress { tls, host, port, prefix } = &self.address;
        let (host, path) = (host.clone(), format!("{prefix}{path}"));
        let request = HttpRequest { method, tls: *tls, host, port: *port, path, headers, body };
        self.http.call(request).await.map_err(|reason| self.unreachable(&reason))
    }

    pub(super) fn unreachable(&self, reason: &str) -> Error {
        Error::Upstream(format!("The Loki at {} cannot be reached. {reason}", self.address.host))
    }

    fn refused(&self, what: &str, status: u16, body: &[u8]) -> Error {
        let (host, why) = (&self.address.host, shown(body));
        Error::Upstream(format!("The Loki at {host} {what}; it answered {status}: {why}. Look into its own log."))
    }
}

/// What an answer says, in one line.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    text.trim().trim_end_matches('.').to_owned()
}

/// How many lines of a push were left out, where a Loki tells: `… total ignored: 3 out of 10 for stream …`.
fn ignored(why: &str) -> Option<u64> {
    why.split_once("total ignored: ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_counted() {
        let why = "entry with timestamp 2026-03-01 ignored, reason: 'entry too far behind', \
                   user 'fake', total ignored: 3 out of 10 for stream: {app=\"shop\"}";
        assert_eq!(ignored(why), Some(3));
        assert_eq!(ignored("no such thing"), None);
    }
}
