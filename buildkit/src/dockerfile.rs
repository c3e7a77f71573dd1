//! Apps with a Dockerfile: the engine's own builder makes the image, in the network and under the limits of
//! builds, and tells its steps in the developer's terminal.

mod base;
mod context;
mod ignore;
mod lines;
mod rules;
mod steps;
mod teller;
mod trust;

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::query_parameters::{
    BuildImageOptions, BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use futures_util::StreamExt as _;
use skypanel_core::model::AppId;
use skypanel_core::settings::Settings;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::cache::limited;
use crate::container::proxies;
use crate::source::Survey;
use crate::stack::{Stack, join};
use crate::tarball::MoveError;
use crate::{BuildError, BuildRequest, Built, BuiltFrom, Parts, network, source, transfer, upload};

pub(crate) use base::Base;
pub(crate) use rules::check;

use context::Context;
use ignore::Ignore;
use teller::Teller;

/// Images being built lie in `skypanel-build/<installation>/<app>`, tagged by deployment. The newest of an app
/// stays, because the engine finds its cached layers only through it.
const REPOSITORY: &str = "skypanel-build";

/// Builds the image of `request.deployment` from its source, whose stages start from `bases`. The caller's time limit holds.
pub(crate) async fn build(
    parts: &Parts,
    stack: Arc<Stack>,
    request: &BuildRequest<'_>,
    survey: Survey,
    bases: &[Base],
    stop: &CancellationToken,
) -> Result<Built, BuildError> {
    let action = "Building the Dockerfile";
    request.log.step("Building with the app's Dockerfile").await;
    base::fetch(parts, request, bases).await?;
    let adapted = trusting(parts, request, survey.dockerfile.as_deref().unwrap_or_default()).await?;
    let (adapted, additions) = adapted.map(|adapted| (adapted.text, adapted.additions)).unzip();
    let additions = additions.unwrap_or_default();
    let context = Context {
        ignore: Ignore::parse(survey.dockerignore.as_deref().unwrap_or_default())?,
        dockerignore: survey.dockerignore,
        adapted,
    };
    let reference = format!("{}{}:{}", repositories(parts), request.app.id, request.deployment.id);
    let options = options(request, &reference, context.dockerfile());
    let reader = source::open(parts, &request.deployment.source_key()).await?;
    let source = source::unpack(reader, stop).map_err(BuildError::io(action))?;
    let (mut writer, body) = transfer::channel();
    let send = spawn_blocking(move || {
        let sent = context.write(source, &mut writer);
        if sent.is_err() {
            writer.fail("the source could not be read to its end");
        }
        Ok(sent)
    });
    let engine = limited_engine(&parts.engine, request.settings);
    let built = {
        let body = bollard::body_try_stream(body);
        let mut news = std::pin::pin!(engine.build_image(options, None, Some(body)));
        let mut teller = Teller::new(additions);
        let mut outcome = Ok(());
        while let Some(item) = news.next().await {
            match item {
                Ok(info) => {
                    let lines = teller.lines(&info);
                    if let Some(container) = teller.container() {
                        steps::limit(parts, request.settings, &container).await;
                    }
                    for line in lines {
                        request.log.detail(&line).await;
                    }
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        outcome.map_err(|error| failure(error, &teller, request.settings))
    };
    match join(send).await.map_err(BuildError::io(action))? {
        Err(MoveError::Refused(why)) => return Err(BuildError::UnusableSlug(why)),
        Err(MoveError::Io(source)) if source.kind() != ErrorKind::BrokenPipe => {
            return Err(BuildError::Io { action, source });
        }
        _ => {}
    }
    built?;
    Ok(Built { stack, from: BuiltFrom::Dockerfile { reference, procfile: survey.procfile } })
}

/// The Dockerfile whose steps trust what the operator trusts, where they would not anyway.
async fn trusting(
    parts: &Parts,
    request: &BuildRequest<'_>,
    dockerfile: &[u8],
) -> Result<Option<trust::Adapted>, BuildError> {
    let Some(bundle) = upload::ca_bundle(request.settings).await? else { return Ok(None) };
    let image = trust::image(parts, &bundle).await?;
    Ok(trust::adapt(dockerfile, &image))
}

fn options(request: &BuildRequest<'_>, reference: &str, dockerfile: &str) -> BuildImageOptions {
    let arguments: HashMap<String, String> = proxies(request)
        .flat_map(|(name, value)| [(name.to_owned(), value.to_owned()), (name.to_lowercase(), value.to_owned())])
        .collect();
    let mut options = BuildImageOptionsBuilder::new()
        .dockerfile(dockerfile)
        .t(reference)
        .networkmode(network::NAME)
        .nocache(request.deployment.no_cache || !request.settings.cache_enabled)
        .rm(true)
        .forcerm(true);
    if !arguments.is_empty() {
        options = options.buildargs(&arguments);
    }
    options.build()
}

/// The engine with the limits of a build. The client library cannot say more than 2 GB in its own options.
fn limited_engine(engine: &Docker, settings: &Settings) -> Docker {
    let memory = settings.build_memory_mb << 20;
    // Of a period of 100,000 microseconds; 0 means no limit to the engine, too.
    let quota = settings.build_cpu_percent * 1_000;
    let limits = format!("&memory={memory}&memswap={memory}&cpuperiod=100000&cpuquota={quota}");
    // A long silent step, or a long upload, ends by the build's own limit.
    let engine = engine.clone().with_timeout(Duration::from_secs(settings.build_timeout_seconds));
    engine.with_request_modifier(move |mut request| {
        if let Ok(uri) = format!("{}{limits}", request.uri()).parse() {
            *request.uri_mut() = uri;
        }
        request
    })
}

fn failure(error: EngineError, teller: &Teller, settings: &Settings) -> BuildError {
    let message = match error {
        EngineError::DockerStreamError { error } => error,
        EngineError::DockerResponseServerError { status_code: 400..=499, message } => message,
        // The classic builder answers 500 to what it cannot parse.
        EngineError::DockerResponseServerError { message, .. } if message.contains("ockerfile") => message,
        source => return BuildError::Engine { action: "Building the Dockerfile", source },
    };
    let message = teller.in_lines_of_the_original(&message);
    let step = if teller.step.is_empty() { "reading it".to_owned() } else { teller.step.clone() };
    let hint = if message.contains("returned a non-zero code: 137") {
        format!(
            "\nThe step was killed, most likely because it used more than the {} MB a build may use \
             (setting build.memory_mb).",
            settings.build_memory_mb
        )
    } else if step.contains(": FROM ") {
        base::MISSING.to_owned()
    } else {
        String::new()
    };
    BuildError::Dockerfile { step, message: format!("{}{hint}", message.trim_end()) }
}

/// What the repositories of this installation's apps begin with.
fn repositories(parts: &Parts) -> String {
    // Repository names are lower-case.
    let installation = parts.options.installation.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "");
    format!("{REPOSITORY}/{installation}/")
}

/// Removes the images that builds of an app left in the engine, but for `keep`.
pub(crate) async fn remove_images(parts: &Parts, app: AppId, keep: Option<&str>) -> Result<(), BuildError> {
    let app = app.to_string();
    remove_where(parts, &app, |_, reference| keep != Some(reference)).await
}

/// Removes the images of apps that are not among `apps`.
pub(crate) async fn remove_orphans(parts: &Parts, apps: &HashSet<String>) -> Result<(), BuildError> {
    remove_where(parts, "*", |app, _| !apps.contains(app)).await
}

/// Removes the images, of one app or `*`, that `condition` holds for, given app and reference.
async fn remove_where(parts: &Parts, app: &str, condition: impl Fn(&str, &str) -> bool) -> Result<(), BuildError> {
    let prefix = repositories(parts);
    let filters = HashMap::from([("reference".to_owned(), vec![format!("{prefix}{app}")])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let listed = limited("Listing built images", parts.engine.list_images(Some(options))).await?;
    for reference in listed.iter().flat_map(|image| &image.repo_tags) {
        let app = reference.strip_prefix(&prefix).and_then(|rest| rest.split(':').next());
        if app.is_some_and(|app| condition(app, reference)) {
            remove(parts, reference).await?;
        }
    }
    Ok(())
}

async fn remove(parts: &Parts, reference: &str) -> Result<(), BuildError> {
    let options = RemoveImageOptionsBuilder::new().force(true).build();
    let removed = async {
        match parts.engine.remove_image(reference, Some(options), None).await {
            Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            other => other.map(drop),
        }
    };
    limited("Removing a built image", removed).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_step_and_what_to_do() {
        let settings = Settings::default();
        let stream = |error: &str| EngineError::DockerStreamError { error: error.to_owned() };
        let at = |step: &str| {
            let mut teller = Teller::default();
            step.clone_into(&mut teller.step);
            teller
        };
        let killed =
            failure(stream("The command returned a non-zero code: 137"), &at("Step 3/4 : RUN make"), &settings);
        assert!(
            killed.to_string().contains("Step 3/4 : RUN make") && killed.to_string().contains("4096 MB"),
            "{killed}"
        );
        let missing = failure(stream("pull access denied"), &at("Step 1/4 : FROM nothing"), &settings).to_string();
        assert!(missing.contains("could not be pulled"), "{missing}");
    }
}
