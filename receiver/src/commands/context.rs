//! What every command works with: who asks, where answers go, and the few things all commands do alike.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use skypanel_core::Error;
use skypanel_core::actions::{Actions, Actor};
use skypanel_core::model::{
    AppRef, AppSlug, Application, DeploymentId, Organization, OrganizationRef, ReleaseVersion, Role, StreamId,
};
use skypanel_core::store::Access;
use skypanel_core::stream::StreamItem;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::Shared;
use crate::client::{Client, Right};
use crate::commands::shown::{Characters, listed, organization_named};
use crate::commands::table::table;
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

impl AppChoice {
    /// The app, for an action that checks what the user may do with it.
    pub(crate) fn named(&self) -> Result<AppRef, Failure> {
        let Some(name) = &self.app else {
            let text = "Say which app it is about: -a NAME. The command apps lists yours.";
            return Err(Error::Invalid(text.to_owned()).into());
        };
        Ok(AppRef::Slug(name.parse::<AppSlug>()?))
    }
}

/// Which organisation a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct OrganizationChoice {
    /// The organisation, by name or id; needed if you are in several
    #[arg(long, value_name = "ORGANISATION")]
    org: Option<String>,
}

/// What a terminal shows of what is typed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    Typed,
    Nothing,
}

/// A command being run.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Arc<Client>,
    pub(crate) actor: Arc<Actor>,
    pub(crate) output: Output,
    /// What the client types; ends with its input.
    pub(crate) input: mpsc::Receiver<Bytes>,
}

impl Context {
    /// The chosen app, if the user may have that access to it.
    pub(crate) async fn app(&self, choice: &AppChoice, access: Access) -> Result<Application, Failure> {
        Ok(self.actions().app_of(&self.actor, &choice.named()?, access).await?)
    }

    /// The chosen organisation, or else the only one the user is in.
    pub(crate) fn organization(&self, choice: &OrganizationChoice) -> Result<OrganizationRef, Failure> {
        if let Some(named) = &choice.org {
            return Ok(organization_named(named));
        }
        match self.memberships() {
            [(organization, _)] => Ok(OrganizationRef::Id(organization.id)),
            [] => Err(Error::NotFound("You are in no organisation. Ask an owner to invite you.".to_owned()).into()),
            several => {
                let names: Vec<&str> = several.iter().map(|(organization, _)| organization.name.as_str()).collect();
                let text = format!("You are in several organisations. Say which one: --org {}.", names.join(" or "));
                Err(Error::Invalid(text).into())
            }
        }
    }

    /// The deployment of that release number or id; the app's newest for none.
    pub(crate) async fn deployment(&self, app: &AppRef, named: Option<&str>) -> Result<DeploymentId, Failure> {
        let Some(named) = named else {
            let newest = self.actions().deployments(&self.actor, app, None, 1).await?;
            let newest = newest.first().map(|view| view.deployment.id);
            return newest.ok_or_else(|| Error::NotFound("The app was never deployed.".to_owned()).into());
        };
        if let Ok(id) = named.parse() {
            return Ok(DeploymentId(id));
        }
        let version: ReleaseVersion = named.parse()?;
        let app = self.actions().app_of(&self.actor, app, Access::Read).await?;
        Ok(self.actions().store.release(app.id, version).await?.id)
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

    /// Answers with a result: its JSON to programs, its text to people.
    pub(crate) async fn tell(&self, json: impl Serialize, text: impl AsRef<str>) -> Result<u32, Failure> {
        if self.output.is_json() {
            self.output.document(&json).await?;
        } else {
            let text = text.as_ref();
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            self.output.text(format!("{text}{end}")).await?;
        }
        Ok(0)
    }

    /// Answers that what has no result was done.
    pub(crate) async fn done(&self, text: impl AsRef<str>) -> Result<u32, Failure> {
        self.tell(json!({ "succeeded": true }), text).await
    }

    /// Answers with a list: items to programs, rows under their headings to people, who are told `empty` if there
    /// are none.
    pub(crate) async fn list(
        &self,
        headings: &[&str],
        empty: &str,
        items: impl IntoIterator<Item = (Value, Vec<String>)>,
    ) -> Result<u32, Failure> {
        let (items, rows): (Vec<Value>, Vec<Vec<String>>) = items.into_iter().unzip();
        let text = if rows.is_empty() { empty.to_owned() } else { table(headings, &rows) };
        self.tell(listed(items), text).await
    }

    /// Asks people, and only them, for what [`Context::read`] is to read.
    pub(crate) async fn ask(&self, question: &str) -> Result<(), Failure> {
        if !self.output.is_json() {
            self.output.notice(question).await?;
        }
        Ok(())
    }

    /// Shows a job to its end, if there is one; answers the exit status.
    pub(crate) async fn follow_job(&self, job: Option<StreamId>) -> Result<u32, Failure> {
        match job {
            Some(job) => self.follow(job).await,
            None => Ok(0),
        }
    }

    /// The outcome of `work`, which is ended when that right is taken away meanwhile.
    pub(crate) async fn while_allowed<T>(
        &self,
        right: Right,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.client.while_allowed(&self.shared, right, work).await
    }

    /// Shows a stream to its end, or for as long as the user may see it; answers the exit status.
    pub(crate) async fn follow(&self, stream: StreamId) -> Result<u32, Failure> {
        self.while_allowed(Right::Stream(stream), self.show(stream)).await
    }

    async fn show(&self, stream: StreamId) -> Result<u32, Failure> {
        let mut follower = self.actions().streams.follow(stream, 0);
        let mut characters = Characters::default();
        let succeeded = loop {
            match follower.next().await? {
                Some(StreamItem::Chunk(_, bytes)) if self.output.is_json() => {
                    self.output.document(&json!({ "output": characters.complete(&bytes) })).await?;
                }
                Some(StreamItem::Chunk(_, bytes)) => self.output.text(bytes).await?,
                Some(StreamItem::End { succeeded }) => break succeeded,
                None => break false,
            }
        };
        if self.output.is_json() {
            self.output.document(&json!({ "succeeded": succeeded })).await?;
        }
        Ok(u32::from(!succeeded))
    }

    /// Reads secrets: each typed at its question without being shown, or a line each of the client's input.
    pub(crate) async fn secrets<const N: usize>(
        &mut self,
        questions: [&str; N],
    ) -> Result<[Zeroizing<String>; N], Failure> {
        let mut read = Vec::with_capacity(N);
        if self.output.is_terminal() {
            for question in questions {
                self.ask(question).await?;
                read.push(Zeroizing::new(self.read_with(MAX_INPUT, Echo::Nothing).await?));
            }
        } else {
            let input = Zeroizing::new(self.read().await?);
            read.extend(input.lines().map(|line| Zeroizing::new(line.to_owned())));
        }
        read.try_into().map_err(|_| {
            let asked = questions.map(|question| question.trim_end_matches(": ").to_lowercase()).join(", ");
            Error::Invalid(format!("Give this on standard input, a line each, or use a terminal (ssh -t): {asked}."))
                .into()
        })
    }

    /// Reads a secret: typed at the question without being shown, or all of the client's input.
    pub(crate) async fn secret(&mut self, question: &str) -> Result<Zeroizing<String>, Failure> {
        if self.output.is_terminal() {
            self.ask(question).await?;
        }
        Ok(Zeroizing::new(self.read_with(MAX_INPUT, Echo::Nothing).await?))
    }

    /// Reads everything the client sends, to the end of its input or to the end of the line it types.
    pub(crate) async fn read(&mut self) -> Result<String, Failure> {
        self.read_up_to(MAX_INPUT).await
    }

    /// The same, with room for so many bytes.
    pub(crate) async fn read_up_to(&mut self, most: usize) -> Result<String, Failure> {
        self.read_with(most, Echo::Typed).await
    }

    async fn read_with(&mut self, most: usize, echo: Echo) -> Result<String, Failure> {
        let read = async {
            if self.output.is_terminal() { self.read_typed(most, echo).await } else { self.read_to_end(most).await }
        };
        let bytes = tokio::time::timeout(ANSWER_LIMIT, read)
            .await
            .map_err(|_| Error::Invalid("Nothing was typed for five minutes.".to_owned()))??;
        String::from_utf8(bytes).map_err(|_| Error::Invalid("What was typed is not UTF-8 text.".to_owned()).into())
    }

    async fn read_to_end(&mut self, most: usize) -> Result<Vec<u8>, Failure> {
        let mut read = Vec::new();
        while let Some(bytes) = self.input.recv().await {
            read.extend_from_slice(&bytes);
            check_length(&read, most)?;
        }
        Ok(read)
    }

    /// The client's terminal is raw, so that we echo, and understand the two keys everybody uses.
    async fn read_typed(&mut self, most: usize, echo: Echo) -> Result<Vec<u8>, Failure> {
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
                        if read.pop().is_some() && echo == Echo::Typed {
                            self.output.text("\x08 \x08").await?;
                        }
                    }
                    4 if read.is_empty() => return Ok(read),
                    0..32 => {}
                    typed => {
                        read.push(typed);
                        if echo == Echo::Typed {
                            self.output.raw(Bytes::copy_from_slice(&[typed])).await?;
                        }
                    }
                }
            }
            check_length(&read, most)?;
        }
        Ok(read)
    }
}

fn check_length(read: &[u8], most: usize) -> Result<(), Failure> {
    if read.len() > most {
        return Err(Error::Invalid(format!("That is longer than {} KB.", most / 1024)).into());
    }
    Ok(())
}
