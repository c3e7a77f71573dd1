//! What kinds of values settings have, and their text forms.

use std::net::{Ipv4Addr, SocketAddr};

use hyper::Uri;

use super::SettingKind;
use crate::network::Networks;

/// Text forms of the values settings have.
pub(super) trait SettingValue: Sized {
    const KIND: SettingKind;
    fn parse(text: &str) -> Result<Self, String>;
    fn show(&self) -> String;
    /// All there are, where those are a few words.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }
}

/// Longest text of a setting, in bytes.
const MAX_TEXT: usize = 4_096;

impl SettingValue for u64 {
    const KIND: SettingKind = SettingKind::Number;
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "a whole number".to_owned())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for bool {
    const KIND: SettingKind = SettingKind::Switch;
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "true or false".to_owned())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for String {
    const KIND: SettingKind = SettingKind::Text;
    fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err("text without control characters".to_owned());
        }
        if text.len() > MAX_TEXT {
            return Err(format!("text of at most {MAX_TEXT} bytes"));
        }
        Ok(text.to_owned())
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl SettingValue for Networks {
    const KIND: SettingKind = SettingKind::Text;
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "ranges of addresses separated by commas, such as 192.168.10.0/24, fd00::/8".to_owned())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

text_enum! {
    /// Where blobs are kept.
    StorageBackend {
        /// In the data directory.
        Local = "local",
        /// In a bucket.
        S3 = "s3",
    }
}

text_enum! {
    /// Where logs are kept and read from.
    LogBackend {
        /// In the data directory of each machine.
        Embedded = "embedded",
        /// In a Loki, to which each machine's agent hands them over.
        Loki = "loki",
    }
}

text_enum! {
    /// Where metrics are read from.
    MetricsBackend {
        /// The files that this machine's agent writes.
        Embedded = "embedded",
        /// A Prometheus that asks the agents.
        Prometheus = "prometheus",
    }
}

text_enum! {
    /// How the connection to the mail server is encrypted.
    MailSecurity {
        /// After the greeting, or not at all: then nothing is sent.
        StartTls = "starttls",
        /// From the beginning.
        Tls = "tls",
        /// Never.
        None = "none",
    }
}

macro_rules! choices {
    ($($type:ty = $form:literal),+ $(,)?) => {$(
        impl SettingValue for $type {
            const KIND: SettingKind = SettingKind::Choice;
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| $form.to_owned())
            }
            fn show(&self) -> String {
                self.to_string()
            }
            fn words() -> Vec<&'static str> {
                Self::ALL.iter().map(|choice| choice.as_str()).collect()
            }
        }
    )+};
}

choices! {
    LogBackend = "embedded or loki",
    MailSecurity = "starttls, tls or none",
    MetricsBackend = "embedded or prometheus",
    StorageBackend = "local or s3",
}

/// The HTTP address of a service that an operator runs, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAddress(Option<HttpAddress>);

/// The parts of such an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAddress {
    /// Whether to speak TLS.
    pub tls: bool,
    /// The host; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What comes before the service's own paths, without a slash at the end.
    pub prefix: String,
}

impl ServiceAddress {
    /// Its parts; none where none is set.
    pub fn get(&self) -> Option<&HttpAddress> {
        self.0.as_ref()
    }
}

impl SettingValue for ServiceAddress {
    const KIND: SettingKind = SettingKind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self(None));
        }
        let wrong = || "an address such as http://loki:3100, without a user name, query or fragment".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?.as_str();
        // A port that is none would be read as no port, and a fragment is dropped without a word.
        let has_odd_port =
            uri.port_u16().is_none() && authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
        if text.len() > MAX_TEXT
            || text.contains('#')
            || authority.contains('@')
            || uri.query().is_some()
            || has_odd_port
        {
            return Err(wrong());
        }
        let host = uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']')).unwrap_or_default();
        if host.is_empty() {
            return Err(wrong());
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self(Some(HttpAddress { tls, host: host.to_owned(), port, prefix })))
    }

    fn show(&self) -> String {
        let Some(HttpAddress { tls, host, port, prefix }) = &self.0 else { return String::new() };
        let (scheme, usual) = if *tls { ("https", 443) } else { ("http", 80) };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let port = if *port == usual { String::new() } else { format!(":{port}") };
        format!("{scheme}://{host}{port}{prefix}")
    }
}

/// Where a service of this host listens: an address with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

impl ListenAddress {
    /// A port that only this host reaches.
    pub fn loopback(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }
}

impl SettingValue for ListenAddress {
    const KIND: SettingKind = SettingKind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        text.trim().parse().map(Self).map_err(|_| "an address and a port, such as 127.0.0.1:9090".to_owned())
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_services_keep_their_parts() {
        for (text, shown) in [
            ("http://loki:3100", "http://loki:3100"),
            ("https://logs.example.com/loki/", "https://logs.example.com/loki"),
            ("http://[fd00::1]:9090/", "http://[fd00::1]:9090"),
            ("http://10.0.0.3:80", "http://10.0.0.3"),
            (" ", ""),
        ] {
            assert_eq!(ServiceAddress::parse(text).expect(text).show(), shown);
        }
        let address = ServiceAddress::parse("https://[fd00::1]/x/").expect("is one");
        let parts = HttpAddress { tls: true, host: "fd00::1".to_owned(), port: 443, prefix: "/x".to_owned() };
        assert_eq!(address.get(), Some(&parts));
        for wrong in [
            "loki:3100",
            "ftp://loki",
            "http://",
            "http://u:p@loki",
            "http://loki/?a",
            "http://loki/#a",
            "http://loki:x",
            "http://a b",
        ] {
            assert!(ServiceAddress::parse(wrong).is_err(), "{wrong}");
        }
    }
}
