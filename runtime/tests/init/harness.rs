//! An app's folder, and processes under test that never outlive their test.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    mem,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Far longer than anything here takes, and short enough to notice a process that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// An `/app` of its own.
pub(crate) struct App {
    folder: TempDir,
}

impl App {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // The process under test is another user than the test.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into the app's folder, readable for everyone.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, content).expect("a file");
        path
    }

    /// `init start` for this app with the given flags, up to and without `--`.
    pub(crate) fn start(&self, flags: &[&str]) -> Command {
        let mut init = init();
        init.arg("start").args(flags).args(["--type", "web", "--app-dir"]).arg(self.path());
        init.arg("--config-vars").arg(self.path().join("config"));
        init
    }

    /// Runs a Procfile's command to its end.
    pub(crate) fn run(&self, line: &str) -> Ended {
        Running::spawn(self.start(&[]).args(["--", line])).end()
    }
}

/// The program under test, with the environment of an empty container.
pub(crate) fn init() -> Command {
    let mut init = Command::new(env!("CARGO_BIN_EXE_skypanel-init"));
    init.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    init
}

/// How a process ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// A started process; its stdout can be read line by line.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    errors: thread::JoinHandle<String>,
}

impl Running {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the process starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut stderr = child.stderr.take().expect("stderr is a pipe");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            while stdout.read_line(&mut line).expect("stdout is text") > 0 {
                // Nobody listens any more where a test has seen enough.
                let _ = sender.send(mem::take(&mut line));
            }
        });
        let errors = thread::spawn(move || {
            let mut errors = String::new();
            stderr.read_to_string(&mut errors).expect("stderr is text");
            errors
        });
        Self { child, lines, errors }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The next line of stdout without its end.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line in time").trim_end().to_owned()
    }

    /// Skips lines until one holds `text`.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|line: &String| line.contains(text)) {
            let line = self.lines.recv_timeout(PATIENCE);
            seen.push(line.unwrap_or_else(|error| panic!("no `{text}` in {seen:?}: {error}")));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Waits until the process itself has ended, whoever else still holds its output, and returns its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                assert_eq!(status.signal(), None, "init itself is never killed");
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "the process hangs");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end of the process and of its output.
    pub(crate) fn end(mut self) -> Ended {
        let code = self.exit_code();
        let output = self.lines.iter().collect();
        let errors = mem::replace(&mut self.errors, thread::spawn(String::new));
        Ended { code, output, errors: errors.join().expect("stderr is read") }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only matters where a test failed half-way; an ended process cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.expect("kill runs").success(), "SIG{name} is sent");
}
