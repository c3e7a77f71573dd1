//! Measurements from a Prometheus that asks the agents: the same answers as from the embedded store, and of all nodes.

mod answer;
mod expressions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper::Method;
use skypanel_core::measurements::{Measurements, NodeUsage, Series, Traffic, step_for};
use skypanel_core::model::AppId;
use skypanel_core::network::{Guard, HttpClient, HttpRequest, Networks, SystemResolver};
use skypanel_core::settings::HttpAddress;
use skypanel_core::{Error, Result};

use self::answer::{Answer, Collected};
use self::expressions::Which;
use super::columns::Layout;

/// Most bytes of an answer: a few hundred steps of a few hundred series.
const MAX_ANSWER: usize = 64 << 20;
/// Most characters of a refusal that are passed on.
const SHOWN: usize = 200;

/// Measurements from a Prometheus.
#[derive(Clone, Debug)]
pub struct PrometheusMeasurements {
    client: HttpClient,
    address: HttpAddress,
}

impl PrometheusMeasurements {
    /// At the address that an admin has set.
    pub fn at(address: HttpAddress) -> Self {
        // Only admins name it, and it usually has a private address.
        let guard = Guard::new(Arc::new(SystemResolver), Networks::all());
        Self { client: HttpClient::new(guard).with_answers_up_to(MAX_ANSWER), address }
    }

    async fn of(&self, layout: Layout, of: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        let span = Duration::from_secs((to - from).num_seconds().max(0).unsigned_abs());
        let step = step_for(span).as_secs();
        let length = i64::try_from(step).unwrap_or(i64::MAX);
        // A Prometheus looks back from the end of a step.
        let first = from.timestamp().div_euclid(length) * length + length;
        let last = to.timestamp().div_euclid(length) * length + length;
        let (first, last, length) = (first.to_string(), last.to_string(), length.to_string());
        let mut collected = Collected::new(layout, step);
        for which in [Which::Mean, Which::Max, Which::P95] {
            if let Some(query) = expressions::query(layout, of, which, step) {
                let form = [("query", query.as_str()), ("start", &first), ("end", &last), ("step", &length)];
                collected.take(which, self.ask("query_range", &form).await?);
            }
        }
        Ok(collected.series())
    }

    async fn ask(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = HttpRequest {
            method: Method::POST,
            tls: self.address.tls,
            host: self.address.host.clone(),
            port: self.address.port,
            path: format!("{}/api/v1/{path}", self.address.prefix),
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
            body: Bytes::from(body),
        };
        let failed = |what: String| {
            Error::Upstream(format!(
                "The Prometheus that metrics are read from (metrics.prometheus_url) {what} Set metrics.backend to \
                 embedded to do without it."
            ))
        };
        let told = self.client.call(request).await.map_err(|reason| failed(format!("cannot be reached. {reason}")))?;
        let answer = serde_json::from_slice::<Answer>(&told.body);
        match answer {
            Ok(answer) if answer.status == "success" => Ok(answer),
            Ok(Answer { error: Some(error), .. }) => {
                let error: String = error.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
                Err(failed(format!("refused a query: {error}.")))
            }
            _ => Err(failed(format!("gave no answer that is one; its status was {}.", told.status))),
        }
    }
}

#[async_trait]
impl Measurements for PrometheusMeasurements {
    async fn of_app(&self, app: AppId, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        let app = app.to_string();
        let (replicas, router) =
            tokio::try_join!(self.of(Layout::Replica, &app, from, to), self.of(Layout::Router, &app, from, to))?;
        Ok(replicas.into_iter().chain(router).collect())
    }

    async fn of_node(&self, node: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Series>> {
        self.of(Layout::Node, node, from, to).await
    }

    async fn nodes_now(&self, now: DateTime<Utc>) -> Result<BTreeMap<String, NodeUsage>> {
        let time = now.timestamp().to_string();
        let answer = self.ask("query", &[("query", &expressions::nodes_now()), ("time", &time)]).await?;
        Ok(answer::nodes(answer, now))
    }

    async fn traffic(&self, now: DateTime<Utc>) -> Result<BTreeMap<AppId, Traffic>> {
        let time = now.timestamp().to_string();
        let answer = self.ask("query", &[("query", &expressions::traffic()), ("time", &time)]).await?;
        Ok(answer::traffic(answer))
    }
}
