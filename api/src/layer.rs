//! Layers on their way to the engine: kept as zstd, sent as the raw tar that their digest is of, because
//! engines before 23 cannot read zstd.

use std::io::{self, BufReader, Read as _};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use skypanel_core::blob::BlobReader;
use tokio::sync::mpsc;
use tokio_util::io::SyncIoBridge;

/// Size of the pieces sent.
const PIECE: usize = 256 * 1024;
/// Size of the pieces read.
const READ_AHEAD: usize = 512 * 1024;
/// Pieces unpacked ahead of the client.
const AHEAD: usize = 4;
/// Longest a client may take nothing.
const STALL_LIMIT: Duration = Duration::from_secs(120);

/// The raw content of a zstd blob. A blob that ends early or is damaged ends the stream with an error.
pub(crate) fn unpacked(blob: BlobReader) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let runtime = tokio::runtime::Handle::current();
    // Nobody joins it: it ends when the receiver, which the response owns, is gone.
    tokio::task::spawn_blocking(move || {
        if let Err(error) = unpack(blob, &sender, &runtime) {
            tracing::warn!(%error, "a layer could not be sent whole");
            let _ = runtime.block_on(sender.send_timeout(Err(error), STALL_LIMIT));
        }
    });
    futures_util::stream::unfold(receiver, |mut receiver| async {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    })
}

fn unpack(
    blob: BlobReader,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    runtime: &tokio::runtime::Handle,
) -> io::Result<()> {
    let blob = BufReader::with_capacity(READ_AHEAD, SyncIoBridge::new_with_handle(blob, runtime.clone()));
    let mut decoder = zstd::Decoder::with_buffer(blob)?;
    loop {
        let mut piece = BytesMut::zeroed(PIECE);
        let mut filled = 0;
        while filled < PIECE {
            match decoder.read(&mut piece[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        if filled == 0 {
            return Ok(());
        }
        piece.truncate(filled);
        match runtime.block_on(sender.send_timeout(Ok(piece.freeze()), STALL_LIMIT)) {
            Ok(()) => {}
            // The client went away, which is its right: engines open a layer twice and drop the first.
            Err(mpsc::error::SendTimeoutError::Closed(_)) => return Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing for two minutes"));
            }
        }
    }
}
