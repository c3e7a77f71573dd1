//! The operator's CA bundle in the steps of a Dockerfile. The engine's builder mounts nothing, so every stage that
//! runs something begins with two lines of ours: one copies the bundle out of an image made for that, the other
//! tells where it is by build arguments, which the image that comes out does not have in its environment.

use bollard::errors::Error as EngineError;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt as _;
use skypanel_core::model::Sha256Digest;

use super::lines::instructions;
use crate::cache::limited;
use crate::tarball::add_file;
use crate::upload::CA_VARIABLES;
use crate::{BuildError, Parts};

/// Where steps find the bundle. It stays in the image.
const PATH: &str = "/usr/local/share/skypanel/ca-certificates.crt";
/// Its name in the image it is copied from.
const FILE: &str = "ca-certificates.crt";

/// A Dockerfile with lines of ours.
#[derive(Debug)]
pub(super) struct Adapted {
    pub(super) text: Vec<u8>,
    pub(super) additions: Additions,
}

/// What was added to a Dockerfile, to be kept from who reads the build.
#[derive(Clone, Debug, Default)]
pub(super) struct Additions {
    instructions: Vec<String>,
    /// After which of the original lines they come.
    after: Vec<usize>,
}

impl Additions {
    /// How many instructions there are.
    pub(super) fn count(&self) -> usize {
        self.after.len() * self.instructions.len()
    }

    /// Whether it is one of them.
    pub(super) fn has(&self, instruction: &str) -> bool {
        self.instructions.iter().any(|ours| ours == instruction)
    }

    /// The line of the original that is line `number`, counted from 1, of what was made of it.
    pub(super) fn original_line(&self, number: usize) -> usize {
        let each = self.instructions.len();
        let before = self.after.iter().enumerate().filter(|(turn, after)| **after + turn * each < number).count();
        number.saturating_sub(before * each)
    }
}

/// Adds what lets the steps of a Dockerfile trust the bundle in the image `bundle`; none if it runs nothing.
pub(super) fn adapt(dockerfile: &[u8], bundle: &str) -> Option<Adapted> {
    let text = String::from_utf8_lossy(dockerfile);
    let mut after = Vec::new();
    let mut from = None;
    for instruction in instructions(&text).ok()? {
        match instruction.keyword.as_str() {
            "FROM" => from = Some(instruction.end),
            "RUN" => after.extend(from.take()),
            _ => {}
        }
    }
    if after.is_empty() {
        return None;
    }
    let arguments = CA_VARIABLES.map(|name| format!("{name}={PATH}")).join(" ");
    let instructions = vec![format!("COPY --from={bundle} /{FILE} {PATH}"), format!("ARG {arguments}")];
    let mut adapted = Vec::with_capacity(dockerfile.len() + 1024);
    for (number, line) in dockerfile.split_inclusive(|byte| *byte == b'\n').enumerate() {
        adapted.extend_from_slice(line);
        if after.contains(&(number + 1)) {
            adapted.extend(instructions.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()));
        }
    }
    Some(Adapted { text: adapted, additions: Additions { instructions, after } })
}

/// Lets the engine have an image with nothing but the bundle; its name. It goes as what is left of apps goes.
pub(super) async fn image(parts: &Parts, bundle: &[u8]) -> Result<String, BuildError> {
    let action = "Giving the engine the CA bundle";
    let repository = format!("{}{FILE}", super::repositories(parts));
    let digest = Sha256Digest::of(bundle).to_string();
    let tag = digest.trim_start_matches("sha256:").get(..16).unwrap_or_default();
    let name = format!("{repository}:{tag}");
    let inspected = async {
        match parts.engine.inspect_image(&name).await {
            Ok(_) => Ok(true),
            Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    };
    if limited(action, inspected).await? {
        return Ok(name);
    }
    let mut tar = tar::Builder::new(Vec::new());
    add_file(&mut tar, FILE, 0o644, 0, 0, bundle).map_err(BuildError::io(action))?;
    let tar = tar.into_inner().map_err(BuildError::io(action))?;
    let options = CreateImageOptionsBuilder::new().from_src("-").repo(&repository).tag(tag).build();
    let made = parts.engine.create_image(Some(options), Some(bollard::body_full(tar.into())), None);
    limited(action, made.try_collect::<Vec<_>>()).await?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(dockerfile: &str) -> Option<(String, Additions)> {
        let adapted = adapt(dockerfile.as_bytes(), "b:1")?;
        let mut text = String::from_utf8(adapted.text).expect("is text");
        for (line, short) in adapted.additions.instructions.iter().zip(["<copy>", "<arg>"]) {
            text = text.replace(line, short);
        }
        Some((text, adapted.additions))
    }

    #[test]
    fn stages_that_run_something_get_the_bundle() {
        for (dockerfile, expected) in [
            ("FROM a\nRUN b\n", "FROM a\n<copy>\n<arg>\nRUN b\n"),
            (
                "# escape=`\r\nfrom a `\r\n# x\r\n  as b\r\nrun b",
                "# escape=`\r\nfrom a `\r\n# x\r\n  as b\r\n<copy>\n<arg>\nrun b",
            ),
            (
                "ARG V=1\nFROM a AS b\nRUN x \\\n  FROM\nFROM scratch\nCOPY --from=b /x /\nFROM b\n\nUSER u\nRUN y",
                "ARG V=1\nFROM a AS b\n<copy>\n<arg>\nRUN x \\\n  FROM\nFROM scratch\nCOPY --from=b /x /\nFROM b\n<copy>\n<arg>\n\nUSER u\nRUN y",
            ),
        ] {
            assert_eq!(adapted(dockerfile).expect("runs something").0, expected);
        }
        for nothing in ["FROM a\nCOPY x /\nCMD y", "", "RUN x", "FROM a\nONBUILD RUN x"] {
            assert!(adapted(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn lines_are_counted_as_in_the_original() {
        let (text, additions) = adapted("FROM a\nRUN b\nFROM c\nRUN d\n").expect("runs something");
        let original = ["FROM a", "RUN b", "FROM c", "RUN d"];
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('<')) {
            assert_eq!(original[additions.original_line(number + 1) - 1], line);
        }
        assert_eq!(additions.count(), 4);
    }
}
