//! The context of a build: the pushed source without what `.dockerignore` keeps out, and the Dockerfile with our
//! lines, if there is one. A step sees neither that one nor anything else that is not the repository's.

use std::io::{Read, Write as _};

use tar::Builder;

use super::ignore::Ignore;
use crate::members;
use crate::tarball::{Move, MoveError, add_file};
use crate::transfer::ChannelWriter;

/// Name of the Dockerfile with our lines. A file of the repository that is called so is not sent.
const ADAPTED: &str = ".skypanel.Dockerfile";
const DOCKERFILE: &str = "Dockerfile";
const DOCKERIGNORE: &str = ".dockerignore";

/// What is sent besides the source, or instead of parts of it.
pub(super) struct Context {
    /// What is kept out.
    pub(super) ignore: Ignore,
    /// The repository's `.dockerignore`.
    pub(super) dockerignore: Option<Vec<u8>>,
    /// The Dockerfile with our lines.
    pub(super) adapted: Option<Vec<u8>>,
}

impl Context {
    /// Name of the Dockerfile that the engine is to read.
    pub(super) fn dockerfile(&self) -> &'static str {
        if self.adapted.is_some() { ADAPTED } else { DOCKERFILE }
    }

    /// Writes the context of `source`, a tar.
    pub(super) fn write(mut self, source: impl Read, writer: &mut ChannelWriter) -> Result<(), MoveError> {
        let mut builder = Builder::new(writer);
        let rule = Move { from: "", to: "", modified: None, layer: false };
        let adapted = self.adapted.take();
        members::visit(source, |member| {
            let name = String::from_utf8_lossy(&member.name);
            let name = name.trim_start_matches("./").trim_end_matches('/');
            let replaced = adapted.is_some() && (name == ADAPTED || name == DOCKERIGNORE);
            // The engine reads these before it applies the patterns to them itself.
            let needed = adapted.is_none() && (name == DOCKERFILE || name == DOCKERIGNORE);
            if replaced || (!needed && self.ignore.keeps_out(name)) {
                return Ok(());
            }
            rule.member(member, &mut builder)
        })?;
        if let Some(adapted) = adapted {
            // The engine drops from the context what it reads, where this file names it.
            let mut ignore = match self.dockerignore {
                Some(dockerignore) => dockerignore,
                None => DOCKERIGNORE.as_bytes().to_vec(),
            };
            ignore.extend_from_slice(format!("\n{ADAPTED}\n").as_bytes());
            add_file(&mut builder, DOCKERIGNORE, 0o644, 0, 0, &ignore)?;
            add_file(&mut builder, ADAPTED, 0o644, 0, 0, &adapted)?;
        }
        builder.into_inner()?.flush().map_err(MoveError::Io)
    }
}
