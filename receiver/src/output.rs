//! What goes back to a client on one channel: raw bytes for Git, Heroku-style lines for people, JSON for programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use russh::ChannelId;
use russh::server::Handle;
use serde::Serialize;
use serde_json::{Value, json};
use skypanel_core::Error;

/// SSH's code for standard error among extended data (RFC 4254 §5.2).
const STDERR: u32 = 1;

/// The client is gone; nothing can be told it any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the client is gone")]
pub(crate) struct ClientGone;

/// The way to one channel's client. Clones write to the same one.
#[derive(Clone)]
pub(crate) struct Output {
    handle: Handle,
    channel: ChannelId,
    /// The width of the client's terminal, if it has one. That is in raw mode then: each line must end in CR LF.
    columns: Option<Arc<AtomicU16>>,
    /// A program reads it: results and errors are JSON.
    json: bool,
}

impl Output {
    pub(crate) fn new(handle: Handle, channel: ChannelId, columns: Option<u16>) -> Self {
        let columns = columns.map(|columns| Arc::new(AtomicU16::new(columns)));
        Self { handle, channel, columns, json: false }
    }

    /// Takes note of a new width of the terminal.
    pub(crate) fn resized(&self, columns: u16) {
        if let Some(known) = &self.columns {
            known.store(columns, Ordering::Relaxed);
        }
    }

    /// The width of the client's terminal, in characters.
    pub(crate) fn columns(&self) -> Option<usize> {
        self.columns.as_ref().map(|columns| usize::from(columns.load(Ordering::Relaxed)))
    }

    /// The same, read by a program or by people.
    pub(crate) fn read_by_program(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// Whether results and errors are to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether the client has a terminal: colours make sense, and nothing typed is echoed but by us.
    pub(crate) fn is_terminal(&self) -> bool {
        self.columns.is_some()
    }

    /// Sends bytes as they are to standard output. Waits while the client is slower.
    pub(crate) async fn raw(&self, bytes: Bytes) -> Result<(), ClientGone> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.handle.data(self.channel, bytes).await.map_err(|_| ClientGone)
    }

    /// Sends bytes as they are to standard error.
    pub(crate) async fn raw_stderr(&self, bytes: Bytes) -> Result<(), ClientGone> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.handle.extended_data(self.channel, STDERR, bytes).await.map_err(|_| ClientGone)
    }

    /// Sends text to standard output.
    pub(crate) async fn text(&self, text: impl AsRef<[u8]>) -> Result<(), ClientGone> {
        self.raw(self.for_terminal(text.as_ref())).await
    }

    /// Sends one line to standard output; its end is added.
    pub(crate) async fn line(&self, line: &str) -> Result<(), ClientGone> {
        self.text(format!("{line}\n")).await
    }

    /// Sends a JSON document, on a line of its own, to standard output.
    pub(crate) async fn document(&self, document: &impl Serialize) -> Result<(), ClientGone> {
        self.line(&in_json(document)).await
    }

    /// Sends text to standard error, where it does not mix with Git's protocol or a command's result.
    pub(crate) async fn notice(&self, text: impl AsRef<[u8]>) -> Result<(), ClientGone> {
        let bytes = self.for_terminal(text.as_ref());
        // With a terminal there is only one stream, and some clients drop the other.
        if self.is_terminal() { self.raw(bytes).await } else { self.raw_stderr(bytes).await }
    }

    /// Tells an error on standard error, each line behind ` !     `.
    pub(crate) async fn error(&self, message: &str) -> Result<(), ClientGone> {
        self.notice(error_lines(message)).await
    }

    /// Tells an error and ends the channel with status 1.
    pub(crate) async fn fail(&self, error: &Error) {
        log_cause(error);
        let _ = if self.json {
            self.notice(in_json(&document_of(error)) + "\n").await
        } else {
            self.error(&error.to_string()).await
        };
        self.finish(1).await;
    }

    /// Ends the channel with an exit status.
    pub(crate) async fn finish(&self, status: u32) {
        // A client that is gone needs no status.
        let _ = self.handle.exit_status_request(self.channel, status).await;
        let _ = self.handle.eof(self.channel).await;
        let _ = self.handle.close(self.channel).await;
    }

    fn for_terminal(&self, text: &[u8]) -> Bytes {
        if !self.is_terminal() {
            return Bytes::copy_from_slice(text);
        }
        let mut bytes = Vec::with_capacity(text.len() + 16);
        let mut last = 0;
        for byte in text {
            if *byte == b'\n' && last != b'\r' {
                bytes.push(b'\r');
            }
            bytes.push(*byte);
            last = *byte;
        }
        bytes.into()
    }
}

/// Writes down for the operator what a user is not told.
pub(crate) fn log_cause(error: &Error) {
    if let Error::Database(cause) = error {
        tracing::error!(%cause, "the database failed a request over SSH");
    }
}

/// An error as programs read it. What breaks rules is named by its field, as in the HTTP API's errors.
fn document_of(error: &Error) -> Value {
    let mut document = json!({ "error": error.to_string(), "code": error.code() });
    let fields: serde_json::Map<String, Value> = match error {
        Error::InvalidFields(fields) => {
            fields.iter().map(|field| (field.field.clone(), field.problem.as_str().into())).collect()
        }
        Error::Repository { field, reason } => [((*field).to_owned(), reason.as_str().into())].into_iter().collect(),
        _ => return document,
    };
    document["details"] = json!({ "fields": fields });
    document
}

fn in_json(document: &impl Serialize) -> String {
    serde_json::to_string(document).unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string())
}

/// A message as errors look: ` !     ` before each line.
pub(crate) fn error_lines(message: &str) -> String {
    message.lines().flat_map(|line| [" !     ", line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_an_error_is_marked() {
        assert_eq!(error_lines("a\nb"), " !     a\n !     b\n");
    }

    #[test]
    fn programs_read_the_code_and_the_fields_of_an_error() {
        let unknown = Error::NotFound("There is no app \"x\".".to_owned());
        let expected = json!({ "error": "There is no app \"x\".", "code": "NOT_FOUND" });
        assert_eq!(document_of(&unknown), expected);
        let broken = document_of(&Error::field("name", "Use 1 to 60 characters."));
        assert_eq!(broken["code"], "INVALID_INPUT");
        assert_eq!(broken["details"]["fields"]["name"], "Use 1 to 60 characters.");
    }
}
