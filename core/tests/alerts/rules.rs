//! What each rule of the store finds and what it lets pass, when an alert of it is over, and that it can be switched off.

use chrono::{DateTime, TimeDelta, Utc};
use skypanel_core::actions::{Actor, ThresholdsChange};
use skypanel_core::jobs::CheckAlerts;
use skypanel_core::model::{
    AlertRule, DeploymentId, DeploymentStatus, DomainId, Formation, LedgerKind, Money, Month, NewLedgerEntry,
    OrganizationRef, PlanId, Severity,
};

use crate::watched::news;
use crate::world::World;

impl World {
    async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(self.pool()).await.expect("runs");
    }

    /// Lets something happen to shop.
    async fn happens(&self, kind: &str, times: u32) {
        for _ in 0..times {
            sqlx::query(
                "INSERT INTO paas_events (organization_id, application_id, kind, message, created_at)
                 VALUES ($1, $2, $3, 'web.1 <script>', $4)",
            )
            .bind(self.acme.id)
            .bind(self.app.id)
            .bind(kind)
            .bind(self.now())
            .execute(self.pool())
            .await
            .expect("is written down");
        }
    }

    /// Lets a deployment of shop go well whose stage took so many seconds.
    async fn staged(&self, stage: &str, seconds: f64) {
        let id = DeploymentId::new();
        sqlx::query(
            "INSERT INTO paas_deployments (id, application_id, status, trigger, created_at, finished_at)
             VALUES ($1, $2, $3, 'push', $4, $4)",
        )
        .bind(id)
        .bind(self.app.id)
        .bind(DeploymentStatus::Succeeded)
        .bind(self.now())
        .execute(self.pool())
        .await
        .expect("is written down");
        sqlx::query(
            "INSERT INTO paas_deployment_stages (deployment_id, stage, started_at, finished_at)
             VALUES ($1, $2, $3 - make_interval(secs => $4), $3)",
        )
        .bind(id)
        .bind(stage)
        .bind(self.now())
        .bind(seconds)
        .execute(self.pool())
        .await
        .expect("is written down");
    }

    /// The certificate of a domain of shop, as the edge shows it.
    async fn certificate(&self, domain: &str, status: &str, expires_at: Option<DateTime<Utc>>) {
        sqlx::query(
            "INSERT INTO paas_domains (id, application_id, domain, status, next_check_at, ssl_status,
                 ssl_cert_expires_at, created_at)
             VALUES ($1, $2, $3, 'active', $4, $5, $6, $4)
             ON CONFLICT (application_id, domain) DO UPDATE
             SET ssl_status = excluded.ssl_status, ssl_cert_expires_at = excluded.ssl_cert_expires_at",
        )
        .bind(DomainId::new())
        .bind(self.app.id)
        .bind(domain)
        .bind(self.now())
        .bind(status)
        .bind(expires_at)
        .execute(self.pool())
        .await
        .expect("is written down");
    }

    /// Lets shop run one process for a dollar an hour, while billing is on.
    async fn runs_for_money(&self) {
        self.run("INSERT INTO paas_billing_periods (started_at) VALUES ('2000-01-01')").await;
        let plan = PlanId::new();
        sqlx::query(
            "INSERT INTO paas_plans (id, name, cpu_cores, ram_mb, disk_gb, max_replicas, price_per_hour, position)
             VALUES ($1, 'dollar', 1, 512, 1, 10, 1, 9)",
        )
        .bind(plan)
        .execute(self.pool())
        .await
        .expect("makes a plan");
        self.pay("1000").await;
        self.release(self.app.id).await;
        self.store().change_plan(self.app.id, plan).await.expect("changes");
        let app = self.store().app(self.app.id).await.expect("is there");
        let web = Formation::from([("web".parse().expect("is a type"), 1), ("worker".parse().expect("is a type"), 0)]);
        self.store().scale(&app, &web).await.expect("scales");
    }

    async fn pay(&self, amount: &str) {
        let new = NewLedgerEntry {
            kind: LedgerKind::Adjustment,
            amount: amount.parse().expect("is an amount"),
            reference: None,
            note: None,
        };
        self.actions.move_money(&Actor::system(), self.acme.id, new).await.expect("moves money");
    }

    /// Leaves so much in the wallet.
    async fn holds(&self, amount: &str) {
        let wanted: Money = amount.parse().expect("is an amount");
        let balance = self.store().balance(self.acme.id).await.expect("reads");
        if wanted != balance {
            self.pay(&format!("{}", (wanted - balance).0)).await;
        }
    }

    async fn change_thresholds(&self, change: ThresholdsChange) {
        let acme = OrganizationRef::Id(self.acme.id);
        self.actions.change_wallet_thresholds(&self.owner, &acme, change).await.expect("is changed");
    }

    async fn warned_below(&self, hours: Option<u32>) {
        self.change_thresholds(ThresholdsChange { low_balance_hours: Some(hours), month_budget: None }).await;
    }

    async fn budget(&self, budget: Option<Money>) {
        self.change_thresholds(ThresholdsChange { low_balance_hours: None, month_budget: Some(budget) }).await;
    }

    /// What acme was charged this month.
    async fn charged(&self) -> Money {
        self.actions.wallet(&self.owner, &self.acme).await.expect("is there").month_charged
    }

    /// Below how many hours the settlement told that the wallet is, each time.
    async fn told_of_low_balance(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT substring(message FROM 'less than (\\d+ hours)') FROM paas_events WHERE kind = 'low_balance' ORDER BY id",
        )
        .fetch_all(self.pool())
        .await
        .expect("reads")
    }

    /// Lets the usage of today say that so many millionths more were charged.
    async fn miscounts(&self, millionths: i32) {
        sqlx::query(
            "INSERT INTO paas_usage_days (organization_id, day, application_id, app_slug, process_type, plan_id,
                 plan_name, price_per_hour, replica_microseconds, cost, charged)
             VALUES ($1, $2, $3, 'shop', 'web', $4, 'wrong', 1, 1, 1, $5::int / 1000000.0)",
        )
        .bind(self.acme.id)
        .bind(self.now().date_naive())
        .bind(self.app.id)
        .bind(PlanId::new())
        .bind(millionths)
        .execute(self.pool())
        .await
        .expect("is written down");
    }

    /// The alerts of one rule that are not over, once its switch is off.
    async fn switched_off(&self, rule: AlertRule) -> Vec<(AlertRule, String)> {
        self.set(rule.info().settings[0], "0").await;
        assert_eq!(self.look_for(1).await, [""; 0], "{rule}");
        self.open_alerts().await.into_iter().filter(|(open, _)| *open == rule).collect()
    }
}

#[tokio::test]
async fn nothing_is_wrong_with_a_platform_on_which_nothing_happened() {
    let world = World::new().await;
    assert_eq!(world.look_for(2).await, [""; 0]);
    world.close().await;
}

#[tokio::test]
async fn apps_that_crash_or_fail_their_health_checks_are_found() {
    let world = World::new().await;
    for (kind, rule) in [("crash", AlertRule::AppCrashes), ("health", AlertRule::AppUnhealthy)] {
        let key = rule.info().settings[0];
        world.happens(kind, 2).await;
        world.happens("scale", 5).await;
        assert_eq!(world.look_for(1).await, [""; 0]);
        world.happens(kind, 1).await;
        assert_eq!(world.look_for(1).await, [format!("fired {rule} shop")]);
        let alert = &world.alerts().await[0];
        assert_eq!((alert.value, alert.threshold, alert.organization_id), (Some(3.0), Some(3.0), Some(world.acme.id)));
        assert!(!alert.message.contains("script"), "{}", alert.message);
        // Over once all of that is long ago.
        assert_eq!(world.look_for(13).await, [""; 0]);
        assert_eq!(world.look_for(5).await, [format!("resolved {rule} shop")]);
        // What hovers below the threshold does not end it.
        world.set(key, "20").await;
        world.happens(kind, 1).await;
        world.advance(TimeDelta::minutes(10));
        world.happens(kind, 19).await;
        assert_eq!(news(&world.look().await), [format!("fired {rule} shop")]);
        assert_eq!(world.look_for(12).await, [""; 0]);
        assert_eq!(world.switched_off(rule).await, []);
        world.happens(kind, 50).await;
        assert_eq!(world.look_for(5).await, [""; 0]);
        world.advance(TimeDelta::hours(1));
    }
    world.close().await;
}

#[tokio::test]
async fn apps_that_were_given_up_are_found() {
    let world = World::new().await;
    let given_up = async |process: &str| {
        sqlx::query(
            "INSERT INTO paas_given_up (application_id, process_type, given_up_at, reason) VALUES ($1, $2, $3, 'x')",
        )
        .bind(world.app.id)
        .bind(process)
        .bind(world.now())
        .execute(world.pool())
        .await
        .expect("is written down");
    };
    world.set("alerts.app_given_up", "2").await;
    given_up("web").await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    given_up("worker").await;
    assert_eq!(world.look_for(1).await, ["fired app_given_up shop"]);
    // Each is asked to run once more.
    world.run("UPDATE paas_given_up SET again = true").await;
    assert_eq!(world.look_for(3).await, ["resolved app_given_up shop"]);
    world.run("UPDATE paas_given_up SET again = false").await;
    assert_eq!(world.look_for(1).await, ["fired app_given_up shop"]);
    assert_eq!(world.switched_off(AlertRule::AppGivenUp).await, []);
    world.close().await;
}

#[tokio::test]
async fn builds_and_rollouts_that_take_long_are_found() {
    let world = World::new().await;
    for (stage, rule, limit) in [("build", AlertRule::BuildTime, 900.0), ("deploy", AlertRule::RolloutTime, 180.0)] {
        world.staged(stage, limit * 2.0).await;
        world.staged(stage, limit * 2.0).await;
        assert_eq!(world.look_for(1).await, [""; 0], "two say nothing");
        world.staged(stage, 1.0).await;
        assert_eq!(world.look_for(1).await, [format!("fired {rule} platform")]);
        // A mean of 95 of 100, and then one of half.
        for _ in 0..2 {
            world.staged(stage, (limit * 0.75 - 1.0) / 2.0).await;
        }
        assert_eq!(world.look_for(5).await, [""; 0]);
        for _ in 0..4 {
            world.staged(stage, 1.0).await;
        }
        assert_eq!(world.look_for(3).await, [format!("resolved {rule} platform")]);
        for _ in 0..9 {
            world.staged(stage, limit * 3.0).await;
        }
        assert_eq!(world.look_for(1).await, [format!("fired {rule} platform")]);
        assert_eq!(world.switched_off(rule).await, []);
        world.advance(TimeDelta::hours(2));
    }
    world.close().await;
}

#[tokio::test]
async fn certificates_that_end_or_lack_are_found() {
    let world = World::new().await;
    let days = |days| Some(world.now() + TimeDelta::days(days));
    world.certificate("www.example.com", "active", days(15)).await;
    world.certificate("new.example.com", "pending", None).await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    world.advance(TimeDelta::days(2));
    assert_eq!(news(&world.look().await), ["fired certificate_failing www.example.com"]);
    world.advance(TimeDelta::days(11));
    assert_eq!(news(&world.look().await), ["worse certificate_failing www.example.com"]);
    assert_eq!(world.alerts().await[0].organization_id, Some(world.acme.id));
    world.certificate("new.example.com", "failed", None).await;
    assert_eq!(news(&world.look().await), ["fired certificate_failing new.example.com"]);
    world.certificate("www.example.com", "active", Some(world.now() + TimeDelta::days(80))).await;
    assert_eq!(world.look_for(2).await, [""; 0]);
    assert_eq!(world.look_for(1).await, ["resolved certificate_failing www.example.com"]);
    assert_eq!(world.switched_off(AlertRule::CertificateFailing).await, []);
    world.close().await;
}

#[tokio::test]
async fn jobs_that_wait_are_found() {
    let world = World::new().await;
    let waits = async |seconds: f64| {
        sqlx::query("UPDATE skypanel_jobs._private_jobs SET run_at = now() - make_interval(secs => $1)")
            .bind(seconds)
            .execute(world.pool())
            .await
            .expect("waits");
    };
    world.run("DELETE FROM skypanel_jobs._private_jobs").await;
    world.actions.jobs.add(CheckAlerts {}).await.expect("queues");
    waits(1_500.0).await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    waits(1_900.0).await;
    assert_eq!(world.look_for(1).await, ["fired jobs_age platform"]);
    waits(1_700.0).await;
    assert_eq!(world.look_for(5).await, [""; 0]);
    waits(60.0).await;
    assert_eq!(world.look_for(3).await, ["resolved jobs_age platform"]);
    waits(1_900.0).await;
    assert_eq!(world.look_for(1).await, ["fired jobs_age platform"]);
    assert_eq!(world.switched_off(AlertRule::JobsAge).await, []);

    world.set("alerts.jobs_waiting", "2").await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    world.actions.jobs.add(skypanel_core::jobs::SettleUsage {}).await.expect("queues");
    waits(1.0).await;
    assert_eq!(world.look_for(1).await, ["fired jobs_depth platform"]);
    world.run("DELETE FROM skypanel_jobs._private_jobs").await;
    assert_eq!(world.look_for(3).await, ["resolved jobs_depth platform"]);
    assert_eq!(world.switched_off(AlertRule::JobsDepth).await, []);
    world.close().await;
}

#[tokio::test]
async fn wallets_that_get_low_or_are_empty_are_found() {
    let world = World::new().await;
    world.runs_for_money().await;
    world.holds("75").await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    world.holds("70").await;
    assert_eq!(world.look_for(1).await, ["fired low_balance acme"]);
    world.holds("75").await;
    assert_eq!(world.look_for(5).await, [""; 0]);
    world.holds("20").await;
    assert_eq!(world.look_for(1).await, ["worse low_balance acme"]);
    world.holds("100").await;
    assert_eq!(world.look_for(3).await, ["resolved low_balance acme"]);

    world.holds("0").await;
    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.look_for(1).await, ["fired wallet_empty acme"]);
    world.holds("50").await;
    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.look_for(3).await, ["fired low_balance acme", "resolved wallet_empty acme"]);
    assert_eq!(world.switched_off(AlertRule::LowBalance).await, []);
    world.set("alerts.held_apps", "0").await;
    world.holds("0").await;
    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.look_for(3).await, [""; 0]);
    world.close().await;
}

#[tokio::test]
async fn owners_choose_when_their_wallet_is_low() {
    let world = World::new().await;
    world.runs_for_money().await;
    world.holds("90").await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    world.warned_below(Some(100)).await;
    assert_eq!(world.look_for(1).await, ["fired low_balance acme"]);
    let alert = &world.alerts().await[0];
    assert_eq!((alert.threshold, alert.value), (Some(100.0), Some(90.0)));
    // The settlement tells of it at the same hours.
    world.advance(TimeDelta::hours(1));
    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.told_of_low_balance().await, ["100 hours"]);
    world.warned_below(Some(48)).await;
    world.holds("60").await;
    assert_eq!(world.look_for(3).await, ["resolved low_balance acme"]);
    // Nobody chooses away the last warning.
    world.warned_below(Some(0)).await;
    world.holds("30").await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    world.holds("20").await;
    assert_eq!(world.look_for(1).await, ["fired low_balance acme"]);
    assert_eq!((world.alerts().await[0].severity, world.alerts().await[0].threshold), (Severity::Critical, Some(24.0)));
    world.holds("60").await;
    assert_eq!(world.look_for(3).await, ["resolved low_balance acme"]);
    world.warned_below(None).await;
    assert_eq!(world.look_for(1).await, ["fired low_balance acme"]);
    // Where the platform warns nobody, what they choose is nothing to go by.
    world.warned_below(Some(100)).await;
    assert_eq!(world.switched_off(AlertRule::LowBalance).await, []);
    world.advance(TimeDelta::hours(1));
    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.told_of_low_balance().await, ["100 hours"]);
    world.close().await;
}

#[tokio::test]
async fn budgets_that_are_nearly_or_wholly_used_up_are_found() {
    let world = World::new().await;
    world.runs_for_money().await;
    let hours_of_money = async |hours: i64| {
        for _ in 0..hours {
            world.advance(TimeDelta::hours(1));
            world.store().settle_usage().await.expect("settles");
        }
    };
    hours_of_money(8).await;
    let charged = world.charged().await;
    assert!(charged >= Money::from_millionths(7_000_000), "{charged}");
    assert_eq!(world.look_for(1).await, [""; 0], "nobody set a budget");
    // A millionth below 80 % of it, and just that.
    let budget = Money::from_millionths(i64::try_from(charged.millionths() * 5 / 4).expect("is small"));
    world.budget(Some(budget + Money::from_millionths(2))).await;
    assert_eq!(world.look_for(1).await, [""; 0]);
    world.budget(Some(budget)).await;
    assert_eq!(world.look_for(1).await, ["fired month_budget acme"]);
    let alert = &world.alerts().await[0];
    assert_eq!((alert.severity, alert.threshold), (Severity::Warning, Some(80.0)));
    assert_eq!(alert.organization_id, Some(world.acme.id));
    assert!(alert.message.contains(&budget.to_string()) && alert.message.contains("80 %"), "{}", alert.message);
    world.budget(Some(charged)).await;
    assert_eq!(world.look_for(1).await, ["worse month_budget acme"]);
    assert_eq!(world.alerts().await[0].threshold, Some(100.0));
    // A budget that leaves more ends it, and so does none.
    world.budget(Some(budget + Money::from_millionths(2))).await;
    assert_eq!(world.look_for(3).await, ["resolved month_budget acme"]);
    world.budget(Some(budget)).await;
    assert_eq!(world.look_for(1).await, ["fired month_budget acme"]);
    world.budget(None).await;
    assert_eq!(world.look_for(3).await, ["resolved month_budget acme"]);
    world.budget(Some(budget)).await;
    assert_eq!(world.look_for(1).await, ["fired month_budget acme"]);
    world.set("alerts.budget_percent", "100").await;
    assert_eq!(world.look_for(3).await, ["resolved month_budget acme"]);
    world.set("alerts.budget_percent", "80").await;
    assert_eq!(world.look_for(1).await, ["fired month_budget acme"]);
    // The new month begins with nothing charged; what is settled late belongs to the old one.
    let month = Month::of(world.now());
    world.advance(month.end() - world.now());
    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.look_for(3).await, ["resolved month_budget acme"]);
    hours_of_money(12).await;
    assert_eq!(world.look_for(1).await, ["fired month_budget acme"]);
    assert_eq!(world.switched_off(AlertRule::MonthBudget).await, []);
    world.close().await;
}

#[tokio::test]
async fn late_settlements_and_wrong_charges_are_found() {
    let world = World::new().await;
    world.runs_for_money().await;
    // The hour ends at 13:00.
    world.advance(TimeDelta::minutes(88));
    assert_eq!(world.look_for(1).await, [""; 0]);
    assert_eq!(world.look_for(1).await, ["fired settlement_late platform"]);
    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.look_for(3).await, ["resolved settlement_late platform"]);
    world.advance(TimeDelta::hours(2));
    assert_eq!(news(&world.look().await), ["fired settlement_late platform"]);
    assert_eq!(world.switched_off(AlertRule::SettlementLate).await, []);

    world.store().settle_usage().await.expect("settles");
    assert_eq!(world.look_for(1).await, [""; 0]);
    world.miscounts(1).await;
    assert_eq!(world.look_for(1).await, ["fired billing_mismatch acme"]);
    assert_eq!(world.alerts().await[0].organization_id, None, "it is for admins");
    world.miscounts(-1).await;
    assert_eq!(world.look_for(3).await, ["resolved billing_mismatch acme"]);
    world.miscounts(-1).await;
    assert_eq!(world.look_for(1).await, ["fired billing_mismatch acme"]);
    assert_eq!(world.switched_off(AlertRule::BillingMismatch).await, []);
    world.close().await;
}
