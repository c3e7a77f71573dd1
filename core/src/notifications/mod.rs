//! Sends what is news about alerts to whoever wants to know: by e-mail, by a signed call, or as Slack takes it. Called by
//! the worker for what the rules found, and by whoever tries a target.

mod message;

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use hyper::Method;

use crate::mail::{Mail, MailServer};
use crate::model::{CallUrl, NotificationId, NotificationState, OrganizationId, TargetAddress, TargetId, TargetKind};
use crate::network::{Guard, HttpAnswer, HttpClient, HttpRequest, Networks, Resolve};
use crate::settings::Settings;
use crate::store::Store;
use crate::store::notification_targets::OpenedTarget;
use crate::store::notifications::{Take, Taken};
use crate::webhook::sign_generic;
use crate::{Error, Result};
use message::Message;

/// Pauses after the first tries, in seconds. Who is silent for all of them, some two hours, is given up.
const PAUSES: [i64; 8] = [15, 30, 60, 120, 300, 900, 1_800, 3_600];
/// Tries after which a target that refuses is given up: that seldom gets better by itself.
const REFUSALS: u32 = 3;
/// Most characters of an answer that are shown.
const SHOWN: usize = 200;

/// What came of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The target took it.
    Sent,
    /// It is tried again.
    Retried,
    /// It was given up; the reason is kept with it.
    Failed,
    /// Its time has not come.
    Early,
    /// It had ended before.
    Ended,
}

/// Why a message was not taken.
#[derive(Clone, Debug)]
enum Trouble {
    /// The target was not reached, or not now.
    Passing(String),
    /// The target does not want it; it would not want it again.
    Refused(String),
    /// There is nobody to send it to any more.
    Final(String),
}

impl Trouble {
    fn reason(&self) -> &str {
        match self {
            Self::Passing(reason) | Self::Refused(reason) | Self::Final(reason) => reason,
        }
    }
}

/// Sends messages. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    store: Store,
    resolver: Arc<dyn Resolve>,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notifier")
    }
}

impl Notifier {
    /// Sends what the store has to be sent, to hosts that this resolver finds.
    pub fn new(store: Store, resolver: Arc<dyn Resolve>) -> Self {
        Self { store, resolver }
    }

    /// Sends a message whose time has come. Of several processes that do this at once one sends it; if that one dies on
    /// the way, it is sent once more: rather twice than never.
    pub async fn deliver(&self, id: NotificationId, target: TargetId) -> Result<Delivered> {
        let now = self.store.clock().now();
        let taken = match self.store.take_notification(id, now).await? {
            Take::Taken(taken) => taken,
            Take::Ended => return Ok(Delivered::Ended),
            Take::Later(at) => {
                self.store.queue_notification(id, target, (at - now).max(TimeDelta::seconds(1))).await?;
                return Ok(Delivered::Early);
            }
        };
        let settings = self.store.settings().await?;
        let sent = match self.store.opened_target(taken.target).await? {
            Some(opened) => self.send(&opened, id, &taken, &settings).await,
            // It went with all its messages.
            None => return Ok(Delivered::Ended),
        };
        // Sending may take a while, and the pause begins at its end.
        let now = self.store.clock().now();
        match sent {
            Ok(answer) => {
                self.store.end_notification(id, NotificationState::Sent, &answer, now).await?;
                Ok(Delivered::Sent)
            }
            Err(trouble) => {
                if let Some(pause) = pause_after(&trouble, taken.attempts) {
                    self.store.retry_notification(id, target, trouble.reason(), now, pause).await?;
                    return Ok(Delivered::Retried);
                }
                self.store.end_notification(id, NotificationState::Failed, trouble.reason(), now).await?;
                Ok(Delivered::Failed)
            }
        }
    }

    /// Sends a message that only tries a target, once. Answers what came of it, in words.
    pub(crate) async fn try_out(&self, id: NotificationId, target: TargetId) -> Result<Result<String, String>> {
        let settings = self.store.settings().await?;
        let opened = self.store.opened_target(target).await?;
        let opened = opened.ok_or_else(crate::store::notification_targets::missing)?;
        let test = Taken { target, attempts: 1, is_test: true, news: Vec::new() };
        let sent = self.send(&opened, id, &test, &settings).await.map_err(|trouble| trouble.reason().to_owned());
        let (state, answer) = match &sent {
            Ok(answer) => (NotificationState::Sent, answer),
            Err(reason) => (NotificationState::Failed, reason),
        };
        self.store.end_notification(id, state, answer, self.store.clock().now()).await?;
        Ok(sent)
    }

    async fn send(
        &self,
        opened: &OpenedTarget,
        id: NotificationId,
        taken: &Taken,
        settings: &Settings,
    ) -> Result<String, Trouble> {
        let target = &opened.target;
        if !target.enabled && !taken.is_test {
            return Err(Trouble::Final("The target was switched off before this could be sent.".to_owned()));
        }
        let message = Message {
            id,
            platform: &settings.apps_default_domain,
            sent_at: self.store.clock().now(),
            is_test: taken.is_test,
            news: &taken.news,
        };
        match &opened.address {
            TargetAddress::Mail(address) => {
                if let Some(organization) = target.organization_id {
                    self.ensure_mail_allowed(organization, address, settings).await?;
                }
                send_mail(address, &message, settings).await
            }
            TargetAddress::Url(url) => {
                let request = match target.kind {
                    TargetKind::Slack => call(url, Vec::new(), message.slack().to_string()),
                    _ => signed(url, &message, opened.secret.as_ref().map(|secret| secret.as_slice())),
                };
                let client = self.client(target.organization_id, settings);
                judge(url, client.call(request).await)
            }
        }
    }

    /// Mail of an organisation goes to its members and to domains that an admin allows: nobody else is sent mail
    /// without having asked for it.
    async fn ensure_mail_allowed(
        &self,
        organization: OrganizationId,
        address: &lettre::Address,
        settings: &Settings,
    ) -> Result<(), Trouble> {
        match self.store.may_mail(organization, address, settings).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Trouble::Final(format!(
                "{address} is no member's address any more, nor in a domain that an admin allows."
            ))),
            Err(error) => Err(Trouble::Passing(error.to_string())),
        }
    }

    /// Organisations reach the public Internet and what an admin allows. Admins reach what they run beside Skypanel,
    /// which usually has a private address.
    fn client(&self, organization: Option<OrganizationId>, settings: &Settings) -> HttpClient {
        let allowed = if organization.is_some() { settings.network_allowed.clone() } else { Networks::all() };
        HttpClient::new(Guard::new(self.resolver.clone(), allowed))
    }
}

impl Store {
    /// Whether mail about an organisation may go to that address.
    pub(crate) async fn may_mail(
        &self,
        organization: OrganizationId,
        address: &lettre::Address,
        settings: &Settings,
    ) -> Result<bool> {
        let mut domains = settings.alerts_mail_domains.split(',').map(str::trim);
        if domains.any(|domain| domain.eq_ignore_ascii_case(address.domain())) {
            return Ok(true);
        }
        self.is_member_address(organization, address.as_ref()).await
    }
}

async fn send_mail(address: &lettre::Address, message: &Message<'_>, settings: &Settings) -> Result<String, Trouble> {
    let server = match MailServer::of(settings) {
        Ok(Some(server)) => server,
        Ok(None) => {
            let text = "There is no mail server. An admin of the platform describes one in the settings smtp.";
            return Err(Trouble::Passing(text.to_owned()));
        }
        Err(error) => return Err(Trouble::Passing(error.to_string())),
    };
    let mail = Mail { to: address.clone(), subject: message.subject(), text: message.mail(), id: message.id.0 };
    match server.send(mail).await {
        Ok(answer) => Ok(answer),
        Err(Error::Invalid(reason)) => Err(Trouble::Refused(reason)),
        Err(error) => Err(Trouble::Passing(error.to_string())),
    }
}

fn signed(url: &CallUrl, message: &Message<'_>, secret: Option<&[u8]>) -> HttpRequest {
    let body = message.json().to_string();
    let timestamp = message.sent_at.timestamp();
    let headers = vec![
        ("x-skypanel-event", message.event().to_owned()),
        ("x-skypanel-delivery", message.id.to_string()),
        ("x-skypanel-timestamp", timestamp.to_string()),
        ("x-skypanel-signature", sign_generic(secret.unwrap_or_default(), timestamp, body.as_bytes())),
    ];
    call(url, headers, body)
}

fn call(url: &CallUrl, mut headers: Vec<(&'static str, String)>, body: String) -> HttpRequest {
    headers.push(("content-type", "application/json".to_owned()));
    HttpRequest {
        method: Method::POST,
        tls: url.tls,
        host: url.host.clone(),
        port: url.port,
        path: url.path.clone(),
        headers,
        body: Bytes::from(body),
    }
}

/// What an answer means.
fn judge(url: &CallUrl, answer: Result<HttpAnswer, String>) -> Result<String, Trouble> {
    let answer = answer.map_err(Trouble::Passing)?;
    let text = shown(&answer.body);
    let said = if text.is_empty() { ".".to_owned() } else { format!(": {text}") };
    let told = format!("{} answered {}{said}", url.host, answer.status);
    match answer.status {
        200..=299 => Ok(told),
        // It moved. Where to is not followed: it was checked for the address that was given.
        300..=399 => Err(Trouble::Refused(format!("{told} Redirects are not followed: use the address they lead to."))),
        408 | 425 | 429 | 500..=599 => Err(Trouble::Passing(told)),
        _ => Err(Trouble::Refused(told)),
    }
}

fn shown(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(&body[..body.len().min(SHOWN * 4)])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect();
    text.trim().to_owned()
}

/// How long to wait after a try; none to give it up.
fn pause_after(trouble: &Trouble, attempts: u32) -> Option<TimeDelta> {
    let goes_on = match trouble {
        Trouble::Passing(_) => true,
        Trouble::Refused(_) => attempts < REFUSALS,
        Trouble::Final(_) => false,
    };
    let pause = PAUSES.get(usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1))?;
    goes_on.then(|| TimeDelta::seconds(*pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_end() {
        let silent = Trouble::Passing(String::new());
        let pauses: Vec<i64> =
            (1..).map_while(|attempt| pause_after(&silent, attempt)).map(|p| p.num_seconds()).collect();
        assert_eq!(pauses, PAUSES);
        assert!(pauses.is_sorted());
        let refused = Trouble::Refused(String::new());
        assert_eq!((1..).map_while(|attempt| pause_after(&refused, attempt)).count(), 2);
        assert_eq!(pause_after(&Trouble::Final(String::new()), 1), None);
    }
}
