//! The jobs that look for what is wrong and tell of it.

use std::time::Duration;

use skypanel_core::actions::{Actor, AlertsOf, WantedTarget};
use skypanel_core::jobs::CheckAlerts;
use skypanel_core::model::{DeploymentId, NotificationState, Severity, TargetId, TargetKind};

use crate::hook::Hook;
use crate::world::{World, run};

impl World {
    async fn target(&self, address: &str) -> TargetId {
        let address = address.to_owned();
        let kind = TargetKind::Webhook;
        let wanted = WantedTarget { kind, address, min_severity: Severity::Warning, rules: None, enabled: true };
        let made = self.actions.add_notification_target(&Actor::system(), &AlertsOf::Platform, &wanted).await;
        made.expect("is made").target.id
    }

    /// Lets the pause before the next try be over.
    async fn hurry(&self) {
        for sql in [
            "UPDATE paas_notifications SET next_try_at = now() WHERE answer IS NOT NULL AND next_try_at < now() + interval '1 minute'",
            "UPDATE skypanel_jobs._private_jobs SET run_at = now() WHERE key LIKE 'notify:%' AND locked_at IS NULL",
        ] {
            sqlx::query(sql).execute(self.database.pool()).await.expect("changes");
        }
    }
}

#[test]
fn what_the_rules_find_is_sent_and_sent_again_where_that_fails() {
    run(async {
        let world = World::new().await;
        let hook = Hook::start().await;
        hook.answer_with(&[503]);
        world.store().set_setting("alerts.group_seconds", "0").await.expect("is set");
        let target = world.target(&hook.url("/")).await;
        let app = world.app("shop").await;
        for _ in 0..5 {
            sqlx::query(
                "INSERT INTO paas_deployments (id, application_id, status, trigger, created_at, finished_at)
                 VALUES ($1, $2, 'failed', 'push', now(), now())",
            )
            .bind(DeploymentId::new())
            .bind(app.id)
            .execute(world.database.pool())
            .await
            .expect("is written down");
        }
        world.actions.jobs.add(CheckAlerts {}).await.expect("queues");
        world
            .while_working(async {
                loop {
                    world.hurry().await;
                    let messages = world.store().notifications(target, None, 10).await.expect("reads");
                    if messages.first().is_some_and(|message| message.state == NotificationState::Sent) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
            .await;
        assert_eq!(hook.calls().len(), 2);
        let told = hook.calls()[1].news();
        assert_eq!(told, [("deploy_failures".to_owned(), "platform".to_owned(), "fired".to_owned())]);
        world.close().await;
    });
}
