//! `sessions` and `sessions:end`: the browsers in which a user is logged in.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skypanel_core::model::{Session, SessionId};
use uuid::Uuid;

use crate::commands::context::{Context, Failure};
use crate::commands::shown::id;
use crate::commands::table::{plain, time};

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the browsers in which you are logged in
    #[command(name = "sessions")]
    List,
    /// Log out in one browser, or with --all in all of them
    #[command(name = "sessions:end")]
    End(EndArguments),
}

/// Arguments of `sessions:end`.
#[derive(Args, Debug)]
pub(crate) struct EndArguments {
    /// The session's id, as the command sessions shows it
    #[arg(value_name = "ID", value_parser = id, required_unless_present = "all")]
    session: Option<Uuid>,
    /// All of them; API tokens and SSH keys stay
    #[arg(long, conflicts_with = "session")]
    all: bool,
}

pub(crate) async fn run(context: &Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::List => list(context).await,
        Command::End(EndArguments { session: Some(session), .. }) => end(context, SessionId(*session)).await,
        Command::End(EndArguments { session: None, .. }) => end_all(context).await,
    }
}

async fn list(context: &Context) -> Result<u32, Failure> {
    let sessions = context.actions().sessions(context.actor()).await?;
    let rows = sessions.iter().map(|session| {
        let row = vec![
            session.id.to_string(),
            time(session.last_used_at),
            time(session.expires_at),
            session.address.clone().unwrap_or_default(),
            plain(session.user_agent.as_deref().unwrap_or_default()),
        ];
        (item(session), row)
    });
    context.list(&["ID", "LAST USED", "ENDS", "FROM", "BROWSER"], "You are logged in in no browser.", rows).await
}

async fn end(context: &Context, session: SessionId) -> Result<u32, Failure> {
    context.actions().end_session(context.actor(), session).await?;
    context.done(format!("-----> Ended the session {session}")).await
}

async fn end_all(context: &Context) -> Result<u32, Failure> {
    let ended = context.actions().log_out_everywhere(context.actor()).await?;
    context.tell(json!({ "ended": ended }), format!("-----> Ended all sessions: {ended}")).await
}

fn item(session: &Session) -> Value {
    json!({
        "id": session.id,
        // None is that of whoever comes over SSH.
        "current": false,
        "created_at": session.created_at,
        "last_used_at": session.last_used_at,
        "expires_at": session.expires_at,
        "address": session.address,
        "user_agent": session.user_agent,
    })
}
