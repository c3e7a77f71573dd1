//! The settings an admin changes while Skypanel runs: one typed registry with defaults and rules, kept in
//! Postgres. Where things are (addresses, directories, databases) is configuration, not a setting.

mod rules;
mod value;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde_json::Value;

use value::SettingValue;
pub use value::{HttpAddress, ListenAddress, LogBackend, MailSecurity, MetricsBackend, ServiceAddress, StorageBackend};

use crate::network::Networks;
use crate::{Error, Result};

/// One setting as listed to admins, in their forms and in the documentation.
#[derive(Clone, Copy, Debug)]
pub struct SettingInfo {
    /// Its key, such as `build.timeout_seconds`. What is before the dot is its group.
    pub key: &'static str,
    /// What it does, with its unit.
    pub help: &'static str,
    /// What values it takes.
    pub kind: SettingKind,
    /// Least and greatest value, of a number.
    pub range: Option<(u64, u64)>,
    /// Whether its value is sealed and never shown.
    pub sensitive: bool,
    /// Whether it counts only after a restart of Skypanel; the others count at once, in every process.
    pub needs_restart: bool,
    words: fn() -> Vec<&'static str>,
}

text_enum! {
    /// What values a setting takes, and with that which control a form has for it.
    SettingKind {
        /// A whole number.
        Number = "number",
        /// `true` or `false`.
        Switch = "switch",
        /// A line of text.
        Text = "text",
        /// One of a few words: see [`SettingInfo::choices`].
        Choice = "choice",
    }
}

impl SettingInfo {
    /// Its help without the space that a doc comment begins with.
    pub fn description(&self) -> &'static str {
        self.help.trim()
    }

    /// The words it takes, where those are few.
    pub fn choices(&self) -> Vec<&'static str> {
        (self.words)()
    }
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ty = $key:literal, $default:expr $(=> $range:expr)? $(, $sensitive:ident)?;)+) => {
        /// All settings with their values.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: $default.into(),)+ }
            }
        }

        impl Settings {
            /// Every setting there is.
            pub const REGISTRY: &'static [SettingInfo] = &[
                $(SettingInfo {
                    key: $key,
                    help: concat!($($help),+),
                    kind: <$type as SettingValue>::KIND,
                    range: settings!(@range $($range)?),
                    sensitive: settings!(@sensitive $($sensitive)?),
                    // Whoever goes by a setting reads it when it counts. What can be read at the start alone is
                    // configuration.
                    needs_restart: false,
                    words: <$type as SettingValue>::words,
                },)+
            ];

            /// Sets the setting `key` from its text form, or says what it must look like.
            pub fn set(&mut self, key: &str, text: &str) -> Result<()> {
                if let Some(form) = rules::broken(key, text) {
                    return Err(Error::Invalid(format!("The setting {key} must be {form}.")));
                }
                match key {
                    $($key => {
                        let value = <$type as SettingValue>::parse(text)
                            .map_err(|form| Error::Invalid(format!("The setting {key} must be {form}.")))?;
                        $(if !($range).contains(&value) {
                            return Err(Error::Invalid(format!(
                                "The setting {key} must lie between {} and {}.", ($range).start(), ($range).end()
                            )));
                        })?
                        self.$field = value;
                        Ok(())
                    })+
                    _ => Err(Error::NotFound(format!(
                        "There is no setting {key:?}. `skypanel admin settings` lists them all."
                    ))),
                }
            }

            /// The text form of the setting `key`; `(hidden)` for a sensitive one that is set.
            pub fn show(&self, key: &str) -> Option<String> {
                match key {
                    $($key => {
                        let text = self.$field.show();
                        let hide = settings!(@sensitive $($sensitive)?) && !text.is_empty();
                        Some(if hide { "(hidden)".to_owned() } else { text })
                    })+
                    _ => None,
                }
            }
        }
    };
    (@range) => { None };
    (@range $range:expr) => { Some((*($range).start(), *($range).end())) };
    (@sensitive) => { false };
    (@sensitive sensitive) => { true };
}

settings! {
    /// Whether a first push, or `apps:create`, may create an app; organisations can forbid it for themselves.
    git_allow_app_creation: bool = "git.allow_app_creation", true;
    /// Largest pack a push may send, in MiB.
    git_max_pack_mb: u64 = "git.max_pack_mb", 512u64 => 1..=16_384;
    /// Space in MiB that pushes leave free on the disk of the data directory: database and engine need some to go on.
    git_min_free_mb: u64 = "git.min_free_mb", 1_024u64 => 0..=1_000_000_000;
    /// Longest that fetching an app's repository may take, in seconds.
    git_fetch_seconds: u64 = "git.fetch_seconds", 300u64 => 5..=7_200;
    /// Whether repositories may be fetched over plain HTTP, which anyone on the way can read and change.
    git_allow_http: bool = "git.allow_http", false;
    /// Networks that Skypanel may connect to for its users (Git hosts) though they are not on the public Internet,
    /// such as `192.168.10.0/24, fd00::/8`; empty for none.
    network_allowed: Networks = "network.allowed", Networks::default();
    /// Longest a build may take, in seconds.
    build_timeout_seconds: u64 = "build.timeout_seconds", 1_800u64 => 10..=86_400;
    /// Memory a build container may use, in MiB.
    build_memory_mb: u64 = "build.memory_mb", 4_096u64 => 128..=1_048_576;
    /// CPU a build container may use, in hundredths of a core; 0 for no limit.
    build_cpu_percent: u64 = "build.cpu_percent", 0u64 => 0..=25_600;
    /// Most processes and threads in a build container.
    build_max_processes: u64 = "build.max_processes", 4_096u64 => 32..=65_536;
    /// CA bundle that builds trust: `host` for the host's, `image` for the stack image's own, or a path on the host.
    build_ca_bundle: String = "build.ca_bundle", "host";
    /// Proxy for plain HTTP in builds, such as `http://proxy.example:3128`; empty for none.
    build_http_proxy: String = "build.http_proxy", "";
    /// Proxy for HTTPS in builds; empty for none.
    build_https_proxy: String = "build.https_proxy", "";
    /// Hosts that builds reach without the proxy, separated by commas.
    build_no_proxy: String = "build.no_proxy", "localhost,127.0.0.1";
    /// Whether builds keep a cache between them.
    cache_enabled: bool = "cache.enabled", true;
    /// Days after which a stored build cache that nothing used is dropped.
    cache_ttl_days: u64 = "cache.ttl_days", 30u64 => 1..=3_650;
    /// Largest build cache that is stored, in MiB; a larger one stays on its build host only.
    cache_max_mb: u64 = "cache.max_mb", 1_024u64 => 1..=102_400;
    /// Largest slug, compressed, in MiB.
    slug_max_mb: u64 = "slug.max_mb", 500u64 => 1..=102_400;
    /// Releases kept for rollbacks, per app.
    releases_keep: u64 = "releases.keep", 10u64 => 1..=1_000;
    /// Longest the `release` process may take, in seconds.
    release_timeout_seconds: u64 = "release.timeout_seconds", 600u64 => 5..=86_400;
    /// Most one-off processes (`run`) of an app at the same time.
    run_max_per_app: u64 = "run.max_per_app", 10u64 => 1..=1_000;
    /// Longest a one-off process may run, in minutes. They are not charged for.
    run_max_minutes: u64 = "run.max_minutes", 60u64 => 1..=1_440;
    /// Longest a new replica may take until it is healthy, in seconds.
    health_start_seconds: u64 = "health.start_seconds", 60u64 => 1..=3_600;
    /// Time between two health checks of a healthy replica, in seconds.
    health_interval_seconds: u64 = "health.interval_seconds", 30u64 => 1..=3_600;
    /// Longest a health check may wait for its answer, in seconds.
    health_timeout_seconds: u64 = "health.timeout_seconds", 5u64 => 1..=300;
    /// Failed health checks in a row after which a replica is replaced.
    health_retries: u64 = "health.retries", 3u64 => 1..=100;
    /// Crashes in a row of every replica of a process type after which it is not started any more; 0 for never.
    health_max_restarts: u64 = "health.max_restarts", 10u64 => 0..=1_000;
    /// Time that a replica has to run after a crash for the next one to be the first of a row again, in seconds.
    health_stable_seconds: u64 = "health.stable_seconds", 300u64 => 10..=86_400;
    /// Time a replica that is told to stop goes on serving, so that no request is lost, in milliseconds.
    rollout_drain_ms: u64 = "rollout.drain_ms", 3_000u64 => 0..=600_000;
    /// Time a process has to end after SIGTERM before it is killed, in seconds.
    rollout_stop_seconds: u64 = "rollout.stop_seconds", 10u64 => 1..=600;
    /// Whether hours are charged to wallets. Off, usage is only written down, and no wallet stops an app.
    billing_enabled: bool = "billing.enabled", false;
    /// Hours a wallet must last for at the current use; below that its organisation is warned. 0 for no warning.
    billing_low_balance_hours: u64 = "billing.low_balance_hours", 72u64 => 0..=8_760;
    /// The same for the last warning.
    billing_last_warning_hours: u64 = "billing.last_warning_hours", 24u64 => 0..=8_760;
    /// Who issues invoices: name and address, on one line.
    billing_issuer: String = "billing.issuer", "";
    /// Most apps of an organisation, unless an admin sets another number for it.
    limits_apps: u64 = "limits.apps", 1_000u64 => 0..=1_000_000;
    /// Most deployments of an organisation within an hour, rollbacks apart, unless an admin sets another number for it.
    limits_deployments_per_hour: u64 = "limits.deployments_per_hour", 500u64 => 0..=1_000_000;
    /// Most builds of an organisation at the same time, unless an admin sets another number for it.
    limits_concurrent_builds: u64 = "limits.concurrent_builds", 4u64 => 1..=1_000;
    /// Most organisations that a user may own, each with limits of its own; 0: only admins make organisations.
    limits_owned_organizations: u64 = "limits.owned_organizations", 20u64 => 0..=1_000_000;
    /// Domain under which every app has its name.
    apps_default_domain: String = "apps.default_domain", "localhost";
    /// Public addresses of the edge, separated by commas, as custom domains without a CNAME have to name them; empty for those of the apps' own names.
    domains_addresses: String = "domains.addresses", "";
    /// Names that no app can have as a custom domain, nor any name below them, separated by commas; the default domain is one always.
    domains_reserved: String = "domains.reserved", "";
    /// Hours for which a custom domain that was right and leads here no more stays routed.
    domains_grace_hours: u64 = "domains.grace_hours", 72u64 => 0..=8_760;
    /// Most custom domains of an app.
    domains_max_per_app: u64 = "domains.max_per_app", 50u64 => 0..=10_000;
    /// Name servers that are asked about custom domains, separated by commas, with a port where it is not 53; empty for the host's.
    dns_resolver: String = "dns.resolver", "";
    /// Host name of the mail server that notices go through; empty for no mail.
    smtp_host: String = "smtp.host", "";
    /// Its port: usually 587 with `starttls`, 465 with `tls`, 25 with `none`.
    smtp_port: u64 = "smtp.port", 587u64 => 1..=65_535;
    /// How the connection to it is encrypted: `starttls`, `tls` from the beginning, or `none`, which anyone on the way can read.
    smtp_security: MailSecurity = "smtp.security", MailSecurity::StartTls;
    /// User name at the mail server; empty for one that wants none.
    smtp_user: String = "smtp.user", "";
    /// Password at the mail server.
    smtp_password: String = "smtp.password", "", sensitive;
    /// Whom mail is from, such as `Skypanel <paas@example.com>`.
    smtp_from: String = "smtp.from", "";
    /// For how long news are gathered into one message, in seconds.
    alerts_group_seconds: u64 = "alerts.group_seconds", 30u64 => 0..=3_600;
    /// For how long an alert must be gone before it counts as over, in seconds.
    alerts_clear_seconds: u64 = "alerts.clear_seconds", 120u64 => 0..=86_400;
    /// Hours after which an alert that lasts is told of again; 0 for never.
    alerts_repeat_hours: u64 = "alerts.repeat_hours", 24u64 => 0..=8_760;
    /// Days for which alerts that are over, and messages about them, are kept.
    alerts_keep_days: u64 = "alerts.keep_days", 90u64 => 1..=3_650;
    /// Domains whose e-mail addresses organisations may have alerts sent to, beside those of their members, separated by commas; empty for none.
    alerts_mail_domains: String = "alerts.mail_domains", "";
    /// How far back rules look that count what ended, in minutes.
    alerts_window_minutes: u64 = "alerts.window_minutes", 60u64 => 5..=10_080;
    /// Share of failed deployments of the platform within the window, in percent, that is an alert; 0 for none.
    alerts_deploy_failure_percent: u64 = "alerts.deploy_failure_percent", 50u64 => 0..=100;
    /// Deployments within the window below which that share says nothing.
    alerts_deploy_failure_least: u64 = "alerts.deploy_failure_least", 5u64 => 1..=1_000_000;
    /// Deployments of an app that fail in a row that are an alert; 0 for none.
    alerts_app_deploy_failures: u64 = "alerts.app_deploy_failures", 3u64 => 0..=1_000;
    /// Mean time of builds within the window that is an alert, in seconds; 0 for none.
    alerts_build_seconds: u64 = "alerts.build_seconds", 900u64 => 0..=86_400;
    /// Mean time of rollouts within the window that is an alert, in seconds; 0 for none.
    alerts_rollout_seconds: u64 = "alerts.rollout_seconds", 180u64 => 0..=86_400;
    /// How far back rules look that count what happened to an app, in minutes.
    alerts_app_minutes: u64 = "alerts.app_minutes", 15u64 => 1..=1_440;
    /// Crashes of an app within that time that are an alert; 0 for none.
    alerts_app_crashes: u64 = "alerts.app_crashes", 3u64 => 0..=10_000;
    /// Process types of an app that were given up that are an alert; 0 for none.
    alerts_app_given_up: u64 = "alerts.app_given_up", 1u64 => 0..=1_000;
    /// Failed health checks of an app within that time that are an alert; 0 for none.
    alerts_app_unhealthy: u64 = "alerts.app_unhealthy", 3u64 => 0..=10_000;
    /// Days before the end of a certificate from which on that is an alert; 0 for none about certificates.
    alerts_certificate_days: u64 = "alerts.certificate_days", 14u64 => 0..=365;
    /// Share of an app's requests within five minutes that fail, in percent, that is an alert; 0 for none.
    alerts_app_error_percent: u64 = "alerts.app_error_percent", 10u64 => 0..=100;
    /// Time that 95 of 100 requests to an app within five minutes have to be answered in, in milliseconds; 0 for no alert.
    alerts_app_latency_ms: u64 = "alerts.app_latency_ms", 0u64 => 0..=60_000;
    /// Requests to an app within five minutes below which those two say nothing.
    alerts_app_requests_least: u64 = "alerts.app_requests_least", 50u64 => 1..=1_000_000;
    /// Share of requests to the API within five minutes that fail, in percent, that is an alert; 0 for none.
    alerts_api_error_percent: u64 = "alerts.api_error_percent", 5u64 => 0..=100;
    /// Time that 95 of 100 answers of the API within five minutes have to begin in, in milliseconds; 0 for no alert.
    alerts_api_slow_ms: u64 = "alerts.api_slow_ms", 2_000u64 => 0..=60_000;
    /// Minutes for which a node must not answer until that is an alert; 0 for none.
    alerts_node_down_minutes: u64 = "alerts.node_down_minutes", 2u64 => 0..=1_440;
    /// Share of a node's CPU time, in percent, that is an alert; 0 for none.
    alerts_node_cpu_percent: u64 = "alerts.node_cpu_percent", 95u64 => 0..=100;
    /// Share of a node's memory, in percent, that is an alert; 0 for none.
    alerts_node_memory_percent: u64 = "alerts.node_memory_percent", 90u64 => 0..=100;
    /// Minutes for which a node must be that busy.
    alerts_node_busy_minutes: u64 = "alerts.node_busy_minutes", 5u64 => 1..=1_440;
    /// Share of the disk of a node's data directory, in percent, that is an alert; 0 for none.
    alerts_node_disk_percent: u64 = "alerts.node_disk_percent", 85u64 => 0..=100;
    /// Minutes for which edge, log store, source of metrics or mail server must not answer until that is an alert; 0 for none.
    alerts_service_down_minutes: u64 = "alerts.service_down_minutes", 3u64 => 0..=1_440;
    /// Waiting jobs that are an alert; 0 for none.
    alerts_jobs_waiting: u64 = "alerts.jobs_waiting", 1_000u64 => 0..=1_000_000;
    /// Age of a waiting job that is an alert, in seconds; 0 for none.
    alerts_jobs_oldest_seconds: u64 = "alerts.jobs_oldest_seconds", 1_800u64 => 0..=604_800;
    /// Share of the budget that an organisation's owners set for a month, in percent, that is an alert once it is charged; 0 for none.
    alerts_budget_percent: u64 = "alerts.budget_percent", 80u64 => 0..=100;
    /// Apps of an organisation held by its empty wallet that are an alert; 0 for none.
    alerts_held_apps: u64 = "alerts.held_apps", 1u64 => 0..=1_000_000;
    /// Minutes after the end of an hour by which it must be settled; 0 for no alert.
    alerts_settlement_minutes: u64 = "alerts.settlement_minutes", 30u64 => 0..=10_080;
    /// Days, today included, for which usage and charges are compared; 0 for no alert.
    alerts_billing_days: u64 = "alerts.billing_days", 2u64 => 0..=31;
    /// Where logs are kept and read from: `embedded` for what each machine's agent keeps, or `loki`.
    logs_backend: LogBackend = "logs.backend", LogBackend::Embedded;
    /// Days after which lines of logs are removed.
    logs_retention_days: u64 = "logs.retention_days", 7u64 => 1..=3_650;
    /// Most space on a machine's disk for the log of one app, packed, in MiB. What is oldest is removed, and the log says so.
    logs_max_mb_per_app: u64 = "logs.max_mb_per_app", 512u64 => 16..=1_000_000;
    /// The same for the logs of all apps together: the largest one gives way.
    logs_max_mb: u64 = "logs.max_mb", 10_240u64 => 64..=1_000_000_000;
    /// Address of a Loki, such as `http://loki:3100`, for logs if `logs.backend` says so; empty for none.
    logs_loki_url: ServiceAddress = "logs.loki_url", ServiceAddress::default();
    /// Tenant at the Loki, where it has several; empty for none.
    logs_loki_tenant: String = "logs.loki_tenant", "";
    /// Lines a second that an app may log on a node for long; what is over is dropped, and its log says how much.
    logs_rate_lines_per_second: u64 = "logs.rate_lines_per_second", 10_000u64 => 1..=10_000_000;
    /// Lines that an app may log on a node beyond that rate, once it has logged less for a while.
    logs_burst_lines: u64 = "logs.burst_lines", 1_000_000u64 => 1..=1_000_000_000;
    /// KiB a second that an app may log on a node for long, likewise.
    logs_rate_kb_per_second: u64 = "logs.rate_kb_per_second", 4_096u64 => 1..=10_000_000;
    /// MiB that an app may log on a node beyond that rate, likewise.
    logs_burst_mb: u64 = "logs.burst_mb", 512u64 => 1..=1_000_000;
    /// Where metrics are read from: `embedded` for what this machine's agent keeps, or `prometheus`.
    metrics_backend: MetricsBackend = "metrics.backend", MetricsBackend::Embedded;
    /// Address of a Prometheus that metrics are read from, such as `http://prometheus:9090`; empty for none.
    metrics_prometheus_url: ServiceAddress = "metrics.prometheus_url", ServiceAddress::default();
    /// Image of the Loki that `skypanel infra up` runs.
    infra_loki_image: String = "infra.loki_image", "docker.io/grafana/loki:3.4.2";
    /// Where that Loki listens; behind another address than loopback, anyone who reaches it can read every log.
    infra_loki_listen: ListenAddress = "infra.loki_listen", ListenAddress::loopback(3_100);
    /// Image of the Prometheus that `skypanel infra up` runs.
    infra_prometheus_image: String = "infra.prometheus_image", "docker.io/prom/prometheus:v3.2.1";
    /// Where that Prometheus listens.
    infra_prometheus_listen: ListenAddress = "infra.prometheus_listen", ListenAddress::loopback(9_090);
    /// Image of the Alertmanager that `skypanel infra up` runs.
    infra_alertmanager_image: String = "infra.alertmanager_image", "docker.io/prom/alertmanager:v0.28.1";
    /// Where that Alertmanager listens.
    infra_alertmanager_listen: ListenAddress = "infra.alertmanager_listen", ListenAddress::loopback(9_093);
    /// Image of the node-exporter that `skypanel infra up` runs.
    infra_node_exporter_image: String = "infra.node_exporter_image", "docker.io/prom/node-exporter:v1.9.0";
    /// Where that node-exporter listens.
    infra_node_exporter_listen: ListenAddress = "infra.node_exporter_listen", ListenAddress::loopback(9_100);
    /// Image of the Grafana that `skypanel infra up` runs.
    infra_grafana_image: String = "infra.grafana_image", "docker.io/grafana/grafana:11.5.2";
    /// Where that Grafana listens.
    infra_grafana_listen: ListenAddress = "infra.grafana_listen", ListenAddress::loopback(3_000);
    /// Where blobs (slugs, caches, sources) are kept: `local` or `s3`.
    storage_backend: StorageBackend = "storage.backend", StorageBackend::Local;
    /// Address of the S3 service, such as `https://s3.example.com`; empty for Amazon's.
    storage_s3_endpoint: String = "storage.s3_endpoint", "";
    /// Region of the bucket.
    storage_s3_region: String = "storage.s3_region", "us-east-1";
    /// Name of the bucket.
    storage_s3_bucket: String = "storage.s3_bucket", "";
    /// Access key id for the bucket.
    storage_s3_access_key: String = "storage.s3_access_key", "";
    /// Secret access key for the bucket.
    storage_s3_secret_key: String = "storage.s3_secret_key", "", sensitive;
    /// Whether the bucket's name is part of the path rather than of the host name.
    storage_s3_path_style: bool = "storage.s3_path_style", true;
}

impl Settings {
    /// Looks `key` up in the registry.
    pub fn info(key: &str) -> Option<&'static SettingInfo> {
        Self::REGISTRY.iter().find(|info| info.key == key)
    }

    /// Whether the setting `key` has the value it has when nobody sets it. (By default nothing sensitive is set.)
    pub fn is_default(&self, key: &str) -> bool {
        self.show(key) == Self::default().show(key)
    }

    /// Whether the value of the setting `key` is sealed and never shown.
    pub fn is_sensitive(key: &str) -> bool {
        Self::info(key).is_some_and(|info| info.sensitive)
    }

    /// The first of the days (UTC) for which usage and charges are compared.
    pub fn first_billing_day(&self, now: DateTime<Utc>) -> NaiveDate {
        now.date_naive() - Days::new(self.alerts_billing_days.saturating_sub(1))
    }

    /// Hours of what runs that a wallet must last for: below the first its organisation is warned, below the second for
    /// the last time. `own` is what its owners chose in place of the platform's first number. Where that is 0, the
    /// platform warns nobody before the last time.
    pub fn low_balance_hours(&self, own: Option<u32>) -> [u64; 2] {
        let platform = self.billing_low_balance_hours;
        let first = own.filter(|_| platform > 0).map_or(platform, u64::from);
        [first, self.billing_last_warning_hours]
    }

    /// The text form inside a stored JSON value.
    pub(crate) fn text_of(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_can_be_shown_and_set_to_what_it_shows() {
        let mut settings = Settings::default();
        for info in Settings::REGISTRY {
            let text = settings.show(info.key).unwrap_or_else(|| panic!("{} shows", info.key));
            settings.set(info.key, &text).unwrap_or_else(|error| panic!("{}: {error}", info.key));
            assert!(info.help.trim().ends_with('.'), "{} is documented", info.key);
        }
    }

    #[test]
    fn bad_values_are_refused_with_the_rule() {
        let mut settings = Settings::default();
        let error = settings.set("slug.max_mb", "0").expect_err("out of range").to_string();
        assert!(error.contains("between 1 and 102400"), "{error}");
        assert!(settings.set("slug.max_mb", "ten").is_err());
        assert!(settings.set("cache.enabled", "yes").is_err());
        assert!(settings.set("no.such", "1").is_err());
        assert_eq!(settings.slug_max_mb, 500);
    }

    #[test]
    fn sensitive_values_are_never_shown() {
        let mut settings = Settings::default();
        settings.set("storage.s3_secret_key", "hunter2").expect("sets");
        assert_eq!(settings.show("storage.s3_secret_key").as_deref(), Some("(hidden)"));
    }
}
