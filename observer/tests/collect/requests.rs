//! Requests are lines of the app that they were for.

use std::time::Duration;

use serde_json::json;
use skypanel_core::logs::{LogLevel, LogSource};

use crate::task::Task;
use crate::world::{World, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_line_of_its_app() {
    let mut world = World::new().await;
    world.collect();
    let (shop, blog) = (world.app().await, world.app().await);
    let access = |router: &str, path: &str, status: u16| {
        format!(
            "{}\n",
            json!({
                "ClientHost": "192.0.2.7", "DownstreamContentSize": 12, "DownstreamStatus": status, "Duration": 1,
                "OriginDuration": 7_000_000, "Overhead": 1_000_000, "RequestHost": "x.localhost", "RequestMethod": "GET",
                "RequestPath": path, "RouterName": router, "level": "info", "msg": "",
            })
        )
    };
    let router = |kind: &str, slug: &str| format!("{kind}-{slug}@file");
    let written = [
        access(&router("app", shop.slug.as_str()), "/one", 200),
        "{\"level\":\"error\",\"message\":\"the edge's own trouble\"}\n".to_owned(),
        access("unknown@file", "/nobody", 404),
        access(&router("tls", blog.slug.as_str()), "/two", 503),
        access(&router("revision", shop.slug.as_str()), "/probe", 418),
        access(&router("app", shop.slug.as_str()), "/three\" status=200", 404),
    ];
    let edge = world.start_edge(&Task::Says(written.concat().into_bytes(), Vec::new())).await;
    let limit = Duration::from_secs(30);
    let of_blog = world.until(blog.id, limit, |records| !records.is_empty()).await;
    let of_shop = world.until(shop.id, limit, |records| records.len() >= 2).await;
    assert_eq!(
        texts(&of_shop),
        [
            "at=info method=GET path=\"/one\" host=x.localhost request_id=- fwd=192.0.2.7 protocol=http status=200 bytes=12 \
             connect=1ms service=7ms",
            "at=info method=GET path=\"/three\\\" status=200\" host=x.localhost request_id=- fwd=192.0.2.7 protocol=http \
             status=404 bytes=12 connect=1ms service=7ms",
        ]
    );
    assert!(of_shop.iter().all(|record| record.source == LogSource::Router && record.process == "router"));
    assert_eq!(
        of_shop.iter().map(|record| record.level).collect::<Vec<_>>(),
        [Some(LogLevel::Info), Some(LogLevel::Warn)]
    );
    assert_eq!((of_blog.len(), of_blog[0].level), (1, Some(LogLevel::Error)));
    assert!(texts(&of_blog)[0].starts_with("at=error "));
    // It is started again in place, and goes on in the same files.
    world.stop().await;
    world.engine.restart_container(&edge, None).await.expect("starts again");
    world.collect();
    world.until(shop.id, limit, |records| records.len() == 4).await;
    world.close().await;
}
