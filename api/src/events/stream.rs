//! `GET /api/paas/events/stream`.

use std::collections::HashSet;
use std::convert::Infallible;

use axum::response::sse::{Event, Sse};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use skypanel_core::Error;
use skypanel_core::actions::Actor;
use skypanel_core::model::{OrganizationId, UserId};
use skypanel_core::stream::{Change, Changed, Changes};

use crate::error::ApiError;
use crate::http::watch::Follower;
use crate::jobs::live::{LiveEvents, events};

/// Follow what changes
///
/// Server-sent events: `change` with `{"of", "organization_id", "app_id", "app"}` whenever something changes that the
/// caller may see, and `unknown` with `{}` at the beginning and after a change may have been missed: then everything that
/// is shown has to be read again. `of` says whose it is: an `organization`'s, whose id is told, and its app's where it is
/// one's; the `user`'s own, such as a key or a session; of the platform as `everybody` sees it, such as a plan; or as its
/// `admins` do, who alone hear of that. All that does not apply is null. What changed is not told: it is read where it is
/// shown. What is only used, counted or measured is no change. The stream ends when the caller's memberships change, and
/// is then to be opened again.
#[utoipa::path(
    get,
    path = "/api/paas/events/stream",
    tag = "apps",
    responses((status = OK, body = crate::http::schema::LiveEvent, content_type = "text/event-stream"))
)]
pub(crate) async fn stream_changes(follower: Follower) -> Result<Sse<LiveEvents>, ApiError> {
    let view = View::of(follower.actor());
    // Listened to before the first event is told, so that nothing falls between.
    let changes = follower.actions().streams.changes();
    let first = stream::once(std::future::ready(Ok(told(&Change::Unknown))));
    let later = stream::unfold((changes, view.clone()), next);
    events(follower, first.chain(later).boxed(), move |_, actor| {
        let same = View::of(&actor) == view;
        async move { if same { Ok(()) } else { Err(Error::Forbidden("The caller's memberships changed.".to_owned())) } }
    })
}

/// Whose changes somebody may see.
#[derive(Clone, PartialEq, Eq)]
struct View {
    everything: bool,
    user: Option<UserId>,
    organizations: HashSet<OrganizationId>,
}

impl View {
    fn of(actor: &Actor) -> Self {
        let memberships = actor.identity.iter().flat_map(|identity| &identity.memberships);
        Self {
            everything: actor.is_admin(),
            user: actor.user_id(),
            organizations: memberships.map(|(organization, _)| organization.id).collect(),
        }
    }

    fn has(&self, change: &Change) -> bool {
        match change {
            Change::Of(Changed { organization, .. }) => self.everything || self.organizations.contains(organization),
            Change::User(user) => self.user == Some(*user),
            Change::Admins => self.everything,
            Change::Everybody | Change::Unknown => true,
        }
    }
}

async fn next((mut changes, view): (Changes, View)) -> Option<(Result<Event, Infallible>, (Changes, View))> {
    loop {
        let change = changes.next().await?;
        if view.has(&change) {
            return Some((Ok(told(&change)), (changes, view)));
        }
    }
}

fn told(change: &Change) -> Event {
    let (of, organization, app) = match change {
        Change::Of(Changed { organization, app }) => ("organization", Some(organization.0), app.as_ref()),
        Change::User(_) => ("user", None, None),
        Change::Admins => ("admins", None, None),
        Change::Everybody => ("everybody", None, None),
        Change::Unknown => return Event::default().event("unknown").data("{}"),
    };
    let (id, slug) = app.map(|(id, slug)| (id.0, slug.as_str())).unzip();
    let data = json!({ "of": of, "organization_id": organization, "app_id": id, "app": slug });
    Event::default().event("change").data(data.to_string())
}
