//! The receiver's answer: frames of one byte kind, a big-endian u32 length and the payload, until the verdict.

use std::io::{self, Read, Write};

/// The longest payload of one frame, in bytes.
const MAX_PAYLOAD: u32 = 1 << 20;

/// Payloads are passed on in pieces of this size, so that the hook needs no memory for a large frame.
const PIECE: usize = 16 << 10;

/// The hook's exit code, as the receiver decided it: 0 accepts the push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict(pub(crate) u8);

/// Why no verdict was read.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The connection ended or broke; the text says how.
    Lost(String),
    /// The receiver does not keep to the protocol; the text says where.
    Protocol(String),
}

/// Copies every `o` frame to `terminal` until the `v` frame.
///
/// A terminal that cannot be written to any more is no error: the developer has gone away, while
/// `git receive-pack` still waits for the verdict, without which the ref would not move.
pub(crate) fn copy_until_verdict(receiver: &mut impl Read, terminal: &mut impl Write) -> Result<Verdict, FrameError> {
    let mut terminal = Terminal { inner: terminal, gone: false, mid_line: false };
    let verdict = loop {
        match next_frame(receiver, &mut terminal) {
            Ok(None) => {}
            Ok(Some(verdict)) => break Ok(verdict),
            Err(error) => break Err(error),
        }
    };
    if verdict.is_err() {
        terminal.finish_line();
    }
    verdict
}

fn next_frame(
    receiver: &mut impl Read,
    terminal: &mut Terminal<'_, impl Write>,
) -> Result<Option<Verdict>, FrameError> {
    let mut header = [0; 5];
    read_exact(receiver, &mut header)?;
    let [kind, length @ ..] = header;
    let length = u32::from_be_bytes(length);
    if length > MAX_PAYLOAD {
        return Err(FrameError::Protocol(format!("a frame of {length} bytes, where {MAX_PAYLOAD} are the limit")));
    }
    match kind {
        b'o' => copy_payload(receiver, terminal, length).map(|()| None),
        b'v' if length == 1 => {
            let mut code = [0];
            read_exact(receiver, &mut code)?;
            Ok(Some(Verdict(code[0])))
        }
        b'v' => Err(FrameError::Protocol(format!("a verdict of {length} bytes instead of one"))),
        other => Err(FrameError::Protocol(format!("a frame of unknown kind {other}"))),
    }
}

fn copy_payload(
    receiver: &mut impl Read,
    terminal: &mut Terminal<'_, impl Write>,
    length: u32,
) -> Result<(), FrameError> {
    let mut piece = [0; PIECE];
    let mut left = length as usize;
    while left > 0 {
        let wanted = left.min(PIECE);
        let read = read_some(receiver, &mut piece[..wanted])?;
        terminal.write(&piece[..read]);
        left -= read;
    }
    Ok(())
}

fn read_exact(receiver: &mut impl Read, buffer: &mut [u8]) -> Result<(), FrameError> {
    let mut filled = 0;
    while filled < buffer.len() {
        filled += read_some(receiver, &mut buffer[filled..])?;
    }
    Ok(())
}

/// Reads at least one byte.
fn read_some(receiver: &mut impl Read, buffer: &mut [u8]) -> Result<usize, FrameError> {
    loop {
        match receiver.read(buffer) {
            Ok(0) => return Err(FrameError::Lost("it was closed before the verdict".into())),
            Ok(read) => return Ok(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(FrameError::Lost("it has been silent for too long".into()));
            }
            Err(error) => return Err(FrameError::Lost(error.to_string())),
        }
    }
}

/// The developer's end, which may go away at any time.
struct Terminal<'a, W> {
    inner: &'a mut W,
    gone: bool,
    mid_line: bool,
}

impl<W: Write> Terminal<'_, W> {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.mid_line = *last != b'\n';
        }
        if !self.gone {
            self.gone = self.inner.write_all(bytes).is_err();
        }
    }

    /// Makes the next line start at the margin.
    fn finish_line(&mut self) {
        if self.mid_line {
            self.write(b"\n");
        }
    }
}
