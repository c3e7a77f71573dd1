//! The images that a Dockerfile's stages start from, which are with the engine before it builds: an image can
//! carry instructions of its own (`ONBUILD`), and those would pass by our rules.

use std::time::Duration;

use bollard::errors::Error as EngineError;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt as _;

use super::rules::refused;
use crate::cache::limited;
use crate::{BuildError, BuildRequest, Parts};

/// What is said of an image that is nowhere.
pub(super) const MISSING: &str =
    "\nThe base image is not on the build host and could not be pulled. skypanel/stack:skypanel-12 is always there.";
const ACTION: &str = "Fetching the base image";

/// An image from outside the Dockerfile that a stage starts from.
#[derive(Debug)]
pub(crate) struct Base {
    /// The line that asks for it.
    pub(super) line: String,
    /// Its name.
    pub(super) image: String,
    /// What `--platform` says.
    pub(super) platform: Option<String>,
}

/// Lets the engine have every one of `bases`, and refuses those that it would do more with than to start from them.
pub(super) async fn fetch(parts: &Parts, request: &BuildRequest<'_>, bases: &[Base]) -> Result<(), BuildError> {
    for base in bases {
        let image = if let Some(image) = inspect(parts, base).await? {
            image
        } else {
            request.log.detail(&format!("Pulling {}", base.image)).await;
            pull(parts, request, base).await?;
            inspect(parts, base).await?.ok_or_else(|| missing(base, "It is gone again."))?
        };
        check(base, &image)?;
    }
    Ok(())
}

async fn inspect(parts: &Parts, base: &Base) -> Result<Option<ImageInspect>, BuildError> {
    let inspected = async {
        match parts.engine.inspect_image(&base.image).await {
            Ok(image) => Ok(Some(image)),
            Err(EngineError::DockerResponseServerError { status_code: 400..=499, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    limited(ACTION, inspected).await
}

async fn pull(parts: &Parts, request: &BuildRequest<'_>, base: &Base) -> Result<(), BuildError> {
    let options = CreateImageOptionsBuilder::new().from_image(&with_tag(&base.image)).build();
    // A long layer ends by the build's own limit.
    let engine = parts.engine.clone().with_timeout(Duration::from_secs(request.settings.build_timeout_seconds));
    let mut news = std::pin::pin!(engine.create_image(Some(options), None, None));
    loop {
        match news.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(
                EngineError::DockerStreamError { error: message }
                | EngineError::DockerResponseServerError { message, .. },
            ) => return Err(missing(base, &message)),
            Err(source) => return Err(BuildError::Engine { action: ACTION, source }),
        }
    }
}

fn missing(base: &Base, why: &str) -> BuildError {
    refused(&base.line, &format!("{}{MISSING}", why.trim_end()))
}

/// The name with the tag that the engine adds; without one, it would pull all there are.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

fn check(base: &Base, image: &ImageInspect) -> Result<(), BuildError> {
    if image.config.as_ref().and_then(|config| config.on_build.as_ref()).is_some_and(|triggers| !triggers.is_empty()) {
        return Err(refused(
            &base.line,
            &format!(
                "The base image {} has ONBUILD instructions, which are not run here: it could fetch with the host's own \
                 network. Start from the image that it is made of, and write them into the Dockerfile.",
                base.image
            ),
        ));
    }
    // For another platform the engine would pull another image than this.
    let here = format!(
        "{}/{}",
        image.os.as_deref().unwrap_or("linux"),
        image.architecture.as_deref().unwrap_or("an unknown one")
    );
    match &base.platform {
        Some(asked) if *asked != here => Err(refused(
            &base.line,
            &format!("The build host has this image for {here} only. Leave --platform out, or say --platform={here}."),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ImageConfig;

    use super::*;

    fn base(platform: Option<&str>) -> Base {
        Base { line: "FROM a".to_owned(), image: "a".to_owned(), platform: platform.map(str::to_owned) }
    }

    #[test]
    fn images_with_instructions_and_of_other_platforms_are_refused() {
        let image = |on_build: Option<Vec<String>>| ImageInspect {
            os: Some("linux".to_owned()),
            architecture: Some("amd64".to_owned()),
            config: Some(ImageConfig { on_build, ..ImageConfig::default() }),
            ..ImageInspect::default()
        };
        for plain in [image(None), image(Some(Vec::new())), ImageInspect::default()] {
            assert!(check(&base(None), &plain).is_ok());
        }
        assert!(check(&base(Some("linux/amd64")), &image(None)).is_ok());
        let trigger = image(Some(vec!["ADD http://127.0.0.1/ /x".to_owned()]));
        let error = check(&base(None), &trigger).expect_err("is refused").to_string();
        assert!(error.contains("FROM a") && error.contains("ONBUILD"), "{error}");
        for other in ["linux/arm64", "$BUILDPLATFORM", "linux", ""] {
            let error = check(&base(Some(other)), &image(None)).expect_err("is refused").to_string();
            assert!(error.contains("--platform=linux/amd64"), "{error}");
        }
    }

    #[test]
    fn one_tag_is_pulled() {
        for (image, pulled) in [
            ("debian", "debian:latest"),
            ("a.example:5000/b", "a.example:5000/b:latest"),
            ("debian:12", "debian:12"),
            ("a.example:5000/b@sha256:00", "a.example:5000/b@sha256:00"),
        ] {
            assert_eq!(with_tag(image), pulled);
        }
    }
}
