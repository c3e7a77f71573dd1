//! What every command works with: who asks, where answers go, and the few things all commands do alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use skypanel_core::Error;
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::model::{AppSlug, Application, Organization, Role, StreamId};
use skypanel_core::store::Access;
use skypanel_core::stream::StreamItem;
use tokio::sync::mpsc;

use crate::Shared;
use crate::output::{ClientGone, Output};

/// Longest input a command reads from the client.
const MAX_INPUT: usize = 64 * 1024;
/// Longest a question waits for its answer.
const ANSWER_LIMIT: Duration = Duration::from_mins(5);

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Tell this and end with status 1.
    Error(Error),
    /// Nobody is there to be told.
    ClientGone,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<ClientGone> for Failure {
    fn from(_: ClientGone) -> Self {
        Self::ClientGone
    }
}

/// Which app a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct AppChoice {
    /// The app
    #[arg(short, long, value_name = "APP")]
    pub(crate) app: Option<String>,
}

/// A command being run.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) actor: Arc<Actor>,
    pub(crate) output: Output,
    /// What the client types; ends with its input.
    pub(crate) input: mpsc::Receiver<Bytes>,
}

impl Context {
    /// The chosen app, if the user may have that access to it.
    pub(crate) async fn app(&self, choice: &AppChoice, access: Access) -> Result<Application, Failure> {
        match &choice.app {
            Some(name) => self.app_named(name, access).await,
            None => {
                Err(Error::Invalid("Say which app it is about: -a NAME. The command apps lists yours.".to_owned())
                    .into())
            }
        }
    }

    /// The app of that name, if the user may have that access to it.
    pub(crate) async fn app_named(&self, name: &str, access: Access) -> Result<Application, Failure> {
        let slug: AppSlug = name.parse()?;
        Ok(self.actions().app(&self.actor, &slug, access).await?)
    }

    /// What users do.
    pub(crate) fn actions(&self) -> &Actions {
        &self.shared.actions
    }

    /// Who runs the command.
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Their memberships.
    pub(crate) fn memberships(&self) -> &[(Organization, Role)] {
        self.actor.identity.as_ref().map_or(&[], |identity| &identity.memberships)
    }

    /// Notes what the user did to an app. Nothing fails because it cannot be noted.
    pub(crate) async fn note(&self, app: &Application, kind: &str, message: &str) {
        let noted = self.actions().store.record_event(app.id, self.actor.user_id(), kind, message).await;
        if let Err(error) = noted {
            tracing::warn!(app = %app.slug, kind, %error, "an event could not be recorded");
        }
    }

    /// Shows a job to its end, if there is one; answers the exit status.
    pub(crate) async fn follow_job(&self, job: Option<StreamId>) -> Result<u32, Failure> {
        match job {
            Some(job) => self.follow(job).await,
            None => Ok(0),
        }
    }

    /// Shows a stream to its end; answers the exit status.
    pub(crate) async fn follow(&self, stream: StreamId) -> Result<u32, Failure> {
        let mut follower = self.shared.actions.streams.follow(stream, 0);
        loop {
            match follower.next().await? {
                Some(StreamItem::Chunk(_, bytes)) => self.output.text(bytes).await?,
                Some(StreamItem::End { succeeded }) => return Ok(u32::from(!succeeded)),
                None => return Ok(1),
            }
        }
    }

    /// Reads everything the client sends, to the end of its input or to the end of the line it types.
    pub(crate) async fn read(&mut self) -> Result<String, Failure> {
        let read = async { if self.output.is_terminal() { self.read_typed().await } else { self.read_to_end().await } };
        let bytes = tokio::time::timeout(ANSWER_LIMIT, read)
            .await
            .map_err(|_| Error::Invalid("Nothing was typed for five minutes.".to_owned()))??;
        String::from_utf8(bytes).map_err(|_| Error::Invalid("What was typed is not UTF-8 text.".to_owned()).into())
    }

    async fn read_to_end(&mut self) -> Result<Vec<u8>, Failure> {
        let mut read = Vec::new();
        while let Some(bytes) = self.input.recv().await {
            read.extend_from_slice(&bytes);
            check_length(&read)?;
        }
        Ok(read)
    }

    /// The client's terminal is raw, so that we echo, and understand the two keys everybody uses.
    async fn read_typed(&mut self) -> Result<Vec<u8>, Failure> {
        let mut read: Vec<u8> = Vec::new();
        while let Some(bytes) = self.input.recv().await {
            for byte in bytes {
                match byte {
                    b'\r' | b'\n' => {
                        self.output.line("").await?;
                        return Ok(read);
                    }
                    // Backspace; Ctrl-D at the start of a line ends the input.
                    8 | 127 => {
                        if read.pop().is_some() {
                            self.output.text("\x08 \x08").await?;
                        }
                    }
                    4 if read.is_empty() => return Ok(read),
                    0..32 => {}
                    typed => {
                        read.push(typed);
                        self.output.raw(Bytes::copy_from_slice(&[typed])).await?;
                    }
                }
            }
            check_length(&read)?;
        }
        Ok(read)
    }
}

fn check_length(read: &[u8]) -> Result<(), Failure> {
    if read.len() > MAX_INPUT {
        return Err(Error::Invalid(format!("That is longer than {} KB.", MAX_INPUT / 1024)).into());
    }
    Ok(())
}
