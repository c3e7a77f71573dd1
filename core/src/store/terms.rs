//! The terms an app runs on: its plan, its price and how it is scaled. What its people ask for is in the app's own
//! rows; here is what has been rolled out and what is being rolled out. As long as these differ nobody can know which
//! of them runs, and the metering counts the dearest.

use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Store, apps, crashes, events, metering};
use crate::model::{AppId, AppStatus, Application, Formation, Money, PlanId, ProcessType};
use crate::{Result, jobs};

/// What a rollout begins with.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The app as it is asked for.
    pub app: Application,
    /// How it is scaled.
    pub scaled: Formation,
    /// What of the current release was given up, and so is not to run.
    pub given_up: Vec<ProcessType>,
}

/// What became of an app whose rollout failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// Nothing: it runs on as it is asked for, or something else was asked for meanwhile, whose job follows.
    Nothing,
    /// It is on the plan and scaled as before again.
    Terms,
    /// It did not run before, and is stopped again.
    Stopped,
}

/// One of the terms an app may be on.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Terms {
    pub(super) plan_id: PlanId,
    pub(super) plan_name: String,
    pub(super) price_per_hour: Money,
    pub(super) scaled: Json<Formation>,
}

impl Terms {
    fn is(&self, other: &Self) -> bool {
        (self.plan_id, self.price_per_hour, &self.scaled.0) == (other.plan_id, other.price_per_hour, &other.scaled.0)
    }
}

impl Store {
    /// Notes that what the app's people ask for now is about to be rolled out, and answers it. To be followed by
    /// [`Store::complete_rollout`], [`Store::complete_deployment`] or [`Store::take_back_rollout`].
    pub async fn begin_rollout(&self, app: AppId) -> Result<Rollout> {
        let mut transaction = self.pool.begin().await?;
        let locked = apps::lock(&mut transaction, app).await?;
        let scaled = apps::formation(&mut transaction, app).await?;
        sqlx::query(
            "INSERT INTO paas_app_terms (application_id, state, plan_id, price_per_hour, scaled)
             VALUES ($1, 'applying', $2, $3, $4)
             ON CONFLICT (application_id, state) DO UPDATE SET plan_id = $2, price_per_hour = $3, scaled = $4",
        )
        .bind(app)
        .bind(locked.plan_id)
        .bind(locked.price_per_hour)
        .bind(Json(&scaled))
        .execute(&mut *transaction)
        .await?;
        let given_up = crashes::given_up_types(&mut transaction, app).await?;
        metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(Rollout { app: locked, scaled, given_up })
    }

    /// Notes that what was about to be rolled out runs, and nothing else.
    pub async fn complete_rollout(&self, app: AppId) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        apps::lock(&mut transaction, app).await?;
        complete(&mut transaction, app).await?;
        crashes::succeed(&mut transaction, app, false).await?;
        metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Notes that nothing of an app runs.
    pub async fn end_rollouts(&self, app: AppId) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        let locked = apps::lock(&mut transaction, app).await?;
        // One that was started meanwhile is about to run.
        if !locked.status.should_run() {
            sqlx::query("DELETE FROM paas_app_terms WHERE application_id = $1")
                .bind(app)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Takes back what could not be rolled out, unless something else was asked for meanwhile: the app is on the plan,
    /// at the price and scaled as what runs; one of which nothing ran is stopped. Its people are told, and a job makes
    /// sure of it.
    pub async fn take_back_rollout(&self, app: AppId) -> Result<TakenBack> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let locked = apps::lock(&mut transaction, app).await?;
        let asked = asked(&mut transaction, app).await?;
        let rolled = take(&mut transaction, app, "applied").await?;
        let failed = take(&mut transaction, app, "applying").await?;
        forget_rollout(&mut transaction, app).await?;
        let has_failed_again = crashes::fail_again(&mut transaction, app).await?;
        let is_asked_for = failed.is_none_or(|failed| failed.is(&asked));
        let taken_back = match rolled {
            _ if !is_asked_for || !locked.status.should_run() => TakenBack::Nothing,
            Some(rolled) if rolled.is(&asked) => TakenBack::Nothing,
            Some(rolled) => {
                restore(&mut transaction, app, &rolled).await?;
                let message = format!(
                    "The change could not be rolled out and was taken back: the app is on the plan {}, at {} an hour, {}",
                    rolled.plan_name,
                    rolled.price_per_hour,
                    in_words(&rolled.scaled.0)
                );
                events::record(&mut transaction, app, None, "failure", &message, now).await?;
                TakenBack::Terms
            }
            // What else it has may run on.
            None if has_failed_again => TakenBack::Nothing,
            None => {
                apps::set_status(&mut transaction, app, AppStatus::Stopped, now).await?;
                events::record(&mut transaction, app, None, "failure", "Could not be started, so it is stopped", now)
                    .await?;
                TakenBack::Stopped
            }
        };
        metering::record(&mut transaction, app, now).await?;
        if taken_back != TakenBack::Nothing {
            jobs::apply_within(&mut transaction, &[app]).await?;
        }
        transaction.commit().await?;
        Ok(taken_back)
    }

    /// Forgets what was about to be rolled out with a release that failed. What its people ask for stays.
    pub async fn forget_rollout(&self, app: AppId) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        apps::lock(&mut transaction, app).await?;
        forget_rollout(&mut transaction, app).await?;
        metering::record(&mut transaction, app, self.clock.now()).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Apps of which it is not known what of two terms runs.
    pub async fn apps_in_doubt(&self) -> Result<Vec<AppId>> {
        let rows: Vec<(AppId,)> = sqlx::query_as("SELECT application_id FROM paas_app_terms WHERE state = 'applying'")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|(app,)| app).collect())
    }
}

/// What is being rolled out becomes what has been. The caller holds the app's row, and has its metering written.
pub(super) async fn complete(connection: &mut PgConnection, app: AppId) -> Result<()> {
    sqlx::query(
        "DELETE FROM paas_app_terms WHERE application_id = $1 AND state = 'applied'
         AND EXISTS (SELECT 1 FROM paas_app_terms WHERE application_id = $1 AND state = 'applying')",
    )
    .bind(app)
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE paas_app_terms SET state = 'applied' WHERE application_id = $1")
        .bind(app)
        .execute(connection)
        .await?;
    Ok(())
}

async fn forget_rollout(connection: &mut PgConnection, app: AppId) -> Result<()> {
    sqlx::query("DELETE FROM paas_app_terms WHERE application_id = $1 AND state = 'applying'")
        .bind(app)
        .execute(connection)
        .await?;
    Ok(())
}

/// All terms that an app may run on: first those asked for.
pub(super) async fn all(connection: &mut PgConnection, app: AppId) -> Result<Vec<Terms>> {
    let mut terms = vec![asked(connection, app).await?];
    terms.extend(take(connection, app, "applied").await?);
    terms.extend(take(connection, app, "applying").await?);
    Ok(terms)
}

/// What its people ask for.
async fn asked(connection: &mut PgConnection, app: AppId) -> Result<Terms> {
    let scaled = apps::formation(connection, app).await?;
    Ok(sqlx::query_as(
        "SELECT plan.id AS plan_id, plan.name AS plan_name, app.price_per_hour, $2::jsonb AS scaled
         FROM paas_applications AS app JOIN paas_plans AS plan ON plan.id = app.plan_id WHERE app.id = $1",
    )
    .bind(app)
    .bind(Json(&scaled))
    .fetch_one(connection)
    .await?)
}

async fn take(connection: &mut PgConnection, app: AppId, state: &str) -> Result<Option<Terms>> {
    Ok(sqlx::query_as(
        "SELECT plan.id AS plan_id, plan.name AS plan_name, terms.price_per_hour, terms.scaled
         FROM paas_app_terms AS terms JOIN paas_plans AS plan ON plan.id = terms.plan_id
         WHERE application_id = $1 AND state = $2",
    )
    .bind(app)
    .bind(state)
    .fetch_optional(connection)
    .await?)
}

async fn restore(connection: &mut PgConnection, app: AppId, terms: &Terms) -> Result<()> {
    let web = terms.scaled.0.iter().find(|(process, _)| process.is_routed()).map_or(1, |(_, replicas)| *replicas);
    // In two steps: another plan brings its own price of now.
    sqlx::query("UPDATE paas_applications SET plan_id = $2, replicas = $3 WHERE id = $1")
        .bind(app)
        .bind(terms.plan_id)
        .bind(i32::try_from(web).unwrap_or(i32::MAX))
        .execute(&mut *connection)
        .await?;
    sqlx::query("UPDATE paas_applications SET price_per_hour = $2 WHERE id = $1")
        .bind(app)
        .bind(terms.price_per_hour)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM paas_process_formation WHERE application_id = $1")
        .bind(app)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO paas_process_formation (application_id, process_type, replicas)
         SELECT $1, key, value::integer FROM jsonb_each_text($2::jsonb)",
    )
    .bind(app)
    .bind(&terms.scaled)
    .execute(connection)
    .await?;
    Ok(())
}

/// `scaled to web=1 worker=0`.
fn in_words(scaled: &Formation) -> String {
    if scaled.is_empty() {
        return "and not scaled".to_owned();
    }
    let pairs: Vec<String> = scaled.iter().map(|(process, replicas)| format!("{process}={replicas}")).collect();
    format!("scaled to {}", pairs.join(" "))
}
