//! Plans: made, changed and removed by admins; what scaling or another plan would cost.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Actions, Actor};
use crate::model::{Application, Formation, Money, Plan, PlanId, ProcessType, resolve_formation};
use crate::store::{AuditEntry, apps, audit, deployments, plans};
use crate::{Error, Result};

/// What an app costs an hour while it runs, before and after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostChange {
    /// As it is.
    pub before: Money,
    /// As it would be.
    pub after: Money,
}

impl Actions {
    /// All plans, smallest first.
    pub async fn plans(&self) -> Result<Vec<Plan>> {
        self.store.plans().await
    }

    /// Makes a plan; its id is chosen anew.
    pub async fn create_plan(&self, actor: &Actor, new: Plan) -> Result<Plan> {
        admin(actor)?;
        let plan = checked(Plan { id: PlanId::new(), ..new })?;
        let mut transaction = self.store.pool().begin().await?;
        plans::put(&mut transaction, &plan).await?;
        self.note_plan(&mut transaction, actor, "plan.create", plan.id, (Value::Null, shown(&plan))).await?;
        transaction.commit().await?;
        Ok(plan)
    }

    /// Changes a plan. Apps that are on it keep the price they chose it at; new limits hold for them from their next
    /// rollout on.
    pub async fn edit_plan(&self, actor: &Actor, plan: Plan) -> Result<Plan> {
        admin(actor)?;
        let plan = checked(plan)?;
        let mut transaction = self.store.pool().begin().await?;
        let before = plans::hold(&mut transaction, plan.id).await?;
        plans::put(&mut transaction, &plan).await?;
        self.note_plan(&mut transaction, actor, "plan.edit", plan.id, (shown(&before), shown(&plan))).await?;
        transaction.commit().await?;
        Ok(plan)
    }

    /// Removes a plan that no app is on.
    pub async fn delete_plan(&self, actor: &Actor, plan: PlanId) -> Result<()> {
        admin(actor)?;
        let mut transaction = self.store.pool().begin().await?;
        let plan = plans::hold(&mut transaction, plan).await?;
        plans::delete(&mut transaction, &plan).await?;
        self.note_plan(&mut transaction, actor, "plan.delete", plan.id, (shown(&plan), Value::Null)).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn note_plan(
        &self,
        connection: &mut PgConnection,
        actor: &Actor,
        action: &'static str,
        plan: PlanId,
        (before, after): (Value, Value),
    ) -> Result<()> {
        let target = plan.to_string();
        let entry = AuditEntry { action, organization: None, target_kind: "plan", target: &target, before, after };
        audit::record(connection, actor, self.clock.now(), entry).await
    }

    /// What scaling would cost: the app's hour before and after `change`. Changes nothing; refuses what the plan does
    /// not allow, as scaling itself would.
    pub async fn cost_of_scaling(&self, app: &Application, change: &Formation) -> Result<CostChange> {
        cost_of_scaling(&mut *self.store.pool().acquire().await?, app, change).await
    }

    /// What another plan would cost: the app's hour before and after. Changes nothing; refuses a plan the app is
    /// scaled beyond, as the change itself would.
    pub async fn cost_of_plan(&self, app: &Application, plan: &Plan) -> Result<CostChange> {
        cost_of_plan(&mut *self.store.pool().acquire().await?, app, plan).await
    }
}

/// See [`Actions::cost_of_scaling`].
pub(super) async fn cost_of_scaling(
    connection: &mut PgConnection,
    app: &Application,
    change: &Formation,
) -> Result<CostChange> {
    plans::plan(connection, app.plan_id).await?.check(change)?;
    let (processes, before) = formation_of(connection, app).await?;
    let mut after = before.clone();
    after.extend(change.iter().map(|(process, replicas)| (process.clone(), *replicas)));
    Ok(CostChange {
        before: hourly(&processes, &before, app.price_per_hour),
        after: hourly(&processes, &after, app.price_per_hour),
    })
}

/// See [`Actions::cost_of_plan`].
pub(super) async fn cost_of_plan(connection: &mut PgConnection, app: &Application, plan: &Plan) -> Result<CostChange> {
    let (processes, formation) = formation_of(connection, app).await?;
    plan.check(&formation)?;
    Ok(CostChange {
        before: hourly(&processes, &formation, app.price_per_hour),
        after: hourly(&processes, &formation, plan.price_per_hour),
    })
}

/// Process types of the app's current release and their commands; none before the first release.
pub(super) async fn process_types(
    connection: &mut PgConnection,
    app: &Application,
) -> Result<Option<BTreeMap<ProcessType, String>>> {
    let Some(current) = app.current_deployment_id else { return Ok(None) };
    deployments::process_types(connection, current).await
}

/// The process types of the app's release and what they are scaled to. Before the first release: one `web`.
async fn formation_of(
    connection: &mut PgConnection,
    app: &Application,
) -> Result<(BTreeMap<ProcessType, String>, Formation)> {
    let processes = process_types(connection, app).await?;
    let processes = processes.unwrap_or_else(|| BTreeMap::from([(ProcessType::web(), String::new())]));
    Ok((processes, apps::formation(connection, app.id).await?))
}

fn hourly(processes: &BTreeMap<ProcessType, String>, scaled: &Formation, price: Money) -> Money {
    resolve_formation(processes, scaled).values().map(|replicas| price.times(*replicas)).sum()
}

/// Refuses everyone but the platform's admins.
pub(super) fn admin(actor: &Actor) -> Result<()> {
    if actor.is_admin() {
        return Ok(());
    }
    Err(Error::Forbidden("Only an admin of the platform can do this.".to_owned()))
}

/// The plan with its name as it is kept, if all of it is in order.
fn checked(plan: Plan) -> Result<Plan> {
    let plan = Plan { name: plan.name.trim().to_owned(), ..plan };
    check(&plan)?;
    Ok(plan)
}

fn check(plan: &Plan) -> Result<()> {
    let name_is_fine = (1..=40).contains(&plan.name.chars().count())
        && plan.name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && plan.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '+'));
    let cores = plan.cpu_cores > Decimal::ZERO && plan.cpu_cores <= Decimal::from(512);
    let price = plan.price_per_hour;
    let checks = [
        (
            "name",
            name_is_fine,
            "Use up to 40 letters, digits, spaces and any of - _ . +, beginning with a letter or digit.",
        ),
        (
            "cpu_cores",
            cores && plan.cpu_cores.normalize().scale() <= 2,
            "Use 0.01 to 512 cores, with up to two decimals.",
        ),
        ("ram_mb", (16..=4_194_304).contains(&plan.ram_mb), "Use 16 to 4194304 MB."),
        ("disk_gb", (1..=1_000_000).contains(&plan.disk_gb), "Use 1 to 1000000 GB."),
        ("max_replicas", (1..=100).contains(&plan.max_replicas), "Use 1 to 100 replicas."),
        (
            "price_per_hour",
            price >= Money::ZERO
                && price < Money(Decimal::from(1_000_000))
                && price.0.normalize().scale() <= Money::DECIMALS,
            "Use 0 to 999999.999999.",
        ),
        (
            "features",
            plan.features.len() <= 50 && plan.features.iter().all(|(name, value)| is_feature(name, value)),
            "Use up to 50 features: names of up to 60 characters, with true, false, a number or a line of text.",
        ),
    ];
    let broken: Vec<crate::error::FieldError> = checks
        .into_iter()
        .filter(|(_, fine, _)| !fine)
        .map(|(field, _, rule)| crate::error::FieldError { field: field.to_owned(), problem: rule.to_owned() })
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(Error::InvalidFields(broken)) }
}

fn is_feature(name: &str, value: &Value) -> bool {
    let line = |text: &str, most| (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    line(name, 60)
        && match value {
            Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => line(text, 200),
            _ => false,
        }
}

fn shown(plan: &Plan) -> Value {
    json!({
        "name": plan.name, "cpu_cores": plan.cpu_cores, "ram_mb": plan.ram_mb, "disk_gb": plan.disk_gb,
        "max_replicas": plan.max_replicas, "price_per_hour": plan.price_per_hour, "features": plan.features,
        "position": plan.position,
    })
}
