//! Log drains: where an app's lines are forwarded to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use hyper::Uri;

use super::{AppId, LogDrainId};
use crate::Error;

/// Longest address in bytes.
const MAX_LENGTH: usize = 2_048;

text_enum! {
    /// How lines are forwarded.
    DrainKind {
        /// Syslog (RFC 5424) over TCP.
        Syslog = "syslog",
        /// The same over TLS.
        SyslogTls = "syslog+tls",
        /// As JSON, to an HTTPS endpoint.
        Https = "https",
    }
}

/// A drain of an app, without what lets a sender in.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LogDrain {
    /// Its id.
    pub id: LogDrainId,
    /// The app whose lines it forwards.
    pub application_id: AppId,
    /// What may be shown of where to, such as `syslog+tls://logs.example.com:6514`.
    pub shown_address: String,
    /// When it was made; what was written before is not forwarded.
    pub created_at: DateTime<Utc>,
    /// Since when nothing gets there; none while all is well.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why.
    pub last_error: Option<String>,
}

/// The whole address of a drain: `syslog://host:port`, `syslog+tls://host:port` or `https://[user:password@]host/path`.
/// Neither `Debug` nor `Display` show what may let somebody in.
#[derive(Clone, PartialEq, Eq)]
pub struct DrainAddress {
    text: String,
    /// How lines are forwarded.
    pub kind: DrainKind,
    /// A lower-case name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query, of HTTPS.
    pub path: String,
    /// User name and password, of HTTPS: `user:password`.
    pub login: Option<String>,
}

impl DrainAddress {
    /// All of it, to be kept sealed.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for DrainAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DrainAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, host, port, .. } = self;
        if host.contains(':') { write!(f, "{kind}://[{host}]:{port}") } else { write!(f, "{kind}://{host}:{port}") }
    }
}

impl FromStr for DrainAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::field(
                "url",
                format!(
                    "{why} Give an address such as syslog+tls://logs.example.com:6514, syslog://logs.example.com:514 or \
                     https://logs.example.com/path."
                ),
            )
        };
        let text = text.trim();
        if text.len() > MAX_LENGTH || text.contains('#') {
            return Err(wrong("That is no address."));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("That is no address."))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let kind: DrainKind =
            scheme.parse().map_err(|_| wrong("Lines go to syslog, syslog+tls or https addresses."))?;
        let authority = uri.authority().ok_or_else(|| wrong("That is no address."))?.as_str();
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(decoded(login)), place),
            None => (None, authority),
        };
        let port = match (uri.port_u16(), kind) {
            (Some(port), _) if port > 0 => port,
            // A port that is none would be read as no port.
            (None, DrainKind::Https) if !place.rsplit(']').next().is_some_and(|end| end.contains(':')) => 443,
            _ => return Err(wrong("The port is missing or wrong.")),
        };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if !is_host(&host) {
            return Err(wrong("The host is none."));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        if kind != DrainKind::Https && (login.is_some() || !matches!(path.as_str(), "" | "/")) {
            return Err(wrong("A syslog address has only a host and a port."));
        }
        Ok(Self { text: text.to_owned(), kind, host, port, path, login })
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.parse::<IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(is_label))
}

/// Without the percent signs of addresses.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = behind.get(..2).filter(|_| *first == b'%');
        let byte = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_their_parts_and_show_no_secret() {
        for (text, host, port, path, shown) in [
            ("syslog://Logs.example.com:514", "logs.example.com", 514, "/", "syslog://logs.example.com:514"),
            ("syslog+tls://[2606:2800::1]:6514/", "2606:2800::1", 6514, "/", "syslog+tls://[2606:2800::1]:6514"),
            (
                "https://logs.example.com/in?token=s3cr3t",
                "logs.example.com",
                443,
                "/in?token=s3cr3t",
                "https://logs.example.com:443",
            ),
        ] {
            let address: DrainAddress = text.parse().expect(text);
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert!(address.kind != DrainKind::Https || address.path == path, "{text}");
            assert_eq!((address.to_string(), format!("{address:?}")), (shown.to_owned(), shown.to_owned()));
            assert_eq!(address.reveal(), text);
        }
        let address: DrainAddress = "https://me:pass%40word@logs.example.com:8443/x".parse().expect("is one");
        assert_eq!(address.login.as_deref(), Some("me:pass@word"));
        assert_eq!(address.to_string(), "https://logs.example.com:8443");
        for wrong in [
            "",
            "logs.example.com:514",
            "http://logs.example.com",
            "syslog://logs.example.com",
            "syslog://logs.example.com:0",
            "syslog://logs.example.com:70000",
            "https://logs.example.com:x/",
            "syslog://me@logs.example.com:514",
            "syslog+tls://logs.example.com:514/path",
            "https://",
            "https://a b/",
            "https://logs.example.com/#x",
            "https://logs..example.com/",
        ] {
            assert!(wrong.parse::<DrainAddress>().is_err(), "{wrong}");
        }
    }
}
