//! Asks the edge whether it serves, and whether it has taken a route over: the file is written, but the edge reads it a
//! moment later.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::routes::{FALLBACK_REVISION, REVISION_HEADER, REVISION_STATUS};
use crate::{DeployError, Parts};

/// Pause between two questions.
pub(crate) const POLL: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_millis(500);
/// Longest an edge that is only looked at may take: it may have much to do.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the edge answers for this revision of the route by now.
pub(crate) async fn has_taken_over(parts: &Parts, host: &str, revision: &str) -> bool {
    matches!(tokio::time::timeout(LIMIT, ask(parts, host, revision)).await, Ok(Ok(true)))
}

/// Answers once the edge has, over its routes and on its port for TLS.
pub(crate) async fn serves(parts: &Parts) -> Result<(), DeployError> {
    let look = async {
        if !ask(parts, "localhost", FALLBACK_REVISION).await? {
            return Err(std::io::Error::other("its routes are not those of this installation"));
        }
        TcpStream::connect(local(parts.options.edge.https_port)).await.map(drop)
    };
    let failed = |why: &dyn std::fmt::Display| DeployError::Host(format!("The edge does not serve: {why}."));
    tokio::time::timeout(PATIENCE, look)
        .await
        .map_err(|_| failed(&format_args!("no answer within {} s", PATIENCE.as_secs())))?
        .map_err(|error| failed(&error))
}

/// Returns once the edge answers for this revision of the route. The caller sets the limit.
pub(crate) async fn until_taken_over(parts: &Parts, host: &str, revision: &str) {
    while !has_taken_over(parts, host, revision).await {
        tokio::time::sleep(POLL).await;
    }
}

async fn ask(parts: &Parts, host: &str, revision: &str) -> std::io::Result<bool> {
    let request =
        format!("GET / HTTP/1.1\r\nHost: {host}\r\n{REVISION_HEADER}: {revision}\r\nConnection: close\r\n\r\n");
    let wanted = format!("HTTP/1.1 {REVISION_STATUS} ");
    let mut stream = TcpStream::connect(local(parts.options.edge.http_port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut line = vec![0; wanted.len()];
    stream.read_exact(&mut line).await?;
    Ok(line == wanted.as_bytes())
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
