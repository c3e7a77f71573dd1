//! The client: every command that is not the host's own goes to the platform over SSH, the same way Git does.
//! The remote named `skypanel` of the repository one stands in says where the platform is and which app is meant;
//! elsewhere it is the platform one is logged in to.

mod address;
mod api;
mod git;
mod login;
mod logins;
mod ssh;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;
use serde_json::Value;
use skypanel_core::{Error, Result};
use skypanel_receiver::ClientLine;

use address::Address;
use api::{Api, Refusal, WebAddress};
pub(crate) use git::{RemoteArguments, become_ssh, set_remote};
pub(crate) use login::{LoginArguments, LogoutArguments, login, logout};
use logins::{Login, Logins};

/// What `ssh` ends with when there is no connection, or none any more.
const NO_CONNECTION: u8 = 255;
/// Exit status where the platform does not take a login.
const NOT_TAKEN: u8 = 3;
/// Longest the platform may take to say whether it takes a login.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// The exit status for an error of the client's own. What a command on the platform ends with is that command's.
pub(crate) fn exit_code(error: &Error) -> ExitCode {
    match error {
        Error::Upstream(_) => NO_CONNECTION.into(),
        Error::Unauthenticated(_) => NOT_TAKEN.into(),
        _ => ExitCode::FAILURE,
    }
}

/// Runs `words` on the platform, to the exit status.
pub(crate) fn run(words: &[String], as_json: bool) -> Result<ExitCode> {
    if is_help(words) && is_own(&words[1..]) {
        return help(&words[1..]);
    }
    let logins = Logins::load()?;
    let address = match address::find(&logins) {
        Ok(Some(address)) => address,
        Ok(None) if is_help(words) => return help(&words[1..]),
        Ok(None) => return Err(no_platform()),
        Err(error) => return Err(error),
    };
    let mut words = words.to_vec();
    if as_json && !ClientLine::new(&words, None).is_json() {
        words.insert(0, "--json".to_owned());
    }
    let line = ClientLine::new(&words, address.app.as_deref());
    let login = logins.of(&address);
    let mut command = ssh::command(&logins, login)?;
    let terminal = std::io::stdin().is_terminal() && (std::io::stdout().is_terminal() || line.reads_secret());
    command.arg(if terminal && line.wants_terminal() { "-t" } else { "-T" });
    if let Some(port) = address.port {
        command.arg("-p").arg(port.to_string());
    }
    let quoted: Vec<String> = line.words.iter().map(|word| quote(word)).collect();
    command.args([&address.destination(), "--", &quoted.join(" ")]);
    let status = ssh::run(command)?;
    if status == NO_CONNECTION {
        return Err(broken(&address, login, line.command()));
    }
    Ok(ExitCode::from(status))
}

/// What to do about a connection that failed: `ssh` has told its reason by now, and its one exit status has many.
fn broken(address: &Address, login: Option<&Login>, command: &str) -> Error {
    if let Some(login) = login
        && let Ok(true) = in_runtime(is_refused(login))
    {
        return Error::Unauthenticated(format!(
            "{} does not take your login any more: it was revoked or has expired. You have to log in again: skypanel login",
            login.url
        ));
    }
    let url = address.url(None);
    if command == "run" {
        // A process of the app may have ended with it as well, and then all is said.
        let text = format!("The exit status is 255: the command's own, or the connection to {url} broke.");
        return Error::Upstream(text);
    }
    let advice = if login.is_some() {
        "If the platform's SSH key was changed by its operator, log in again: skypanel login"
    } else {
        "Without an SSH key that the platform knows, log in first: skypanel login https://PLATFORM"
    };
    Error::Upstream(format!("The connection to {url} failed; the reason is above.\n{advice}"))
}

/// Whether the platform says that it does not know the token. Where it does not answer, that is not known.
async fn is_refused(login: &Login) -> Result<bool> {
    let api = Api::at(WebAddress::parse(&login.url, true)?)?;
    let asked = tokio::time::timeout(ASK_LIMIT, api.get::<Value>("/api/me", Some(&login.token.0))).await;
    Ok(matches!(asked, Ok(Err(Refusal::Refused(401, ..)))))
}

/// Runs what waits for the network, on one thread.
pub(crate) fn in_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::System(format!("The runtime could not start: {error}.")))?;
    runtime.block_on(work)
}

fn is_help(words: &[String]) -> bool {
    words.first().is_some_and(|first| first == "help")
}

/// Whether the words name a command that no platform knows.
fn is_own(words: &[String]) -> bool {
    let own = crate::CommandLine::command();
    let is_known = |name: &str| own.find_subcommand(name).is_some();
    is_known(&words.join(":")) || words.first().is_some_and(|first| is_known(first))
}

/// `help` where no platform can be asked: what this program itself knows.
fn help(about: &[String]) -> Result<ExitCode> {
    let mut own = crate::CommandLine::command();
    own.build();
    let text = match about {
        [] => own.render_help().to_string(),
        words => {
            let name = words.join(":");
            let found = own.find_subcommand_mut(&name).map(|command| command.render_help().to_string());
            found
                .or_else(|| own.find_subcommand_mut(&words[0]).map(|command| command.render_help().to_string()))
                .or_else(|| skypanel_receiver::command_help(words))
                .ok_or_else(|| {
                    Error::NotFound("There is no such command. `skypanel help` lists them all.".to_owned())
                })?
        }
    };
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn no_platform() -> Error {
    Error::Invalid(
        "Which platform? You are logged in to none, SKYPANEL_REMOTE is not set (such as ssh://git@panel.example:2222),\n\
         and this Git repository has no remote named \"skypanel\". Log in, or add one:\n\
         skypanel login https://PLATFORM\n\
         git remote add skypanel ssh://git@HOST:2222/APP.git"
            .to_owned(),
    )
}

/// Where `ssh` runs us to ask for a password: its answer, on standard output.
pub(crate) fn answer_question(platform: &str, question: Option<&str>) -> ExitCode {
    match ssh::answer(platform, question.unwrap_or_default()) {
        Some(token) => {
            println!("{token}");
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

/// The variable that says that we are run for [`answer_question`], and about which platform.
pub(crate) const ASKED_FOR: &str = ssh::ASKED_FOR;

/// Quotes a word the way the platform's own word splitter reads it; no shell ever sees it.
fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=./:,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_platform_as_they_are() {
        assert_eq!(quote("web=2"), "web=2");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }
}
