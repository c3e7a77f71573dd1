//! Live streams end with the right to see them, and nobody has all of them.

use std::time::Duration;

use axum::body::to_bytes;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;
use skypanel_core::actions::Scope;

use crate::browser::Browser;
use crate::things::deployment;
use crate::world::World;

/// Longest the end of a stream may be waited for: it is looked at every 50 ms.
const SOON: Duration = Duration::from_secs(20);

async fn ends(stream: Response) {
    assert_eq!(stream.status(), StatusCode::OK);
    let read = to_bytes(stream.into_body(), 1024 * 1024);
    tokio::time::timeout(SOON, read).await.expect("the stream ends").expect("ends well");
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_see_it() {
    let world = World::new().await;
    let app = world.app("shop").await;
    // Nothing works on the deployment, so that its stream has no end of its own.
    let id = deployment(&world, &app).await;
    let path = format!("/api/paas/jobs/{id}/log/stream");

    let token = world.token("viewer", Scope::Read).await;
    let stream = world.get(&path).token(&token).open().await;
    let tokens = world.store().api_tokens(world.users["viewer"].id, world.actions.clock.now()).await.expect("answers");
    let made = tokens.iter().find(|made| made.scope == Scope::Read).expect("is there");
    world.actions.revoke_token(&world.actor("viewer").await, made.id).await.expect("revokes");
    ends(stream).await;

    let mut browser = Browser::logged_in(&world, "viewer").await;
    let stream = browser.call(&world, Method::GET, &path).open().await;
    browser.post(&world, "/api/auth/logout-all", json!({})).await.is(204);
    ends(stream).await;

    let stream = world.get(&path).by("viewer").open().await;
    let member = format!("/api/organizations/acme/members/{}", world.users["viewer"].id);
    world.delete(&member).by("owner").send().await.is(204);
    ends(stream).await;
    world.close().await;
}

#[tokio::test]
async fn nobody_follows_so_much_that_others_cannot() {
    let world = World::of_one_process().await;
    let app = world.app("shop").await;
    let path = format!("/api/paas/jobs/{}/log/stream", deployment(&world, &app).await);
    let mut streams = Vec::new();
    loop {
        let stream = world.get(&path).by("viewer").open().await;
        if stream.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        assert_eq!(stream.status(), StatusCode::OK);
        streams.push(stream);
    }
    assert_eq!(streams.len(), 32);
    drop(world.get(&path).by("owner").open().await);
    streams.pop();
    assert_eq!(world.get(&path).by("viewer").open().await.status(), StatusCode::OK, "has a place again");
    drop(streams);
    world.close().await;
}
