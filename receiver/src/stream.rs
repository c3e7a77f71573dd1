//! The TCP stream of a connection as the SSH library gets it: read in large pieces, and ended from outside.
//!
//! The library's own task cannot be aborted, and its reads are two system calls a packet; both matter, one
//! for the limits on connections, one for the speed of a large push.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Room for several SSH packets of the largest size.
const READ_BUFFER: usize = 256 * 1024;

/// A stream that breaks when its token is cancelled.
pub(crate) struct EndableStream {
    inner: BufReader<TcpStream>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl EndableStream {
    pub(crate) fn new(stream: TcpStream, end: CancellationToken) -> Self {
        Self { inner: BufReader::with_capacity(READ_BUFFER, stream), ended: Box::pin(end.cancelled_owned()) }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.ended.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "ended by the server")),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for EndableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for EndableStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
