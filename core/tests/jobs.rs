//! The queue as its callers use it: what is in it, in which order, under which name.

mod support;

use skypanel_core::jobs::{CleanUp, Deploy, Jobs, SaveCache};
use skypanel_core::model::{AppId, DeploymentId};
use support::Database;

/// Task, queue and payload of every job, in the order they will run.
async fn queued(database: &Database) -> Vec<(String, Option<String>, serde_json::Value)> {
    sqlx::query_as(
        "SELECT tasks.identifier, queues.queue_name, jobs.payload::jsonb
         FROM skypanel_jobs._private_jobs AS jobs
         JOIN skypanel_jobs._private_tasks AS tasks ON tasks.id = jobs.task_id
         LEFT JOIN skypanel_jobs._private_job_queues AS queues ON queues.id = jobs.job_queue_id
         ORDER BY jobs.priority, jobs.run_at, jobs.id",
    )
    .fetch_all(database.pool())
    .await
    .expect("lists")
}

#[tokio::test]
async fn deployments_of_an_app_queue_up_in_order_each_in_its_apps_queue() {
    let database = Database::new().await;
    let jobs = Jobs::connect(database.store().pool().clone()).await.expect("connects");
    let apps = [AppId::new(), AppId::new()];
    let mut added = Vec::new();
    for number in 0..6 {
        let job = Deploy { app: apps[number % 2], deployment: DeploymentId::new() };
        jobs.add(job.clone()).await.expect("adds");
        added.push(job);
    }
    let found = queued(&database).await;
    assert_eq!(found.len(), 6);
    for ((task, queue, payload), job) in found.iter().zip(&added) {
        assert_eq!(task, "deploy");
        assert_eq!(queue.as_deref(), Some(format!("app:{}", job.app).as_str()));
        assert_eq!(payload["deployment"], job.deployment.to_string());
    }
    // The same deployment again, as after a crash between adding and noting it, is the same job.
    jobs.add(added[5].clone()).await.expect("adds");
    assert_eq!(queued(&database).await.len(), 6);
    database.close().await;
}

#[tokio::test]
async fn a_later_cache_replaces_the_one_that_waits() {
    let database = Database::new().await;
    let jobs = Jobs::connect(database.pool().clone()).await.expect("connects");
    let app = AppId::new();
    let (first, second) = (DeploymentId::new(), DeploymentId::new());
    jobs.add(SaveCache { app, deployment: first }).await.expect("adds");
    jobs.add(SaveCache { app, deployment: second }).await.expect("replaces");
    jobs.add(SaveCache { app: AppId::new(), deployment: first }).await.expect("is another app's");
    jobs.add(CleanUp {}).await.expect("adds");
    jobs.add(CleanUp {}).await.expect("replaces");
    let found = queued(&database).await;
    let of_app: Vec<_> = found.iter().filter(|job| job.2["app"] == app.to_string()).collect();
    assert_eq!((found.len(), of_app.len()), (3, 1));
    assert_eq!(of_app[0].2["deployment"], second.to_string());
    let (waits,): (bool,) = sqlx::query_as(
        "SELECT bool_and(run_at > now() + interval '30 seconds') FROM skypanel_jobs._private_jobs WHERE key LIKE 'save_cache:%'",
    )
    .fetch_one(database.pool())
    .await
    .expect("reads");
    assert!(waits, "caches are not stored while pushes need the machine");
    database.close().await;
}

#[tokio::test]
async fn the_tables_are_made_once_whoever_comes_first() {
    let database = Database::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let pool = database.pool().clone();
        tasks.spawn(async move { Jobs::connect(pool).await.map(|_| ()) });
    }
    for outcome in tasks.join_all().await {
        outcome.expect("connects");
    }
    let jobs = Jobs::connect(database.pool().clone()).await.expect("connects again");
    jobs.release_dead_workers().await.expect("nobody to release is fine");
    database.close().await;
}
