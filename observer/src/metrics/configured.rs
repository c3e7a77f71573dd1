//! Measurements from where the settings say.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use skypanel_core::measurements::{Measurements, NodeUsage, Series, Traffic};
use skypanel_core::model::AppId;
use skypanel_core::settings::MetricsBackend;
use skypanel_core::store::Store;
use skypanel_core::{Error, Result};

use super::prometheus::PrometheusMeasurements;
use super::store::EmbeddedMeasurements;

/// Reads the embedded store or a Prometheus, as `metrics.backend` says at the moment.
#[derive(Clone)]
pub struct ConfiguredMeasurements {
    store: Store,
    embedded: EmbeddedMeasurements,
}

impl ConfiguredMeasurements {
    /// `store` holds the settings.
    pub fn new(store: Store, embedded: EmbeddedMeasurements) -> Self {
        Self { store, embedded }
    }

    /// The Prometheus; none where the embedded store is read.
    async fn prometheus(&self) -> Result<Option<PrometheusMeasurements>> {
        let settings = self.store.settings().await?;
        if settings.metrics_backend == MetricsBackend::Embedded {
            return Ok(None);
        }
        let address = settings.metrics_prometheus_url.get().cloned().ok_or_else(|| {
            Error::Conflict(
                "Metrics are to be read from a Prometheus (metrics.backend), but none is named: set \
                 metrics.prometheus_url."
                    .to_owned(),
            )
        })?;
        Ok(Some(PrometheusMeasurements::at(address)))
    }
}

#[async_trait]
impl Measurements for ConfiguredMeasurements {
    async fn of_app(&self, app: AppId, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        match self.prometheus().await? {
            Some(prometheus) => prometheus.of_app(app, from, to).await,
            None => self.embedded.of_app(app, from, to).await,
        }
    }

    async fn of_node(&self, node: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        match self.prometheus().await? {
            Some(prometheus) => prometheus.of_node(node, from, to).await,
            None => self.embedded.of_node(node, from, to).await,
        }
    }

    async fn nodes_now(&self, now: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>> {
        match self.prometheus().await? {
            Some(prometheus) => prometheus.nodes_now(now).await,
            None => self.embedded.nodes_now(now).await,
        }
    }

    async fn traffic(&self, now: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>> {
        match self.prometheus().await? {
            Some(prometheus) => prometheus.traffic(now).await,
            None => self.embedded.traffic(now).await,
        }
    }
}
