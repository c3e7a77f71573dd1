//! A receiver that stands in for Skypanel's, and the frames of its protocol.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) const OLD: &str = "0000000000000000000000000000000000000000";
pub(crate) const NEW: &str = "89e6c98d92887913cadf06b2adb97f26cde4849b";

pub(crate) struct Receiver {
    pub(crate) folder: TempDir,
    pub(crate) listener: UnixListener,
}

/// The receiver's side of one push.
pub(crate) struct Push {
    pub(crate) stream: BufReader<UnixStream>,
    pub(crate) request: Value,
}

impl Receiver {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("hook.sock")).expect("a socket");
        Self { folder, listener }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("hook.sock")
    }

    pub(crate) fn hook(&self) -> Command {
        let mut hook = bare_hook();
        hook.env("SKYPANEL_HOOK_SOCKET", self.socket()).env("SKYPANEL_HOOK_TOKEN", "one-time");
        hook.current_dir(self.folder.path());
        hook
    }

    /// Takes the hook's connection and reads its request.
    pub(crate) fn accept(&self) -> Push {
        let (stream, _) = self.listener.accept().expect("the hook connects");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a read timeout");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).expect("the request is UTF-8");
        assert!(line.ends_with('\n'), "the request is one whole line: {line:?}");
        Push { stream, request: serde_json::from_str(&line).expect("the request is JSON") }
    }
}

impl Push {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the hook reads");
    }

    pub(crate) fn closed_by_hook(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_))
    }
}

pub(crate) fn bare_hook() -> Command {
    let mut hook = Command::new(env!("CARGO_BIN_EXE_skypanel-hook"));
    hook.env_clear();
    hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    hook
}

pub(crate) fn spawn(hook: &mut Command, updates: &[u8]) -> Child {
    let mut child = hook.spawn().expect("the hook starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // A hook that has ended already has no use for the updates.
    let _ = stdin.write_all(updates);
    child
}

pub(crate) fn main_update() -> Vec<u8> {
    format!("{OLD} {NEW} refs/heads/main\n").into_bytes()
}

pub(crate) fn output(text: &[u8]) -> Vec<u8> {
    frame(b'o', text)
}

pub(crate) fn verdict(code: u8) -> Vec<u8> {
    frame(b'v', &[code])
}

pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small payload");
    [&[kind], length.to_be_bytes().as_slice(), payload].concat()
}

pub(crate) fn finish(child: Child) -> (Option<i32>, String) {
    let Output { status, stderr, stdout } = child.wait_with_output().expect("the hook ends");
    assert!(stdout.is_empty(), "everything the developer sees goes to stderr");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}
