//! Apps with a Dockerfile: the engine's own builder makes the image, in the network and under the limits of
//! builds, and tells its steps in the developer's terminal.

mod lines;
mod rules;

use std::collections::{HashMap, HashSet};
use std::io::{self, ErrorKind, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as EngineError;
use bollard::models::BuildInfo;
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
use crate::stack::{Stack, join};
use crate::{BuildError, BuildRequest, Built, BuiltFrom, Parts, network, source, transfer};

pub(crate) use rules::check;

/// Images being built lie in `skypanel-build/<installation>/<app>`, tagged by deployment. The newest of an app
/// stays, because the engine finds its cached layers only through it.
const REPOSITORY: &str = "skypanel-build";
/// What the engine puts around the error output of a step.
const COLOURS: [&str; 2] = ["\u{1b}[91m", "\u{1b}[0m"];
/// Output of a step without a line break is told after this many bytes.
const MAX_LINE: usize = 16 * 1024;
/// Lines of the engine that tell a developer nothing.
const NOISE: [&str; 6] = [
    " ---> ",
    "Removing intermediate container",
    "Successfully built",
    "Successfully tagged",
    "Sending build context",
    "[Warning] One or more build-args",
];

/// Builds the image of `request.deployment` from its source. The caller's time limit holds.
pub(crate) async fn build(
    parts: &Parts,
    stack: Arc<Stack>,
    request: &BuildRequest<'_>,
    procfile: Option<Vec<u8>>,
    stop: &CancellationToken,
) -> Result<Built, BuildError> {
    let action = "Building the Dockerfile";
    request.log.step("Building with the app's Dockerfile").await;
    let reader = source::open(parts, &request.deployment.source_key()).await?;
    let mut source = source::unpack(reader, stop).map_err(BuildError::io(action))?;
    let (mut writer, context) = transfer::channel();
    let send = spawn_blocking(move || {
        let sent = io::copy(&mut source, &mut writer).and_then(|_| writer.flush());
        if sent.is_err() {
            writer.fail("the source could not be read to its end");
        }
        sent
    });
    let reference = format!("{}{}:{}", repositories(parts), request.app.id, request.deployment.id);
    let engine = limited_engine(&parts.engine, request.settings);
    let built = {
        let body = bollard::body_try_stream(context);
        let mut news = std::pin::pin!(engine.build_image(options(request, &reference), None, Some(body)));
        let mut teller = Teller::default();
        let mut outcome = Ok(());
        while let Some(item) = news.next().await {
            match item {
                Ok(info) => {
                    for line in teller.lines(&info) {
                        request.log.detail(&line).await;
                    }
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        outcome.map_err(|error| failure(error, &teller.step, request.settings))
    };
    if let Err(source) = join(send).await
        && source.kind() != ErrorKind::BrokenPipe
    {
        return Err(BuildError::Io { action, source });
    }
    built?;
    Ok(Built { stack, from: BuiltFrom::Dockerfile { reference, procfile } })
}

fn options(request: &BuildRequest<'_>, reference: &str) -> BuildImageOptions {
    let arguments: HashMap<String, String> = proxies(request)
        .flat_map(|(name, value)| [(name.to_owned(), value.to_owned()), (name.to_lowercase(), value.to_owned())])
        .collect();
    let mut options = BuildImageOptionsBuilder::new()
        .dockerfile("Dockerfile")
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

/// Turns the engine's news into lines for the developer.
#[derive(Default)]
struct Teller {
    rest: String,
    /// The step that runs.
    step: String,
}

impl Teller {
    fn lines(&mut self, info: &BuildInfo) -> Vec<String> {
        if let (Some(status), None) = (&info.status, &info.id) {
            return vec![status.clone()];
        }
        self.rest.push_str(info.stream.as_deref().unwrap_or_default());
        let mut lines = Vec::new();
        if self.rest.len() > MAX_LINE {
            self.rest.push('\n');
        }
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            let line = COLOURS.iter().fold(line, |line, colour| line.replace(colour, ""));
            let line = line.trim_end();
            if line.starts_with("Step ") {
                line.clone_into(&mut self.step);
            }
            if line == " ---> Using cache" {
                lines.push("(cached)".to_owned());
            } else if !line.is_empty() && !NOISE.iter().any(|noise| line.starts_with(noise)) {
                lines.push(line.to_owned());
            }
        }
        lines
    }
}

fn failure(error: EngineError, step: &str, settings: &Settings) -> BuildError {
    let message = match error {
        EngineError::DockerStreamError { error } => error,
        EngineError::DockerResponseServerError { status_code: 400..=499, message } => message,
        // The classic builder answers 500 to what it cannot parse.
        EngineError::DockerResponseServerError { message, .. } if message.contains("ockerfile") => message,
        source => return BuildError::Engine { action: "Building the Dockerfile", source },
    };
    let step = if step.is_empty() { "reading it".to_owned() } else { step.to_owned() };
    let hint = if message.contains("returned a non-zero code: 137") {
        format!(
            "\nThe step was killed, most likely because it used more than the {} MB a build may use \
             (setting build.memory_mb).",
            settings.build_memory_mb
        )
    } else if step.contains(": FROM ") {
        "\nThe base image is not on the build host and could not be pulled. skypanel/stack:skypanel-12 is always there."
            .to_owned()
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

    fn told(pieces: &[&str]) -> (Vec<String>, String) {
        let mut teller = Teller::default();
        let lines = pieces
            .iter()
            .flat_map(|piece| teller.lines(&BuildInfo { stream: Some((*piece).to_owned()), ..Default::default() }))
            .collect();
        (lines, teller.step)
    }

    #[test]
    fn steps_and_output_are_told_and_noise_is_not() {
        let (lines, step) = told(&[
            "Step 1/2 : FROM x",
            "\n ---> 0123456789ab\n",
            "Step 2/2 : RUN y\n ---> Running in 0123\n",
            "\u{1b}[91mwarn",
            "ing\n\u{1b}[0m",
            "Removing intermediate container 0123\n ---> Using cache\nSuccessfully built 0123\n",
        ]);
        assert_eq!(lines, ["Step 1/2 : FROM x", "Step 2/2 : RUN y", "warning", "(cached)"]);
        assert_eq!(step, "Step 2/2 : RUN y");
    }

    #[test]
    fn a_failure_names_the_step_and_what_to_do() {
        let settings = Settings::default();
        let stream = |error: &str| EngineError::DockerStreamError { error: error.to_owned() };
        let killed = failure(stream("The command returned a non-zero code: 137"), "Step 3/4 : RUN make", &settings);
        assert!(
            killed.to_string().contains("Step 3/4 : RUN make") && killed.to_string().contains("4096 MB"),
            "{killed}"
        );
        let missing = failure(stream("pull access denied"), "Step 1/4 : FROM nothing", &settings).to_string();
        assert!(missing.contains("could not be pulled"), "{missing}");
    }
}
