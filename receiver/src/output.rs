//! What goes back to a client on one channel: raw bytes for Git, Heroku-style lines for people.

use bytes::Bytes;
use russh::ChannelId;
use russh::server::Handle;
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
    /// The client's terminal is in raw mode then: each line must end in CR LF.
    terminal: bool,
}

impl Output {
    pub(crate) fn new(handle: Handle, channel: ChannelId, terminal: bool) -> Self {
        Self { handle, channel, terminal }
    }

    /// Whether the client has a terminal: colours make sense, and nothing typed is echoed but by us.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
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

    /// Sends text to standard error, where it does not mix with Git's protocol or a command's result.
    pub(crate) async fn notice(&self, text: impl AsRef<[u8]>) -> Result<(), ClientGone> {
        let bytes = self.for_terminal(text.as_ref());
        // With a terminal there is only one stream, and some clients drop the other.
        if self.terminal { self.raw(bytes).await } else { self.raw_stderr(bytes).await }
    }

    /// Tells an error on standard error, each line behind ` !     `.
    pub(crate) async fn error(&self, message: &str) -> Result<(), ClientGone> {
        self.notice(error_lines(message)).await
    }

    /// Tells an error and ends the channel with status 1.
    pub(crate) async fn fail(&self, error: &Error) {
        log_cause(error);
        let _ = self.error(&error.to_string()).await;
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
        if !self.terminal {
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
}
