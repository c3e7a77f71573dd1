//! `skypanel admin app:plan`: shows an app's plan, or puts it on another and rolls its processes with the new limits.

use std::io::Write as _;
use std::time::Duration;

use skypanel_core::actions::{Actions, Actor};
use skypanel_core::model::{AppRef, AppSlug, Application, Plan, StreamId};
use skypanel_core::store::Store;
use skypanel_core::stream::{StreamItem, Streams};
use skypanel_core::{Error, Result};

/// Longest nothing may be heard of the change; a build of the app that is under way goes first.
const SILENCE_LIMIT: Duration = Duration::from_mins(15);

/// Lists the plans, that of `app` marked.
pub(super) async fn list(store: &Store, app: &AppSlug) -> Result<()> {
    let app = find(store, app).await?;
    for plan in store.plans().await? {
        let mark = if plan.id == app.plan_id { '*' } else { ' ' };
        let Plan { name, cpu_cores, ram_mb, max_replicas, .. } = plan;
        println!("{mark} {name:12} {cpu_cores} cores, {ram_mb} MB, {max_replicas} replica(s) of a process type");
    }
    Ok(())
}

/// Puts `app` on a plan. `served` says whether a worker is there to be waited for.
pub(super) async fn change(actions: &Actions, operator: &Actor, app: &AppSlug, plan: &str, served: bool) -> Result<()> {
    let app = find(&actions.store, app).await?;
    let plans = actions.store.plans().await?;
    let Some(plan) = plans.iter().find(|known| known.name == plan) else {
        let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
        return Err(Error::NotFound(format!("There is no plan {plan:?}. Plans are: {}.", names.join(", "))));
    };
    if plan.id == app.plan_id {
        println!("{} is on the plan {} already.", app.slug, plan.name);
        return Ok(());
    }
    let moved = actions.move_to_plan(operator, &AppRef::Id(app.id), &plan.name, false).await?;
    println!("-----> Putting {} on the plan {}", app.slug, plan.name);
    let Some(stream) = moved.begun.job else {
        println!("       Nothing of it runs. It takes effect when it is started.");
        return Ok(());
    };
    if !served {
        println!("       Skypanel does not run here. It takes effect when it is started.");
        return Ok(());
    }
    if follow(&actions.streams, stream).await? {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "{0} could not be put on the plan {1}. If it did not start there, it is on the plan {2} again, at its price; \
         events and logs say why. If the container engine was away, it is tried again within the hour.",
        app.slug,
        plan.name,
        plans.iter().find(|known| known.id == app.plan_id).map_or("PLAN", |before| before.name.as_str()),
    )))
}

async fn find(store: &Store, slug: &AppSlug) -> Result<Application> {
    store.app_by_slug(slug).await?.ok_or_else(|| Error::NotFound(format!("There is no app \"{slug}\".")))
}

/// Shows a stream to its end; answers whether what it tells about succeeded.
async fn follow(streams: &Streams, stream: StreamId) -> Result<bool> {
    let mut follower = streams.follow(stream, 0);
    loop {
        let item = tokio::time::timeout(SILENCE_LIMIT, follower.next()).await.map_err(|_| {
            Error::System(
                "Nothing was heard for 15 minutes. The change is queued and goes on by itself once a worker takes it."
                    .to_owned(),
            )
        })?;
        match item? {
            Some(StreamItem::Chunk(_, bytes)) => {
                let mut output = std::io::stdout().lock();
                // Whoever watched may have gone; the work goes on all the same.
                let _ = output.write_all(&bytes).and_then(|()| output.flush());
            }
            Some(StreamItem::End { succeeded }) => return Ok(succeeded),
            None => return Ok(false),
        }
    }
}
