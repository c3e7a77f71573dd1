//! `skypanel admin app:plan`: shows an app's plan, or puts it on another and rolls its processes with the new limits.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use skypanel_core::actions::{Actions, Actor, Begun};
use skypanel_core::model::{AppRef, AppSlug, Application, Plan, StreamId};
use skypanel_core::store::Store;
use skypanel_core::stream::{StreamItem, Streams};
use skypanel_core::{Error, Result};
use skypanel_receiver::answers;

use super::Reader;

/// Longest nothing may be heard of the change; a build of the app that is under way goes first.
const SILENCE_LIMIT: Duration = Duration::from_mins(15);

/// Lists the plans, that of `app` marked.
pub(super) async fn list(store: &Store, app: &AppSlug, reader: Reader) -> Result<()> {
    let app = find(store, app).await?;
    let plans = store.plans().await?;
    let (items, lines): (Vec<Value>, Vec<String>) =
        plans.iter().map(|plan| shown(plan, plan.id == app.plan_id)).unzip();
    reader.tell(&json!({ "items": items, "next_cursor": null }), lines.join("\n"));
    Ok(())
}

fn shown(plan: &Plan, is_current: bool) -> (Value, String) {
    let mut json = answers::plan(plan);
    json["is_current"] = json!(is_current);
    let mark = if is_current { '*' } else { ' ' };
    let Plan { name, cpu_cores, ram_mb, max_replicas, .. } = plan;
    (json, format!("{mark} {name:12} {cpu_cores} cores, {ram_mb} MB, {max_replicas} replica(s) of a process type"))
}

/// An app to be put on a plan.
pub(super) struct Change<'a> {
    pub(super) app: &'a AppSlug,
    pub(super) plan: &'a str,
    /// Whether a worker is there to be waited for.
    pub(super) is_served: bool,
}

impl Change<'_> {
    /// Makes the change, and waits for what comes of it.
    pub(super) async fn make(&self, actions: &Actions, operator: &Actor, reader: Reader) -> Result<()> {
        let app = find(&actions.store, self.app).await?;
        let plans = actions.store.plans().await?;
        let Some(plan) = plans.iter().find(|known| known.name == self.plan) else {
            let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
            let text = format!("There is no plan {:?}. Plans are: {}.", self.plan, names.join(", "));
            return Err(Error::NotFound(text));
        };
        if plan.id == app.plan_id {
            let text = format!("{} is on the plan {} already.", app.slug, plan.name);
            reader.tell(&answers::begun(&Begun { app, job: None }), text);
            return Ok(());
        }
        let moved = actions.move_to_plan(operator, &AppRef::Id(app.id), &plan.name, false).await?;
        let json = answers::priced(&moved, false);
        let begun = format!("-----> Putting {} on the plan {}", app.slug, plan.name);
        let Some(stream) = moved.begun.job else {
            reader.tell(&json, format_args!("{begun}\n       Nothing of it runs. It takes effect when it is started."));
            return Ok(());
        };
        if !self.is_served {
            reader.tell(
                &json,
                format_args!("{begun}\n       Skypanel does not run here. It takes effect when it is started."),
            );
            return Ok(());
        }
        reader.tell(&json, begun);
        if follow(&actions.streams, stream, reader).await? {
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
}

async fn find(store: &Store, slug: &AppSlug) -> Result<Application> {
    store.app_by_slug(slug).await?.ok_or_else(|| Error::NotFound(format!("There is no app \"{slug}\".")))
}

/// Shows a stream to its end; answers whether what it tells about succeeded.
async fn follow(streams: &Streams, stream: StreamId, reader: Reader) -> Result<bool> {
    let mut follower = streams.follow(stream, 0);
    let mut characters = answers::Characters::default();
    loop {
        let item = tokio::time::timeout(SILENCE_LIMIT, follower.next()).await.map_err(|_| {
            Error::System(
                "Nothing was heard for 15 minutes. The change is queued and goes on by itself once a worker takes it."
                    .to_owned(),
            )
        })?;
        match item? {
            Some(StreamItem::Chunk(_, bytes)) => {
                let bytes = match reader {
                    Reader::Person => bytes,
                    Reader::Program => format!("{}\n", json!({ "output": characters.complete(&bytes) })).into(),
                };
                let mut output = std::io::stdout().lock();
                // Whoever watched may have gone; the work goes on all the same.
                let _ = output.write_all(&bytes).and_then(|()| output.flush());
            }
            Some(StreamItem::End { succeeded }) => {
                if matches!(reader, Reader::Program) {
                    println!("{}", json!({ "succeeded": succeeded }));
                }
                return Ok(succeeded);
            }
            None => return Ok(false),
        }
    }
}
