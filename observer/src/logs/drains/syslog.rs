//! Lines as syslog messages (RFC 5424) over TCP or TLS, each with its length before it (RFC 6587 §3.4.1, RFC 5425 §4.3).

use std::io::Write as _;

use futures_util::FutureExt as _;
use skypanel_core::logs::{LogLevel, LogRecord};
use skypanel_core::model::{DrainAddress, DrainKind};
use skypanel_core::network::{Connection, HttpClient};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::run::{Origin, Outcome};

/// Facility local0.
const FACILITY: u8 = 16;
/// Longest parts of a header.
const MAX_HOSTNAME: usize = 255;
const MAX_APP_NAME: usize = 48;
const MAX_PROCESS: usize = 128;
const MAX_MESSAGE_ID: usize = 32;

/// An open connection.
pub(super) struct Syslog(Connection);

impl Syslog {
    /// Connects; the error is in words.
    pub(super) async fn connect(http: &HttpClient, address: &DrainAddress) -> Result<Self, String> {
        let tls = address.kind == DrainKind::SyslogTls;
        Ok(Self(http.open(tls, &address.host, address.port).await?))
    }

    /// Writes lines. After a failure the connection is of no use any more.
    pub(super) async fn send(&mut self, origin: &Origin<'_>, records: &[LogRecord]) -> Outcome {
        // What is written to a connection that the other side has closed is lost without a word.
        let mut said = [0; 256];
        while let Some(read) = self.0.read(&mut said).now_or_never() {
            if !matches!(read, Ok(1..)) {
                return Outcome::Failed("It closed the connection.".to_owned());
            }
        }
        let mut bytes = Vec::new();
        for record in records {
            message(origin, record, &mut bytes);
        }
        let written = async {
            self.0.write_all(&bytes).await?;
            self.0.flush().await
        };
        match written.await {
            Ok(()) => Outcome::Taken,
            Err(error) => Outcome::Failed(format!("The connection broke: {error}.")),
        }
    }
}

/// Adds a message with its length.
fn message(origin: &Origin<'_>, record: &LogRecord, bytes: &mut Vec<u8>) {
    let priority = FACILITY * 8 + severity(record.level);
    let at = record.at.format("%Y-%m-%dT%H:%M:%S%.6fZ");
    let mut message = format!(
        "<{priority}>1 {at} {} {} {} {} - ",
        word(origin.node, MAX_HOSTNAME),
        word(origin.app, MAX_APP_NAME),
        word(&record.process, MAX_PROCESS),
        word(record.source.as_str(), MAX_MESSAGE_ID),
    )
    .into_bytes();
    // Receivers that go by lines take none of a message for another.
    message.extend(record.text.iter().map(|byte| if matches!(byte, b'\n' | b'\r' | 0) { b' ' } else { *byte }));
    let _ = write!(bytes, "{} ", message.len());
    bytes.append(&mut message);
}

/// A part of the header: printable ASCII without spaces, or a dash for nothing.
fn word(text: &str, most: usize) -> String {
    let word: String = text.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(most).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

fn severity(level: Option<LogLevel>) -> u8 {
    match level {
        Some(LogLevel::Fatal) => 2,
        Some(LogLevel::Error) => 3,
        Some(LogLevel::Warn) => 4,
        Some(LogLevel::Info) | None => 6,
        Some(LogLevel::Debug | LogLevel::Trace) => 7,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use skypanel_core::logs::LogSource;

    use super::*;

    #[test]
    fn messages_have_the_documented_form() {
        let record = LogRecord {
            at: DateTime::from_timestamp(1_795_323_600, 123_456_789).expect("a time"),
            source: LogSource::App,
            process: "web.1".to_owned(),
            level: Some(LogLevel::Error),
            continues: false,
            text: "a\nb\r\0 <34>1 forged é".into(),
        };
        let mut bytes = Vec::new();
        message(&Origin { app: "shop", node: "node one" }, &record, &mut bytes);
        let text = "<131>1 2026-11-22T05:00:00.123456Z node_one shop web.1 app - a b   <34>1 forged é";
        assert_eq!(String::from_utf8_lossy(&bytes), format!("{} {text}", text.len()));
        let mut bytes = Vec::new();
        let record = LogRecord { level: None, process: String::new(), text: "".into(), ..record };
        message(&Origin { app: "shop", node: "" }, &record, &mut bytes);
        assert!(bytes.ends_with(b"<134>1 2026-11-22T05:00:00.123456Z - shop - app - "), "{bytes:?}");
    }
}
