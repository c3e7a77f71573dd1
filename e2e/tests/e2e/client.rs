//! The client: the real `skypanel` in a clone with a remote named `skypanel`, through every command there is.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use skypanel_e2e::{App, COMMAND_LIMIT, Finished, PUSH_LIMIT, Running, SETTLE_LIMIT, User, run, until};
use tempfile::TempDir;

/// `skypanel` as a developer types it, with an `ssh` that has the test's key.
struct Client<'a> {
    app: &'a App,
    programs: TempDir,
    typed: RefCell<BTreeSet<String>>,
}

impl<'a> Client<'a> {
    #[track_caller]
    fn of(app: &'a App) -> Self {
        let programs = tempfile::tempdir().expect("a temporary directory");
        let path = std::env::var("PATH").expect("there is a PATH");
        let ssh = app.user.ssh_words().iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let script = format!("#!/bin/sh\nPATH={} exec {ssh} \"$@\"\n", quoted(&path));
        let file = programs.path().join("ssh");
        std::fs::write(&file, script)
            .and_then(|()| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)))
            .expect("the script is written");
        Self { app, programs, typed: RefCell::default() }
    }

    fn command(&self, words: &[&str]) -> Command {
        self.typed.borrow_mut().extend(words.first().map(|word| (*word).to_owned()));
        self.typed.borrow_mut().extend(words.get(..2).map(|words| words.join(" ")));
        let path = std::env::var("PATH").expect("there is a PATH");
        let mut command = self.app.instance.program("skypanel");
        command
            .args(words)
            .current_dir(self.app.repository.path())
            .env("PATH", format!("{}:{path}", self.programs.path().display()))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("XDG_CONFIG_HOME", self.programs.path().join("config"))
            .env_remove("SKYPANEL_REMOTE");
        command
    }

    #[track_caller]
    fn run(&self, words: &[&str]) -> Finished {
        run(&mut self.command(words), COMMAND_LIMIT)
    }

    #[track_caller]
    fn with_input(&self, words: &[&str], input: &[u8]) -> Finished {
        let mut running = Running::start(&mut self.command(words));
        running.type_in(input);
        running.close_input();
        running.finish(COMMAND_LIMIT)
    }

    /// In a pseudo-terminal of 97 columns and 31 rows.
    #[track_caller]
    fn in_terminal(&self, words: &[&str]) -> Running {
        let client = self.command(words);
        let line = std::iter::once(client.get_program())
            .chain(client.get_args())
            .map(|word| quoted(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command"]);
        script.arg(format!("stty cols 97 rows 31; exec {line}")).arg("/dev/null");
        script.current_dir(self.app.repository.path()).env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
        for (name, value) in client.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        Running::start(&mut script)
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[test]
fn every_command_works_in_both_spellings() {
    let app = App::probe("client");
    let client = Client::of(&app);
    let slug = app.slug.as_str();
    let ok = |words: &[&str]| client.run(words).success().text();
    let says = |words: &[&str], text: &str| {
        client.run(words).says(0, text);
    };

    says(&["apps:create", slug], &format!("Created app {slug}"));
    client.run(&["apps", "create", slug]).says(1, "is taken");
    says(&["apps"], slug);
    says(&["releases"], "has no releases yet");
    app.push().live();
    app.version("two");
    app.push().live();

    says(&["apps:info"], &format!("=== {slug}\n"));
    says(&["apps", "info"], &format!("=== {slug}\n"));
    says(&["apps", "info", slug], &format!("=== {slug}\n"));

    says(&["config:set", "GREETING=hello there", "COLOUR=it's $HOME"], "Set COLOUR, GREETING");
    assert_eq!(app.page("/env?name=GREETING"), "hello there");
    assert_eq!(app.page("/env?name=COLOUR"), "it's $HOME");
    says(&["config", "set", "SEASON=winter"], "Set SEASON");
    let config = ok(&["config"]);
    assert!(config.contains("GREETING") && config.contains("SEASON") && !config.contains("winter"), "{config}");
    says(&["config:unset", "COLOUR"], "Unset COLOUR");
    says(&["config", "unset", "GREETING"], "Unset GREETING");
    assert_eq!(app.get("/env?name=GREETING").status, 404);

    says(&["ps"], "web.1: running");
    says(&["ps:scale"], "web=1 worker=0");
    says(&["ps", "scale", "worker=1"], "worker: 1 running");
    says(&["ps"], "worker.1: running");
    says(&["ps:restart"], "Restarting");
    says(&["ps", "restart"], "Restarting");
    says(&["ps:stop"], "Stopping");
    says(&["ps", "stop"], "stopped already");
    says(&["ps:start"], "Starting");
    says(&["ps", "start"], "Starting");
    app.wait_for_page("two");

    says(&["releases"], "current");
    says(&["rollback", "v1"], "back to v1");
    app.wait_for_page("one");
    says(&["rollback"], "Rolling");

    says(&["logs", "-n", "5"], "turn");
    let mut tail = Running::start(&mut client.command(&["logs", "-t", "-n", "1"]));
    tail.wait_for("turn", COMMAND_LIMIT);
    assert_eq!(app.get("/while-following").status, 404);
    tail.wait_for("/while-following", COMMAND_LIMIT);
    tail.kill();

    says(&["builds:cancel"], "Nothing of");
    says(&["builds", "cancel"], "Nothing of");
    says(&["cache:purge"], "build cache is empty");
    says(&["cache", "purge"], "build cache is empty");

    assert_eq!(client.run(&["run", "sh", "-c", "echo complaint >&2; exit 42"]).says(42, "complaint").out(), "");
    let hidden = ok(&["run", "ls", "-a"]);
    assert!(hidden.lines().any(|line| line == ".."), "-a belongs to ls: {hidden}");
    assert_eq!(ok(&["run", "ls -a | grep -c '^Procfile$'"]), "1\n");
    assert_eq!(ok(&["run", "--", "printf", "%s|", "a  b", "$HOME", "it's"]), "a  b|$HOME|it's|");
    assert_eq!(client.with_input(&["run", "cat"], b"typed\n").success().out(), "typed\n");

    let (first, second) = (User::stranger(&app.instance), User::stranger(&app.instance));
    let key = |user: &User| std::fs::read_to_string(user.key().with_extension("pub")).expect("a public key");
    client.with_input(&["keys:add"], key(&first).as_bytes()).says(0, "Added the key SHA256:");
    let _ = first.command("apps").success();
    says(&["keys", "add", key(&second).trim()], "Added the key SHA256:");
    let _ = second.command("apps").success();
    says(&["keys"], "ssh-ed25519");

    says(&["help", "ps:scale"], "TYPE=NUMBER");
    let listed: Vec<String> = ok(&["help"])
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert!(listed.len() > 20, "{listed:?}");

    client.with_input(&["apps", "destroy"], b"another-name\n").says(1, "was not destroyed");
    client.with_input(&["apps:destroy"], format!("{slug}\n").as_bytes()).says(0, "Type the app's name");
    until("the edge has forgotten it", SETTLE_LIMIT, || app.get("/").status == 404);

    // What others try in full is there under both names all the same.
    for name in listed {
        let spelt = name.replace(':', " ");
        let tried = client.typed.borrow().contains(&name) && client.typed.borrow().contains(&spelt);
        if tried || name == "help" {
            continue;
        }
        says(&[&name, "--help"], &format!("Usage: {name}"));
        // `skypanel admin` is for the host.
        if !name.starts_with("admin:") {
            let words: Vec<&str> = spelt.split(' ').chain(["--help"]).collect();
            says(&words, &format!("Usage: {name}"));
        }
    }
}

#[test]
fn a_login_needs_no_key() {
    let app = App::probe("login");
    let client = Client::of(&app);
    let slug = app.slug.as_str();
    let url = format!("http://localhost:{}", app.instance.api_port);
    // The machine's own `ssh`, in a home without keys.
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = std::env::var("PATH").expect("there is a PATH");
    let command = |words: &[&str]| {
        let mut command = client.command(words);
        command.env("PATH", &path).env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path().join("config"));
        command.env_remove("SSH_AUTH_SOCK").env_remove("GIT_SSH_COMMAND").current_dir(home.path());
        command.env("GIT_CEILING_DIRECTORIES", home.path());
        command
    };
    let mut login = Running::start(&mut command(&["login", &url]));
    login.wait_for("The code is", COMMAND_LIMIT);
    let told = login.text();
    let code = told.split("The code is ").nth(1).and_then(|rest| rest.split('.').next()).expect("a code");
    let _ = app.user.command(&format!("login:approve {code}")).success();
    login.finish(COMMAND_LIMIT).says(0, "Logged in to");

    run(&mut command(&["apps:create", slug]), COMMAND_LIMIT).says(0, slug);
    let mut remote = command(&["git:remote", "-a", slug]);
    run(remote.current_dir(app.repository.path()), COMMAND_LIMIT).says(0, slug);
    let mut push = Command::new("git");
    push.args(["push", "skypanel", "main"]).current_dir(app.repository.path()).env("HOME", home.path());
    push.env("XDG_CONFIG_HOME", home.path().join("config")).env_remove("GIT_SSH_COMMAND").env_remove("SSH_AUTH_SOCK");
    let _ = run(&mut push, PUSH_LIMIT).success();
    app.wait_for_page("one");
    let mut list = command(&["apps", "--json"]);
    run(&mut list, COMMAND_LIMIT).says(0, slug);
    run(&mut command(&["logout"]), COMMAND_LIMIT).says(0, "the token is revoked");
    run(&mut command(&["apps"]), COMMAND_LIMIT).says(1, "skypanel login");
}

#[test]
fn an_option_names_another_app_and_secrets_are_not_repeated() {
    let app = App::probe("here");
    let other = App::empty("there");
    let client = Client::of(&app);
    for slug in [&app.slug, &other.slug] {
        let _ = client.run(&["apps:create", slug]).success();
    }
    let _ = client.run(&["config:set", "-a", &other.slug, "ONLY=there"]).success();
    let _ = client.run(&["config", "set", "ONLY_HERE=x"]).success();
    let joined = format!("-a{}", other.slug);
    for words in [["config", &joined].as_slice(), &["config", "--app", &other.slug], &["config", "-a", &other.slug]] {
        let config = client.run(words).success().out();
        assert!(config.contains("ONLY ") && !config.contains("ONLY_HERE"), "{config}");
    }
    client.run(&["apps:info", &other.slug]).says(0, &format!("=== {}\n", other.slug));
    client.run(&["ps", "scale", "-a", &other.slug]).says(0, "web=1");
    for words in [["config:unset", "TOKEN=s3cr3t"], ["config", "TOKEN=s3cr3t"], ["config:set", "bad=s3cr3t"]] {
        let refused = client.run(&words);
        assert_eq!(refused.status, Some(1), "{refused:?}");
        assert!(!refused.text().contains("s3cr3t"), "{refused:?}");
    }
    // From anywhere, with the platform's address in the environment.
    let elsewhere = tempfile::tempdir().expect("a temporary directory");
    let remote = app.user.remote(&other.slug);
    let mut config = client.command(&["config"]);
    run(config.current_dir(elsewhere.path()).env("SKYPANEL_REMOTE", remote), COMMAND_LIMIT).says(0, "ONLY ");
}

#[test]
fn a_terminal_is_passed_through() {
    let app = App::probe("client-tty");
    app.push().live();
    let client = Client::of(&app);
    let mut terminal = client.in_terminal(&["run", "bash"]);
    terminal.wait_for("$", COMMAND_LIMIT);
    terminal.type_in(b"echo $((6 * 7)) in $(stty size) of $TERM\n");
    terminal.wait_for("42 in 31 97 of xterm-256color", COMMAND_LIMIT);
    terminal.type_in(b"exit 3\n");
    assert_eq!(terminal.finish(COMMAND_LIMIT).status, Some(3));

    let mut terminal = client.in_terminal(&["run", "echo ready; sleep 300"]);
    terminal.wait_for("ready", COMMAND_LIMIT);
    terminal.type_in(b"\x03");
    assert_eq!(terminal.finish(COMMAND_LIMIT).status, Some(130), "Ctrl-C ends the remote process");

    let mut terminal = client.in_terminal(&["apps:destroy"]);
    terminal.wait_for("Type the app's name to go on", COMMAND_LIMIT);
    terminal.type_in(format!("{}\r", app.slug).as_bytes());
    terminal.finish(COMMAND_LIMIT).says(0, &format!("Destroyed {}", app.slug));
}

#[test]
fn it_helps_where_no_platform_is_known() {
    let app = App::empty("nowhere");
    let client = Client::of(&app);
    let nowhere = tempfile::tempdir().expect("a temporary directory");
    let at = |directory: &Path, words: &[&str], remote: &str| {
        let mut command = client.command(words);
        command.current_dir(directory).env("GIT_CEILING_DIRECTORIES", directory).env("SKYPANEL_REMOTE", remote);
        run(&mut command, COMMAND_LIMIT)
    };
    for words in [["help"], ["--help"]] {
        let help = at(nowhere.path(), &words, "").success().out();
        for text in ["serve", "admin", "apps:create", "ps:scale", "SSH", "-a APP"] {
            assert!(help.contains(text), "{text} is not in {help}");
        }
    }
    at(nowhere.path(), &["help", "admin"], "").says(0, "app:plan");
    at(nowhere.path(), &["help", "ps", "scale"], "").says(0, "TYPE=NUMBER");
    at(nowhere.path(), &["help", "nonsense"], "").says(1, "no such command");
    at(nowhere.path(), &["apps"], "").says(1, "git remote add skypanel");
    for unreadable in ["foo", "https://panel.example/shop", "ssh://-oProxyCommand=id/x"] {
        let told = at(nowhere.path(), &["apps"], unreadable);
        let told = told.says(1, &format!("SKYPANEL_REMOTE is {unreadable:?}, which is no address"));
        assert!(!told.text().contains("Neither"), "{told:?}");
    }
    let _ = app.repository.git(&app.user, &["remote", "set-url", "skypanel", "/srv/shop.git"]).success();
    at(app.repository.path(), &["apps"], "").says(1, "The Git remote \"skypanel\" is \"/srv/shop.git\"");
}
