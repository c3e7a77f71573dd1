//! `skypanel git:remote`, and the `ssh` that Git runs in repositories set up by it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;
use skypanel_core::model::AppSlug;
use skypanel_core::{Error, Result};

use super::address::{Address, git_remote, given};
use super::logins::Logins;
use super::ssh;

/// Options of `ssh` that have a value.
const WITH_VALUE: &[u8] = b"BbcDEeFIiJLlmOoPpQRSWw";
/// The command that Git runs, behind our own path.
const PROXY: &str = " git:ssh";

/// Arguments of `git:remote`.
#[derive(Args, Debug)]
pub(crate) struct RemoteArguments {
    /// The app that the remote is of
    #[arg(short, long, value_name = "APP")]
    app: String,
    /// Name of the remote
    #[arg(long, value_name = "NAME", default_value = "skypanel")]
    remote: String,
}

/// Adds or changes a remote of the repository one is in, and makes Git go by the login where there is one.
pub(crate) fn set_remote(arguments: &RemoteArguments, as_json: bool) -> Result<()> {
    let slug: AppSlug = arguments.app.parse()?;
    if arguments.remote.is_empty() || arguments.remote.starts_with('-') {
        return Err(Error::Invalid(format!("{:?} is no name for a remote.", arguments.remote)));
    }
    if git(&["rev-parse", "--git-dir"]).is_err() {
        return Err(Error::Invalid("This directory is in no Git repository. Make one first: git init".to_owned()));
    }
    let logins = Logins::load()?;
    let present = git_remote(&arguments.remote);
    let address = match (given()?, logins.current(), &present) {
        (Some(address), ..) => address,
        (None, Some(login), _) => Address::of(login),
        (None, None, Some(url)) => Address::parse(url).ok_or_else(unknown_platform)?,
        (None, None, None) => return Err(unknown_platform()),
    };
    let url = address.url(Some(slug.as_str()));
    let action = if present.is_some() { "set-url" } else { "add" };
    git(&["remote", action, "--", &arguments.remote, &url])?;
    let foreign = if logins.of(&address).is_some() { go_by_login()? } else { None };
    if as_json {
        println!("{}", json!({ "remote": arguments.remote, "url": url, "app": slug }));
    } else {
        println!("-----> The Git remote {} is {url}", arguments.remote);
        println!("       To deploy: git push {} main", arguments.remote);
    }
    if let Some(foreign) = foreign {
        eprintln!(
            " !     core.sshCommand is {foreign:?} here and stays so: Git goes by your SSH key, not by your login."
        );
    }
    Ok(())
}

fn unknown_platform() -> Error {
    Error::Invalid("On which platform? Log in to it first: skypanel login https://paas.example".to_owned())
}

/// Makes Git in this repository run us as its `ssh`. Answers what it runs instead, if somebody chose that.
fn go_by_login() -> Result<Option<String>> {
    let own = std::env::current_exe()
        .map_err(|error| Error::System(format!("It is not known where this program is: {error}.")))?;
    let ours = format!("'{}'{PROXY}", own.to_string_lossy().replace('\'', r"'\''"));
    if let Ok(chosen) = git(&["config", "--get", "core.sshCommand"])
        && !chosen.trim().is_empty()
        && !chosen.trim().ends_with(PROXY)
    {
        return Ok(Some(chosen.trim().to_owned()));
    }
    git(&["config", "--local", "core.sshCommand", &ours])?;
    // Else Git tries to find out by running it.
    git(&["config", "--local", "ssh.variant", "ssh"])?;
    Ok(None)
}

fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::System(format!("The program `git` could not be started: {error}. Install Git.")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Invalid(format!("Git says: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Becomes `ssh` with the arguments that Git gave, by the login's token where the host is one of a login. Returns only
/// if that fails.
pub(crate) fn become_ssh(arguments: &[OsString]) -> Error {
    let logins = Logins::load().unwrap_or_else(|error| {
        eprintln!(" !     {error}");
        Logins::default()
    });
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let login = destination(&words).and_then(|address| logins.of(&address));
    match ssh::command(&logins, login) {
        Ok(mut command) => ssh::not_started(&command.args(arguments).exec()),
        Err(error) => error,
    }
}

/// Where the arguments of an `ssh` lead.
fn destination(words: &[String]) -> Option<Address> {
    let mut port = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(options) = word.strip_prefix('-') else {
            let (user, host) = match word.rsplit_once('@') {
                Some((user, host)) => (Some(user.to_owned()), host),
                None => (None, word.as_str()),
            };
            return Some(Address { user, host: host.to_owned(), port, app: None });
        };
        // `-p2222`, `-p 2222`, `-4p 2222`
        let Some(at) = options.bytes().position(|option| WITH_VALUE.contains(&option)) else { continue };
        let (option, value) = (options.as_bytes()[at], &options[at + 1..]);
        let value = if value.is_empty() { words.next()?.as_str() } else { value };
        if option == b'p' {
            port = Some(value.parse().ok()?);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_git_wants_to_go_is_read_from_its_arguments() {
        for (line, host, port) in [
            ("git@paas.example git-upload-pack '/shop.git'", "paas.example", None),
            ("-o SendEnv=GIT_PROTOCOL -p 2222 git@paas.example git-upload-pack", "paas.example", Some(2222)),
            ("-oSendEnv=GIT_PROTOCOL -4 -p2222 paas.example x", "paas.example", Some(2222)),
            ("-4p 2222 git@::1 x -p 1", "::1", Some(2222)),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let address = destination(&words).expect(line);
            assert_eq!((address.host.as_str(), address.port), (host, port), "{line}");
        }
        for none in ["-V", "", "-p x git@paas.example", "-p"] {
            let words: Vec<String> = none.split_whitespace().map(str::to_owned).collect();
            assert_eq!(destination(&words), None, "{none}");
        }
    }
}
