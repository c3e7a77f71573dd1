//! The rules that look at more than the store: at nodes, at services, at what the edge counts.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::future::BoxFuture;

use super::{minutes, nodes, services, traffic};
use crate::Result;
use crate::alerts::{Moment, Rule, Seen};
use crate::console::Console;
use crate::measurements::Measurements;
use crate::model::AlertRule;
use crate::settings::Settings;

/// What these rules look at, from the machine they run on.
#[derive(Clone)]
pub struct Outside {
    /// The engine and the edge.
    pub console: Arc<dyn Console>,
    /// What is measured.
    pub measurements: Arc<dyn Measurements>,
    /// The name of this machine, as its operators know it.
    pub host: String,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").field("host", &self.host).finish_non_exhaustive()
    }
}

/// What a rule does to look.
type Look = for<'a> fn(&'a Outside, &'a Moment<'a>) -> BoxFuture<'a, Result<Seen>>;
/// For how many minutes it must go wrong before it counts.
type Lasts = fn(&Settings) -> u64;

struct OfTheOutside {
    name: AlertRule,
    outside: Outside,
    lasts: Lasts,
    look: Look,
}

#[async_trait]
impl Rule for OfTheOutside {
    fn name(&self) -> AlertRule {
        self.name
    }

    fn lasts(&self, settings: &Settings) -> TimeDelta {
        minutes((self.lasts)(settings))
    }

    async fn look(&self, moment: &Moment<'_>) -> Result<Seen> {
        (self.look)(&self.outside, moment).await
    }
}

/// All of them.
pub fn of_the_outside(outside: &Outside) -> Vec<Box<dyn Rule>> {
    let rule = |name, lasts: Lasts, look: Look| {
        Box::new(OfTheOutside { name, outside: outside.clone(), lasts, look }) as Box<dyn Rule>
    };
    let at_once: Lasts = |_| 0;
    let busy: Lasts = |settings| settings.alerts_node_busy_minutes;
    let down: Lasts = |settings| settings.alerts_service_down_minutes;
    vec![
        rule(AlertRule::AppErrors, at_once, |outside, moment| Box::pin(traffic::errors(outside, moment))),
        rule(AlertRule::AppLatency, at_once, |outside, moment| Box::pin(traffic::latency(outside, moment))),
        rule(AlertRule::EdgeDown, down, |outside, _| Box::pin(services::edge(outside))),
        rule(AlertRule::LogStoreDown, down, |_, moment| Box::pin(services::log_store(moment))),
        rule(AlertRule::MailDown, down, |_, moment| Box::pin(services::mail(moment))),
        rule(AlertRule::MetricsSourceDown, down, |_, moment| Box::pin(services::metrics_source(moment))),
        rule(AlertRule::NodeCpu, busy, |outside, moment| Box::pin(nodes::cpu(outside, moment))),
        rule(AlertRule::NodeDisk, at_once, |outside, moment| Box::pin(nodes::disk(outside, moment))),
        rule(
            AlertRule::NodeDown,
            |settings| settings.alerts_node_down_minutes,
            |outside, _| Box::pin(nodes::down(outside)),
        ),
        rule(AlertRule::NodeMemory, busy, |outside, moment| Box::pin(nodes::memory(outside, moment))),
    ]
}
