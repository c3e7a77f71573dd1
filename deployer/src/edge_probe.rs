//! Asks the edge whether it has taken a route over: the file is written, but the edge reads it a moment later.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Parts;
use crate::routes::{REVISION_HEADER, REVISION_STATUS};

/// Pause between two questions.
pub(crate) const POLL: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_millis(500);

/// Whether the edge answers for this revision of the route by now.
pub(crate) async fn has_taken_over(parts: &Parts, host: &str, revision: &str) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, parts.options.edge.http_port));
    let request =
        format!("GET / HTTP/1.1\r\nHost: {host}\r\n{REVISION_HEADER}: {revision}\r\nConnection: close\r\n\r\n");
    let wanted = format!("HTTP/1.1 {REVISION_STATUS} ");
    let answer = tokio::time::timeout(LIMIT, ask(address, &request, wanted.len())).await;
    matches!(answer, Ok(Ok(line)) if line == wanted.as_bytes())
}

/// Returns once the edge answers for this revision of the route. The caller sets the limit.
pub(crate) async fn until_taken_over(parts: &Parts, host: &str, revision: &str) {
    while !has_taken_over(parts, host, revision).await {
        tokio::time::sleep(POLL).await;
    }
}

async fn ask(address: SocketAddr, request: &str, length: usize) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut line = vec![0; length];
    stream.read_exact(&mut line).await?;
    Ok(line)
}
