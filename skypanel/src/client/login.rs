//! `skypanel login` and `skypanel logout`: a token of the platform, approved in a browser or given on standard input,
//! kept until it is given back.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use skypanel_core::credentials::TOKEN_PREFIX;
use skypanel_core::identity::parse_public_key;
use skypanel_core::model::SshKey;
use skypanel_core::{Error, Result};

use super::address::git_remote;
use super::api::{Api, Refusal, WebAddress};
use super::logins::{Login, Logins, SshServer, Token, home};
use super::{Address, ssh};

/// Longer than the platform asks for, so that no answer finds us hasty.
const EXTRA_WAIT: Duration = Duration::from_millis(250);
/// How much longer to wait when told to slow down (RFC 8628, 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// Most bytes read as a token.
const MAX_TOKEN: u64 = 4_096;

/// Arguments of `login`.
#[derive(Args, Debug)]
pub(crate) struct LoginArguments {
    /// Where the platform is [default: the one logged in to last, else the host of the Git remote "skypanel"]
    #[arg(value_name = "https://PLATFORM")]
    platform: Option<String>,
    /// Read an API token from standard input, for machines without a browser near
    #[arg(long)]
    token: bool,
    /// What the new token may be used for
    #[arg(long, value_parser = ["read", "deploy", "manage"], default_value = "manage", conflicts_with = "token")]
    scope: String,
    /// Register this public SSH key, too, so that plain Git and ssh work with it
    #[arg(long, value_name = "FILE.pub")]
    key: Option<PathBuf>,
    /// Go on although the connection is not encrypted
    #[arg(long)]
    insecure: bool,
}

/// Arguments of `logout`.
#[derive(Args, Debug)]
pub(crate) struct LogoutArguments {
    /// Where the platform is [default: the one logged in to last]
    #[arg(value_name = "https://PLATFORM")]
    platform: Option<String>,
}

/// What `GET /api/platform` answers.
#[derive(Deserialize)]
struct Platform {
    ssh: SshServer,
}

/// What `GET /api/me` answers.
#[derive(Deserialize)]
struct Me {
    email: String,
    scope: String,
}

/// A login that waits for its approval.
#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// An approved login.
#[derive(Deserialize)]
struct Granted {
    token: String,
    scope: String,
    email: String,
}

pub(crate) async fn login(arguments: &LoginArguments, as_json: bool) -> Result<()> {
    let mut logins = Logins::load()?;
    let key = arguments.key.as_deref().map(read_key).transpose()?;
    let typed = arguments.platform.clone().or_else(|| known_platform(&logins)).ok_or_else(|| {
        Error::Invalid("Log in to which platform? Say where it is: skypanel login https://paas.example".to_owned())
    })?;
    let address = WebAddress::parse(&typed, arguments.insecure)?;
    let url = address.to_string();
    let api = Api::at(address)?;
    let platform: Platform = api.get("/api/platform", None).await?;
    check_server(&url, &platform.ssh)?;
    let granted = if arguments.token { by_token(&api).await? } else { by_device(&api, arguments, as_json).await? };
    let login = Login {
        url: url.clone(),
        email: granted.email,
        scope: granted.scope,
        token: Token(granted.token),
        ssh: platform.ssh,
    };
    logins.add(login.clone())?;
    let registered = match key {
        Some(key) => Some(register(&api, &login, &key).await?),
        None if !as_json && login.scope == "manage" && !arguments.token => offer_key(&api, &login).await?,
        None => None,
    };
    if as_json {
        let key = registered.map(|key| key.fingerprint);
        println!("{}", json!({ "platform": url, "email": login.email, "scope": login.scope, "ssh_key": key }));
        return Ok(());
    }
    println!("-----> Logged in to {url} as {} (scope {})", login.email, login.scope);
    if let Some(key) = registered {
        println!("       The key {} is registered: plain Git and ssh work with it.", key.fingerprint);
    }
    println!("       In a repository: skypanel git:remote -a APP, then git push skypanel main");
    if !ssh::takes_tokens() {
        eprintln!(
            " !     Your ssh is older than OpenSSH 8.4 and cannot use the login. Register a key: skypanel login --key FILE.pub"
        );
    }
    Ok(())
}

pub(crate) async fn logout(arguments: &LogoutArguments, as_json: bool) -> Result<()> {
    let mut logins = Logins::load()?;
    let login = match &arguments.platform {
        // However it was reached then, it is only forgotten now.
        Some(typed) => logins.at(&WebAddress::parse(typed, true)?.to_string()).cloned(),
        None => logins.current().cloned(),
    };
    let Some(login) = login else {
        return Err(Error::NotFound("You are not logged in there, so there is nothing to forget.".to_owned()));
    };
    logins.remove(&login.url)?;
    let revoked = async {
        let api = Api::at(WebAddress::parse(&login.url, true)?)?;
        match api.delete("/api/auth/token", Some(&login.token.0)).await {
            // It had ended already.
            Ok(()) | Err(Refusal::Refused(401, ..)) => Ok(()),
            Err(refusal) => Err(Error::from(refusal)),
        }
    };
    if let Err(error) = revoked.await {
        let text = format!(
            "The login to {} is forgotten here, but its token could not be revoked: {error}\n\
             Revoke it in the dashboard if this machine is not yours alone.",
            login.url
        );
        return Err(if matches!(error, Error::Upstream(_)) { Error::Upstream(text) } else { Error::Conflict(text) });
    }
    if as_json {
        println!("{}", json!({ "platform": login.url, "email": login.email }));
    } else {
        println!("-----> Logged out of {}; the token is revoked", login.url);
    }
    Ok(())
}

/// The platform that is meant where none is named.
fn known_platform(logins: &Logins) -> Option<String> {
    let by_login = logins.current().map(|login| login.url.clone());
    by_login.or_else(|| Some(format!("https://{}", Address::parse(&git_remote("skypanel")?)?.host)))
}

/// What the platform says goes into arguments of `ssh` and a file of lines.
fn check_server(url: &str, server: &SshServer) -> Result<()> {
    let name = |name: &str| {
        !name.is_empty()
            && !name.starts_with('-')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c))
    };
    let key = |key: &String| !key.is_empty() && key.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if !name(&server.host) || !name(&server.user) || server.port == 0 || !server.host_keys.iter().all(key) {
        return Err(Error::Upstream(format!("What {url} says of its SSH server cannot be used.")));
    }
    if server.host_keys.is_empty() {
        return Err(Error::Upstream(format!("The SSH server of {url} has not started yet. Try again in a minute.")));
    }
    Ok(())
}

async fn by_token(api: &Api) -> Result<Granted> {
    let token = read_token()?;
    if !token.starts_with(TOKEN_PREFIX) {
        return Err(Error::Invalid(format!(
            "That is no API token: those begin with {TOKEN_PREFIX}. Make one in the dashboard and pass it on standard \
             input: skypanel login --token < FILE"
        )));
    }
    let me: Me = api.get("/api/me", Some(&token)).await?;
    Ok(Granted { token, scope: me.scope, email: me.email })
}

/// The token on standard input, not echoed where that is a terminal.
fn read_token() -> Result<String> {
    let failed = |error: std::io::Error| Error::System(format!("The token could not be read: {error}."));
    let stdin = std::io::stdin();
    let mut text = String::new();
    if stdin.is_terminal() {
        eprint!("API token: ");
        let hidden = Hidden::begin();
        stdin.lock().take(MAX_TOKEN).read_line(&mut text).map_err(failed)?;
        drop(hidden);
        eprintln!();
    } else {
        stdin.lock().take(MAX_TOKEN).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text.trim().to_owned())
}

/// While it lives, the terminal shows nothing of what is typed.
struct Hidden(Option<rustix::termios::Termios>);

impl Hidden {
    fn begin() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut without = before.clone();
        without.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Now, &without);
        Self(Some(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}

/// Shows a code and waits until a person has entered it in a browser.
async fn by_device(api: &Api, arguments: &LoginArguments, as_json: bool) -> Result<Granted> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let body = json!({ "client_name": format!("skypanel on {name}"), "scope": arguments.scope });
    let begun: Begun = api.post("/api/auth/device", None, &body).await?;
    if as_json {
        println!(
            "{}",
            json!({
                "verification_uri": begun.verification_uri,
                "verification_uri_complete": begun.verification_uri_complete,
                "user_code": begun.user_code,
                "expires_in": begun.expires_in,
            })
        );
    } else {
        println!("-----> Open this address in a browser and approve the login:");
        println!("       {}", begun.verification_uri_complete);
        println!("       The code is {}. It is good for {} minutes.", begun.user_code, begun.expires_in / 60);
    }
    let ends = Instant::now() + Duration::from_secs(begun.expires_in);
    let mut wait = Duration::from_secs(begun.interval) + EXTRA_WAIT;
    let body = json!({ "device_code": begun.device_code });
    while Instant::now() < ends {
        tokio::time::sleep(wait).await;
        match api.post("/api/auth/device/token", None, &body).await {
            Ok(granted) => return Ok(granted),
            Err(Refusal::Refused(429, ..)) => wait += SLOWER,
            Err(Refusal::Refused(_, code, message)) => match code.as_str() {
                "AUTHORIZATION_PENDING" => {}
                "SLOW_DOWN" => wait += SLOWER,
                "ACCESS_DENIED" => return Err(Error::Forbidden("The login was refused in the browser.".to_owned())),
                "EXPIRED_TOKEN" => break,
                _ => return Err(Error::Invalid(message)),
            },
            // A connection that breaks while somebody looks for their password is no reason to begin anew.
            Err(Refusal::Silent(reason)) => tracing::debug!(reason, "the platform did not answer"),
        }
    }
    Err(Error::Invalid("The code was not approved in time. Begin again: skypanel login".to_owned()))
}

fn read_key(path: &Path) -> Result<SshKey> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Invalid(format!("The key {} cannot be read: {error}.", path.display())))?;
    parse_public_key(&text)
}

async fn register(api: &Api, login: &Login, key: &SshKey) -> Result<SshKey> {
    let body = json!({ "public_key": key.public_key, "name": key.name });
    let added: Result<Value, Refusal> = api.post("/api/me/ssh-keys", Some(&login.token.0), &body).await;
    match added {
        Ok(_) => Ok(key.clone()),
        Err(refusal) => Err(Error::Invalid(format!(
            "You are logged in, but the key {} was not registered: {}",
            key.fingerprint,
            Error::from(refusal)
        ))),
    }
}

/// Asks whether to register the user's key, if there is somebody to ask and none of their keys is known.
async fn offer_key(api: &Api, login: &Login) -> Result<Option<SshKey>> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok(None);
    }
    let Some(directory) = home().map(|home| home.join(".ssh")) else { return Ok(None) };
    let mine: Vec<(PathBuf, SshKey)> = ["id_ed25519.pub", "id_ed25519_sk.pub", "id_ecdsa.pub", "id_rsa.pub"]
        .iter()
        .map(|name| directory.join(name))
        .filter_map(|path| read_key(&path).ok().map(|key| (path, key)))
        .collect();
    let Some((path, key)) = mine.first() else { return Ok(None) };
    let registered: Value = api.get("/api/me/ssh-keys", Some(&login.token.0)).await?;
    let registered: Vec<&str> =
        registered["items"].as_array().into_iter().flatten().filter_map(|item| item["fingerprint"].as_str()).collect();
    if mine.iter().any(|(_, key)| registered.contains(&key.fingerprint.as_str())) {
        return Ok(None);
    }
    eprint!("Register the SSH key {}, so that plain Git works with it? [Y/n] ", path.display());
    let mut answer = String::new();
    let read = std::io::stdin().lock().take(64).read_line(&mut answer);
    if read.is_ok_and(|read| read > 0) && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes") {
        return register(api, login, key).await.map(Some);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_platform_says_of_its_server_is_checked() {
        let server = |host: &str, user: &str, keys: &[&str]| SshServer {
            host: host.to_owned(),
            port: 2222,
            user: user.to_owned(),
            host_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        let check = |server: SshServer| check_server("https://paas.example", &server);
        assert!(check(server("paas.example", "git", &["ssh-ed25519 AAAA"])).is_ok());
        assert!(check(server("::1", "git", &["ssh-ed25519 AAAA"])).is_ok());
        for (host, user) in [("-oProxyCommand=id", "git"), ("a b", "git"), ("", "git"), ("a", "-l"), ("a%h", "git")] {
            assert!(check(server(host, user, &["ssh-ed25519 AAAA"])).is_err(), "{host} {user}");
        }
        assert!(check(server("a", "git", &["ssh-ed25519 AAAA\n* ssh-ed25519 BBBB"])).is_err());
        assert!(check(server("a", "git", &[])).expect_err("is none").to_string().contains("not started"));
    }
}
