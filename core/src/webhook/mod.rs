//! Reads calls of Git hosts: whether one is authentic, and what it tells. Nothing is read before it is proved.
//!
//! Sources: GitHub "Webhook events and payloads", "Validating webhook deliveries"; GitLab "Webhooks", "Webhook events";
//! Gitea "Webhooks".

mod payload;
mod signature;

use chrono::{DateTime, Utc};

use crate::Result;
use crate::model::{PushEvent, Sha256Digest, WebhookProvider};

pub use payload::skip_marker;
pub use signature::sign_generic;

/// Largest body of a call, in MiB: GitHub sends 25 MB at most.
pub const MAX_BODY_MIB: u32 = 25;
/// The same in bytes.
pub const MAX_BODY: usize = (MAX_BODY_MIB as usize) << 20;

/// A call as it came.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Whose form it has.
    pub provider: WebhookProvider,
    /// Names, in lower case, and values of its headers.
    pub headers: &'a [(String, String)],
    /// Its body.
    pub body: &'a [u8],
}

/// What an authentic call tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The host tries whether the webhook answers.
    Ping,
    /// A branch moved.
    Push(PushEvent),
    /// Something that is never deployed, with the reason.
    Nothing(String),
    /// Nothing that can be understood, with the reason.
    Unreadable(String),
}

impl<'a> Call<'a> {
    /// Checks that somebody who knows one of the secrets made this call. Takes the same time wherever the
    /// difference lies.
    pub fn verify(&self, secrets: &[&[u8]], now: DateTime<Utc>) -> Result<()> {
        signature::verify(self, secrets, now)
    }

    /// What it tells.
    pub fn read(&self) -> Result<Told> {
        payload::read(self)
    }

    /// The host's name for this call, the same when it tries again. It is kept short: it becomes a key.
    pub fn delivery(&self) -> String {
        let names: &[&str] = match self.provider {
            WebhookProvider::Github => &["x-github-delivery"],
            WebhookProvider::Gitlab => &["idempotency-key", "x-gitlab-event-uuid"],
            WebhookProvider::Gitea => &["x-gitea-delivery"],
            WebhookProvider::Generic => &["x-skypanel-delivery"],
        };
        let named = names
            .iter()
            .find_map(|name| self.header(name))
            .filter(|value| (1..=100).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()));
        named.map_or_else(|| format!("sha256:{}", self.digest().hex()), str::to_owned)
    }

    /// What the signature covers, where there is one: a caller's name for a call is not part of that, so a call that
    /// was overheard could come again under another name.
    pub fn signed_digest(&self) -> Option<String> {
        (self.provider != WebhookProvider::Gitlab).then(|| self.digest().hex())
    }

    /// The host's word for what happened.
    pub fn event(&self) -> String {
        let name = match self.provider {
            WebhookProvider::Github => "x-github-event",
            WebhookProvider::Gitlab => "x-gitlab-event",
            WebhookProvider::Gitea => "x-gitea-event",
            WebhookProvider::Generic => "x-skypanel-event",
        };
        let event = self.header(name).unwrap_or("push");
        event.chars().filter(|c| !c.is_control()).take(60).collect()
    }

    fn digest(&self) -> Sha256Digest {
        match (self.provider, self.header(signature::TIMESTAMP)) {
            (WebhookProvider::Generic, Some(timestamp)) => {
                Sha256Digest::of(&[timestamp.as_bytes(), b".", self.body].concat())
            }
            _ => Sha256Digest::of(self.body),
        }
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}
