//! Live streams end with the right to see them, and nobody has all of them.

use std::time::Duration;

use axum::body::{BodyDataStream, to_bytes};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
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

/// The next event of a stream of changes, as its name and data; heartbeats are passed over.
async fn event(stream: &mut BodyDataStream, kept: &mut String) -> (String, Value) {
    let whole = async {
        loop {
            if let Some((event, rest)) = kept.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                *kept = rest;
                let of = |field: &str| event.lines().find_map(|line| line.strip_prefix(field)).map(str::to_owned);
                if let (Some(name), Some(data)) = (of("event: "), of("data: ")) {
                    return (name, serde_json::from_str(&data).expect("is JSON"));
                }
                continue;
            }
            let piece = stream.next().await.expect("goes on").expect("is read");
            kept.push_str(std::str::from_utf8(&piece).expect("is text"));
        }
    };
    tokio::time::timeout(SOON, whole).await.expect("an event comes")
}

#[tokio::test]
async fn changes_are_told_to_those_who_may_see_them_whoever_makes_them() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let opened = world.get("/api/paas/events/stream").by("viewer").open().await;
    assert_eq!(opened.status(), StatusCode::OK);
    let (mut stream, mut kept) = (opened.into_body().into_data_stream(), String::new());
    assert_eq!(event(&mut stream, &mut kept).await, ("unknown".to_owned(), json!({})));

    let outside = world.get("/api/paas/events/stream").by("outsider").open().await;
    let (mut other, mut others) = (outside.into_body().into_data_stream(), String::new());
    assert_eq!(event(&mut other, &mut others).await.0, "unknown");

    let expected = json!({
        "organization_id": app.organization_id.0, "app_id": app.id.0, "app": "shop",
    });
    // Each through another table: a config var, an event, a deployment and its app.
    let vars = json!({ "vars": { "A": "1" } });
    world.call(Method::PATCH, "/api/paas/apps/shop/env").by("developer").json(&vars).send().await.is(200);
    assert_eq!(event(&mut stream, &mut kept).await, ("change".to_owned(), expected.clone()));
    world.store().record_event(app.id, None, "health", "web.1 is not healthy").await.expect("records");
    assert_eq!(event(&mut stream, &mut kept).await, ("change".to_owned(), expected.clone()));
    deployment(&world, &app).await;
    assert_eq!(event(&mut stream, &mut kept).await, ("change".to_owned(), expected));

    // Members of other organisations heard of none of it, only of what is theirs.
    world.post("/api/paas/apps").by("outsider").json(&json!({ "slug": "theirs" })).send().await.is(201);
    let (name, data) = event(&mut other, &mut others).await;
    assert_eq!((name.as_str(), &data["app"]), ("change", &json!("theirs")));

    // Who is not a member any more hears nothing further.
    let member = format!("/api/organizations/acme/members/{}", world.users["viewer"].id);
    world.delete(&member).by("owner").send().await.is(204);
    let rest = async { while stream.next().await.is_some() {} };
    tokio::time::timeout(SOON, rest).await.expect("ends");
    world.close().await;
}
