//! Crash loops: what is counted, what is started after which pause, what is given up, and how it comes back.

use std::time::Duration;

use skypanel_core::Result;
use skypanel_core::actions::AppSettings;
use skypanel_core::model::{AppStatus, DeploymentId, DeploymentStatus, Formation, ProcessType};
use skypanel_core::store::{Crash, Crashed, StartAgainNow, TakenBack};

use crate::world::World;

fn process(name: &str) -> ProcessType {
    name.parse().expect("is a type")
}

impl World {
    /// An app that runs `web` and `worker`, and gives up after three crashes.
    async fn crashing(replicas: u32) -> (Self, DeploymentId) {
        let world = Self::new().await;
        world.store().set_setting("health.max_restarts", "3").await.expect("sets");
        let release = world.release(world.app.id).await;
        let formation: Formation = [(process("web"), 1), (process("worker"), replicas)].into();
        world.actions.move_to_plan(&world.developer, &world.shop, "standard", false).await.expect("moves");
        world.actions.scale(&world.developer, &world.shop, &formation, false).await.expect("scales");
        world.rolled().await;
        (world, release)
    }

    /// Does to the store what a rollout of the current release does that goes well.
    async fn rolled(&self) {
        self.store().begin_rollout(self.app.id).await.expect("begins");
        self.store().complete_rollout(self.app.id).await.expect("completes");
        self.store().report_app_status(self.app.id, AppStatus::Running).await.expect("reports");
    }

    async fn crash(&self, of: DeploymentId, name: &str, replica: i32) -> Crashed {
        let crash = Crash {
            app: self.app.id,
            deployment: of,
            process: process(name),
            replica,
            what: "ended with exit status 3".to_owned(),
            then: "is started again",
            detail: None,
            told_as: "crash",
        };
        self.store().record_crash(&crash).await.expect("is written down")
    }

    /// Lets a replica crash again right after each pause until it is given up; answers the pauses.
    async fn crash_until_given_up(&self, of: DeploymentId, name: &str) -> Vec<u64> {
        let mut pauses = Vec::new();
        while let Crashed::Again(streak) = self.crash(of, name, 1).await {
            pauses.push(streak.pause().as_secs());
            self.pass(streak.pause());
        }
        pauses
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    async fn given_up(&self) -> Vec<String> {
        let given_up = self.store().given_up(self.app.id).await.expect("lists");
        given_up.into_iter().map(|given_up| given_up.process_type.to_string()).collect()
    }

    /// What is paid for, as `web=1`.
    async fn paid(&self) -> Vec<String> {
        let metered = self.store().metering(self.app.id).await.expect("lists");
        let open = metered.iter().filter(|row| row.ended_at.is_none());
        let mut open: Vec<String> = open.map(|row| format!("{}={}", row.process_type, row.replicas)).collect();
        open.sort();
        open
    }

    async fn told(&self, kind: &str) -> Vec<String> {
        let events = self.store().app_events(self.app.id, None, 100).await.expect("lists");
        events.into_iter().filter(|event| event.kind == kind).map(|event| event.message).collect()
    }

    async fn applies(&self) -> usize {
        self.queued("apply", "app").await.len()
    }
}

#[tokio::test]
async fn what_crashes_again_and_again_waits_longer_each_time_and_is_given_up() {
    let (world, release) = World::crashing(1).await;
    let applies = world.applies().await;
    assert_eq!(world.crash_until_given_up(release, "worker").await, [2, 4]);
    assert_eq!(world.queued("start_again", "process").await, ["worker"], "one start, put off to the last pause");
    let told = world.told("crash").await;
    assert_eq!(
        told,
        [
            "worker.1 ended with exit status 3 and is started again within 4 s, 2 times in a row",
            "worker.1 ended with exit status 3 and is started again"
        ]
    );
    let told = world.told("give_up").await;
    assert_eq!(told.len(), 1);
    for words in [
        "worker crashed 3 times in a row within 6 s and is not started any more",
        "The last time worker.1 ended with exit status 3.",
        "`logs --source app -n 100`",
        "`ps:restart`",
    ] {
        assert!(told[0].contains(words), "{words}: {told:?}");
    }
    assert_eq!(world.status(world.app.id).await, AppStatus::Failed);
    assert_eq!(world.given_up().await, ["worker"]);
    assert_eq!(world.paid().await, ["web=1"], "what does not run costs nothing, the rest goes on");
    assert_eq!(world.applies().await, applies + 1, "a job ends what is left");

    // What that job does, and what is still told of replicas on their way out, leaves it as it is.
    let rollout = world.store().begin_rollout(world.app.id).await.expect("begins");
    assert_eq!(rollout.given_up, [process("worker")]);
    world.store().complete_rollout(world.app.id).await.expect("completes");
    world.store().report_app_status(world.app.id, AppStatus::Running).await.expect("reports");
    assert_eq!(world.crash(release, "worker", 1).await, Crashed::Aside);
    assert_eq!(world.status(world.app.id).await, AppStatus::Failed);
    let start = world.store().may_start_again(world.app.id, &process("worker")).await.expect("answers");
    assert_eq!(start, StartAgainNow::No);
    // The rest of the app is counted for itself.
    assert!(matches!(world.crash(release, "web", 1).await, Crashed::Again(streak) if streak.crashes == 1));
    world.close().await;
}

#[tokio::test]
async fn what_runs_for_a_while_has_recovered() {
    let (world, release) = World::crashing(1).await;
    for _ in 0..5 {
        assert!(matches!(world.crash(release, "worker", 1).await, Crashed::Again(streak) if streak.crashes == 1));
        world.store().record_recovery(world.app.id, &process("worker"), 1).await.expect("tells");
        world.pass(Duration::from_secs(302));
    }
    assert_eq!(world.told("recover").await.len(), 5);
    world.store().record_recovery(world.app.id, &process("worker"), 1).await.expect("answers");
    world.store().record_recovery(world.app.id, &process("web"), 1).await.expect("answers");
    let told = world.told("recover").await;
    assert_eq!(told.len(), 5, "once, and nothing of what never failed");
    assert_eq!(told[0], "worker.1 runs again, 0 s after it failed");

    world.store().set_setting("health.max_restarts", "0").await.expect("sets");
    for _ in 0..20 {
        assert!(matches!(world.crash(release, "worker", 1).await, Crashed::Again(_)), "0 is for ever");
    }
    world.close().await;
}

#[tokio::test]
async fn a_type_is_given_up_when_all_of_its_replicas_crash() {
    let (world, release) = World::crashing(2).await;
    for _ in 0..4 {
        assert!(matches!(world.crash(release, "worker", 1).await, Crashed::Again(_)), "the other one runs");
    }
    for _ in 0..2 {
        assert!(matches!(world.crash(release, "worker", 2).await, Crashed::Again(_)));
    }
    assert_eq!(world.crash(release, "worker", 2).await, Crashed::GivenUp);
    world.close().await;
}

#[tokio::test]
async fn a_release_in_progress_is_no_crash_loop() {
    let (world, release) = World::crashing(1).await;
    let next = world.push(world.app.id).await.expect("queues");
    world.roll_out(next).await;
    world.store().begin_rollout(world.app.id).await.expect("begins");
    for _ in 0..5 {
        for of in [release, next] {
            assert_eq!(world.crash(of, "worker", 1).await, Crashed::Aside);
        }
    }
    let start = world.store().may_start_again(world.app.id, &process("worker")).await.expect("answers");
    assert_eq!(start, StartAgainNow::Later);
    assert!(world.store().complete_deployment(next).await.expect("answers"));
    assert_eq!(world.crash(release, "worker", 1).await, Crashed::Aside, "it was replaced");
    assert!(matches!(world.crash(next, "worker", 1).await, Crashed::Again(streak) if streak.crashes == 1));
    world.actions.stop(&world.developer, &world.shop).await.expect("stops");
    assert_eq!(world.crash(next, "worker", 1).await, Crashed::Aside);
    world.close().await;
}

#[tokio::test]
async fn its_people_bring_back_what_was_given_up() {
    let (world, release) = World::crashing(1).await;
    let (actions, developer, shop) = (&world.actions, &world.developer, &world.shop);
    let two: Formation = [(process("web"), 2)].into();
    let health = AppSettings { health_check_path: Some("/up".to_owned()), ..AppSettings::default() };
    for change in 0..4 {
        world.crash_until_given_up(release, "worker").await;
        assert_eq!(world.given_up().await, ["worker"]);
        let changed: Result<bool> = match change {
            0 => actions.restart(developer, shop).await.map(|begun| begun.job.is_some()),
            1 => actions.scale(developer, shop, &two, false).await.map(|priced| priced.begun.job.is_some()),
            2 => actions.move_to_plan(developer, shop, "pro", false).await.map(|priced| priced.begun.job.is_some()),
            _ => actions.edit_app(developer, shop, &health).await.map(|(_, job)| job.is_some()),
        };
        assert!(changed.expect("changes"), "{change}: a job carries it out");
        assert_eq!(world.given_up().await, [""; 0], "{change}");
        assert!(world.paid().await.contains(&"worker=1".to_owned()), "{change}: it is paid for from now on");
        assert_eq!(world.status(world.app.id).await, AppStatus::Running);
        world.rolled().await;
        assert!(matches!(world.crash(release, "worker", 1).await, Crashed::Again(streak) if streak.crashes == 1));
    }
    world.close().await;
}

#[tokio::test]
async fn what_fails_at_once_when_it_is_tried_again_stays_given_up() {
    let (world, release) = World::crashing(1).await;
    world.crash_until_given_up(release, "web").await;
    world.rolled().await;
    assert_eq!(world.status(world.app.id).await, AppStatus::Failed);
    world.actions.restart(&world.developer, &world.shop).await.expect("restarts");
    world.store().begin_rollout(world.app.id).await.expect("begins");
    assert_eq!(world.crash(release, "web", 1).await, Crashed::Aside, "the rollout tells of it");
    assert_eq!(world.store().take_back_rollout(world.app.id).await.expect("takes back"), TakenBack::Nothing);
    assert_eq!(world.status(world.app.id).await, AppStatus::Failed);
    assert_eq!((world.given_up().await, world.paid().await), (vec!["web".to_owned()], vec!["worker=1".to_owned()]));

    // A push that fails changes nothing about it; one that goes well does.
    let failing = world.push(world.app.id).await.expect("queues");
    world.roll_out(failing).await;
    let why = Some(("DEPLOY_FAILED", "It crashed."));
    assert!(world.store().finish_deployment(failing, DeploymentStatus::Failed, why).await.expect("ends"));
    assert_eq!(world.status(world.app.id).await, AppStatus::Failed);
    assert_eq!(world.paid().await, ["worker=1"]);
    world.release(world.app.id).await;
    assert_eq!(world.status(world.app.id).await, AppStatus::Running);
    assert_eq!((world.given_up().await, world.paid().await.len()), (Vec::new(), 2));
    world.close().await;
}

#[tokio::test]
async fn what_was_given_up_can_be_stopped_and_started() {
    let (world, release) = World::crashing(1).await;
    world.crash_until_given_up(release, "web").await;
    world.actions.stop(&world.developer, &world.shop).await.expect("stops");
    assert_eq!((world.status(world.app.id).await, world.paid().await), (AppStatus::Stopped, Vec::new()));
    world.actions.start(&world.developer, &world.shop).await.expect("starts");
    assert_eq!((world.status(world.app.id).await, world.paid().await.len()), (AppStatus::Running, 2));
    world.rolled().await;
    assert_eq!((world.status(world.app.id).await, world.given_up().await), (AppStatus::Running, Vec::new()));
    world.close().await;
}

#[tokio::test]
async fn agents_that_see_crashes_at_the_same_time_lose_none() {
    let (world, release) = World::crashing(1).await;
    world.store().set_setting("health.max_restarts", "100").await.expect("sets");
    futures_util::future::join_all((0..12).map(|_| world.crash(release, "worker", 1))).await;
    assert!(matches!(world.crash(release, "worker", 1).await, Crashed::Again(streak) if streak.crashes == 13));
    world.close().await;
}
