//! Shell completions and the manual page, made of the definitions that command lines are parsed by: our own and the
//! platform's.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory as _, ValueEnum};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

/// Shells that completions are made for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Fish,
    Zsh,
}

/// What the exit status tells. The guide to the client has the same list; a test holds them together.
pub(crate) const EXIT_STATUSES: &[(&str, &str)] = &[
    ("0", "It went well."),
    ("1", "It was refused or failed; standard error says why and what to do."),
    ("2", "The command line of one of the client's own commands was not understood."),
    ("3", "The platform does not take your login: it was revoked or has expired. Log in again."),
    ("130", "It was interrupted with Ctrl-C. What runs on the platform goes on."),
    ("255", "There was no connection to the platform, or it broke; without a login, also: it does not know your key."),
];

/// What is kept where.
const FILES: &[(&str, &str)] = &[
    ("~/.config/skypanel/logins.toml", "The platforms you are logged in to, with their tokens. Only you may read it."),
    ("~/.config/skypanel/known_hosts", "The SSH keys of those platforms, as they told them when you logged in."),
];

/// What is asked of the environment.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("SKYPANEL_REMOTE", "Where the platform is, such as ssh://git@HOST:2222, in place of the Git remote \"skypanel\"."),
    ("XDG_CONFIG_HOME", "Directory to keep logins in, in place of ~/.config."),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Certificate authorities to trust when logging in, in place of the system's."),
];

/// Writes the completions for a shell.
pub(crate) fn complete(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    let name = "skypanel";
    match shell {
        // It takes words apart at colons by itself, so that both spellings are completed by the one with spaces.
        Shell::Bash => clap_complete::generate(clap_complete::Shell::Bash, &mut with_nouns(false), name, &mut script),
        Shell::Fish => clap_complete::generate(clap_complete::Shell::Fish, &mut with_nouns(true), name, &mut script),
        Shell::Zsh => {
            clap_complete::generate(clap_complete::Shell::Zsh, &mut with_nouns(true), name, &mut script);
            script = with_colons_escaped(&String::from_utf8_lossy(&script)).into_bytes();
        }
    }
    out.write_all(&script)
}

/// The script for zsh with the colons of commands' names escaped: `_describe` takes what is before the first one for
/// the name, and clap leaves them as they are.
fn with_colons_escaped(script: &str) -> String {
    let escaped = |line: &str| {
        let entry = line.strip_prefix('\'')?.strip_suffix("' \\")?;
        // Names have neither capital letters nor spaces; what they are about begins with a capital.
        let end = entry.find(|c: char| c.is_ascii_uppercase() || !c.is_ascii_graphic())?;
        let name = entry.get(..end)?.strip_suffix(':')?;
        Some(format!("'{}:{}' \\", name.replace(':', "\\:"), &entry[end..]))
    };
    script.lines().map(|line| escaped(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}
/// Our own commands and the platform's, each as it is documented: `noun:action`. What only programs use is left out.
fn all() -> Command {
    let own = crate::CommandLine::command();
    let platform = skypanel_receiver::platform_commands();
    let everywhere: Vec<Arg> = platform.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    let theirs: Vec<Command> = platform
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && own.find_subcommand(command.get_name()).is_none())
        .map(|command| command.clone().args(everywhere.iter().cloned()))
        .collect();
    let ours: Vec<Command> = own.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    root(&own).subcommands(ours).subcommands(theirs)
}

/// The program without its commands.
fn root(own: &Command) -> Command {
    Command::new("skypanel")
        .about(own.get_about().cloned().unwrap_or_default())
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .args(own.get_arguments().cloned())
}

/// The same with commands below their nouns as well, as in `noun action`; or only so.
fn with_nouns(both: bool) -> Command {
    let all = all();
    let mut nouns: BTreeMap<String, Command> = BTreeMap::new();
    let (composed, plain): (Vec<_>, Vec<_>) =
        all.get_subcommands().cloned().partition(|command| command.get_name().contains(':'));
    for command in plain {
        nouns.insert(command.get_name().to_owned(), command);
    }
    // Below our own `admin`, a word names a command of the host.
    let (foreign, composed): (Vec<_>, Vec<_>) =
        composed.into_iter().partition(|command| command.get_name().starts_with("admin:"));
    for command in &composed {
        let words: Vec<&str> = command.get_name().split(':').collect();
        let noun = nouns.remove(words[0]).unwrap_or_else(|| noun(words[0]));
        nouns.insert(words[0].to_owned(), below(noun, &words[1..], command));
    }
    let mut rest: Vec<Command> = nouns.into_values().chain(foreign).collect();
    if both {
        rest.extend(composed);
    }
    root(&all).subcommands(rest)
}

/// `parent` with `command` below it, at the end of a path of words.
fn below(parent: Command, path: &[&str], command: &Command) -> Command {
    match path {
        [] => parent,
        [last] => parent.subcommand(command.clone().name(lasting(last))),
        [first, rest @ ..] if parent.find_subcommand(first).is_some() => {
            parent.mut_subcommand(first, |child| below(child, rest, command))
        }
        [first, rest @ ..] => parent.subcommand(below(noun(first), rest, command)),
    }
}

fn noun(name: &str) -> Command {
    Command::new(lasting(name)).disable_help_subcommand(true)
}

/// Names of commands live as long as the program, which ends once it has written what they are for.
fn lasting(name: &str) -> &'static str {
    Box::leak(name.to_owned().into_boxed_str())
}

/// Writes the manual page, in the language of `man`.
pub(crate) fn manual(out: &mut dyn Write) -> io::Result<()> {
    let mut all = all();
    all.build();
    let man = Man::new(all.clone()).section("1").source(format!("Skypanel {}", env!("CARGO_PKG_VERSION")));
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    let mut page = Roff::default();
    page.control("SH", ["COMMANDS"]);
    page.text([roman(
        "Those of the platform are sent to it over SSH. The app is the one of the Git remote \"skypanel\" of the \
         repository you are in, or that of -a. Both spellings work: apps:create and apps create.",
    )]);
    let of_up: Vec<String> = all
        .find_subcommand("up")
        .into_iter()
        .flat_map(Command::get_arguments)
        .map(|arg| arg.get_id().to_string())
        .collect();
    for command in all.get_subcommands() {
        describe(&mut page, command, &of_up);
        for action in command.get_subcommands().filter(|action| !action.is_hide_set()) {
            describe(&mut page, action, &of_up);
        }
    }
    page.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in EXIT_STATUSES {
        item(&mut page, status, meaning);
    }
    page.control("PP", []);
    page.text([
        roman("The status of "),
        bold("run"),
        roman(" is that of the command it runs; a signal that ends the client makes it 128 and the signal's number."),
    ]);
    for (title, items) in [("ENVIRONMENT", ENVIRONMENT), ("FILES", FILES)] {
        page.control("SH", [title]);
        for (name, meaning) in items {
            item(&mut page, name, meaning);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("git"), roman("(1), "), bold("ssh"), roman("(1)")]);
    page.to_writer(out)
}

/// A command with its usage and what it takes.
fn describe(page: &mut Roff, command: &Command, of_up: &[String]) {
    let usage = command.clone().render_usage().to_string();
    page.control("SS", [usage.trim_start_matches("Usage:").trim()]);
    if let Some(about) = command.get_about() {
        page.text([roman(format!("{about}."))]);
    }
    let (shared, own): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && arg.get_id() != "help")
        .partition(|arg| command.get_name() != "up" && of_up.iter().any(|id| arg.get_id() == id.as_str()));
    for argument in own {
        page.control("TP", []);
        page.text([bold(spelt(argument))]);
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let choices: Vec<String> =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        let mut line = vec![roman(help)];
        if !choices.is_empty() && argument.get_action().takes_values() {
            line.push(roman(format!(" (one of {})", choices.join(", "))));
        }
        if let Some(variable) = argument.get_env() {
            line.extend([roman(" ("), italic(variable.to_string_lossy()), roman(")")]);
        }
        page.text(line);
    }
    if !shared.is_empty() {
        page.control("PP", []);
        page.text([roman("It also takes the options of "), bold("up"), roman(".")]);
    }
}

fn item(page: &mut Roff, name: &str, meaning: &str) {
    page.control("TP", []);
    page.text([bold(name)]);
    page.text([roman(meaning)]);
}

/// How an argument is typed.
fn spelt(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let value = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let value = if value.is_empty() { argument.get_id().to_string().to_uppercase() } else { value };
    let mut names: Vec<String> = argument.get_short().map(|short| format!("-{short}")).into_iter().collect();
    names.extend(argument.get_long().map(|long| format!("--{long}")));
    match (names.is_empty(), argument.get_action().takes_values()) {
        (true, _) => value,
        (false, true) => format!("{} {value}", names.join(", ")),
        (false, false) => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("writes");
        String::from_utf8(out).expect("is text")
    }

    fn names() -> Vec<String> {
        all().get_subcommands().map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn the_whole_is_well_formed() {
        all().debug_assert();
        with_nouns(false).debug_assert();
        with_nouns(true).debug_assert();
    }

    #[test]
    fn the_manual_has_every_command_of_ours_and_of_the_platform() {
        let manual = written(manual);
        let names = names();
        for expected in ["login", "logout", "git:remote", "completions", "man", "up", "apps:create", "ps:scale", "run"]
        {
            assert!(names.iter().any(|name| name == expected), "{expected} is not among {names:?}");
        }
        for name in names {
            // A dash is written so that it is one on paper.
            assert!(manual.contains(&format!("skypanel {}", name.replace('-', "\\-"))), "{name} is not in the manual");
        }
        for text in [".SH \"EXIT STATUS\"", ".SH COMMANDS", ".SH FILES", "SKYPANEL_REMOTE", "\\-\\-json"] {
            assert!(manual.contains(text), "{text} is not in {manual}");
        }
        assert!(!manual.contains("git:ssh"), "what is only for Git is not told");
    }

    #[test]
    fn the_guide_tells_the_same_exit_statuses() {
        let guide = include_str!("../../docs/client.md");
        for (status, meaning) in EXIT_STATUSES {
            assert!(guide.contains(&format!("| {status} | {meaning} |")), "{status} is not in docs/client.md");
        }
    }

    #[test]
    fn completions_cover_every_command_and_its_options() {
        for (shell, both) in [(Shell::Bash, false), (Shell::Zsh, true), (Shell::Fish, true)] {
            let script = written(|out| complete(shell, out));
            for name in names() {
                let is_there = script.contains(&name) || script.contains(&name.replace(':', "\\:"));
                assert!(is_there || !both && name.contains(':'), "{name} is not completed by {shell:?}");
                let last = name.rsplit(':').next().expect("has a word");
                assert!(script.contains(last), "{name} is not completed by {shell:?}");
            }
            for option in ["confirm", "app", "json"] {
                assert!(script.contains(option), "{option} is not completed by {shell:?}");
            }
            assert!(!script.contains("git:ssh"), "{shell:?}");
        }
        let zsh = written(|out| complete(Shell::Zsh, out));
        assert!(zsh.contains("\n'apps\\:create:Create an app' \\\n"), "its colon is not that before the description");
    }
}
