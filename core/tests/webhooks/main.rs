//! Webhooks: what calls of Git hosts tell, whom they are believed, and what is done about them. The fixtures are
//! written from the shapes that the hosts document.

mod console;
mod handled;
mod payloads;
#[path = "../support/mod.rs"]
mod support;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use skypanel_core::model::WebhookProvider;
use skypanel_core::webhook::sign_generic;

/// A call with its headers.
#[derive(Clone)]
struct Sent {
    provider: WebhookProvider,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn call(&self) -> skypanel_core::webhook::Call<'_> {
        skypanel_core::webhook::Call { provider: self.provider, headers: &self.headers, body: &self.body }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A call as the host makes it: signed with `secret`, at `timestamp` where that counts.
fn sent(provider: WebhookProvider, event: &str, delivery: &str, secret: &str, body: &[u8], timestamp: i64) -> Sent {
    let hmac = || {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("takes any key");
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    };
    let headers: Vec<(&str, String)> = match provider {
        WebhookProvider::Github => vec![
            ("content-type", "application/json".to_owned()),
            ("x-github-event", event.to_owned()),
            ("x-github-delivery", delivery.to_owned()),
            ("x-hub-signature-256", format!("sha256={}", hmac())),
        ],
        WebhookProvider::Gitlab => vec![
            ("x-gitlab-event", event.to_owned()),
            ("idempotency-key", delivery.to_owned()),
            ("x-gitlab-token", secret.to_owned()),
        ],
        WebhookProvider::Gitea => vec![
            ("x-gitea-event", event.to_owned()),
            ("x-gitea-delivery", delivery.to_owned()),
            ("x-gitea-signature", hmac()),
        ],
        WebhookProvider::Generic => vec![
            ("x-skypanel-event", event.to_owned()),
            ("x-skypanel-delivery", delivery.to_owned()),
            ("x-skypanel-timestamp", timestamp.to_string()),
            ("x-skypanel-signature", sign_generic(secret.as_bytes(), timestamp, body)),
        ],
    };
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Sent { provider, headers, body: body.to_vec() }
}
