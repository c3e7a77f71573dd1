//! The command line as clap sees it, and its errors and help in Skypanel's own, shorter words.

use std::fmt::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use skypanel_core::Error;

use crate::Shared;
use crate::commands::{apps, builds, config, keys, logs, ps, releases, run};
use crate::exec::CommandLine;
use crate::output::{ClientGone, Output};

/// A parsed command line.
#[derive(Debug, Parser)]
#[command(
    name = "",
    no_binary_name = true,
    disable_help_subcommand = true,
    disable_colored_help = true,
    subcommand_required = true,
    term_width = 100
)]
pub(crate) struct Parsed {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command there is. The first line of each is what `help` lists.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List your apps
    Apps(apps::ListArguments),
    /// Create an app
    #[command(name = "apps:create")]
    AppsCreate(apps::CreateArguments),
    /// Destroy an app with everything that is its
    #[command(name = "apps:destroy")]
    AppsDestroy(apps::DestroyArguments),
    /// Show what an app is and does
    #[command(name = "apps:info")]
    AppsInfo(apps::InfoArguments),
    /// Stop the builds and releases of an app that are under way
    #[command(name = "builds:cancel")]
    BuildsCancel(builds::CancelArguments),
    /// Throw away an app's build cache
    #[command(name = "cache:purge")]
    CachePurge(builds::PurgeArguments),
    /// List the names of an app's config vars; values are never shown
    Config(config::ListArguments),
    /// Set config vars: KEY=VALUE ...
    #[command(name = "config:set")]
    ConfigSet(config::SetArguments),
    /// Remove config vars: KEY ...
    #[command(name = "config:unset")]
    ConfigUnset(config::UnsetArguments),
    /// Show this list, or what one command takes
    Help(HelpArguments),
    /// List your SSH keys
    Keys(keys::ListArguments),
    /// Register another SSH key, given as argument or on standard input
    #[command(name = "keys:add")]
    KeysAdd(keys::AddArguments),
    /// Show an app's newest log lines; -t goes on with new ones
    Logs(logs::ShowArguments),
    /// Show an app's processes
    Ps(ps::ListArguments),
    /// Restart all processes of an app
    #[command(name = "ps:restart")]
    PsRestart(ps::RestartArguments),
    /// Set how many of each process run: web=2 worker=1
    #[command(name = "ps:scale")]
    PsScale(ps::ScaleArguments),
    /// Start an app that was stopped
    #[command(name = "ps:start")]
    PsStart(ps::StartArguments),
    /// Stop all processes of an app
    #[command(name = "ps:stop")]
    PsStop(ps::StopArguments),
    /// List an app's releases
    Releases(releases::ListArguments),
    /// Run an earlier release again; the one before the current without a number
    Rollback(releases::RollbackArguments),
    /// Run a command in a container of the current release
    Run(run::RunArguments),
}

/// Arguments of `help`.
#[derive(Args, Debug)]
pub(crate) struct HelpArguments {
    /// The command to explain
    command: Vec<String>,
}

/// What is answered instead of running a command.
pub(crate) struct Answer {
    text: String,
    pub(crate) status: u32,
}

impl Answer {
    /// Help goes to standard output, errors to standard error.
    pub(crate) async fn tell(&self, output: &Output) -> Result<(), ClientGone> {
        if self.status == 0 { output.text(&self.text).await } else { output.error(&self.text).await }
    }
}

/// Parses a command line, or says what to answer to it.
pub(crate) fn parse(line: &CommandLine, shared: &Shared) -> Result<Parsed, Answer> {
    let mut words: Vec<&str> = line.words.iter().map(|word| word.text.as_str()).collect();
    if matches!(words.first(), Some(&("--help" | "-h"))) {
        words[0] = "help";
    }
    let joined = joined(&words);
    if let Some(joined) = &joined {
        words.splice(..2, [joined.as_str()]);
    }
    Parsed::try_parse_from(&words).map_err(|error| answer(&error, words[0], shared))
}

/// `apps create` is `apps:create`, where there is such a command.
fn joined(words: &[&str]) -> Option<String> {
    let [noun, action, ..] = words else { return None };
    let joined = format!("{noun}:{action}");
    Parsed::command().find_subcommand(&joined).is_some().then_some(joined)
}

fn answer(error: &clap::Error, first: &str, shared: &Shared) -> Answer {
    match error.kind() {
        ErrorKind::DisplayHelp => Answer { text: error.render().to_string(), status: 0 },
        ErrorKind::InvalidSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Answer { text: unknown(first, shared), status: 1 }
        }
        // A word in front of the command, such as an option.
        _ if Parsed::command().find_subcommand(first).is_none() => Answer { text: unknown(first, shared), status: 1 },
        _ => Answer { text: trimmed(error), status: 1 },
    }
}

fn unknown(command: &str, shared: &Shared) -> String {
    let shown: String = command.chars().filter(|character| !character.is_control()).take(80).collect();
    format!("Unknown command \"{shown}\". Try: {}", shared.hint("help"))
}

/// clap's message without its "error:", its hints for shells, and the line that advertises --help.
fn trimmed(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let mut text = String::new();
    for line in rendered.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if line.starts_with("For more information") || line.trim_start().starts_with("tip: to pass") {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let line = line.strip_prefix("error: ").unwrap_or(line);
        if text.is_empty() {
            let mut letters = line.chars();
            text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            text.push_str(letters.as_str());
            if !line.ends_with([':', '.']) {
                text.push('.');
            }
        } else {
            text.push_str(line);
        }
    }
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && argument.starts_with('-')
    {
        text.push_str("\nOptions that belong to the app's own command go behind --.");
    }
    text
}

/// The text of `help`.
pub(crate) fn help(arguments: &HelpArguments, shared: &Shared) -> Result<String, Error> {
    let mut parser = Parsed::command();
    if !arguments.command.is_empty() {
        let name = arguments.command.join(":");
        return match parser.find_subcommand_mut(&name) {
            Some(command) => Ok(command.render_help().to_string()),
            None => Err(Error::NotFound(unknown(&name, shared))),
        };
    }
    let commands: Vec<(String, String)> = parser
        .get_subcommands()
        .map(|command| {
            (command.get_name().to_owned(), command.get_about().map(ToString::to_string).unwrap_or_default())
        })
        .collect();
    let width = commands.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = format!("Usage: {}\n\n", shared.hint("COMMAND [-a APP] ..."));
    for (name, about) in commands {
        let _ = writeln!(text, "  {name:width$}  {about}");
    }
    text.push_str("\nWhat a command takes: help COMMAND. To deploy: git push skypanel main\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Parsed::command().debug_assert();
    }

    #[test]
    fn both_spellings_are_one_command() {
        assert_eq!(joined(&["apps", "create", "x"]).as_deref(), Some("apps:create"));
        assert_eq!(joined(&["ps", "scale"]).as_deref(), Some("ps:scale"));
        assert_eq!(joined(&["apps", "nonsense"]), None);
        assert_eq!(joined(&["run", "bash"]), None);
        assert_eq!(joined(&["apps"]), None);
    }

    #[test]
    fn errors_are_short_and_say_what_to_do() {
        let error = Parsed::try_parse_from(["ps:scale", "-x"]).expect_err("is refused");
        let text = trimmed(&error);
        assert!(text.starts_with("Unexpected argument '-x' found."), "{text}");
        assert!(text.contains("Usage: ps:scale"), "{text}");
        assert!(!text.contains("error:") && !text.contains("For more"), "{text}");
    }
}
