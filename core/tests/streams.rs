//! Live streams over a real server: whoever follows, from wherever and whenever, gets every byte and the end.

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skypanel_core::Error;
use skypanel_core::embedded_postgres::EmbeddedPostgres;
use skypanel_core::model::StreamId;
use skypanel_core::secrets::Secrets;
use skypanel_core::store::Store;
use skypanel_core::stream::{StreamFollower, StreamItem, StreamWriter, Streams};
use sqlx::PgPool;
use support::Database;

struct World {
    database: Database,
    streams: Streams,
    id: StreamId,
}

impl World {
    /// An app with an empty stream.
    async fn new() -> Self {
        let database = Database::new().await;
        let organization = database.store().ensure_organization("acme").await.expect("makes it");
        let app = database.store().create_app(&"shop".parse().expect("is a slug"), &organization).await.expect("makes");
        let streams = Streams::connect(database.pool().clone()).await.expect("listens");
        let id = StreamId::new();
        streams.create(id, app.id).await.expect("makes a stream");
        Self { database, streams, id }
    }

    async fn close(self) {
        drop(self.streams);
        self.database.close().await;
    }
}

/// Everything up to the end, the number of chunks, and whether it went well.
async fn drain(mut follower: StreamFollower) -> (Vec<u8>, usize, bool) {
    let (mut all, mut chunks) = (Vec::new(), 0);
    let read = async {
        while let Some(item) = follower.next().await.expect("reads") {
            match item {
                StreamItem::Chunk(_, data) => {
                    all.extend_from_slice(&data);
                    chunks += 1;
                }
                StreamItem::End { succeeded } => {
                    assert_eq!(follower.next().await.expect("reads"), None, "nothing follows the end");
                    return succeeded;
                }
            }
        }
        panic!("the stream ended without its end");
    };
    let succeeded = tokio::time::timeout(Duration::from_secs(60), read).await.expect("ends in time");
    (all, chunks, succeeded)
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_before_during_and_after_read_the_same() {
    let world = World::new().await;
    let early = tokio::spawn(drain(world.streams.follow(world.id, 0)));
    let writer = world.streams.writer(world.id).await.expect("opens");
    writer.step("Building").await;
    writer.detail("one\ntwo").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let during = tokio::spawn(drain(world.streams.follow(world.id, 0)));
    writer.error("It broke.").await;
    writer.close(false).await.expect("closes");
    let after = drain(world.streams.follow(world.id, 0)).await;
    let text = "-----> Building\n       one\n       two\n !     It broke.\n";
    for (all, _, succeeded) in [early.await.expect("ends"), during.await.expect("ends"), after] {
        assert_eq!((String::from_utf8(all).expect("is text").as_str(), succeeded), (text, false));
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_arrives_within_moments_also_in_another_process() {
    let world = World::new().await;
    // As another process: its own pool and its own listener.
    let options = world.database.pool().connect_options().as_ref().clone();
    let elsewhere = PgPool::connect_with(options).await.expect("connects");
    let elsewhere = Streams::connect(elsewhere).await.expect("listens");
    let mut here = world.streams.follow(world.id, 0);
    let mut there = elsewhere.follow(world.id, 0);
    let writer = world.streams.writer(world.id).await.expect("opens");
    let mut slowest = Duration::ZERO;
    for number in 0..20_i64 {
        let line = Bytes::from(format!("line {number}\n"));
        let written = Instant::now();
        writer.write(line.clone()).await;
        for follower in [&mut here, &mut there] {
            let next = tokio::time::timeout(Duration::from_secs(10), follower.next()).await.expect("comes");
            assert_eq!(next.expect("reads"), Some(StreamItem::Chunk(number, line.clone())));
        }
        slowest = slowest.max(written.elapsed());
    }
    println!("slowest line: {slowest:?}");
    // Less than the pause between two looks without an announcement: it was announced.
    assert!(slowest < Duration::from_millis(1_500), "{slowest:?}");
    writer.close(true).await.expect("closes");
    assert_eq!(here.next().await.expect("reads"), Some(StreamItem::End { succeeded: true }));
    assert_eq!(there.next().await.expect("reads"), Some(StreamItem::End { succeeded: true }));
    drop((here, there, elsewhere));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn megabytes_come_whole_and_in_order_from_several_writers() {
    let world = World::new().await;
    let writer = world.streams.writer(world.id).await.expect("opens");
    let follower = tokio::spawn(drain(world.streams.follow(world.id, 0)));
    let mut expected = Vec::new();
    let started = Instant::now();
    for number in 0..6_000_u32 {
        // Up to several chunks at once.
        let piece: Vec<u8> = (0..(number % 1_500)).map(|at| b' ' + (at.wrapping_add(number) % 95) as u8).collect();
        expected.extend_from_slice(&piece);
        let clone = writer.clone();
        clone.write(piece).await;
    }
    let large = vec![b'x'; 3_000_000];
    expected.extend_from_slice(&large);
    writer.write(large).await;
    writer.close(true).await.expect("closes");
    let (all, chunks, succeeded) = follower.await.expect("ends");
    println!("{} bytes in {chunks} chunks in {:?}", all.len(), started.elapsed());
    assert!(all == expected, "{} bytes of {}", all.len(), expected.len());
    assert!(succeeded && chunks > 64, "more than a batch: {chunks}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_terminal_obeys_only_colours_reach_followers() {
    let world = World::new().await;
    let writer = world.streams.writer(world.id).await.expect("opens");
    // Cut wherever the pieces of a build's output may be cut.
    for byte in "\x1b[32mgrün\x1b[0m\x1b[2J\x1b]52;c;aGk=\x07 10 %\r20 %\n".as_bytes() {
        writer.write(vec![*byte]).await;
    }
    writer.detail("\x1b]0;title\x1b\\one\r-----> two\r\n\x1b[31mthree").await;
    writer.error("four\x1b[1A\u{9b}1A").await;
    writer.write("\x1b]0;never ended").await;
    writer.step("five").await;
    writer.close(true).await.expect("closes");
    let (all, _, _) = drain(world.streams.follow(world.id, 0)).await;
    assert_eq!(
        String::from_utf8_lossy(&all),
        "\x1b[32mgrün\x1b[0m 10 %\r20 %\n       one\n       -----> two\n       \x1b[31mthree\n\x1b[0m !     four1A\n\
         -----> five\n"
    );
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_does_not_wait_for_clones_and_what_they_write_later_is_dropped() {
    let world = World::new().await;
    let writer = world.streams.writer(world.id).await.expect("opens");
    let held = writer.clone();
    writer.write("kept").await;
    tokio::time::timeout(Duration::from_secs(5), writer.close(true)).await.expect("does not wait").expect("closes");
    tokio::time::timeout(Duration::from_secs(5), held.write("late")).await.expect("does not hang");
    // Closing again, with another outcome, changes nothing.
    tokio::time::timeout(Duration::from_secs(5), held.close(false)).await.expect("does not hang").expect("is fine");
    let (all, _, succeeded) = drain(world.streams.follow(world.id, 0)).await;
    assert_eq!((all.as_slice(), succeeded), (b"kept".as_slice(), true));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_where_it_was_and_a_second_writer_where_the_first_was() {
    let world = World::new().await;
    let first = world.streams.writer(world.id).await.expect("opens");
    let mut follower = world.streams.follow(world.id, 0);
    for text in ["a", "b"] {
        first.write(text).await;
        assert!(matches!(follower.next().await.expect("reads"), Some(StreamItem::Chunk(_, data)) if data == text));
    }
    // The worker died: its stream is open still, and the next one goes on.
    drop(first);
    let second = world.streams.writer(world.id).await.expect("opens");
    second.write("c").await;
    assert_eq!(follower.next().await.expect("reads"), Some(StreamItem::Chunk(2, Bytes::from("c"))));
    second.close(true).await.expect("closes");
    assert_eq!(drain(world.streams.follow(world.id, 2)).await, (b"c".to_vec(), 1, true));
    assert_eq!(drain(world.streams.follow(world.id, 3)).await, (Vec::new(), 0, true));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_announced_is_found_all_the_same() {
    let world = World::new().await;
    let mut follower = world.streams.follow(world.id, 0);
    let waiting = tokio::spawn(async move { (follower.next().await, follower) });
    tokio::time::sleep(Duration::from_millis(200)).await;
    sqlx::query("INSERT INTO paas_stream_chunks (stream_id, seq, data) VALUES ($1, 0, 'quiet')")
        .bind(world.id)
        .execute(world.database.pool())
        .await
        .expect("writes");
    let found = tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("finds it").expect("ends");
    let (item, follower) = found;
    assert_eq!(item.expect("reads"), Some(StreamItem::Chunk(0, Bytes::from("quiet"))));
    drop(follower);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_of_the_listener_is_made_anew() {
    let world = World::new().await;
    sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()")
        .execute(world.database.pool())
        .await
        .expect("cuts it");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let writer = world.streams.writer(world.id).await.expect("opens");
    let mut follower = world.streams.follow(world.id, 0);
    for number in 0..5 {
        let written = Instant::now();
        writer.write("x").await;
        follower.next().await.expect("reads");
        assert!(written.elapsed() < Duration::from_millis(1_500), "line {number}: {:?}", written.elapsed());
    }
    writer.close(true).await.expect("closes");
    drop(follower);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_deleted_ends_its_followers_and_does_not_hold_its_writer() {
    let world = World::new().await;
    let writer = world.streams.writer(world.id).await.expect("opens");
    let mut follower = world.streams.follow(world.id, 0);
    sqlx::query("DELETE FROM paas_applications").execute(world.database.pool()).await.expect("deletes");
    writer.write("nobody reads this").await;
    tokio::time::timeout(Duration::from_secs(5), writer.close(true)).await.expect("does not hang").expect("is fine");
    let gone = tokio::time::timeout(Duration::from_secs(5), follower.next()).await.expect("does not hang");
    assert!(matches!(gone, Err(Error::NotFound(_))));
    drop(follower);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_end_is_cut_and_says_so() {
    let world = World::new().await;
    let writer = world.streams.writer(world.id).await.expect("opens");
    let piece = Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..40 {
        writer.write(piece.clone()).await;
    }
    writer.close(true).await.expect("closes");
    let (all, _, _) = drain(world.streams.follow(world.id, 0)).await;
    assert!(all.len() <= 33 << 20, "{}", all.len());
    assert!(all.len() >= 31 << 20, "{}", all.len());
    assert!(String::from_utf8_lossy(&all[all.len() - 80..]).contains("longer than 32 MiB"));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_costs_nothing_but_time() {
    let away = Away::new().await;
    let (writer, follower) = (away.writer().await, tokio::spawn(drain(away.streams.follow(away.id, 0))));
    writer.write("0\n").await;
    away.server.stop().await.expect("stops");
    // More than the chunk that is being stored and the messages that may wait behind it, so that the writer has to
    // wait for the database.
    let lines: Vec<String> = (1..=500).map(|number| format!("{number:>1023}\n")).collect();
    let expected = format!("0\n{}", lines.concat());
    let writing = tokio::spawn({
        let writer = writer.clone();
        async move {
            for line in lines {
                writer.write(line).await;
            }
        }
    });
    // Longer than the few tries that once were all.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(!writing.is_finished(), "memory is bounded: the writer waits");
    let _again = EmbeddedPostgres::start(away.directory.path()).await.expect("starts again");
    writing.await.expect("goes on");
    writer.close(true).await.expect("closes");
    let (all, _, succeeded) = follower.await.expect("ends");
    assert_eq!((String::from_utf8_lossy(&all).as_ref(), succeeded), (expected.as_str(), true));
    away.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_a_database_that_is_away() {
    let away = Away::new().await;
    let writer = away.writer().await;
    away.server.stop().await.expect("stops");
    writer.write("kept").await;
    let closing = tokio::spawn(writer.close(false));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!closing.is_finished());
    let _again = EmbeddedPostgres::start(away.directory.path()).await.expect("starts again");
    closing.await.expect("ends").expect("closes");
    let (all, _, succeeded) = drain(away.streams.follow(away.id, 0)).await;
    assert_eq!((all.as_slice(), succeeded), (b"kept".as_slice(), false));
    away.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_stored_is_told_to_the_followers() {
    let world = World::new().await;
    let writer = world.streams.writer(world.id).await.expect("opens");
    writer.write("kept\n").await;
    // Nothing fits any more, as on a full disk, until the end is marked.
    sqlx::query("ALTER TABLE paas_stream_chunks ADD CONSTRAINT full_disk CHECK (seq = 0 OR length(data) > 60)")
        .execute(world.database.pool())
        .await
        .expect("alters");
    tokio::time::sleep(Duration::from_millis(300)).await;
    writer.write("lost\n").await;
    writer.close(false).await.expect("closes");
    let (all, _, succeeded) = drain(world.streams.follow(world.id, 0)).await;
    let text = "kept\n !     The database was away for too long: 5 bytes of output are missing here.\n";
    assert_eq!((String::from_utf8_lossy(&all).as_ref(), succeeded), (text, false));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_whose_stream_another_one_took_over_leaves_it_alone() {
    let world = World::new().await;
    let late = world.streams.writer(world.id).await.expect("opens");
    let current = world.streams.writer(world.id).await.expect("opens");
    let mut follower = world.streams.follow(world.id, 0);
    current.write("current\n").await;
    follower.next().await.expect("reads");
    late.write("late\n").await;
    late.close(false).await.expect("is fine");
    current.write("goes on\n").await;
    current.close(true).await.expect("closes");
    let (all, _, succeeded) = drain(world.streams.follow(world.id, 0)).await;
    assert_eq!((String::from_utf8_lossy(&all).as_ref(), succeeded), ("current\ngoes on\n", true));
    drop(follower);
    world.close().await;
}

/// A stream on a server of its own, which can go away.
struct Away {
    server: EmbeddedPostgres,
    streams: Streams,
    store: Store,
    id: StreamId,
    directory: tempfile::TempDir,
}

impl Away {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("makes a directory");
        // PostgreSQL's user must be able to pass.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).expect("opens the directory");
        let server = EmbeddedPostgres::start(directory.path()).await.expect("starts");
        let secrets = Secrets::open_or_create(&directory.path().join("master.key")).expect("makes a key");
        let store = Store::connect(&server.url(), secrets).await.expect("connects");
        let organization = store.ensure_organization("acme").await.expect("makes it");
        let app = store.create_app(&"shop".parse().expect("is a slug"), &organization).await.expect("makes");
        let streams = Streams::connect(store.pool().clone()).await.expect("listens");
        let id = StreamId::new();
        streams.create(id, app.id).await.expect("makes a stream");
        Self { server, streams, store, id, directory }
    }

    async fn writer(&self) -> StreamWriter {
        self.streams.writer(self.id).await.expect("opens")
    }

    async fn close(self) {
        drop(self.streams);
        self.store.pool().close().await;
        self.server.stop().await.expect("stops");
    }
}
