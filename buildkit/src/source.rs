//! What a pushed source tells about how it is to be built, before it is built.

use std::io::{self, Read as _};

use skypanel_core::blob::{BlobError, BlobKey, BlobReader};
use tokio::task::spawn_blocking;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use crate::stack::join;
use crate::transfer::blocking_reader;
use crate::{BuildError, Parts, members};

/// Most bytes of a `Procfile` that are read.
pub(crate) const MAX_PROCFILE: u64 = 64 * 1024;

/// Largest `Dockerfile`, in bytes; a larger one is refused, since what is not read cannot be checked.
pub(crate) const MAX_DOCKERFILE: u64 = 1024 * 1024;

/// Largest `.dockerignore`, in bytes; a larger one is refused.
pub(crate) const MAX_DOCKERIGNORE: u64 = 64 * 1024;

/// What lies at the top of a source.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The `Dockerfile`.
    pub(crate) dockerfile: Option<Vec<u8>>,
    /// The `.dockerignore`.
    pub(crate) dockerignore: Option<Vec<u8>>,
    /// Whether there is a `.buildpacks` that chooses buildpacks.
    pub(crate) buildpacks: bool,
    /// The `Procfile`.
    pub(crate) procfile: Option<Vec<u8>>,
    /// Newest time in it, in seconds since 1970.
    pub(crate) modified: u64,
}

/// Opens the source of a deployment.
pub(crate) async fn open(parts: &Parts, key: &BlobKey) -> Result<BlobReader, BuildError> {
    match parts.blobs.get(key).await {
        Ok((reader, _)) => Ok(reader),
        Err(BlobError::Missing(_)) => Err(BuildError::SourceMissing),
        Err(error) => Err(error.into()),
    }
}

/// A source, decompressed, for a blocking thread.
pub(crate) fn unpack(reader: BlobReader, stop: &CancellationToken) -> io::Result<impl io::Read + Send + 'static> {
    zstd::Decoder::with_buffer(io::BufReader::new(blocking_reader(
        ReaderStream::with_capacity(reader, 64 * 1024),
        stop,
    )))
}

/// Reads through the source once.
pub(crate) async fn survey(parts: &Parts, key: &BlobKey, stop: &CancellationToken) -> Result<Survey, BuildError> {
    let reader = open(parts, key).await?;
    let action = "Reading the pushed source";
    let source = unpack(reader, stop).map_err(BuildError::io(action))?;
    let read = spawn_blocking(move || {
        let mut survey = Survey::default();
        members::visit(source, |mut member| {
            survey.modified = survey.modified.max(member.header().mtime()?);
            if !member.kind().is_file() {
                return Ok::<_, io::Error>(());
            }
            match member.name.strip_prefix(b"./").unwrap_or(&member.name) {
                b"Dockerfile" => {
                    let mut content = Vec::new();
                    member.by_ref().take(MAX_DOCKERFILE + 1).read_to_end(&mut content)?;
                    survey.dockerfile = Some(content);
                }
                b".dockerignore" => {
                    let mut content = Vec::new();
                    member.by_ref().take(MAX_DOCKERIGNORE + 1).read_to_end(&mut content)?;
                    survey.dockerignore = Some(content);
                }
                b".buildpacks" => survey.buildpacks = true,
                b"Procfile" => {
                    let mut content = Vec::new();
                    member.by_ref().take(MAX_PROCFILE).read_to_end(&mut content)?;
                    survey.procfile = Some(content);
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(survey)
    });
    join(read).await.map_err(BuildError::io(action))
}
