//! The mail server that the settings describe.

use std::fmt;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use uuid::Uuid;

use crate::settings::{MailSecurity, Settings};
use crate::{Error, Result};

/// Longest that the server may take for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Longest that a try may take.
const CHECK_TIME: Duration = Duration::from_secs(20);

/// Longest that sending one mail may take.
const SEND_TIME: Duration = Duration::from_secs(45);

/// A mail to one person.
#[derive(Clone, Debug)]
pub struct Mail {
    /// To whom.
    pub to: Address,
    /// Its subject. Whatever is in it stays in its header.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// Its own id: the same mail, sent twice, is one to mail programs.
    pub id: Uuid,
}

/// See the module. Whoever set it up may name any host: only admins change these settings.
pub struct MailServer {
    host: String,
    port: u16,
    security: MailSecurity,
    credentials: Option<Credentials>,
    from: Mailbox,
    roots: Vec<Certificate>,
}

impl MailServer {
    /// The server of the settings; none where they name none. What is wrong about them is an error.
    pub fn of(settings: &Settings) -> Result<Option<Self>> {
        if settings.smtp_host.is_empty() {
            return Ok(None);
        }
        let from = settings.smtp_from.parse().map_err(|_| {
            Error::Invalid(
                "The setting smtp.from must say whom mail is from, such as Skypanel <paas@example.com>.".to_owned(),
            )
        })?;
        let login = (settings.smtp_user.clone(), settings.smtp_password.clone());
        Ok(Some(Self {
            host: settings.smtp_host.clone(),
            port: u16::try_from(settings.smtp_port).unwrap_or(587),
            security: settings.smtp_security,
            credentials: Some(login).filter(|(user, _)| !user.is_empty()).map(Into::into),
            from,
            roots: Vec::new(),
        }))
    }

    /// Trusts the certificates of another authority as well, in PEM form.
    pub fn trusting(mut self, authority: &[u8]) -> Result<Self> {
        let wrong = |_| Error::Invalid("That is no certificate of an authority.".to_owned());
        self.roots.push(Certificate::from_pem(authority).map_err(wrong)?);
        Ok(self)
    }

    /// Connects, greets, encrypts and logs in as for mail, and sends none. Answers what was seen.
    pub async fn check(&self) -> Result<String> {
        self.converse(self.credentials.as_ref()).await?;
        let place = self.place();
        let encrypted = match self.security {
            MailSecurity::StartTls | MailSecurity::Tls => "encrypted",
            MailSecurity::None => "not encrypted",
        };
        let login = if self.credentials.is_some() { "the login was accepted" } else { "without a login" };
        Ok(format!("{place} answers, {encrypted}; {login}. Mail is from {}.", self.from))
    }

    /// Sends a mail. Answers what the server said. A refusal of this mail or its address is [`Error::Invalid`].
    pub async fn send(&self, mail: Mail) -> Result<String> {
        let place = self.place();
        let transport = self.transport(self.credentials.as_ref())?;
        let message = self.message(&mail)?;
        match tokio::time::timeout(SEND_TIME, transport.send(message)).await {
            Ok(Ok(answer)) => {
                let said: Vec<&str> = answer.message().collect();
                Ok(format!("{place} took it for {}: {} {}", mail.to, answer.code(), line(&said.join(" "))))
            }
            Ok(Err(error)) if error.is_permanent() && !is_about_login(&error) => {
                Err(Error::Invalid(format!("{place} refuses a mail to {}: {}.", mail.to, reason(&error))))
            }
            Ok(Err(error)) => Err(Error::Upstream(format!("{place} cannot be used: {}.", reason(&error)))),
            Err(_) => Err(Error::Upstream(format!("{place} takes longer than {} s.", SEND_TIME.as_secs()))),
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message> {
        let raw =
            |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        // The subject is encoded by what builds the message; line ends in it would be, too, but nobody wants them.
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, mail.to.clone()))
            .subject(line(&mail.subject))
            .date_now()
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            // So that nobody's absence notes answer it (RFC 3834).
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.clone())
            .map_err(|error| Error::System(format!("The mail could not be written: {error}.")))
    }

    /// Connects, greets and encrypts, without a login: whoever only looks whether it is there leaves no trace in its
    /// count of logins.
    pub async fn greet(&self) -> Result<()> {
        self.converse(None).await
    }

    fn place(&self) -> String {
        format!("The mail server {}:{}", self.host, self.port)
    }

    async fn converse(&self, credentials: Option<&Credentials>) -> Result<()> {
        let transport = self.transport(credentials)?;
        let failed = |what: String| Err(Error::Upstream(format!("{} {what}.", self.place())));
        match tokio::time::timeout(CHECK_TIME, transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => failed("ended the conversation".to_owned()),
            Ok(Err(error)) => failed(format!("cannot be used: {}", reason(&error))),
            Err(_) => failed(format!("takes longer than {} s", CHECK_TIME.as_secs())),
        }
    }

    fn transport(&self, credentials: Option<&Credentials>) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
        let tls = match self.security {
            MailSecurity::StartTls => Tls::Required(self.tls()?),
            MailSecurity::Tls => Tls::Wrapper(self.tls()?),
            MailSecurity::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(tls)
            .hello_name(ClientId::Domain(self.from.email.domain().to_owned()))
            .timeout(Some(ANSWER_TIME));
        if let Some(credentials) = credentials {
            builder = builder.credentials(credentials.clone());
        }
        Ok(builder.build())
    }

    fn tls(&self) -> Result<TlsParameters> {
        let mut builder = TlsParameters::builder(self.host.clone());
        for root in &self.roots {
            builder = builder.add_root_certificate(root.clone());
        }
        builder.build_rustls().map_err(|error| Error::System(format!("This host has no usable TLS: {error}.")))
    }
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// Whether the server does not let us in, which says nothing about the mail (RFC 4954 §6).
fn is_about_login(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

/// The error with its causes, on one line and without a full stop.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    line(&text).trim_end_matches('.').to_owned()
}

/// The text on one line.
fn line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}
