//! `logs` over SSH: which lines, how they look, and that none of them is taken for what it is not.

use serde_json::json;
use skypanel_core::logs::LogSource;

use crate::commands::{released, written};
use crate::world::{Said, World};

#[tokio::test]
async fn logs_are_shown_with_nothing_a_terminal_would_obey() {
    let world = World::new().await;
    released(&world, "shop").await;
    let said = world.ssh("logs -a shop").await.ok();
    assert_eq!(
        said.stdout,
        "2026-11-22T05:00:00.123456+00:00 web.1: \x1b[32mgreen\x1b[0m\n\
         2026-11-22T05:00:00.123456+00:00 web.1: evil text\n\
         2026-11-22T05:00:00.123456+00:00 web.1: last\n"
    );
    assert_eq!(world.ssh("logs -a shop -n 1").await.ok().stdout.lines().count(), 1);
    world.ssh("logs -a shop -n many").await.failed().says(&["Invalid value 'many'"]);
    // With a terminal Ctrl-C ends it, with the status shells give that.
    let said: Said = world.ssh_with_terminal("logs -a shop -t", &[b"\x03"]).await;
    assert_eq!(said.status, Some(130), "{said:?}");
    assert!(said.stdout.contains("web.1:\x1b[0m last\x1b[0m\r\n"), "{said:?}");
    world.close().await;
}

#[tokio::test]
async fn lines_are_chosen_by_all_that_is_asked() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    let lines = vec![
        written(0, LogSource::App, "web.1", "listening"),
        written(60, LogSource::Router, "router", "GET / 200"),
        written(120, LogSource::App, "worker.1", "an error"),
        written(180, LogSource::System, "system", "Restarted web.1"),
    ];
    world.logs.append(world.app("shop").await.id, lines).await.expect("appends");
    for (options, expected) in [
        ("", &["listening", "GET / 200", "an error", "Restarted web.1"][..]),
        ("-n 2", &["an error", "Restarted web.1"]),
        ("-n 0", &[]),
        ("-s router,system", &["GET / 200", "Restarted web.1"]),
        ("--source app --ps web", &["listening"]),
        ("-p worker.1", &["an error"]),
        ("--level warn", &["an error"]),
        ("-g 'get /'", &["GET / 200"]),
        ("--regex '^R.*1$'", &["Restarted web.1"]),
        ("--since 2026-11-22T05:01:00Z --until 2026-11-22T05:03:00Z", &["GET / 200", "an error"]),
    ] {
        let said = world.ssh(&format!("logs -a shop {options}")).await.ok();
        let texts: Vec<&str> = said.stdout.lines().filter_map(|line| Some(line.split_once(": ")?.1)).collect();
        assert_eq!(texts, expected, "{options}");
    }
    let documents = world.ssh("logs -a shop -n 1 --json").await.ok().documents();
    assert_eq!(
        documents[0],
        json!({
            "at": "2026-11-22T05:03:00.123456Z", "source": "system", "process": "system", "level": null,
            "text": "Restarted web.1", "continues": false, "cursor": documents[0]["cursor"],
        })
    );
    world.ssh("logs -a shop --since soon").await.failed().says(&["since: Give a time such as"]);
    world.ssh("logs -a shop --regex '('").await.failed().says(&["no regular expression"]);
    world.ssh("logs -a shop -s disk").await.failed().says(&["disk"]);
    world.ssh("logs -a shop -g a --regex b").await.failed();
    world.close().await;
}

#[tokio::test]
async fn a_forged_line_is_seen_to_be_one() {
    let world = World::new().await;
    world.ssh("apps:create shop").await.ok();
    let forged = "2026-11-22T05:00:00.123456+00:00 system: Your card was declined: visit evil.example";
    let lines = vec![
        written(0, LogSource::App, "web.1", &format!("x\n{forged}")),
        written(0, LogSource::App, "web.1", &format!("x\r{forged}")),
        written(0, LogSource::App, "web.1", &format!("\x1b[1G\x1b[2K{forged}")),
        written(0, LogSource::App, "web.1", &format!("{}{forged}", "x".repeat(40))),
        written(0, LogSource::App, "web.1", &format!("\u{2028}\u{85}\u{b}\u{c}{forged}")),
    ];
    world.logs.append(world.app("shop").await.id, lines).await.expect("appends");
    for said in [world.ssh("logs -a shop").await.ok(), world.ssh_with_terminal("logs -a shop", &[]).await.ok()] {
        let rows: Vec<&str> = said.stdout.split(['\n', '\r', '\u{2028}', '\u{85}', '\u{b}', '\u{c}']).collect();
        for row in rows {
            let plain = row.replace("\x1b[1m", "").replace("\x1b[36m", "");
            assert!(!plain.starts_with("2026-11-22T05:00:00.123456+00:00 system"), "{said:?}");
        }
        assert!(!said.stdout.contains("\x1b[1G") && !said.stdout.contains("\x1b[2K"), "{said:?}");
    }
    world.close().await;
}

#[tokio::test]
async fn while_the_store_is_away_the_engines_lines_are_shown_with_a_word_about_it() {
    let world = World::without_logs().await;
    released(&world, "shop").await;
    let said = world.ssh("logs -a shop").await.ok();
    assert_eq!(said.stdout.lines().count(), 3, "{said:?}");
    assert!(
        said.stderr.contains(" !     No logs are kept here.") && said.stderr.contains("container engine"),
        "{said:?}"
    );
    let said = world.ssh("logs -a shop --json").await.ok();
    assert_eq!(said.documents()[2]["text"], "last");
    assert!(said.stderr.contains(r#"{"notice":"No logs are kept here."#), "{said:?}");
    world.close().await;
}
