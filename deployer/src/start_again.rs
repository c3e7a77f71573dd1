//! Starting again what the engine does not start any more by itself. It restarts a replica a few times in quick
//! succession, and then leaves it; any change of the service makes it look for missing replicas. So the worker changes a
//! label that means nothing else, and no replica that runs is touched. The engine counts its restarts anew then, so
//! this is only done where a replica is missing.

use std::collections::HashMap;

use bollard::models::{Service, Task, TaskState};
use bollard::query_parameters::{ListServicesOptionsBuilder, ListTasksOptionsBuilder};
use skypanel_core::model::{AppSlug, Application, ProcessType};

use crate::engine::{call, filters};
use crate::rollout::{is_out_of_sequence, label, services, version};
use crate::{DeployError, Deployer, names};

/// Differs each time.
const LABEL: &str = "skypanel.started-again";

/// A service that lacks replicas, as it was when it was looked at.
#[derive(Debug)]
pub struct Standing(Service);

impl Deployer {
    /// The service of a process type, where the engine has fewer replicas of it in mind than it is meant to have.
    pub async fn standing(&self, app: &Application, process: &ProcessType) -> Result<Option<Standing>, DeployError> {
        let Some(service) = services(&self.parts, &app.slug).await?.remove(process) else { return Ok(None) };
        let id = service.id.clone().unwrap_or_default();
        let options = ListTasksOptionsBuilder::new().filters(&filters([("service", vec![id])])).build();
        let tasks = call("Looking for missing replicas", self.parts.engine.list_tasks(Some(options))).await?;
        let present = tasks.iter().filter(|task| is_in_mind(task)).count();
        Ok((present < wanted(&service)).then_some(Standing(service)))
    }

    /// Apps with their process types that the engine has fewer replicas of in mind than they are meant to have.
    pub async fn missing_replicas(&self) -> Result<Vec<(AppSlug, ProcessType)>, DeployError> {
        let ours = filters([("label", vec![names::pair(names::INSTALLATION, &self.parts.options.installation)])]);
        let options = ListServicesOptionsBuilder::new().filters(&ours).build();
        let services = call("Listing services", self.parts.engine.list_services(Some(options))).await?;
        let options = ListTasksOptionsBuilder::new().filters(&ours).build();
        let tasks = call("Looking for missing replicas", self.parts.engine.list_tasks(Some(options))).await?;
        let mut present: HashMap<&str, usize> = HashMap::new();
        for task in tasks.iter().filter(|task| is_in_mind(task)) {
            *present.entry(task.service_id.as_deref().unwrap_or_default()).or_default() += 1;
        }
        let is_short = |service: &&Service| {
            present.get(service.id.as_deref().unwrap_or_default()).copied().unwrap_or(0) < wanted(service)
        };
        let of = |service| {
            let (app, process) = (label(service, names::APP)?, label(service, names::PROCESS)?);
            Some((app.parse().ok()?, process.parse().ok()?))
        };
        Ok(services.iter().filter(is_short).filter_map(of).collect())
    }

    /// Has the engine start the replicas of a service that are missing, unless the service was changed since it was
    /// looked at: then that did it.
    pub async fn start_again(&self, standing: Standing) -> Result<(), DeployError> {
        let Standing(service) = standing;
        let options = version(&service);
        let id = service.id.unwrap_or_default();
        let mut spec = service.spec.unwrap_or_default();
        let mark = uuid::Uuid::new_v4().simple().to_string();
        spec.labels.get_or_insert_default().insert(LABEL.to_owned(), mark);
        let sent = call("Starting a crashed process again", self.parts.engine.update_service(&id, spec, options, None));
        match sent.await {
            Err(error) if is_out_of_sequence(&error) => Ok(()),
            other => other.map(drop),
        }
    }
}

/// Whether a task runs or is about to.
fn is_in_mind(task: &Task) -> bool {
    matches!(task.desired_state, Some(TaskState::RUNNING | TaskState::READY))
}

/// How many replicas a service is meant to have.
fn wanted(service: &Service) -> usize {
    let mode = service.spec.as_ref().and_then(|spec| spec.mode.as_ref()?.replicated.as_ref());
    mode.and_then(|mode| usize::try_from(mode.replicas?).ok()).unwrap_or(0)
}
