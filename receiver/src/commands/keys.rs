//! `keys` and `keys:add`: a user's own SSH keys.

use clap::Args;

use crate::commands::context::{Context, Failure};
use crate::commands::table::{plain, table, time};

/// Arguments of `keys`.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {}

/// Arguments of `keys:add`.
#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    /// The line of the .pub file; read from standard input without
    key: Vec<String>,
}

pub(crate) async fn list(context: &Context, _arguments: &ListArguments) -> Result<u32, Failure> {
    let keys = context.shared.actions.store.ssh_keys(context.actor().user()?.id).await?;
    let rows: Vec<Vec<String>> = keys
        .into_iter()
        .map(|key| {
            let used = key.last_used_at.map_or_else(|| "never".to_owned(), time);
            let kind = key.public_key.split(' ').next().unwrap_or_default().to_owned();
            vec![key.fingerprint, kind, used, plain(&key.name)]
        })
        .collect();
    context.output.text(table(&["FINGERPRINT", "TYPE", "LAST USED", "NAME"], &rows)).await?;
    Ok(0)
}

pub(crate) async fn add(mut context: Context, arguments: &AddArguments) -> Result<u32, Failure> {
    let text = if arguments.key.is_empty() {
        if context.output.is_terminal() {
            context.output.notice("Paste the line of your .pub file: ").await?;
        }
        context.read().await?
    } else {
        arguments.key.join(" ")
    };
    let key = context.actions().add_ssh_key(context.actor(), &text, None).await?;
    context.output.line(&format!("-----> Added the key {} ({})", key.fingerprint, plain(&key.name))).await?;
    Ok(0)
}
