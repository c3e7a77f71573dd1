//! A worker as a test wants it: takes jobs from the queue's table and writes what its script says to their
//! live streams.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use skypanel_core::blob::LocalBlobs;
use skypanel_core::model::{
    Application, Artifact, DeploymentId, DeploymentStatus, ProcessType, Sha256Digest, StreamId,
};
use skypanel_core::store::Store;
use skypanel_core::stream::Streams;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What to do with one job.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) output: Vec<u8>,
    pub(crate) succeeds: bool,
    /// Wait for this before the end.
    pub(crate) hold: Option<Arc<Notify>>,
}

impl Script {
    pub(crate) fn succeeds(output: &str) -> Self {
        Self { output: output.into(), succeeds: true, hold: None }
    }

    pub(crate) fn fails(output: &str) -> Self {
        Self { output: output.into(), succeeds: false, hold: None }
    }

    pub(crate) fn held(mut self, hold: &Arc<Notify>) -> Self {
        self.hold = Some(Arc::clone(hold));
        self
    }
}

/// A job that was done.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) task: String,
    pub(crate) payload: Value,
}

/// The worker.
pub(crate) struct Worker {
    scripts: Arc<Mutex<VecDeque<Script>>>,
    done: Arc<Mutex<Vec<Done>>>,
    running: JoinHandle<()>,
}

struct Work {
    store: Store,
    streams: Streams,
    _blobs: Arc<LocalBlobs>,
    scripts: Arc<Mutex<VecDeque<Script>>>,
    done: Arc<Mutex<Vec<Done>>>,
}

impl Worker {
    pub(crate) fn start(store: Store, streams: Streams, blobs: Arc<LocalBlobs>) -> Self {
        let scripts = Arc::new(Mutex::new(VecDeque::new()));
        let done = Arc::new(Mutex::new(Vec::new()));
        let work = Work { store, streams, _blobs: blobs, scripts: Arc::clone(&scripts), done: Arc::clone(&done) };
        Self { scripts, done, running: tokio::spawn(work.run()) }
    }

    pub(crate) fn script(&self, scripts: impl IntoIterator<Item = Script>) {
        self.scripts.lock().expect("not poisoned").extend(scripts);
    }

    /// The jobs done so far, in order.
    pub(crate) fn done(&self) -> Vec<Done> {
        self.done.lock().expect("not poisoned").clone()
    }

    /// Ids of the deployments worked on, in order.
    pub(crate) fn deployments(&self) -> Vec<DeploymentId> {
        self.done().iter().filter(|done| done.task == "deploy").map(|done| id(&done.payload["deployment"])).collect()
    }

    pub(crate) fn stop(&self) {
        self.running.abort();
    }
}

fn id(value: &Value) -> DeploymentId {
    serde_json::from_value(value.clone()).expect("an id")
}

impl Work {
    async fn run(self) {
        loop {
            // One at a time and in order, as the jobs of one app are.
            let job: Option<(String, Value)> = sqlx::query_as(
                "WITH job AS (
                    DELETE FROM skypanel_jobs._private_jobs WHERE id = (
                        SELECT id FROM skypanel_jobs._private_jobs ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
                    RETURNING task_id, payload
                 ) SELECT tasks.identifier, job.payload::jsonb FROM job
                   JOIN skypanel_jobs._private_tasks tasks ON tasks.id = job.task_id",
            )
            .fetch_optional(self.store.pool())
            .await
            .expect("reads the queue");
            match job {
                Some((task, payload)) => self.work(task, payload).await,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn work(&self, task: String, payload: Value) {
        // Nobody follows the others.
        if !matches!(task.as_str(), "deploy" | "destroy") && payload["stream"].is_null() {
            return;
        }
        let script =
            self.scripts.lock().expect("not poisoned").pop_front().unwrap_or_else(|| Script::succeeds("-----> Done\n"));
        let stream = match task.as_str() {
            "deploy" => Some(StreamId(id(&payload["deployment"]).0)),
            "destroy" => None,
            _ => Some(StreamId(serde_json::from_value(payload["stream"].clone()).expect("an id"))),
        };
        if let Some(stream) = stream {
            let writer = self.streams.writer(stream).await.expect("opens");
            writer.write(script.output.clone()).await;
            if let Some(hold) = &script.hold {
                hold.notified().await;
            }
            if task == "deploy" {
                self.finish(id(&payload["deployment"]), script.succeeds).await;
            }
            // Before the command that waits for it ends, and the test looks.
            self.done.lock().expect("not poisoned").push(Done { task, payload });
            writer.close(script.succeeds).await.expect("closes");
        } else {
            let app = serde_json::from_value(payload["app"].clone()).expect("an id");
            self.done.lock().expect("not poisoned").push(Done { task, payload });
            self.store.delete_app(app).await.expect("deletes");
        }
    }

    async fn finish(&self, deployment: DeploymentId, succeeds: bool) {
        let store = &self.store;
        if !succeeds {
            let failure = Some(("BUILD_FAILED", "it was told to fail"));
            store.finish_deployment(deployment, DeploymentStatus::Failed, failure).await.expect("finishes");
            return;
        }
        let artifact = Artifact {
            image: Sha256Digest::of(deployment.to_string().as_bytes()),
            slug: None,
            bytes: 1,
            buildpack: "static".to_owned(),
            processes: [(ProcessType::web(), "serve".to_owned())].into(),
        };
        store.set_artifact(deployment, &artifact).await.expect("stores");
        store.assign_version(deployment, 0).await.expect("numbers");
        let app: Application =
            store.app(store.deployment(deployment).await.expect("is there").application_id).await.expect("is there");
        store.set_current_deployment(app.id, deployment).await.expect("sets");
        store.finish_deployment(deployment, DeploymentStatus::Succeeded, None).await.expect("finishes");
    }
}
