//! The client: every command that is not the host's own goes to the platform over SSH, the same way Git does.
//! The remote named `skypanel` of the repository one stands in says where the platform is and which app is meant.

use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};

/// Commands that work with a terminal where there is one.
const INTERACTIVE: &[&str] = &["run", "apps:destroy"];
/// Commands that are about no app, or that name it themselves.
const WITHOUT_APP: &[&str] = &["apps", "apps:create", "apps:destroy", "keys", "keys:add", "help", "--help"];

/// Where the platform is, from the environment or from the Git remote.
struct Platform {
    user: String,
    host: String,
    port: String,
    app: Option<String>,
}

/// Runs `words` on the platform and exits with its status.
pub(crate) fn run(words: &[String]) -> ExitCode {
    let Some(platform) = find_platform() else {
        eprintln!(
            " !     Which platform? Neither is SKYPANEL_REMOTE set (such as ssh://git@panel.example:2222), nor has this\n \
             !     Git repository a remote named \"skypanel\". Add one:\n \
             !     git remote add skypanel ssh://git@HOST:2222/APP.git"
        );
        return ExitCode::FAILURE;
    };
    let name = words.first().map_or("help", String::as_str);
    let mut ssh = Command::new("ssh");
    let terminal = INTERACTIVE.contains(&name) && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let colours = name == "logs" && std::io::stdout().is_terminal();
    ssh.arg(if terminal || colours { "-t" } else { "-T" });
    ssh.args(["-p", &platform.port, &format!("{}@{}", platform.user, platform.host), "--"]);
    let mut line: Vec<String> = words.iter().map(|word| quote(word)).collect();
    let names_app = words.iter().any(|word| word == "-a" || word == "--app" || word.starts_with("--app="));
    if let Some(app) = platform.app
        && !names_app
        && !WITHOUT_APP.contains(&name)
    {
        // Before the first argument, so that it is not taken for part of a command to run.
        line.insert(1.min(line.len()), format!("--app={app}"));
    }
    let error = ssh.arg(line.join(" ")).exec();
    eprintln!(" !     The program `ssh` could not be started: {error}. Install an OpenSSH client.");
    ExitCode::FAILURE
}

/// Quotes a word the way the platform's own word splitter reads it; no shell ever sees it.
fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_=./:,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn find_platform() -> Option<Platform> {
    if let Ok(remote) = std::env::var("SKYPANEL_REMOTE") {
        return parse_remote(&remote);
    }
    let remote = Command::new("git")
        .args(["remote", "get-url", "skypanel"])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    parse_remote(std::str::from_utf8(&remote.stdout).ok()?.trim())
}

/// Reads `ssh://[user@]host[:port][/app[.git]]`.
fn parse_remote(remote: &str) -> Option<Platform> {
    let rest = remote.strip_prefix("ssh://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, address) = authority.rsplit_once('@').unwrap_or(("git", authority));
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
        // As Git does with the same address.
        _ => (address, "22"),
    };
    // A name that starts with a dash would be an option to ssh.
    if host.is_empty() || host.starts_with('-') || user.starts_with('-') {
        return None;
    }
    let app = path.trim_matches('/').trim_end_matches(".git");
    Some(Platform {
        user: user.to_owned(),
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.to_owned(),
        app: (!app.is_empty()).then(|| app.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes() {
        let platform = parse_remote("ssh://git@panel.example:2022/hello.git").expect("parses");
        assert_eq!(
            (platform.user.as_str(), platform.host.as_str(), platform.port.as_str()),
            ("git", "panel.example", "2022")
        );
        assert_eq!(platform.app.as_deref(), Some("hello"));
        let platform = parse_remote("ssh://git@[::1]:2222").expect("parses");
        assert_eq!((platform.host.as_str(), platform.port.as_str(), platform.app), ("::1", "2222", None));
        for bad in ["", "https://x/y", "ssh://-oProxyCommand=x/y", "ssh://git@-x/y", "ssh:///y"] {
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
