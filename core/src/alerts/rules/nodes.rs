//! The machines of the Swarm: whether they answer, and what they use.

use super::number;
use super::outside::Outside;
use crate::Result;
use crate::alerts::{Finding, Moment, Seen};
use crate::measurements::NodeUsage;
use crate::model::{NodeAvailability, NodeState, Severity, Subject, SubjectKind};

pub(super) async fn down(outside: &Outside) -> Result<Seen> {
    let nodes = match outside.console.nodes().await {
        Ok(nodes) => nodes,
        Err(error) => {
            tracing::warn!(%error, "the nodes cannot be listed");
            let subject = Subject::service("engine", "container engine");
            let message = "No manager of the Swarm answers: nothing can be deployed, started or stopped. Skypanel's log says \
                           why.";
            let finding = Finding::plain(subject.clone(), Severity::Critical, message.to_owned());
            return Ok(Seen::Of(vec![subject], vec![finding]));
        }
    };
    let gone = nodes.into_iter().filter(|node| {
        matches!(node.state, NodeState::Down | NodeState::Disconnected) && node.availability != NodeAvailability::Drain
    });
    let findings = gone.map(|node| {
        let message = format!(
            "The Swarm's managers have no answer of {}. Its apps are started on other nodes, where there are any.",
            node.name
        );
        Finding::plain(subject(&node.name), Severity::Critical, message)
    });
    Ok(Seen::All(findings.collect()))
}

pub(super) async fn cpu(outside: &Outside, moment: &Moment<'_>) -> Result<Seen> {
    let nodes = outside.console.nodes().await?;
    let threshold = moment.settings.alerts_node_cpu_percent;
    look(outside, moment, threshold, "of its CPU time", |name, usage| {
        let node = nodes.iter().find(|node| node.name == name)?;
        Some((usage.cpu_cores, number(node.cpu_millicores) / 1_000.0))
    })
    .await
}

pub(super) async fn memory(outside: &Outside, moment: &Moment<'_>) -> Result<Seen> {
    let threshold = moment.settings.alerts_node_memory_percent;
    look(outside, moment, threshold, "of its memory", |_, usage| Some((usage.memory_bytes, usage.memory_limit_bytes)))
        .await
}

pub(super) async fn disk(outside: &Outside, moment: &Moment<'_>) -> Result<Seen> {
    let threshold = moment.settings.alerts_node_disk_percent;
    look(outside, moment, threshold, "of the disk of the data directory", |_, usage| {
        Some((usage.disk_bytes, usage.disk_limit_bytes))
    })
    .await
}

/// Holds what the nodes use, and how much of it they have, against a share in percent.
async fn look(
    outside: &Outside,
    moment: &Moment<'_>,
    threshold: u64,
    what: &str,
    used: impl Fn(&str, &NodeUsage) -> Option<(f64, f64)>,
) -> Result<Seen> {
    let threshold = number(threshold);
    let usage = outside.measurements.nodes_now(moment.now).await?;
    let shares = usage.iter().filter_map(|(name, usage)| {
        let (used, all) = used(name, usage).filter(|(_, all)| *all > 0.0)?;
        Some((name, used * 100.0 / all))
    });
    let (mut looked, mut findings) = (Vec::new(), Vec::new());
    for (name, share) in shares {
        looked.push(subject(name));
        // Halfway between the threshold and all of it.
        let severity = if share >= f64::midpoint(threshold, 100.0) { Severity::Critical } else { Severity::Warning };
        let message = format!("{name} uses {share:.0} % {what}.");
        findings.extend(Finding::of_high(subject(name), severity, message, share, threshold));
    }
    Ok(Seen::Of(looked, findings))
}

fn subject(node: &str) -> Subject {
    Subject { kind: SubjectKind::Node, key: node.to_owned(), name: node.to_owned(), organization: None }
}
