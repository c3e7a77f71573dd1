//! Bridges between async streams (engine, blob store) and the blocking tar and zstd code, each side slowing
//! the other down when it is ahead. Memory stays at a few hundred kilobytes whatever is moved.

use std::io::{self, BufReader, ErrorKind, Read, Write};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tokio_util::sync::CancellationToken;

/// Bytes handed over at once.
const CHUNK: usize = 128 * 1024;
/// Chunks that may wait between the two sides.
const CHUNKS_WAITING: usize = 4;

/// Reads `stream` from a blocking thread. Once `stop` is cancelled the reader fails, so that the thread ends.
/// Must be called inside the runtime.
pub(crate) fn blocking_reader(
    stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    stop: &CancellationToken,
) -> impl Read + Send + 'static {
    let stopped = stop.clone();
    let end = stream::once(async move { stopped.is_cancelled() })
        .filter_map(async |stopped| stopped.then(|| Err(io::Error::new(ErrorKind::ConnectionAborted, "stopped"))));
    let guarded = Box::pin(stream.take_until(stop.clone().cancelled_owned()).chain(end));
    BufReader::with_capacity(CHUNK, SyncIoBridge::new(StreamReader::new(guarded)))
}

/// The writing end, for a blocking thread, of a stream of bytes.
pub(crate) struct ChannelWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

/// A stream of bytes and the writer that fills it.
pub(crate) fn channel() -> (ChannelWriter, impl Stream<Item = io::Result<Bytes>> + Send + 'static) {
    let (sender, mut receiver) = mpsc::channel(CHUNKS_WAITING);
    let writer = ChannelWriter { sender, buffer: BytesMut::with_capacity(CHUNK) };
    (writer, stream::poll_fn(move |context| receiver.poll_recv(context)))
}

impl ChannelWriter {
    /// Makes the stream end in an error, so that its reader does not take what came so far for the whole.
    pub(crate) fn fail(self, why: &str) {
        // Nobody reads any more: then nobody can be misled either.
        let _ = self.sender.blocking_send(Err(io::Error::other(why.to_owned())));
    }
}

impl Write for ChannelWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::Error::new(ErrorKind::BrokenPipe, "the reader is gone"))
    }
}
