//! The life of a deployment, and which artifacts are kept.

use std::collections::{BTreeMap, BTreeSet};

use skypanel_core::model::{Artifact, DeploymentId, DeploymentStatus, ReleaseVersion, Sha256Digest, Stage};

use crate::World;

fn artifact(name: &str) -> Artifact {
    Artifact {
        image: Sha256Digest::of(format!("image {name}").as_bytes()),
        slug: Some(Sha256Digest::of(format!("slug {name}").as_bytes())),
        bytes: 12_345_678_901,
        buildpack: "python".to_owned(),
        processes: BTreeMap::from([("web".parse().expect("is one"), "python app.py".to_owned())]),
    }
}

/// A release as a successful push makes it.
async fn release(world: &World, name: &str) -> DeploymentId {
    let id = world.deployment().await;
    let store = world.store();
    store.set_artifact(id, &artifact(name)).await.expect("sets");
    store.assign_version(id, 0).await.expect("assigns");
    store.set_current_deployment(world.app.id, id).await.expect("sets");
    assert!(store.finish_deployment(id, DeploymentStatus::Succeeded, None).await.expect("finishes"));
    id
}

#[tokio::test]
async fn versions_are_given_once_each_without_gaps() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(world.deployment().await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for id in &ids {
        // Two workers at once for each: the second is the one that took a dead worker's job over.
        for _ in 0..2 {
            let (store, id) = (world.store().clone(), *id);
            tasks.spawn(async move { (id, store.assign_version(id, 3).await.expect("assigns")) });
        }
    }
    let mut given: BTreeMap<DeploymentId, BTreeSet<ReleaseVersion>> = BTreeMap::new();
    for (id, version) in tasks.join_all().await {
        given.entry(id).or_default().insert(version);
    }
    assert!(given.values().all(|versions| versions.len() == 1), "{given:?}");
    let versions: BTreeSet<i32> = given.values().flatten().map(|version| version.0).collect();
    assert_eq!(versions, (1..=12).collect());
    assert_eq!(world.store().deployment(ids[0]).await.expect("reads").config_version, Some(3));
    world.database.close().await;
}

#[tokio::test]
async fn the_first_end_counts_and_nothing_moves_after_it() {
    let world = World::new().await;
    let store = world.store();
    let id = world.deployment().await;
    assert!(store.advance_deployment(id, DeploymentStatus::Building).await.expect("moves"));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let store = store.clone();
        let status = if number % 2 == 0 { DeploymentStatus::Cancelled } else { DeploymentStatus::Failed };
        tasks.spawn(async move {
            let ended = store.finish_deployment(id, status, Some(("BUILD_FAILED", "why"))).await.expect("answers");
            ended.then_some(status)
        });
    }
    let ends: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(ends.len(), 1);
    assert!(!store.advance_deployment(id, DeploymentStatus::Packaging).await.expect("answers"));
    let ended = store.deployment(id).await.expect("reads");
    assert_eq!(ended.status, ends[0]);
    assert_eq!((ended.error_code.as_deref(), ended.error.as_deref()), (Some("BUILD_FAILED"), Some("why")));
    assert!(ended.finished_at.is_some());
    assert!(store.unfinished_deployments(world.app.id).await.expect("lists").is_empty());
    world.database.close().await;
}

#[tokio::test]
async fn a_deployment_comes_back_as_it_was_stored() {
    let world = World::new().await;
    let store = world.store();
    let id = world.deployment().await;
    assert!(store.deployment(id).await.expect("reads").artifact().is_none());
    store.set_artifact(id, &artifact("a")).await.expect("sets");
    assert_eq!(store.deployment(id).await.expect("reads").artifact(), Some(artifact("a")));
    assert_eq!(store.unfinished_deployments(world.app.id).await.expect("lists")[0].id, id);
    assert_eq!(store.all_unfinished_deployments().await.expect("lists").len(), 1);
    assert!(store.releases(world.app.id, 10).await.expect("lists").is_empty(), "it has no version yet");
    assert_eq!(store.assign_version(id, 0).await.expect("assigns"), ReleaseVersion(1));
    assert_eq!(store.release(world.app.id, ReleaseVersion(1)).await.expect("is there").id, id);
    assert!(store.release(world.app.id, ReleaseVersion(2)).await.is_err());
    world.database.close().await;
}

#[tokio::test]
async fn stages_keep_their_times_and_begin_anew_after_a_dead_worker() {
    let world = World::new().await;
    let store = world.store();
    let id = world.deployment().await;
    let now = chrono::Utc::now();
    store.start_stage(id, Stage::Receive, now - chrono::TimeDelta::seconds(9)).await.expect("starts");
    store.finish_stage(id, Stage::Receive, false).await.expect("ends");
    store.start_stage(id, Stage::Build, now - chrono::TimeDelta::seconds(8)).await.expect("starts");
    store.finish_stage(id, Stage::Build, true).await.expect("ends");
    store.start_stage(id, Stage::Build, now).await.expect("starts anew");
    let stages = store.stages(id).await.expect("lists");
    assert_eq!(stages.iter().map(|stage| stage.stage).collect::<Vec<_>>(), [Stage::Receive, Stage::Build]);
    assert!(stages[0].finished_at.is_some_and(|end| end > stages[0].started_at));
    assert!(stages[1].finished_at.is_none() && !stages[1].failed);
    world.database.close().await;
}

#[tokio::test]
async fn pruning_keeps_the_newest_releases_and_the_current_one() {
    let world = World::new().await;
    let store = world.store();
    let mut releases = Vec::new();
    for number in 1..=6 {
        releases.push(release(&world, &number.to_string()).await);
    }
    let failed = world.deployment().await;
    store.set_artifact(failed, &artifact("failed")).await.expect("sets");
    store.finish_deployment(failed, DeploymentStatus::Failed, None).await.expect("ends");
    let running = world.deployment().await;
    store.set_artifact(running, &artifact("running")).await.expect("sets");
    // Rolled back to the second: what runs is not among the newest.
    store.set_current_deployment(world.app.id, releases[1]).await.expect("sets");

    let pruned: BTreeSet<_> = store.prune_releases(world.app.id, 3).await.expect("prunes").into_iter().collect();
    assert_eq!(pruned, BTreeSet::from([releases[0], releases[2], failed]));
    assert!(store.prune_releases(world.app.id, 3).await.expect("prunes again").is_empty());
    let in_use: BTreeSet<_> = store.images_in_use().await.expect("lists").into_iter().collect();
    let expected = ["2", "4", "5", "6", "running"].map(|name| artifact(name).image);
    assert_eq!(in_use, BTreeSet::from(expected));
    let gone = store.deployment(releases[0]).await.expect("the row stays");
    assert!(gone.artifact().is_none() && gone.version == Some(ReleaseVersion(1)));
    let newest: Vec<_> = store.releases(world.app.id, 2).await.expect("lists").into_iter().map(|d| d.id).collect();
    assert_eq!(newest, [releases[5], releases[4]]);
    world.database.close().await;
}

#[tokio::test]
async fn an_image_that_two_releases_share_stays_while_one_of_them_is_kept() {
    let world = World::new().await;
    let store = world.store();
    release(&world, "same").await;
    release(&world, "same").await;
    assert_eq!(store.prune_releases(world.app.id, 1).await.expect("prunes").len(), 1);
    assert_eq!(store.images_in_use().await.expect("lists"), [artifact("same").image]);
    world.database.close().await;
}
