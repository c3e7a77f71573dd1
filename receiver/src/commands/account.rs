//! `password`, and `2fa` and its actions: what a login in a browser needs. Passwords are read without being shown, and
//! are in no command line: those end up in the history of shells and in lists of processes.

use clap::{Args, Subcommand};
use serde_json::json;
use skypanel_core::Error;
use skypanel_core::actions::Scope;

use crate::commands::context::{Context, Failure};
use crate::commands::table::pairs;

/// What can be done with one's account.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Change your password, given with the new one on standard input or typed
    #[command(name = "password")]
    Password(PasswordArguments),
    /// Show whether logins in a browser need a second factor
    #[command(name = "2fa")]
    Show,
    /// Put the second factor in force, with a first code of your authenticator app
    #[command(name = "2fa:confirm")]
    Confirm(CodeArguments),
    /// Take the second factor away; your password is read from standard input or typed
    #[command(name = "2fa:remove")]
    Remove(CodeArguments),
    /// Make a secret for your authenticator app; your password is read from standard input or typed
    #[command(name = "2fa:setup")]
    SetUp,
}

/// Arguments of `password`.
#[derive(Debug, Args)]
pub(crate) struct PasswordArguments {
    /// End all your API tokens as well: for when somebody else may have known the password
    #[arg(long)]
    revoke_tokens: bool,
}

/// Arguments of `2fa:confirm` and `2fa:remove`.
#[derive(Args)]
pub(crate) struct CodeArguments {
    /// What the app shows; to take it away, a recovery code will do
    code: String,
}

// By hand, so that no recovery code gets into a log by way of Debug.
impl std::fmt::Debug for CodeArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeArguments").finish_non_exhaustive()
    }
}

impl Command {
    /// Whether it reads a password.
    pub(crate) fn reads_secret(&self) -> bool {
        matches!(self, Self::Password(_) | Self::Remove(_) | Self::SetUp)
    }
}

pub(crate) async fn run(context: &mut Context, command: &Command) -> Result<u32, Failure> {
    match command {
        Command::Password(arguments) => change_password(context, arguments.revoke_tokens).await,
        Command::Show => show(context).await,
        Command::Confirm(arguments) => confirm(context, &arguments.code).await,
        Command::Remove(arguments) => remove(context, &arguments.code).await,
        Command::SetUp => set_up(context).await,
    }
}

async fn change_password(context: &mut Context, revoke_tokens: bool) -> Result<u32, Failure> {
    may_change(context)?;
    let [current, new] = context.secrets(["Your password: ", "The new password: "]).await?;
    // A slip of the finger that nobody saw would lock its owner out.
    if context.output.is_terminal() {
        let [again] = context.secrets(["The new password once more: "]).await?;
        if again != new {
            return Err(
                Error::Invalid("Those were two different new passwords. Nothing was changed.".to_owned()).into()
            );
        }
    }
    context.actions().change_password(context.actor(), &current, &new, None, revoke_tokens).await?;
    let tokens = if revoke_tokens { " and API tokens" } else { "" };
    context.done(format!("-----> Changed your password, and ended all sessions{tokens}")).await
}

/// Nobody gives their password away only to be refused.
fn may_change(context: &Context) -> Result<(), Error> {
    context.actor().needs(Scope::Manage)
}

async fn show(context: &Context) -> Result<u32, Failure> {
    let state = context.actions().second_factor(context.actor()).await?;
    let json = json!({ "enabled": state.enabled, "recovery_codes_left": state.recovery_codes_left });
    let mut rows = vec![("Second factor", if state.enabled { "on" } else { "off" }.to_owned())];
    if state.enabled {
        rows.push(("Recovery codes left", state.recovery_codes_left.to_string()));
    }
    context.tell(json, pairs(&rows)).await
}

async fn set_up(context: &mut Context) -> Result<u32, Failure> {
    may_change(context)?;
    let [password] = context.secrets(["Your password: "]).await?;
    let enrolment = context.actions().begin_second_factor(context.actor(), &password).await?;
    let text = format!(
        "-----> Give this to your authenticator app:\n       {}\n       {}\n       Then put it in force with its first \
         code: 2fa:confirm CODE\n",
        enrolment.secret, enrolment.url
    );
    context.tell(json!({ "secret": enrolment.secret, "url": enrolment.url }), text).await
}

async fn confirm(context: &Context, code: &str) -> Result<u32, Failure> {
    let codes = context.actions().confirm_second_factor(context.actor(), code).await?;
    let text = format!(
        "-----> Logins in a browser need a code from now on\n       Each of these stands in for one, once. They are \
         shown this once; keep them where your phone is not:\n\n{}\n",
        codes.join("\n")
    );
    context.tell(json!({ "recovery_codes": codes }), text).await
}

async fn remove(context: &mut Context, code: &str) -> Result<u32, Failure> {
    may_change(context)?;
    let [password] = context.secrets(["Your password: "]).await?;
    context.actions().remove_second_factor(context.actor(), &password, code).await?;
    context.done("-----> Logins in a browser need no code any more").await
}
