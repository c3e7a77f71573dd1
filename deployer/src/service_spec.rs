//! The Swarm service of one process type of a release, as a specification: pure, so that the same release always
//! gives the same one and an unchanged service is not rolled.

mod limits;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bollard::models::{
    EndpointSpec, EndpointSpecModeEnum, HealthConfig, Limit, NetworkAttachmentConfig, ServiceSpec, ServiceSpecMode,
    ServiceSpecModeReplicated, ServiceSpecRollbackConfig, ServiceSpecRollbackConfigFailureActionEnum,
    ServiceSpecRollbackConfigOrderEnum, ServiceSpecUpdateConfig, ServiceSpecUpdateConfigFailureActionEnum,
    ServiceSpecUpdateConfigOrderEnum, TaskSpec, TaskSpecContainerSpec, TaskSpecContainerSpecFile,
    TaskSpecContainerSpecSecrets, TaskSpecResources, TaskSpecRestartPolicy, TaskSpecRestartPolicyConditionEnum,
};
use serde_json::json;
use skypanel_core::model::{Application, DeploymentId, HealthTiming, Plan, ProcessType, ReleaseVersion, Sha256Digest};
use skypanel_core::settings::Settings;

pub(crate) use self::limits::{MAX_PROCESSES, container_log_config, memory_bytes, nano_cpus, no_core_dumps};
use crate::config_secret::{self, ConfigSecret};
use crate::image::ImageFacts;
use crate::names;

/// The program that is process 1 in every container.
pub(crate) const INIT: &str = "/.skypanel/init";
/// Up to this many replicas are replaced at once; of more, a quarter at a time, so that memory does not double.
const ALL_AT_ONCE: u32 = 3;
/// An unrouted task, which has no health check, counts as started when it has run this long.
pub(crate) const UNROUTED_SETTLE_MS: u64 = 1_500;

/// So often the engine restarts a replica within [`QUICK_WINDOW`] by itself, which also works while no worker does. Later
/// starts are the worker's, after pauses that grow.
const QUICK_RESTARTS: i64 = 2;

const MS: i64 = 1_000_000;
/// How long the engine counts the end of a new routed task as the update's failure.
///
/// Long enough for the engine to see a task end that was never healthy: else it takes the update for done, and the
/// way back replaces the tasks of the release before, which then serves nothing for a second. Short, because a release
/// that is live must not be rolled back behind our back. Never 0, which the engine takes for "not said".
const ROUTED_MONITOR: i64 = 200 * MS;
const SECOND: i64 = 1_000 * MS;
/// Longer than that many restarts of something that ends at once take, and so short that what runs for a while between
/// two crashes never waits.
const QUICK_WINDOW: i64 = 60 * SECOND;

/// What a process type of a release runs on.
pub(crate) struct Ground<'a> {
    pub(crate) installation: &'a str,
    pub(crate) app: &'a Application,
    pub(crate) plan: &'a Plan,
    pub(crate) deployment: DeploymentId,
    pub(crate) version: ReleaseVersion,
    pub(crate) settings: &'a Settings,
    /// Reference of the image.
    pub(crate) image: &'a str,
    pub(crate) facts: &'a ImageFacts,
    pub(crate) secret: &'a ConfigSecret,
    /// Id of the app's network.
    pub(crate) network: &'a str,
}

/// The service of `process` with the command line `command`; its fingerprint is in its labels.
pub(crate) fn service_spec(ground: &Ground<'_>, process: &ProcessType, command: &str, replicas: u32) -> ServiceSpec {
    let Ground { installation, app, deployment, version, .. } = *ground;
    let labels = names::release_labels(installation, app, deployment, version, process.as_str(), names::role::TASK);
    let mut container_labels = labels.clone();
    if process.is_routed() {
        container_labels.insert(names::PORT.to_owned(), ground.facts.port.to_string());
    }
    let mut task = task_spec(ground, process, command, container_labels);
    // Through a `Value`, whose keys are sorted, since the labels' own order differs from run to run.
    let fingerprint = Sha256Digest::of(json!(task).to_string().as_bytes()).hex()[..32].to_owned();
    if let Some(labels) = task.container_spec.as_mut().and_then(|container| container.labels.as_mut()) {
        labels.insert(names::FINGERPRINT.to_owned(), fingerprint.clone());
    }
    let mut labels = labels;
    labels.insert(names::FINGERPRINT.to_owned(), fingerprint);
    let parallelism = if replicas <= ALL_AT_ONCE { 0 } else { i64::from(replicas.div_ceil(4)) };
    // A routed task counts as started once it is healthy, and what comes later is not the rollout's doing.
    let monitor = if process.is_routed() { ROUTED_MONITOR } else { SECOND };
    ServiceSpec {
        name: Some(names::service(&app.slug, process)),
        labels: Some(labels),
        task_template: Some(task),
        mode: Some(ServiceSpecMode {
            replicated: Some(ServiceSpecModeReplicated { replicas: Some(i64::from(replicas)) }),
            ..Default::default()
        }),
        update_config: Some(ServiceSpecUpdateConfig {
            parallelism: Some(parallelism),
            delay: Some(0),
            failure_action: Some(ServiceSpecUpdateConfigFailureActionEnum::ROLLBACK),
            monitor: Some(monitor),
            max_failure_ratio: Some(0.0),
            order: Some(ServiceSpecUpdateConfigOrderEnum::START_FIRST),
        }),
        rollback_config: Some(ServiceSpecRollbackConfig {
            parallelism: Some(0),
            delay: Some(0),
            failure_action: Some(ServiceSpecRollbackConfigFailureActionEnum::PAUSE),
            monitor: Some(ROUTED_MONITOR),
            max_failure_ratio: Some(0.0),
            order: Some(ServiceSpecRollbackConfigOrderEnum::START_FIRST),
        }),
        // Virtual addresses need IPVS, which not every kernel has.
        endpoint_spec: Some(EndpointSpec { mode: Some(EndpointSpecModeEnum::DNSRR), ports: None }),
        ..Default::default()
    }
}

fn task_spec(ground: &Ground<'_>, process: &ProcessType, command: &str, labels: HashMap<String, String>) -> TaskSpec {
    let settings = ground.settings;
    let drain_ms = if process.is_routed() { settings.rollout_drain_ms } else { 0 };
    let grace = nanoseconds(drain_ms, MS).saturating_add(nanoseconds(settings.rollout_stop_seconds, SECOND));
    let mut arguments = start_arguments(process.as_str(), command, ground.facts);
    if process.is_routed() {
        arguments.insert(1, "--routed".to_owned());
    }
    TaskSpec {
        container_spec: Some(TaskSpecContainerSpec {
            image: Some(ground.image.to_owned()),
            labels: Some(labels),
            command: Some(vec![INIT.to_owned()]),
            args: Some(arguments),
            env: Some(environment(ground, process)),
            user: Some(ground.facts.user.clone()),
            // Init is told to drain by this signal, whatever signal the image would like.
            stop_signal: Some("SIGTERM".to_owned()),
            stop_grace_period: Some(grace),
            health_check: Some(health_check(&ground.app.health.or(settings), process)),
            secrets: Some(vec![secret_file(ground)]),
            init: Some(false),
            capability_drop: Some(vec!["ALL".to_owned()]),
            ulimits: Some(vec![no_core_dumps()]),
            ..Default::default()
        }),
        resources: Some(TaskSpecResources {
            limits: Some(Limit {
                nano_cpus: Some(nano_cpus(ground.plan)),
                memory_bytes: Some(memory_bytes(ground.plan)),
                pids: Some(MAX_PROCESSES),
            }),
            ..Default::default()
        }),
        restart_policy: Some(TaskSpecRestartPolicy {
            condition: Some(TaskSpecRestartPolicyConditionEnum::ANY),
            delay: Some(2 * SECOND),
            max_attempts: Some(QUICK_RESTARTS),
            window: Some(QUICK_WINDOW),
        }),
        force_update: Some(u64::try_from(ground.app.restart_count).unwrap_or(0)),
        networks: Some(vec![NetworkAttachmentConfig {
            target: Some(ground.network.to_owned()),
            aliases: Some(vec![process.dns_label()]),
            ..Default::default()
        }]),
        log_driver: Some(limits::task_log_driver()),
        ..Default::default()
    }
}

/// What follows init's own name.
pub(crate) fn start_arguments(process: &str, command: &str, facts: &ImageFacts) -> Vec<String> {
    let mut arguments: Vec<String> = ["start", "--type", process].map(str::to_owned).into();
    if command.is_empty() {
        arguments.extend(["--exec", "--"].map(str::to_owned));
        arguments.extend(facts.command.iter().cloned());
    } else {
        arguments.extend(["--", command].map(str::to_owned));
    }
    arguments
}

fn environment(ground: &Ground<'_>, process: &ProcessType) -> Vec<String> {
    let Ground { app, settings, .. } = ground;
    // Swarm fills in the number of the replica.
    let dyno = format!("{process}.{{{{.Task.Slot}}}}");
    let mut variables = vec![
        ("DYNO", dyno.clone()),
        ("PS", dyno),
        ("SKYPANEL_APP", app.slug.to_string()),
        ("SKYPANEL_RELEASE_VERSION", ground.version.to_string()),
    ];
    if process.is_routed() {
        let timing = app.health.or(settings);
        let health = app.health_target.question(app.health_check_path.as_deref());
        variables.extend([
            ("PORT", ground.facts.port.to_string()),
            ("SKYPANEL_DRAIN_MS", settings.rollout_drain_ms.to_string()),
            ("SKYPANEL_HEALTH", health),
            ("SKYPANEL_HEALTH_HOST", format!("{}.{}", app.subdomain, settings.apps_default_domain)),
            ("SKYPANEL_HEALTH_INTERVAL_MS", timing.interval_seconds.saturating_mul(1_000).to_string()),
            ("SKYPANEL_HEALTH_TIMEOUT_MS", timing.timeout_seconds.saturating_mul(1_000).to_string()),
            ("SKYPANEL_HEALTH_START_MS", timing.start_seconds.saturating_mul(1_000).to_string()),
        ]);
        // Only what was chosen: a variable more is another fingerprint, by which every app would be rolled.
        variables.extend(app.health_target.port.map(|port| ("SKYPANEL_HEALTH_PORT", port.to_string())));
        let expected = app.health_target.expected_status.as_ref();
        variables.extend(expected.map(|expected| ("SKYPANEL_HEALTH_STATUS", expected.to_string())));
    }
    variables.into_iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// Init waits by itself, first until the app is ready and then for most of the real interval; so the engine's own
/// interval is as short as can be, and its limit longer than any of init's.
fn health_check(timing: &HealthTiming, process: &ProcessType) -> HealthConfig {
    if !process.is_routed() {
        // Also switches off a check that a Dockerfile brings.
        return HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() };
    }
    let longest = timing.start_seconds.max(timing.interval_seconds.saturating_add(timing.timeout_seconds));
    HealthConfig {
        test: Some(["CMD", INIT, "health"].map(str::to_owned).into()),
        interval: Some(10 * MS),
        timeout: Some(nanoseconds(longest.saturating_add(10), SECOND)),
        retries: Some(i64::try_from(timing.retries).unwrap_or(i64::MAX)),
        start_period: Some(0),
        start_interval: None,
    }
}

fn secret_file(ground: &Ground<'_>) -> TaskSpecContainerSpecSecrets {
    let (uid, gid) = ground.facts.owner.unwrap_or((0, 0));
    // A user known by name only cannot be made the owner; nobody else is in the container.
    let mode = if ground.facts.owner.is_some() { 0o400 } else { 0o444 };
    TaskSpecContainerSpecSecrets {
        file: Some(TaskSpecContainerSpecFile {
            name: Some(config_secret::FILE.to_owned()),
            uid: Some(uid.to_string()),
            gid: Some(gid.to_string()),
            mode: Some(mode),
        }),
        secret_id: Some(ground.secret.id.clone()),
        secret_name: Some(ground.secret.name.clone()),
    }
}

fn nanoseconds(count: u64, unit: i64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(unit)
}
