//! The command line as clap sees it, and its errors and help in Skypanel's own, shorter words.

use std::fmt::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use skypanel_core::Error;

use crate::Shared;
use crate::commands::{
    account, admin, alerts, apps, builds, config, deploy, domains, drains, events, invitations, invoices, jobs, keys,
    login, logs, members, metrics, notifications, orgs, ps, releases, repo, run, sessions, tokens, usage, wallet,
    webhooks,
};
use crate::exec::CommandLine;

/// The option that makes every answer JSON.
const JSON: &str = "--json";
/// Most words of which a command's name is put together: `admin settings set`.
const NAME_WORDS: usize = 3;

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
    /// Answer in JSON, for programs; every command but run can
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command there is, by noun. The first line of each is what `help` lists.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Account(account::Command),
    #[command(flatten)]
    Admin(admin::Command),
    /// List what is wrong with an organisation and its apps
    Alerts(alerts::AlertsArguments),
    #[command(flatten)]
    Apps(apps::Command),
    #[command(flatten)]
    Builds(builds::Command),
    #[command(flatten)]
    Config(config::Command),
    #[command(flatten)]
    Deploy(deploy::Command),
    #[command(flatten)]
    Domains(domains::Command),
    #[command(flatten)]
    Drains(drains::Command),
    /// List what happened to an app, or to an organisation and its apps
    Events(events::EventsArguments),
    /// Show this list, or what one command takes
    Help(HelpArguments),
    #[command(flatten)]
    Invitations(invitations::Command),
    #[command(flatten)]
    Invoices(invoices::Command),
    #[command(flatten)]
    Jobs(jobs::Command),
    #[command(flatten)]
    Keys(keys::Command),
    #[command(flatten)]
    Login(login::Command),
    /// Show an app's newest log lines; -t goes on with new ones
    Logs(logs::ShowArguments),
    #[command(flatten)]
    Members(members::Command),
    /// Show what each replica of an app uses: CPU, memory, network
    Metrics(metrics::MetricsArguments),
    #[command(flatten)]
    Notifications(notifications::Command),
    #[command(flatten)]
    Orgs(orgs::Command),
    /// List the plans that an app can be on
    Plans,
    #[command(flatten)]
    Ps(ps::Command),
    #[command(flatten)]
    Releases(releases::Command),
    #[command(flatten)]
    Repo(repo::Command),
    /// Run a command in a container of the current release
    Run(run::RunArguments),
    #[command(flatten)]
    Sessions(sessions::Command),
    #[command(flatten)]
    Tokens(tokens::Command),
    /// Show what an organisation's apps used and what that cost
    Usage(usage::UsageArguments),
    #[command(flatten)]
    Wallet(wallet::Command),
    #[command(flatten)]
    Webhooks(webhooks::Command),
}

impl Command {
    /// Whether it reads what the client sends. All others are not held up by what nobody reads.
    pub(crate) fn reads_input(&self) -> bool {
        if let Self::Account(command) = self {
            return command.reads_secret();
        }
        if let Self::Notifications(command) = self {
            return command.reads_input();
        }
        if let Self::Admin(command) = self {
            return command.reads_input();
        }
        matches!(
            self,
            Self::Apps(apps::Command::Destroy(_))
                | Self::Config(config::Command::Import(_))
                | Self::Deploy(deploy::Command::Archive(_))
                | Self::Invitations(invitations::Command::Accept(_))
                | Self::Keys(keys::Command::Add(_))
                | Self::Repo(repo::Command::Set(_))
        )
    }
}

/// Arguments of `help`.
#[derive(Args, Debug)]
pub(crate) struct HelpArguments {
    /// The command to explain
    pub(crate) command: Vec<String>,
}

/// What is answered instead of running a command.
pub(crate) enum Answer {
    /// What the command of that name takes.
    Explanation(String),
    /// That it cannot be read.
    Refusal(Error),
}

/// The words of a command line, with the command's name as the first of them.
pub(crate) fn words(line: &CommandLine) -> Vec<String> {
    one_spelling(line.words.iter().map(|word| word.text.clone()).collect())
}

/// Whether answers are to be JSON, as far as that can be told of words that may not be a command.
pub(crate) fn is_json(words: &[String]) -> bool {
    // What follows it belongs to the command to run.
    words.first().is_some_and(|first| first != "run")
        && words.iter().take_while(|word| *word != "--").any(|word| word == JSON)
}

/// Parses a command line, or says what to answer to it.
pub(crate) fn parse(words: &[String], shared: &Shared) -> Result<Parsed, Answer> {
    let first = words.first().map_or("", String::as_str);
    match Parsed::try_parse_from(words) {
        Ok(Parsed { json: true, command: Command::Run(_) }) => Err(Answer::Refusal(Error::Invalid(format!(
            "The output of run is that of your own command, so there is no {JSON} for it. Behind the command, it is \
             the command's own."
        )))),
        Ok(parsed) => Ok(parsed),
        Err(error) => Err(answer(error, first, shared)),
    }
}

/// The words with the command as one of them: `apps create` is `apps:create`, where there is such a command.
pub(crate) fn one_spelling(mut words: Vec<String>) -> Vec<String> {
    if words.first().is_some_and(|first| first == JSON) && words.len() > 1 {
        words.remove(0);
        let mut words = one_spelling(words);
        words.insert(1, JSON.to_owned());
        return words;
    }
    if let Some(first) = words.first_mut().filter(|first| matches!(first.as_str(), "--help" | "-h")) {
        "help".clone_into(first);
    }
    let parser = Parsed::command();
    for count in (2..=NAME_WORDS.min(words.len())).rev() {
        let joined = words[..count].join(":");
        if parser.find_subcommand(&joined).is_some() {
            words.splice(..count, [joined]);
            break;
        }
    }
    words
}

fn answer(error: clap::Error, first: &str, shared: &Shared) -> Answer {
    let is_command = Parsed::command().find_subcommand(first).is_some();
    match error.kind() {
        ErrorKind::DisplayHelp if is_command => Answer::Explanation(first.to_owned()),
        ErrorKind::InvalidSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Answer::Refusal(unknown(first, shared))
        }
        // A word in front of the command, such as an option.
        _ if !is_command => Answer::Refusal(unknown(first, shared)),
        _ => Answer::Refusal(Error::Invalid(trimmed(&without_values(error)))),
    }
}

fn unknown(command: &str, shared: &Shared) -> Error {
    let shown: String = before_value(command).chars().filter(|character| !character.is_control()).take(80).collect();
    Error::NotFound(format!("Unknown command \"{shown}\". Try: {}", shared.hint("help")))
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

/// What a command takes.
pub(crate) fn explained(name: &str, shared: &Shared) -> Result<String, Error> {
    explanation(name).ok_or_else(|| unknown(name, shared))
}

/// The names of all commands in alphabetical order, and what each is for.
pub(crate) fn commands() -> Vec<(String, String)> {
    let about = |command: &clap::Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let parser = Parsed::command();
    let mut commands: Vec<(String, String)> =
        parser.get_subcommands().map(|command| (command.get_name().to_owned(), about(command))).collect();
    commands.sort_unstable();
    commands
}

/// All commands, a line each.
pub(crate) fn list() -> String {
    let commands = commands();
    let width = commands.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, about) in commands {
        let _ = writeln!(text, "  {name:width$}  {about}");
    }
    text
}

/// What a command takes, if there is one of that name.
pub(crate) fn explanation(name: &str) -> Option<String> {
    let parser = Parsed::command();
    let mut command = parser.find_subcommand(name)?.clone();
    // Options of all commands belong to the parser until it parses.
    if name != "run" {
        command = command.args(parser.get_arguments().filter(|argument| argument.is_global_set()));
    }
    Some(command.render_help().to_string())
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
    fn every_command_is_listed_and_explained() {
        for (name, about) in commands() {
            assert!(about.chars().next().is_some_and(char::is_uppercase), "{name}: {about}");
            let text = explanation(&name).expect("is explained");
            assert!(text.contains(&format!("Usage: {name}")) && text.contains(&about), "{name}: {text}");
            let words = one_spelling(name.split(':').map(str::to_owned).collect());
            assert_eq!(words, [name]);
        }
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
            ("admin settings set x", "admin:settings:set x"),
            ("--json apps create x", "apps:create --json x"),
            ("--json", "--json"),
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

    #[test]
    fn json_is_asked_for_anywhere_but_in_a_command_to_run() {
        for (line, expected) in [
            ("apps --json", true),
            ("--json apps", true),
            ("ps:scale --json web=2", true),
            ("config:set A=1 -- --json", false),
            ("run ls --json", false),
            ("apps", false),
        ] {
            let words = one_spelling(line.split(' ').map(str::to_owned).collect());
            assert_eq!(is_json(&words), expected, "{line}");
            if line != "config:set A=1 -- --json" {
                assert_eq!(Parsed::try_parse_from(&words).expect(line).json, expected, "{line}");
            }
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
            4 => proptest::sample::select(vec!["-a", "--json", "--app", "--app=", "-ashop", "--", "-", "--help", "-h", "-t", "-n"])
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
                Ok(Parsed { command: Command::Run(arguments), .. }) => {
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
