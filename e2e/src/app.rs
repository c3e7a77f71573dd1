//! An app under test: its clone, its pushes, its commands, its pages; destroyed when dropped.

use std::fmt;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{Finished, Running, run};
use crate::http::{Connection, Load, Response};
use crate::instance::root;
use crate::user::unique;
use crate::{COMMAND_LIMIT, Instance, PUSH_LIMIT, Repository, SETTLE_LIMIT, User, wait};

/// An app with the clone it is pushed from.
pub struct App {
    /// Where it runs.
    pub instance: Instance,
    /// Who pushes it.
    pub user: User,
    /// Its name.
    pub slug: String,
    /// Its clone, with the remote `skypanel`.
    pub repository: Repository,
}

impl App {
    /// An app without files or commits.
    #[track_caller]
    pub fn empty(name: &str) -> Self {
        let instance = Instance::attach();
        let user = User::owner(&instance);
        Self::with_user(instance, user, name)
    }

    /// An app without files or commits that `user` pushes.
    #[track_caller]
    pub fn with_user(instance: Instance, user: User, name: &str) -> Self {
        let slug = unique(name);
        let repository = Repository::new(&user);
        let _ = repository.git(&user, &["remote", "add", "skypanel", &user.remote(&slug)]).success();
        Self { instance, user, slug, repository }
    }

    /// An app of these files, committed.
    #[track_caller]
    pub fn of(name: &str, files: &[(&str, &str)]) -> Self {
        let app = Self::empty(name);
        for (path, content) in files {
            app.repository.write(path, content);
        }
        app.commit("First version");
        app
    }

    /// The app of `e2e/apps/probe`, which answers its `VERSION` at `/` and tells about its surroundings elsewhere.
    #[track_caller]
    pub fn probe(name: &str) -> Self {
        let app = Self::empty(name);
        app.repository.copy_from(&root().join("e2e/apps/probe"));
        app.version("one");
        app
    }

    /// An app of `examples/`, committed.
    #[track_caller]
    pub fn example(example: &str) -> Self {
        let app = Self::empty(example);
        app.repository.copy_from(&root().join("examples").join(example));
        app.commit("First version");
        app
    }

    /// Commits everything there is.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.repository.commit(&self.user, message)
    }

    /// Writes and commits what a probe answers at `/`.
    #[track_caller]
    pub fn version(&self, version: &str) -> String {
        self.repository.write("VERSION", version);
        self.commit(version)
    }

    /// `git push skypanel main`
    #[track_caller]
    pub fn push(&self) -> Push {
        self.push_with(&["skypanel", "main"])
    }

    /// `git push <arguments>`
    #[track_caller]
    pub fn push_with(&self, arguments: &[&str]) -> Push {
        Push(run(&mut self.push_command(arguments), PUSH_LIMIT))
    }

    /// `git push <arguments>`, running.
    #[track_caller]
    pub fn start_push(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.push_command(arguments))
    }

    fn push_command(&self, arguments: &[&str]) -> Command {
        let mut git = self.repository.command(&self.user, &["push"]);
        git.args(arguments);
        git
    }

    /// A command about this app, such as `config:set` with `A=b`; the arguments are quoted.
    #[track_caller]
    pub fn command(&self, name: &str, arguments: &[&str]) -> Finished {
        run(&mut self.ssh(&["-T"], name, arguments), COMMAND_LIMIT)
    }

    /// The same, not started yet, with options for `ssh`.
    pub fn ssh(&self, options: &[&str], name: &str, arguments: &[&str]) -> Command {
        let mut words = vec![name.to_owned(), format!("--app={}", self.slug)];
        words.extend(arguments.iter().map(|word| quote(word)));
        self.user.ssh(options, &words.join(" "))
    }

    /// `run <line>` in a one-off container, without a terminal.
    #[track_caller]
    pub fn run(&self, line: &str) -> Finished {
        run(&mut self.user.ssh(&["-T"], &format!("run --app={} {line}", self.slug)), COMMAND_LIMIT)
    }

    /// Its host name.
    pub fn host(&self) -> String {
        format!("{}.localhost", self.slug)
    }

    /// GET through the edge on a connection of its own.
    pub fn try_get(&self, path: &str) -> io::Result<Response> {
        Connection::open(self.instance.http_port)?.get(&self.host(), path)
    }

    /// GET through the edge.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.try_get(path).unwrap_or_else(|error| panic!("GET {}{path}: {error}", self.host()))
    }

    /// The body of a page that must be there.
    #[track_caller]
    pub fn page(&self, path: &str) -> String {
        let response = self.get(path);
        assert_eq!(response.status, 200, "GET {}{path}: {}", self.host(), response.text());
        response.text()
    }

    /// Waits until `/` answers `expected`.
    #[track_caller]
    pub fn wait_for_page(&self, expected: &str) {
        let what = format!("{} answers {expected:?}", self.host());
        wait::until(&what, SETTLE_LIMIT, || {
            self.try_get("/").is_ok_and(|response| response.status == 200 && response.text() == expected)
        });
    }

    /// Requests `path` from several clients until the answer is stopped.
    pub fn load(&self, path: &str, clients: usize, pause: Duration) -> Load {
        Load::start(self.instance.http_port, &self.host(), path, clients, pause)
    }

    /// Destroys it and waits until nothing of it is left in the engine.
    #[track_caller]
    pub fn destroy(&self) -> Finished {
        self.command("apps:destroy", &["--confirm", &self.slug])
    }
}

impl Drop for App {
    /// Has it destroyed. The engine takes its seconds for that, which no test waits for: what is still there when all
    /// tests have ended, `infra/dev/e2e` finds.
    fn drop(&mut self) {
        let status = format!("SELECT status FROM paas_applications WHERE slug = '{}'", self.slug);
        if self.instance.query(&status).is_empty() {
            return;
        }
        let mut ssh = self.ssh(&["-T"], "apps:destroy", &["--confirm", &self.slug]);
        let started = ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn();
        let began = started.is_ok_and(|_| {
            let deadline = Instant::now() + SETTLE_LIMIT;
            while Instant::now() < deadline {
                if !self.instance.query(&status).iter().any(|status| status != "deleting") {
                    return true;
                }
            }
            false
        });
        assert!(began || std::thread::panicking(), "{} is not being destroyed", self.slug);
    }
}

/// How the last line of a failed push begins to tell that nothing changed for visitors.
const SERVES_ON: &str = "The release that ran before goes on serving.";

/// How a push ended.
pub struct Push(pub Finished);

impl Push {
    /// What the developer read, without Git's `remote: ` and trailing blanks.
    pub fn output(&self) -> String {
        let text = self.0.err();
        let lines = text.split(['\n', '\r']).map(|line| line.strip_prefix("remote: ").unwrap_or(line).trim_end());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Asserts that it went through, and answers what the developer read.
    #[track_caller]
    pub fn live(&self) -> String {
        assert!(self.0.ok(), "the push was refused: {:?}", self.0);
        self.output()
    }

    /// Asserts that it was refused by the hook, and answers what the developer read.
    #[track_caller]
    pub fn refused(&self) -> String {
        let output = self.output();
        assert!(!self.0.ok() && output.contains("pre-receive hook declined"), "the push was not refused: {:?}", self.0);
        output
    }

    /// Asserts that it was refused and that the lines it ended with, of ours and before Git's own, tell `reason`.
    /// Answers what the developer read.
    #[track_caller]
    pub fn refused_for(&self, reason: &str) -> String {
        let output = self.refused();
        let last: Vec<&str> = output
            .lines()
            .filter(|line| line.starts_with("       ") || line.starts_with("-----> ") || line.starts_with(" !     "))
            .collect();
        let end = last.rsplit(|line| !line.starts_with(" !     ")).next().unwrap_or_default();
        let told: Vec<&str> = end.iter().copied().filter(|line| !line.ends_with(SERVES_ON)).collect();
        assert!(
            told.iter().any(|line| line.contains(reason)),
            "{reason:?} is not in the last lines {told:?}: {:?}",
            self.0
        );
        output
    }
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Quotes a word as a shell would read it.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
