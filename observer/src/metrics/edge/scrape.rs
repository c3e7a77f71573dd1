//! Asks the edge for what it counts, and takes the answer line by line: with many apps it is megabytes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest it may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Most bytes of an answer, and of a line of it.
const MAX_ANSWER: usize = 64 << 20;
const MAX_LINE: usize = 64 << 10;

/// Has `take` each line that the edge at `address` tells.
pub(super) async fn lines(address: SocketAddr, take: impl FnMut(&str)) -> Result<(), String> {
    tokio::time::timeout(LIMIT, exchange(address, take))
        .await
        .unwrap_or_else(|_| Err(format!("it did not answer within {} s", LIMIT.as_secs())))
}

async fn exchange(address: SocketAddr, take: impl FnMut(&str)) -> Result<(), String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let broken = |error: hyper::Error| format!("the connection broke: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::get("/metrics")
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            return Err(format!("it answered {}", answer.status()));
        }
        split(answer, take).await
    };
    tokio::pin!(exchange);
    // The connection only moves while it is polled; it ends with the answer.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}

async fn split(answer: Response<Incoming>, mut take: impl FnMut(&str)) -> Result<(), String> {
    let mut body = answer.into_body();
    let (mut begun, mut length): (Vec<u8>, usize) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the connection broke: {error}"))?;
        let Some(data) = frame.data_ref() else { continue };
        length += data.len();
        if length > MAX_ANSWER {
            return Err(format!("it told more than {} MB", MAX_ANSWER >> 20));
        }
        let mut pieces = data.split(|byte| *byte == b'\n');
        let Some(first) = pieces.next() else { continue };
        begun.extend_from_slice(first);
        for piece in pieces {
            // What is no text is no line of ours.
            take(std::str::from_utf8(&begun).unwrap_or_default());
            begun.clear();
            begun.extend_from_slice(piece);
        }
        if begun.len() > MAX_LINE {
            return Err("it told a line without an end".to_owned());
        }
    }
    take(std::str::from_utf8(&begun).unwrap_or_default());
    Ok(())
}
