//! The services that `skypanel infra` knows.

use clap::ValueEnum;
use skypanel_core::settings::Settings;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Keeps logs
    Loki,
    /// Keeps metrics and evaluates alert rules
    Prometheus,
    /// Delivers what those rules fire
    Alertmanager,
    /// Measures this machine
    NodeExporter,
    /// Shows logs and metrics
    Grafana,
}

impl Part {
    /// All of them, in the order they need each other.
    pub(crate) const ALL: &'static [Self] =
        &[Self::Loki, Self::NodeExporter, Self::Alertmanager, Self::Prometheus, Self::Grafana];

    /// Its name, as users type it and as its service is called.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
            Self::NodeExporter => "node-exporter",
            Self::Grafana => "grafana",
        }
    }

    /// The image it runs.
    pub(crate) fn image(self, settings: &Settings) -> &str {
        match self {
            Self::Loki => &settings.infra_loki_image,
            Self::Prometheus => &settings.infra_prometheus_image,
            Self::Alertmanager => &settings.infra_alertmanager_image,
            Self::NodeExporter => &settings.infra_node_exporter_image,
            Self::Grafana => &settings.infra_grafana_image,
        }
    }

    /// Where it listens.
    pub(crate) fn listen(self, settings: &Settings) -> std::net::SocketAddr {
        match self {
            Self::Loki => settings.infra_loki_listen.0,
            Self::Prometheus => settings.infra_prometheus_listen.0,
            Self::Alertmanager => settings.infra_alertmanager_listen.0,
            Self::NodeExporter => settings.infra_node_exporter_listen.0,
            Self::Grafana => settings.infra_grafana_listen.0,
        }
    }

    /// The part of the Swarm stack that runs it.
    pub(crate) fn compose_file(self) -> &'static str {
        match self {
            Self::Loki => include_str!("../../../infra/observability/stack/loki.yml"),
            Self::Prometheus => include_str!("../../../infra/observability/stack/prometheus.yml"),
            Self::Alertmanager => include_str!("../../../infra/observability/stack/alertmanager.yml"),
            Self::NodeExporter => include_str!("../../../infra/observability/stack/node-exporter.yml"),
            Self::Grafana => include_str!("../../../infra/observability/stack/grafana.yml"),
        }
    }

    /// The user, and group, that it runs as in its container. Those with secrets have one of their own.
    pub(crate) fn user(self) -> u32 {
        match self {
            Self::Loki => 10_001,
            Self::Grafana => 472,
            Self::Prometheus => 10_002,
            Self::Alertmanager => 10_003,
            Self::NodeExporter => 65_534,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
