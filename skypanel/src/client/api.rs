//! The platform's HTTP API, as far as logging in needs it: one request a connection, bounded in time and size.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skypanel_core::network::{Guard, HttpClient, HttpRequest, Networks, SystemResolver};
use skypanel_core::{Error, Result};

/// The platform at one address.
pub(crate) struct Api {
    client: HttpClient,
    address: WebAddress,
}

/// Where an API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebAddress {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

impl WebAddress {
    /// Reads `https://HOST[:PORT][/PATH]`; without a scheme it is https. Unencrypted ones are taken only on this very
    /// machine, or where `insecure` says so.
    pub(crate) fn parse(typed: &str, insecure: bool) -> Result<Self> {
        let wrong =
            || Error::Invalid(format!("{typed:?} is no address of a platform. It looks like https://paas.example."));
        let (tls, rest) = match typed.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err(wrong()),
            None => (true, typed),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let standard = if tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (authority, standard),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if host.is_empty() || !host.chars().all(plain) || path.contains(['?', '#', ' ']) {
            return Err(wrong());
        }
        let here = host == "localhost"
            || host.ends_with(".localhost")
            || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        if !tls && !here && !insecure {
            return Err(Error::Invalid(format!(
                "{typed} is not encrypted: your token could be read on its way. Use https://, or say --insecure if you \
                 trust the network between here and there."
            )));
        }
        Ok(Self { tls, host: host.to_lowercase(), port, path: path.trim_end_matches('/').to_owned() })
    }
}

impl std::fmt::Display for WebAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, standard) = if self.tls { ("https", 443) } else { ("http", 80) };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{host}")?;
        if self.port != standard {
            write!(f, ":{}", self.port)?;
        }
        if !self.path.is_empty() {
            write!(f, "/{}", self.path)?;
        }
        Ok(())
    }
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The platform said no: the status, its code for the reason, and the reason in words.
    Refused(u16, String, String),
    /// It did not answer, or not as a platform does.
    Silent(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused(401, _, message) => Self::Unauthenticated(message),
            Refusal::Refused(403, _, message) => Self::Forbidden(message),
            Refusal::Refused(404, _, message) => Self::NotFound(message),
            Refusal::Refused(409, _, message) => Self::Conflict(message),
            Refusal::Refused(_, _, message) => Self::Invalid(message),
            Refusal::Silent(message) => Self::Upstream(message),
        }
    }
}

/// An error as the API writes it.
#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    code: String,
    #[serde(default)]
    details: Value,
}

impl ErrorBody {
    /// The reason, with what is wrong with which field.
    fn words(&self) -> String {
        let fields = self.details["fields"].as_object().into_iter().flatten();
        let problems: Vec<&str> = fields.filter_map(|(_, problem)| problem.as_str()).collect();
        if problems.is_empty() { self.error.clone() } else { problems.join(" ") }
    }
}

impl Api {
    pub(crate) fn at(address: WebAddress) -> Result<Self> {
        // What the user names is what is meant, wherever it is.
        let everywhere: Networks = "0.0.0.0/0, ::/0".parse()?;
        Ok(Self { client: HttpClient::new(Guard::new(Arc::new(SystemResolver), everywhere)), address })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, token: Option<&str>) -> Result<T, Refusal> {
        self.read(Method::GET, path, token, None).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<T, Refusal> {
        self.read(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, token: Option<&str>) -> Result<(), Refusal> {
        self.call(Method::DELETE, path, token, None).await.map(drop)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<T, Refusal> {
        let answered = self.call(method, path, token, body).await?;
        serde_json::from_slice(&answered).map_err(|_| self.no_platform())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Bytes, Refusal> {
        let prefix = if self.address.path.is_empty() { String::new() } else { format!("/{}", self.address.path) };
        let mut headers = vec![("accept", "application/json".to_owned())];
        if let Some(token) = token {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let request = HttpRequest {
            method,
            tls: self.address.tls,
            host: self.address.host.clone(),
            port: self.address.port,
            path: format!("{prefix}{path}"),
            headers,
            body: body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())),
        };
        let answer = self.client.call(request).await.map_err(Refusal::Silent)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        match serde_json::from_slice::<ErrorBody>(&answer.body) {
            Ok(error) => Err(Refusal::Refused(answer.status, error.code.clone(), error.words())),
            Err(_) => Err(self.no_platform()),
        }
    }

    fn no_platform(&self) -> Refusal {
        Refusal::Silent(format!("What answers at {} is no Skypanel, or not one that this client knows.", self.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_brought_to_one_form() {
        for (typed, expected) in [
            ("paas.example", "https://paas.example"),
            ("https://PaaS.example/", "https://paas.example"),
            ("https://paas.example:443", "https://paas.example"),
            ("https://paas.example:8443/panel/", "https://paas.example:8443/panel"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(WebAddress::parse(typed, false).expect(typed).to_string(), expected);
        }
        for wrong in
            ["", "https://", "ftp://paas.example", "https://a b", "https://paas.example:x", "https://x/?a", "-x y"]
        {
            assert!(WebAddress::parse(wrong, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tokens_travel_unencrypted_only_where_that_is_wanted() {
        let error = WebAddress::parse("http://paas.example", false).expect_err("is refused").to_string();
        assert!(error.contains("--insecure"), "{error}");
        assert!(WebAddress::parse("http://paas.example", true).is_ok());
        assert!(WebAddress::parse("http://127.0.0.1.evil.example", false).is_err());
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let read = |text: &str| serde_json::from_str::<ErrorBody>(text).expect("is one").words();
        assert_eq!(read(r#"{"error":"No.","code":"X","details":{}}"#), "No.");
        let fields =
            r#"{"error":"Some fields are wrong.","code":"X","details":{"fields":{"public_key":"That is no key."}}}"#;
        assert_eq!(read(fields), "That is no key.");
    }
}
