//! The receiver's end of the pre-receive hook: a socket per push, a one-time token, one JSON line in, frames
//! of output and one verdict out.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use skypanel_core::{Error, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::output::{error_lines, log_cause};

/// Longest question: some ten thousand refs.
const MAX_QUESTION: u64 = 16 << 20;
/// Longest the hook may take to ask.
const ASK_LIMIT: Duration = Duration::from_secs(30);
/// Longest the hook may take to read a frame. It waits for Git, and Git for the client.
const SAY_LIMIT: Duration = Duration::from_mins(30);
/// Largest payload of a frame, in bytes.
const MAX_PAYLOAD: usize = 1 << 20;

/// One ref to change.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Update {
    /// Hash it shall have; zeros to delete it.
    pub(crate) new: String,
    /// Its full name.
    pub(crate) reference: String,
}

/// What the hook asks.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    token: String,
    pub(crate) updates: Vec<Update>,
    pub(crate) push_options: Vec<String>,
    /// Where Git keeps the pushed objects until the verdict.
    pub(crate) quarantine: Option<PathBuf>,
}

/// The hook is gone: nobody reads any more, and the verdict is void.
#[derive(Debug)]
pub(crate) struct HookGone;

/// A socket the hook of one push can ask on. Removed when dropped.
pub(crate) struct Listening {
    listener: UnixListener,
    path: PathBuf,
    token: String,
}

impl Listening {
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let path = directory.join(format!("{:016x}", rand::random::<u64>()));
        let listener = UnixListener::bind(&path)
            .and_then(|listener| {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
                Ok(listener)
            })
            .map_err(|error| {
                Error::System(format!(
                    "The hook's socket {} could not be made: {error}. Is the data directory's path too long?",
                    path.display()
                ))
            })?;
        Ok(Self { listener, path, token: format!("{:032x}", rand::random::<u128>()) })
    }

    /// Path of the socket, for the hook's environment.
    pub(crate) fn socket(&self) -> &Path {
        &self.path
    }

    /// The token the hook has to show.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Waits for the hook and reads its question. Who does not know the token is not heard.
    pub(crate) async fn accept(self) -> io::Result<(Request, Hook)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let mut reader = BufReader::new(stream).take(MAX_QUESTION);
            let mut line = Vec::new();
            timeout(ASK_LIMIT, reader.read_until(b'\n', &mut line)).await.map_err(|_| io::ErrorKind::TimedOut)??;
            let request: Request = serde_json::from_slice(&line)?;
            if request.token == self.token {
                return Ok((request, Hook(reader.into_inner().into_inner())));
            }
            tracing::warn!("a hook asked with a token that is not this push's");
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The hook, waiting for its verdict.
pub(crate) struct Hook(UnixStream);

impl Hook {
    /// Shows text to the developer.
    pub(crate) async fn say(&mut self, text: impl AsRef<[u8]>) -> Result<(), HookGone> {
        for payload in text.as_ref().chunks(MAX_PAYLOAD) {
            self.frame(b'o', payload).await?;
        }
        Ok(())
    }

    /// Shows an error; the answer is that the push is refused.
    pub(crate) async fn fail(&mut self, error: &Error) -> Result<bool, HookGone> {
        log_cause(error);
        self.say(error_lines(&error.to_string())).await?;
        Ok(false)
    }

    /// Ends the hook, and the push.
    pub(crate) async fn verdict(mut self, accepted: bool) -> Result<(), HookGone> {
        self.frame(b'v', &[u8::from(!accepted)]).await
    }

    async fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), HookGone> {
        let length = u32::try_from(payload.len()).map_err(|_| HookGone)?;
        let mut frame = Vec::with_capacity(payload.len() + 5);
        frame.push(kind);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(payload);
        match timeout(SAY_LIMIT, self.0.write_all(&frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(HookGone),
        }
    }
}
