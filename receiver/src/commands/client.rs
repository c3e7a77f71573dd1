//! What the client needs to know of a command before it sends it. The platform's own parser says it, so that both
//! read a command line in the same way.

use clap::{CommandFactory as _, Parser as _};

use crate::commands::parse::{self, Command, Parsed};

/// A command line as the client sends it to the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLine {
    /// The command and its arguments, not quoted.
    pub words: Vec<String>,
}

impl ClientLine {
    /// What a user typed, about `app` if the command takes an app and the user named none.
    pub fn new(typed: &[String], app: Option<&str>) -> Self {
        let mut words = parse::one_spelling(typed.to_vec());
        if let Some(app) = app
            && lacks_app(&words)
        {
            // Before the first argument, so that it is not taken for part of a command to run.
            words.insert(1, format!("--app={app}"));
        }
        Self { words }
    }

    /// The command, spelt `noun:action`.
    pub fn command(&self) -> &str {
        self.words.first().map_or("help", String::as_str)
    }

    /// Whether the answer is to be JSON.
    pub fn is_json(&self) -> bool {
        parse::is_json(&self.words)
    }

    /// Whether the command reads a password. The user's terminal would show it, if it were not handed over.
    pub fn reads_secret(&self) -> bool {
        let parsed = Parsed::try_parse_from(&self.words);
        matches!(parsed, Ok(Parsed { command: Command::Account(command), .. }) if command.reads_secret())
    }

    /// Whether the command is better off with the user's terminal, if there is one: because it asks something, is
    /// colourful, or is for working in. Programs that read JSON want none.
    pub fn wants_terminal(&self) -> bool {
        let command = self.command();
        let asks = || {
            let platform = Parsed::command();
            let command = platform.find_subcommand(command);
            command.is_some_and(|command| command.get_arguments().any(|argument| argument.get_id() == "confirm"))
        };
        let is_json = || self.is_json();
        match command {
            "run" => true,
            _ if self.reads_secret() => true,
            "logs" | "keys:add" | "invitations:accept" | "repo:set" => !is_json(),
            _ => !is_json() && asks(),
        }
    }
}

/// Whether the command is about an app and the words do not say which. What the platform will refuse stays as it is.
fn lacks_app(words: &[String]) -> bool {
    let Ok(matches) = Parsed::command().try_get_matches_from(words) else { return false };
    let Some((_, arguments)) = matches.subcommand() else { return false };
    // Some commands take the app as an option or as their argument.
    let named = arguments.try_contains_id("name").unwrap_or(false);
    arguments.try_contains_id("app").is_ok_and(|given| !given && !named)
}

/// The platform's commands as they are parsed: what manual pages and completions are made of.
pub fn platform_commands() -> clap::Command {
    Parsed::command()
}

/// All commands of the platform, a line each.
pub fn command_list() -> String {
    parse::list()
}

/// What the command takes that these words name, in either spelling; none if there is no such command.
pub fn command_help(words: &[String]) -> Option<String> {
    parse::explanation(&words.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(typed: &str) -> String {
        let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
        ClientLine::new(&words, Some("shop")).words.join(" ")
    }

    #[test]
    fn the_app_is_added_where_one_is_missing() {
        for (typed, expected) in [
            ("ps", "ps --app=shop"),
            ("ps scale web=2", "ps:scale --app=shop web=2"),
            ("ps:scale web=2", "ps:scale --app=shop web=2"),
            ("config set A=1", "config:set --app=shop A=1"),
            ("apps info", "apps:info --app=shop"),
            ("apps:info other", "apps:info other"),
            ("apps destroy --confirm shop", "apps:destroy --app=shop --confirm shop"),
            ("apps:destroy other", "apps:destroy other"),
            ("logs -t", "logs --app=shop -t"),
        ] {
            assert_eq!(sent(typed), expected);
        }
    }

    #[test]
    fn an_app_that_was_named_stays() {
        for typed in ["ps -a other", "ps -aother", "ps --app other", "ps:scale web=1 --app=other", "run -aother ls"] {
            assert_eq!(sent(typed), typed);
        }
    }

    #[test]
    fn what_belongs_to_a_command_to_run_names_no_app() {
        for (typed, expected) in [
            ("run ls -a", "run --app=shop ls -a"),
            ("run -- ls --app=x", "run --app=shop -- ls --app=x"),
            ("run -a other ls -a", "run -a other ls -a"),
            ("run bash -c -- -a", "run --app=shop bash -c -- -a"),
        ] {
            assert_eq!(sent(typed), expected);
        }
    }

    #[test]
    fn a_terminal_is_for_people() {
        for (typed, wanted) in [
            ("run bash", true),
            ("run ls --json", true),
            ("logs -t", true),
            ("logs --json", false),
            ("password", true),
            ("2fa setup --json", true),
            ("2fa:confirm 123456", false),
            ("apps:destroy", true),
            ("apps destroy --json", false),
            ("apps", false),
            ("nonsense", false),
        ] {
            let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
            assert_eq!(ClientLine::new(&words, None).wants_terminal(), wanted, "{typed}");
        }
    }

    #[test]
    fn commands_about_no_app_get_none() {
        for typed in
            ["apps", "apps:create", "apps:create new", "keys", "keys:add", "help", "help ps", "nonsense", "ps -x"]
        {
            assert_eq!(sent(typed), typed);
        }
        assert_eq!(sent("keys add"), "keys:add");
        assert_eq!(ClientLine::new(&[], Some("shop")).command(), "help");
    }
}
