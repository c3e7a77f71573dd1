//! The command line as clap sees it, and its errors and help in Skypanel's own, shorter words.

use std::fmt::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use skypanel_core::Error;

use crate::Shared;
use crate::commands::{apps, builds, config, domains, keys, logs, ps, releases, run};
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
    /// List an app's domains, with their certificates
    Domains(domains::ListArguments),
    /// Add a domain of your own to an app
    #[command(name = "domains:add")]
    DomainsAdd(domains::AddArguments),
    /// Send plain HTTP on an app's own domains on to HTTPS, or not
    #[command(name = "domains:redirect")]
    DomainsRedirect(domains::RedirectArguments),
    /// Remove a domain from an app
    #[command(name = "domains:remove")]
    DomainsRemove(domains::RemoveArguments),
    /// Look now whether a domain's records are right
    #[command(name = "domains:verify")]
    DomainsVerify(domains::VerifyArguments),
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
    let words = one_spelling(line.words.iter().map(|word| word.text.clone()).collect());
    let first = words.first().map_or("", String::as_str);
    Parsed::try_parse_from(&words).map_err(|error| answer(error, first, shared))
}

/// The words with the command as one of them: `apps create` is `apps:create`, where there is such a command.
pub(crate) fn one_spelling(mut words: Vec<String>) -> Vec<String> {
    if let Some(first) = words.first_mut().filter(|first| matches!(first.as_str(), "--help" | "-h")) {
        "help".clone_into(first);
    }
    if let [noun, action, ..] = words.as_slice() {
        let joined = format!("{noun}:{action}");
        if Parsed::command().find_subcommand(&joined).is_some() {
            words.splice(..2, [joined]);
        }
    }
    words
}

fn answer(error: clap::Error, first: &str, shared: &Shared) -> Answer {
    match error.kind() {
        ErrorKind::DisplayHelp => Answer { text: error.render().to_string(), status: 0 },
        ErrorKind::InvalidSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Answer { text: unknown(first, shared), status: 1 }
        }
        // A word in front of the command, such as an option.
        _ if Parsed::command().find_subcommand(first).is_none() => Answer { text: unknown(first, shared), status: 1 },
        _ => Answer { text: trimmed(&without_values(error)), status: 1 },
    }
}

fn unknown(command: &str, shared: &Shared) -> String {
    let shown: String = before_value(command).chars().filter(|character| !character.is_control()).take(80).collect();
    format!("Unknown command \"{shown}\". Try: {}", shared.hint("help"))
}

/// A word without what follows its equals sign, which may be a config var's value.
fn before_value(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

/// The error with every word that was typed cut at its equals sign: `config TOKEN=secret` must not repeat the secret.
fn without_values(mut error: clap::Error) -> clap::Error {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::TrailingArg] {
        if let Some(ContextValue::String(word)) = error.get(kind)
            // In clap's own names of arguments, such as <TYPE=NUMBER>, nothing was typed.
            && !word.starts_with(['<', '['])
            && let Some((name, _)) = word.split_once('=')
        {
            let cut = ContextValue::String(format!("{name}=..."));
            error.insert(kind, cut);
        }
    }
    error
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
    if arguments.command.is_empty() {
        let usage = shared.hint("COMMAND [-a APP] ...");
        return Ok(format!(
            "Usage: {usage}\n\n{}\nWhat a command takes: help COMMAND. To deploy: git push skypanel main\n",
            list()
        ));
    }
    let name = arguments.command.join(":");
    explanation(&name).ok_or_else(|| Error::NotFound(unknown(&name, shared)))
}

/// All commands, a line each.
pub(crate) fn list() -> String {
    let parser = Parsed::command();
    let width = parser.get_subcommands().map(|command| command.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for command in parser.get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "  {:width$}  {about}", command.get_name());
    }
    text
}

/// What a command takes, if there is one of that name.
pub(crate) fn explanation(name: &str) -> Option<String> {
    Some(Parsed::command().find_subcommand_mut(name)?.render_help().to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Parsed::command().debug_assert();
    }

    #[test]
    fn both_spellings_are_one_command() {
        for (typed, read) in [
            ("apps create x", "apps:create x"),
            ("ps scale web=1", "ps:scale web=1"),
            ("apps nonsense", "apps nonsense"),
            ("run bash", "run bash"),
            ("apps", "apps"),
            ("--help ps", "help ps"),
            ("", ""),
        ] {
            let words = typed.split_whitespace().map(str::to_owned).collect();
            assert_eq!(one_spelling(words).join(" "), read);
        }
    }

    #[test]
    fn errors_are_short_and_say_what_to_do() {
        let error = Parsed::try_parse_from(["ps:scale", "-x"]).expect_err("is refused");
        let text = trimmed(&error);
        assert!(text.starts_with("Unexpected argument '-x' found."), "{text}");
        assert!(text.contains("Usage: ps:scale"), "{text}");
        assert!(!text.contains("error:") && !text.contains("For more"), "{text}");
    }
    #[test]
    fn errors_do_not_repeat_values() {
        for line in ["config TOKEN=s3cr3t", "ps --TOKEN=s3cr3t", "config --app=x -TOKEN=s3cr3t", "logs -n TOKEN=s3cr3t"]
        {
            let error = Parsed::try_parse_from(line.split(' ')).expect_err(line);
            let text = trimmed(&without_values(error));
            assert!(!text.contains("s3cr3t"), "{line}: {text}");
            assert!(text.contains("'-T' ") || text.contains("TOKEN"), "{line}: {text}");
        }
    }

    /// Lines made of what commands are made of, in every wrong order, with quotes and bytes strewn in.
    fn lines() -> impl Strategy<Value = String> {
        let names: Vec<String> =
            Parsed::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let word = prop_oneof![
            4 => proptest::sample::select(names),
            2 => proptest::sample::select(vec!["apps", "ps", "config", "scale", "set", "create", "help", "run"])
                .prop_map(str::to_owned),
            4 => proptest::sample::select(vec!["-a", "--app", "--app=", "-ashop", "--", "-", "--help", "-h", "-t", "-n"])
                .prop_map(str::to_owned),
            3 => proptest::sample::select(vec!["web=2", "A=b", "=", "v1", "v999999999999", "shop", "99", "-1", "''"])
                .prop_map(str::to_owned),
            3 => ".{0,12}",
        ];
        let gap = proptest::sample::select(vec![" ", "  ", "\t", "", "'", "\"", "\\", "\u{a0}"]);
        proptest::collection::vec((word, gap), 0..8)
            .prop_map(|words| words.into_iter().map(|(word, gap)| word + gap).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn whatever_is_typed_is_a_command_or_an_error_in_words(line in lines()) {
            let Ok(crate::exec::Exec::Command(line)) = crate::exec::Exec::parse(line.as_bytes()) else { return Ok(()) };
            let words = one_spelling(line.words.iter().map(|word| word.text.clone()).collect());
            match Parsed::try_parse_from(&words) {
                Ok(Parsed { command: Command::Run(arguments) }) => {
                    let one_off = arguments.one_off(&line, None);
                    prop_assert!(!one_off.command.contains('\0'));
                    // What runs was typed.
                    prop_assert!(line.line.contains(one_off.command.trim()) || line.words.iter().any(|word| word.text == one_off.command));
                }
                Ok(_) => {}
                Err(error) => {
                    let text = trimmed(&without_values(error));
                    prop_assert!(!text.is_empty());
                    prop_assert!(!text.contains("error:"), "{text}");
                }
            }
        }
    }
}
