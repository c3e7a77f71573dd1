//! Plans as admins see them: made, changed, removed.

use std::collections::{BTreeMap, HashMap};

use clap::Args;
use serde_json::json;
use skypanel_core::Error;
use skypanel_core::model::{Money, Plan, PlanId};

use crate::commands::context::{Context, Failure};
use crate::commands::plans::{HEADINGS, item, row};
use crate::commands::table::plain;

/// Arguments of `admin:plans:create`.
#[derive(Args, Debug)]
pub(crate) struct CreateArguments {
    /// Its name
    name: String,
    /// Cores of a replica, such as 0.5
    #[arg(long)]
    cores: String,
    /// Memory of a replica, in MB
    #[arg(long, value_name = "MB")]
    memory: u32,
    /// Disk of a replica, in GB; told, not enforced
    #[arg(long, value_name = "GB")]
    disk: u32,
    /// Most replicas of one process type
    #[arg(long)]
    replicas: u32,
    /// Price of a replica for an hour
    #[arg(long)]
    price: Money,
    /// Its place in lists; the first is what new apps get
    #[arg(long, default_value_t = 100, allow_negative_numbers = true)]
    position: i32,
}

/// Arguments of `admin:plans:edit`. What is not given stays as it is.
#[derive(Args, Debug)]
pub(crate) struct EditArguments {
    /// The plan's name
    name: String,
    /// Another name
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    /// Cores of a replica, such as 0.5
    #[arg(long)]
    cores: Option<String>,
    /// Memory of a replica, in MB
    #[arg(long, value_name = "MB")]
    memory: Option<u32>,
    /// Disk of a replica, in GB; told, not enforced
    #[arg(long, value_name = "GB")]
    disk: Option<u32>,
    /// Most replicas of one process type
    #[arg(long)]
    replicas: Option<u32>,
    /// Price of a replica for an hour, for apps that choose the plan from now on
    #[arg(long)]
    price: Option<Money>,
    /// Its place in lists; the first is what new apps get
    #[arg(long, allow_negative_numbers = true)]
    position: Option<i32>,
}

/// Arguments of `admin:plans:remove`.
#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    /// The plan's name
    name: String,
}

pub(super) async fn list(context: &Context) -> Result<u32, Failure> {
    let apps: HashMap<_, _> = context.actions().store.apps_by_plan().await?.into_iter().collect();
    let plans = context.actions().plans().await?;
    let headings: Vec<&str> = HEADINGS.iter().copied().chain(["APPS"]).collect();
    let rows = plans.iter().map(|plan| {
        let count = apps.get(&plan.id).copied().unwrap_or(0);
        let (mut json, mut row) = (item(plan), row(plan));
        json["apps"] = json!(count);
        row.push(count.to_string());
        (json, row)
    });
    context.list(&headings, "There are no plans.", rows).await
}

pub(super) async fn create(context: &Context, arguments: &CreateArguments) -> Result<u32, Failure> {
    let new = Plan {
        id: PlanId::new(),
        name: arguments.name.clone(),
        cpu_cores: arguments.cores.parse().map_err(|_| no_cores())?,
        ram_mb: arguments.memory,
        disk_gb: arguments.disk,
        max_replicas: arguments.replicas,
        price_per_hour: arguments.price,
        features: BTreeMap::new(),
        position: arguments.position,
    };
    let plan = context.actions().create_plan(context.actor(), new).await?;
    context.tell(item(&plan), format!("-----> Created the plan {}", plain(&plan.name))).await
}

pub(super) async fn edit(context: &Context, arguments: &EditArguments) -> Result<u32, Failure> {
    let plan = named(context, &arguments.name).await?;
    let cores = arguments.cores.as_deref().map(str::parse).transpose().map_err(|_| no_cores())?;
    let plan = Plan {
        id: plan.id,
        name: arguments.rename.clone().unwrap_or(plan.name),
        cpu_cores: cores.unwrap_or(plan.cpu_cores),
        ram_mb: arguments.memory.unwrap_or(plan.ram_mb),
        disk_gb: arguments.disk.unwrap_or(plan.disk_gb),
        max_replicas: arguments.replicas.unwrap_or(plan.max_replicas),
        price_per_hour: arguments.price.unwrap_or(plan.price_per_hour),
        features: plan.features,
        position: arguments.position.unwrap_or(plan.position),
    };
    let plan = context.actions().edit_plan(context.actor(), plan).await?;
    context.tell(item(&plan), format!("-----> Changed the plan {}", plain(&plan.name))).await
}

pub(super) async fn remove(context: &Context, arguments: &RemoveArguments) -> Result<u32, Failure> {
    let plan = named(context, &arguments.name).await?;
    context.actions().delete_plan(context.actor(), plan.id).await?;
    context.done(format!("-----> Removed the plan {}", plain(&plan.name))).await
}

async fn named(context: &Context, name: &str) -> Result<Plan, Failure> {
    let plans = context.actions().plans().await?;
    let found = plans.into_iter().find(|plan| plan.name == name);
    found.ok_or_else(|| Error::NotFound("There is no plan of that name.".to_owned()).into())
}

fn no_cores() -> Error {
    Error::field("cpu_cores", "Use 0.01 to 512 cores, with up to two decimals.")
}
