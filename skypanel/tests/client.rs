//! The client as its users run it: the real program, against the platform's own API and SSH server in this process.

#[path = "../../core/tests/support/mod.rs"]
mod support;
mod world;

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use skypanel_core::actions::{Actor, Scope};

use world::{Platform, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_approved_in_a_browser_and_everything_works_without_a_key() {
    let platform = Platform::start().await;
    let mut login = platform.start_client(&["login", &platform.url]);
    let told = login.lines_until("The code is").await;
    assert!(told.contains(&format!("{}/device?code=", platform.url)), "{told}");
    let code =
        told.split("The code is ").nth(1).and_then(|rest| rest.split('.').next()).expect("has a code").to_owned();
    let person = platform.person("ada@example.com").await;
    let waiting = platform.actions.device_login(&person, &code).await.expect("waits");
    assert!(waiting.client_name.starts_with("skypanel on "), "{waiting:?}");
    platform.actions.decide_device_login(&person, &code, true).await.expect("approves");
    let said = login.finish().await.ok();
    said.says(&["Logged in to", "as ada@example.com (scope manage)"]);

    let kept = platform.path("config/skypanel/logins.toml");
    assert_eq!(std::fs::metadata(&kept).expect("is there").permissions().mode() & 0o777, 0o600);
    // Where no repository says which platform, it is that of the login. No key is there, and nothing is asked.
    platform.client(&["apps"]).await.ok().says(&["You have no apps yet"]);
    platform.client(&["apps:create", "shop"]).await.ok().says(&["shop"]);

    let copy = platform.repository("shop").await;
    platform.client_in(&copy, &["git:remote", "-a", "shop"]).await.ok().says(&["ssh://git@localhost:"]);
    platform.git(&copy, &["fetch", "skypanel"]).await.ok();
    platform.git(&copy, &["push", "skypanel", "HEAD:refs/heads/side"]).await.ok().says(&["Stored branch side"]);
    platform.client_in(&copy, &["apps", "info"]).await.ok().says(&["shop"]);
    // Other remotes are reached as ever: this one not at all.
    platform.git(&copy, &["remote", "add", "other", "ssh://git@localhost:1/x.git"]).await.ok();
    platform.git(&copy, &["fetch", "other"]).await.failed().says(&["port 1"]);

    let token = platform.token();
    platform.client(&["logout"]).await.ok().says(&["Logged out of"]);
    assert!(platform.actions.by_token(&token, None, None).await.is_err(), "the token is revoked");
    platform.client(&["apps"]).await.failed().says(&["Which platform?", "skypanel login"]);
    platform.client(&["logout"]).await.failed().says(&["not logged in"]);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_login_leaves_nothing_behind() {
    let platform = Platform::start().await;
    let mut login = platform.start_client(&["login", &platform.url, "--json"]);
    let begun: Value = serde_json::from_str(&login.lines_until("user_code").await).expect("is JSON");
    let code = begun["user_code"].as_str().expect("is text");
    let person = platform.person("ada@example.com").await;
    platform.actions.decide_device_login(&person, code, false).await.expect("denies");
    let said = login.finish().await.failed();
    assert_eq!(said.status, Some(1));
    let error: Value = serde_json::from_str(&said.stderr).expect("is JSON");
    assert_eq!(
        (&error["code"], &error["error"]),
        (&"FORBIDDEN".into(), &"The login was refused in the browser.".into())
    );
    assert!(!platform.path("config/skypanel").exists());
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_on_standard_input_logs_in_and_does_what_its_scope_allows() {
    let platform = Platform::start().await;
    let person = platform.person("ada@example.com").await;
    let (_, token) = platform.actions.create_token(&person, "ci", Scope::Read, None).await.expect("makes a token");
    for wrong in ["", "a password", "skp_nobodys"] {
        platform.client_with_input(&["login", &platform.url, "--token"], wrong).await.failed().says(&["token"]);
    }
    let login = ["login", &platform.url, "--token", "--json"];
    let said = platform.client_with_input(&login, &format!("{}\n", token.as_str())).await.ok();
    let told: Value = serde_json::from_str(&said.stdout).expect("is JSON");
    assert_eq!((&told["email"], &told["scope"]), (&"ada@example.com".into(), &"read".into()));
    assert!(!said.stdout.contains(token.as_str()) && !said.stderr.contains(token.as_str()));
    platform.client(&["apps"]).await.ok();
    let refused = platform.client(&["apps:create", "shop"]).await.failed();
    assert_eq!(refused.status, Some(1));
    refused.says(&["This token has the scope \"read\""]);
    // The token is for its own server and for nobody else's: there, `ssh` goes by keys, and asks for no password.
    let elsewhere = format!("ssh://git@127.0.0.1:{}", platform.ssh_port);
    let refused = platform.client_of(&elsewhere, &["apps"]).await.failed();
    assert_eq!(refused.status, Some(255));
    refused.says(&["The connection to ssh://git@127.0.0.1:", "failed", "skypanel login"]);
    // Revoked elsewhere, it is told why nothing works any more.
    sqlx::query("UPDATE api_tokens SET revoked_at = now()")
        .execute(platform.actions.store.pool())
        .await
        .expect("revokes");
    for command in [&["apps"][..], &["run", "-a", "shop", "ls"]] {
        let refused = platform.client(command).await.failed();
        assert_eq!(refused.status, Some(3));
        refused.says(&["unknown, revoked or expired", "log in again: skypanel login"]);
    }
    let refused = platform.client(&["apps", "--json"]).await.failed();
    let last: Value = serde_json::from_str(refused.stderr.lines().last().expect("says why")).expect("is JSON");
    assert_eq!((refused.status, &last["code"]), (Some(3), &"UNAUTHENTICATED".into()));
    let again = ["login", &platform.url, "--token"];
    assert_eq!(platform.client_with_input(&again, token.as_str()).await.failed().status, Some(3));
    platform.client(&["logout"]).await.ok();
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_does_not_answer_is_told_by_the_exit_status() {
    let mut platform = Platform::start().await;
    platform.log_in().await;
    platform.fall_silent().await;
    let url = platform.url.clone();
    for command in [&["apps"][..], &["run", "-a", "shop", "ls"], &["login", &url], &["logout"]] {
        let said = platform.client(command).await.failed();
        assert_eq!(said.status, Some(255), "{command:?}: {said:?}");
    }
    // It is forgotten all the same.
    let said = platform.client(&["apps", "--json"]).await.failed();
    let error: Value = serde_json::from_str(&said.stderr).expect("is JSON");
    assert_eq!((said.status, &error["code"]), (Some(1), &"INVALID_INPUT".into()));
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_key_than_the_platform_told_is_not_talked_to() {
    let platform = Platform::start().await;
    platform.log_in().await;
    platform.client(&["apps"]).await.ok();
    let known = platform.path("config/skypanel/known_hosts");
    let text = std::fs::read_to_string(&known).expect("reads");
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJySykK18nyfYWW/A+yKBMRbHjc36mgcMmxaKn4S4bFo";
    let alias = text.split(' ').next().expect("has a host");
    std::fs::write(&known, format!("{alias} {other}\n")).expect("writes");
    let refused = platform.client(&["apps"]).await.failed();
    assert_eq!(refused.status, Some(255));
    refused.says(&["Host key verification failed", "log in again: skypanel login"]);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_given_at_login_is_registered_for_plain_git() {
    let platform = Platform::start().await;
    let key = platform.path("id_ed25519");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen runs").success());
    let private = key.display().to_string();
    let refused = platform.client(&["login", &platform.url, "--key", &private]).await.failed();
    refused.says(&["That is a private key"]);
    let public = format!("{private}.pub");
    let mut login = platform.start_client(&["login", &platform.url, "--key", &public]);
    let told = login.lines_until("The code is").await;
    let code =
        told.split("The code is ").nth(1).and_then(|rest| rest.split('.').next()).expect("has a code").to_owned();
    let person = platform.person("ada@example.com").await;
    platform.actions.decide_device_login(&person, &code, true).await.expect("approves");
    login.finish().await.ok().says(&["SHA256:", "is registered"]);
    let keys = platform.actions.ssh_keys(&person).await.expect("answers");
    assert_eq!(keys.len(), 1);
    platform.stop().await;
}

#[tokio::test]
async fn what_is_no_platform_and_what_is_not_encrypted_is_refused() {
    let directory = tempfile::tempdir().expect("makes a directory");
    let client = |arguments: &[&str]| {
        let mut client = tokio::process::Command::new(env!("CARGO_BIN_EXE_skypanel"));
        client.args(arguments).env("XDG_CONFIG_HOME", directory.path()).current_dir(directory.path());
        client.env_remove("SKYPANEL_REMOTE").env("GIT_CEILING_DIRECTORIES", directory.path());
        run(client)
    };
    client(&["login"]).await.failed().says(&["Log in to which platform?"]);
    client(&["login", "http://paas.example"]).await.failed().says(&["not encrypted", "--insecure"]);
    let silent = client(&["login", "http://127.0.0.1:1"]).await.failed();
    assert_eq!(silent.status, Some(255));
    silent.says(&["does not answer on port 1"]);
    assert_eq!(client(&["login", "http://paas.example"]).await.failed().status, Some(1));
    assert_eq!(client(&["login", "--scope", "all"]).await.failed().status, Some(2));
    assert_eq!(client(&["git:remote"]).await.failed().status, Some(2));
    client(&["git", "remote", "-a", "shop"]).await.failed().says(&["no Git repository"]);
    for text_alone in [&["completions", "bash"][..], &["man"], &["up"], &["serve", "api"]] {
        let said = client(&[&["--json"], text_alone].concat()).await.failed();
        let error: Value = serde_json::from_str(&said.stderr).expect("is JSON");
        assert!(error["error"].as_str().is_some_and(|text| text.contains("no --json")), "{error}");
        assert!(include_str!("../../docs/client.md").contains(&format!("`{}`", text_alone[0])));
    }
    // The manual page and the completions are what their readers understand.
    let manual = client(&["man"]).await.ok().stdout;
    let page = directory.path().join("skypanel.1");
    std::fs::write(&page, manual).expect("writes");
    let mut groff = tokio::process::Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page);
    let read = run(groff).await.ok();
    assert_eq!(read.stderr, "", "groff has something to say about the page");
    let script = directory.path().join("skypanel.bash");
    std::fs::write(&script, client(&["completions", "bash"]).await.ok().stdout).expect("writes");
    // As an interactive shell calls it, also where it has taken a word apart at its colon.
    let complete = |words: &str, current: &str, before: &str| {
        let line = format!(
            "source '{}'; COMP_WORDS=({words} '{current}'); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _skypanel skypanel '{current}' '{before}'; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let mut bash = tokio::process::Command::new("bash");
        bash.args(["--norc", "-c", &line]);
        run(bash)
    };
    complete("skypanel", "lo", "skypanel").await.ok().says(&["login", "logout", "logs"]);
    complete("skypanel apps", "cr", "apps").await.ok().says(&["create"]);
    complete("skypanel apps :", "cr", ":").await.ok().says(&["create"]);
    complete("skypanel apps destroy", "--c", "destroy").await.ok().says(&["--confirm"]);
    complete("skypanel completions", "f", "completions").await.ok().says(&["fish"]);
}

/// A person at a browser, as actions know them.
impl Platform {
    async fn person(&self, email: &str) -> Actor {
        let user = self.actions.store.user(email).await.expect("is a user");
        let identity = self.actions.store.identity(user.id).await.expect("answers").expect("is a user");
        Actor::browser(identity, None, None)
    }

    /// Logs in with a token.
    async fn log_in(&self) {
        let person = self.person("ada@example.com").await;
        let (_, token) = self.actions.create_token(&person, "test", Scope::Manage, None).await.expect("makes a token");
        self.client_with_input(&["login", &self.url, "--token"], token.as_str()).await.ok();
    }

    /// The token of the login.
    fn token(&self) -> String {
        let kept = std::fs::read_to_string(self.path("config/skypanel/logins.toml")).expect("reads");
        kept.split('"').find(|part| part.starts_with("skp_")).expect("has a token").to_owned()
    }
}
