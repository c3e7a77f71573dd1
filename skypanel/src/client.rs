//! The client: every command that is not the host's own goes to the platform over SSH, the same way Git does.
//! The remote named `skypanel` of the repository one stands in says where the platform is and which app is meant.

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

use clap::CommandFactory as _;
use skypanel_receiver::ClientLine;

/// Commands that work with a terminal where there is one.
const INTERACTIVE: &[&str] = &["run", "apps:destroy", "keys:add"];

/// Where the platform is, from the environment or from the Git remote.
struct Platform {
    user: Option<String>,
    host: String,
    /// None where the address has none: SSH's own configuration says which, as it does for Git.
    port: Option<String>,
    app: Option<String>,
}

/// Why it is not known where the platform is.
enum Unknown {
    NotSet,
    /// An address that cannot be read, and where it is from.
    Unreadable {
        from: &'static str,
        address: String,
    },
}

/// Runs `words` on the platform and exits with its status.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let platform = match find_platform() {
        Ok(platform) => platform,
        Err(Unknown::NotSet) if is_help(words) => return help(&words[1..]),
        Err(unknown) => {
            eprintln!("{}", explain(&unknown));
            return ExitCode::FAILURE;
        }
    };
    let line = ClientLine::new(words, platform.app.as_deref());
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    // The colours of logs need one, too.
    let wanted = INTERACTIVE.contains(&line.command()) || line.command() == "logs";
    let mut ssh = Command::new("ssh");
    ssh.arg(if terminal && wanted { "-t" } else { "-T" });
    if let Some(port) = &platform.port {
        ssh.args(["-p", port]);
    }
    let address = platform.user.map_or_else(|| platform.host.clone(), |user| format!("{user}@{}", platform.host));
    let quoted: Vec<String> = line.words.iter().map(|word| quote(word)).collect();
    let error = ssh.args([&address, "--", &quoted.join(" ")]).exec();
    eprintln!(" !     The program `ssh` could not be started: {error}. Install an OpenSSH client.");
    ExitCode::FAILURE
}

fn is_help(words: &[String]) -> bool {
    words.first().is_some_and(|first| first == "help")
}

/// `help` where no platform can be asked: what this program itself knows.
fn help(about: &[String]) -> ExitCode {
    let mut own = crate::CommandLine::command();
    own.build();
    let text = match about {
        [] => own.render_help().to_string(),
        [name, ..] if own.find_subcommand(name).is_some() => {
            own.find_subcommand_mut(name).map(|command| command.render_help().to_string()).unwrap_or_default()
        }
        words => {
            let Some(text) = skypanel_receiver::command_help(words) else {
                eprintln!(" !     There is no such command. `skypanel help` lists them all.");
                return ExitCode::FAILURE;
            };
            text
        }
    };
    print!("{text}");
    ExitCode::SUCCESS
}

fn explain(unknown: &Unknown) -> String {
    match unknown {
        Unknown::NotSet => {
            " !     Which platform? Neither is SKYPANEL_REMOTE set (such as ssh://git@panel.example:2222), \
                            nor has this\n !     Git repository a remote named \"skypanel\". Add one:\n !     \
                            git remote add skypanel ssh://git@HOST:2222/APP.git"
                .to_owned()
        }
        Unknown::Unreadable { from, address } => format!(
            " !     {from} is {address:?}, which is no address of a platform over SSH. It looks like\n !     \
             ssh://git@HOST:2222 or, with an app, ssh://git@HOST:2222/APP.git."
        ),
    }
}

/// Quotes a word the way the platform's own word splitter reads it; no shell ever sees it.
fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=./:,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn find_platform() -> Result<Platform, Unknown> {
    let (from, address) = match std::env::var("SKYPANEL_REMOTE") {
        Ok(address) if !address.is_empty() => ("SKYPANEL_REMOTE", address),
        _ => ("The Git remote \"skypanel\"", git_remote().ok_or(Unknown::NotSet)?),
    };
    parse_remote(&address).ok_or(Unknown::Unreadable { from, address })
}

fn git_remote() -> Option<String> {
    let answer = Command::new("git")
        .args(["remote", "get-url", "skypanel"])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

/// Reads the two forms in which Git writes addresses over SSH, `ssh://[user@]host[:port][/app[.git]]` and
/// `[user@]host:app[.git]`.
fn parse_remote(remote: &str) -> Option<Platform> {
    let (authority, path, may_have_port) = match remote.strip_prefix("ssh://") {
        Some(rest) => rest.split_once('/').map_or((rest, "", true), |(authority, path)| (authority, path, true)),
        None if remote.contains("://") => return None,
        None => remote.rsplit_once(':').map(|(authority, path)| (authority, path, false))?,
    };
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if may_have_port && port.parse::<u16>().is_ok() => (host, Some(port)),
        _ => (address, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // A name that starts with a dash would be an option to ssh.
    let readable = |name: &str| !name.is_empty() && !name.starts_with('-') && !name.contains(['/', ' ']);
    if !readable(host) || !user.is_none_or(readable) {
        return None;
    }
    let app = path.trim_matches('/').trim_end_matches(".git");
    Some(Platform {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port: port.map(str::to_owned),
        app: (!app.is_empty()).then(|| app.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User, host, port and app of an address, with a dash for each it does not have.
    fn parts(remote: &str) -> String {
        let Some(platform) = parse_remote(remote) else { return "unreadable".to_owned() };
        let shown = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
        [shown(platform.user), platform.host, shown(platform.port), shown(platform.app)].join(" ")
    }

    #[test]
    fn remotes() {
        for (remote, expected) in [
            ("ssh://git@panel.example:2222/hello.git", "git panel.example 2222 hello"),
            ("ssh://git@[::1]:2222", "git ::1 2222 -"),
            ("ssh://panel/hello", "- panel - hello"),
            ("git@panel.example:hello.git", "git panel.example - hello"),
        ] {
            assert_eq!(parts(remote), expected);
        }
        for bad in [
            "",
            "foo",
            "https://x/y",
            "ssh://-oProxyCommand=x/y",
            "ssh://git@-x/y",
            "ssh:///y",
            "ssh://@x/y",
            "-oProxyCommand=x:y",
            "/srv/git:x",
        ] {
            assert!(parse_remote(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn words_reach_the_platform_as_they_are() {
        assert_eq!(quote("web=2"), "web=2");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }
}
