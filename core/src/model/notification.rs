//! Notifications: whom alerts are told to, and how the telling goes.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use hyper::Uri;

use super::{AlertRule, NotificationId, OrganizationId, Severity, TargetId};
use crate::Error;

/// Longest URL, in bytes.
const MAX_URL: usize = 2_048;

text_enum! {
    /// How a target is told.
    TargetKind {
        /// By e-mail.
        Email = "email",
        /// By a signed call.
        Webhook = "webhook",
        /// By a call as Slack takes it; Mattermost, Rocket.Chat and others take the same.
        Slack = "slack",
    }
}

/// Somebody, or something, that is told of alerts. Its address and secret are not in here.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NotificationTarget {
    /// Its id.
    pub id: TargetId,
    /// Whose alerts; none for the platform's.
    pub organization_id: Option<OrganizationId>,
    /// How it is told.
    pub kind: TargetKind,
    /// What may be shown of where: an e-mail address, or the host of a URL.
    pub shown_address: String,
    /// Only what is at least this grave is told.
    pub min_severity: Severity,
    /// Names of the rules whose alerts are told; none for all that are for its owner.
    pub rules: Option<Vec<String>>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

text_enum! {
    /// How far a message is.
    NotificationState {
        /// It is to be sent, for the first time or once more.
        Waiting = "waiting",
        /// It was taken.
        Sent = "sent",
        /// All tries failed.
        Failed = "failed",
    }
}

/// A message to a target, as it is listed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// To which target.
    pub target_id: TargetId,
    /// How far it is.
    pub state: NotificationState,
    /// Whether it only tries the target.
    pub is_test: bool,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it is tried next, while it waits.
    pub next_try_at: Option<DateTime<Utc>>,
    /// When it was taken, or given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// What came of the last try, in words.
    pub answer: Option<String>,
    /// What it tells, a short line each, such as `fired: app_deploys_failing shop`.
    pub tells: Vec<String>,
}

/// Where a target is. What it holds is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum TargetAddress {
    /// An e-mail address.
    Mail(lettre::Address),
    /// A URL.
    Url(CallUrl),
}

impl TargetAddress {
    /// Reads an address of that kind; the error names the field as the API does.
    pub fn parse(kind: TargetKind, text: &str) -> Result<Self, Error> {
        let text = text.trim();
        match kind {
            TargetKind::Email => {
                let address = text.parse().map_err(|_| Error::field("address", "That is not an e-mail address."))?;
                Ok(Self::Mail(address))
            }
            TargetKind::Webhook | TargetKind::Slack => Ok(Self::Url(text.parse()?)),
        }
    }

    /// All of it, to be kept sealed.
    pub fn reveal(&self) -> String {
        match self {
            Self::Mail(address) => address.to_string(),
            Self::Url(url) => url.text.clone(),
        }
    }

    /// What may be shown of it.
    pub fn shown(&self) -> String {
        match self {
            Self::Mail(address) => address.to_string(),
            Self::Url(url) => url.shown(),
        }
    }
}

impl fmt::Debug for TargetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetAddress({})", self.shown())
    }
}

/// A URL that can be called, `https` or `http`. Its path may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct CallUrl {
    text: String,
    /// Whether to speak TLS.
    pub tls: bool,
    /// The host; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl CallUrl {
    /// Its beginning, up to the path: `https://hooks.slack.com/…`.
    fn shown(&self) -> String {
        let (scheme, usual) = if self.tls { ("https", 443) } else { ("http", 80) };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = if self.port == usual { String::new() } else { format!(":{}", self.port) };
        format!("{scheme}://{host}{port}/…")
    }
}

impl FromStr for CallUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let form = "Use a URL such as https://hooks.example.com/alerts, without a user name or a fragment.";
            Error::field("address", form)
        };
        if text.len() > MAX_URL || text.contains('#') {
            return Err(wrong());
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?.as_str();
        // A port that is none would be read as no port.
        let has_odd_port =
            uri.port_u16().is_none() && authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
        if authority.contains('@') || has_odd_port {
            return Err(wrong());
        }
        let host = uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']')).unwrap_or_default();
        if host.is_empty() {
            return Err(wrong());
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { text: text.to_owned(), tls, host: host.to_lowercase(), port, path })
    }
}

impl fmt::Debug for CallUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallUrl({})", self.shown())
    }
}

impl NotificationTarget {
    /// Whether it has chosen rules, and this is one of them; none where it has chosen none.
    pub fn chose(&self, rule: AlertRule) -> Option<bool> {
        self.rules.as_ref().map(|rules| rules.iter().any(|name| name == rule.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_their_parts_and_show_no_path() {
        let url: CallUrl = "https://Hooks.slack.com/services/T0/B0/s3cr3t?x=1".parse().expect("is one");
        assert_eq!((url.tls, url.host.as_str(), url.port), (true, "hooks.slack.com", 443));
        assert_eq!(url.path, "/services/T0/B0/s3cr3t?x=1");
        let address = TargetAddress::Url(url.clone());
        let shown = format!("{url:?} {address:?} {}", address.shown());
        assert!(!shown.contains("s3cr3t") && shown.contains("https://hooks.slack.com/…"), "{shown}");
        let url: CallUrl = "http://[fd00::1]:9000".parse().expect("is one");
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("fd00::1", 9000, "/"));
        assert_eq!(url.shown(), "http://[fd00::1]:9000/…");
        for wrong in [
            "",
            "hooks.example.com/x",
            "ftp://hooks.example.com",
            "https://me:pw@hooks.example.com/",
            "https://hooks.example.com/#x",
            "https://hooks.example.com:port/",
            "https:///x",
            "https://hooks.example.com/a b",
            "https://hooks.example.com/\r\nX-Evil: 1",
        ] {
            assert!(wrong.parse::<CallUrl>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn mail_goes_to_one_address_and_nowhere_else() {
        let address = TargetAddress::parse(TargetKind::Email, " ops@example.com ").expect("is one");
        assert_eq!((address.reveal(), address.shown()), ("ops@example.com".to_owned(), "ops@example.com".to_owned()));
        for wrong in [
            "",
            "ops",
            "a@b@c",
            "a@example.com, b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "a b@example.com",
        ] {
            assert!(TargetAddress::parse(TargetKind::Email, wrong).is_err(), "{wrong:?}");
        }
    }
}
