//! One session channel: gathers what the client asks for (terminal, protocol version), then runs the one
//! thing it executes.

use std::sync::Arc;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use skypanel_core::Error;
use skypanel_core::actions::Actor;
use skypanel_core::console::Terminal;

use crate::client::Client;
use crate::exec::Exec;
use crate::output::Output;
use crate::{Shared, commands, git};

/// What a client set up before it executed something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Its terminal, if it asked for one.
    pub(crate) terminal: Option<Terminal>,
    /// Value of `GIT_PROTOCOL`, if it is one we pass on.
    pub(crate) git_protocol: Option<String>,
}

impl Setup {
    /// The width of its terminal, if it has one.
    fn columns(&self) -> Option<u16> {
        self.terminal.as_ref().map(|terminal| terminal.columns)
    }
}

/// What a client sends once something runs.
#[derive(Debug)]
pub(crate) enum Input {
    /// Bytes for standard input.
    Data(Bytes),
    /// Its terminal has a new number of columns and rows.
    Resize(u16, u16),
    /// Standard input ends.
    Eof,
}

/// The receiving side of a channel.
pub(crate) struct Requests(ChannelReadHalf);

impl Requests {
    /// The next input; none when the client is gone.
    pub(crate) async fn next(&mut self) -> Option<Input> {
        loop {
            match self.0.wait().await? {
                ChannelMsg::Data { data } => return Some(Input::Data(data)),
                ChannelMsg::WindowChange { col_width, row_height, .. } => {
                    return Some(Input::Resize(clamp(col_width), clamp(row_height)));
                }
                ChannelMsg::Eof => return Some(Input::Eof),
                ChannelMsg::Close => return None,
                _ => {}
            }
        }
    }

    /// Input that is there already; none when there is nothing yet.
    pub(crate) fn waiting(&mut self) -> Option<Input> {
        // Polled once: the library has no way to look without waiting.
        futures_util::FutureExt::now_or_never(self.next()).flatten()
    }

    /// Waits until the client is gone, throwing away what it sends.
    pub(crate) async fn gone(&mut self) {
        while self.next().await.is_some() {}
    }
}

/// Serves a channel to its end.
pub(crate) async fn serve(shared: Arc<Shared>, client: Arc<Client>, handle: Handle, channel: Channel<Msg>) {
    let id = channel.id();
    let (mut requests, _) = channel.split();
    let mut setup = Setup::default();
    loop {
        match requests.wait().await {
            Some(ChannelMsg::RequestPty { term, col_width, row_height, .. }) => {
                setup.terminal = Some(Terminal { term, columns: clamp(col_width), rows: clamp(row_height) });
            }
            Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                if let Some(terminal) = &mut setup.terminal {
                    (terminal.columns, terminal.rows) = (clamp(col_width), clamp(row_height));
                }
            }
            Some(ChannelMsg::SetEnv { variable_name, variable_value, .. }) if variable_name == "GIT_PROTOCOL" => {
                setup.git_protocol = git::protocol(variable_value);
            }
            Some(ChannelMsg::RequestShell { .. }) => {
                let output = Output::new(handle, id, setup.columns());
                return greet(&shared, client.first_actor(), &output).await;
            }
            Some(ChannelMsg::Exec { command, .. }) => {
                return execute(&shared, &client, handle, id, &command, setup, Requests(requests)).await;
            }
            Some(ChannelMsg::Close) | None => return,
            Some(_) => {}
        }
    }
}

async fn execute(
    shared: &Arc<Shared>,
    client: &Arc<Client>,
    handle: Handle,
    id: russh::ChannelId,
    command: &[u8],
    setup: Setup,
    requests: Requests,
) {
    let actor = match client.actor(shared).await {
        Ok(actor) => actor,
        Err(error) => {
            let output = Output::new(handle, id, setup.columns());
            return output.fail(&error).await;
        }
    };
    match Exec::parse(command) {
        Ok(Exec::ReceivePack(slug)) => {
            let output = Output::new(handle, id, None);
            git::receive_pack(shared, client, actor, slug, output, requests).await;
        }
        Ok(Exec::UploadPack(slug)) => {
            let output = Output::new(handle, id, None);
            git::upload_pack(shared, client, &actor, &slug, setup.git_protocol, &output, requests).await;
        }
        Ok(Exec::Command(line)) => {
            let output = Output::new(handle, id, setup.columns());
            commands::run(shared, client, actor, line, setup.terminal, output, requests).await;
        }
        Err(error) => {
            let output = Output::new(handle, id, setup.columns());
            output.fail(&Error::Invalid(error.to_string())).await;
        }
    }
}

async fn greet(shared: &Shared, actor: &Actor, output: &Output) {
    let name = actor.identity.as_ref().map_or("", |identity| identity.user.email.as_str());
    let line = format!("Hello {}! Skypanel gives no shell; try: {}", name, shared.hint("help"));
    let _ = output.line(&line).await;
    output.finish(1).await;
}

/// Terminals have sizes in one and the same small range, whatever a client sends.
fn clamp(size: u32) -> u16 {
    u16::try_from(size.clamp(1, 9_999)).unwrap_or(80)
}
