//! Just enough of a registry for the engine to pull one image.

use std::net::SocketAddr;
use std::sync::Arc;

use skypanel_core::model::Sha256Digest;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::image::Image;

/// Serves the image under every name, until the runtime ends.
pub(crate) async fn serve(image: Image) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound");
    let image = Arc::new(image);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let image = Arc::clone(&image);
            tokio::spawn(async move {
                let _ = answer(stream, &image).await;
            });
        }
    });
    address
}

async fn answer(stream: TcpStream, image: &Image) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        stream.read_line(&mut first).await?;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 2 {
            line.clear();
        }
        let Some(path) = first.split(' ').nth(1) else { return Ok(()) };
        let wanted = path.rsplit('/').next().unwrap_or_default();
        let manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
        let parts = [
            (&image.manifest, manifest_type),
            (&image.config, "application/octet-stream"),
            (&image.layer, "application/octet-stream"),
        ];
        let found = parts.into_iter().find(|(bytes, _)| Sha256Digest::of(bytes).to_string() == wanted);
        let (status, bytes, media_type) = match found {
            Some((bytes, media_type)) => ("200 OK", bytes.as_slice(), media_type),
            None if path == "/v2/" => ("200 OK", &b"{}"[..], "application/json"),
            None => ("404 Not Found", &b"{}"[..], "application/json"),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nDocker-Content-Digest: {wanted}\r\n\r\n",
            bytes.len()
        );
        stream.write_all(head.as_bytes()).await?;
        if !first.starts_with("HEAD") {
            stream.write_all(bytes).await?;
        }
        stream.flush().await?;
    }
}
