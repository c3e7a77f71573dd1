//! Logs: a flood that is followed live beside another app, how late lines come, and many followers of one app.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::copy;
use crate::follower::{Followed, Follower};
use crate::platform::{self, API_PORT};
use crate::report::rounded;
use crate::statistics::{median, percentile};
use crate::{Bench, Result, process};

/// The flood, in lines a second and seconds.
const FLOOD: (usize, usize) = (50_000, 20);
/// What another app writes beside it.
const QUIET: (usize, usize) = (20, 25);
/// The two apps.
const FLOODING: &str = "bench-flood";
const BESIDE: &str = "bench-beside";
/// Members of their organisation.
const TEAM: usize = 10;
/// A busy app.
const BUSY: (usize, usize) = (1_000, 10);
/// What many follow at the same time.
const FOLLOWED: (usize, usize) = (200, 10);
const FOLLOWERS: usize = 200;
const READY: &str = "Ready to write.";
const PUSH_LIMIT: Duration = Duration::from_mins(2);
const COMMAND_LIMIT: Duration = Duration::from_mins(1);

/// All of it, with one app that floods and one beside it.
pub(crate) fn followed(bench: &mut Bench) -> Result<()> {
    for slug in [FLOODING, BESIDE] {
        let examples = bench.examples.join("python-hello");
        let repository = bench.client.repository(slug, |path| {
            copy(&examples, path)?;
            Ok(fs::write(path.join("app.py"), include_str!("flood.py"))?)
        })?;
        let remote = platform::remote(slug);
        platform::page(slug).time(|| repository.push(&remote, "main"), READY, PUSH_LIMIT)?;
    }
    let pid = bench.platform.pid();
    let team = team(bench)?;
    let first = Follower { token: &team[0], address: Ipv4Addr::LOCALHOST };

    let all = first.follow(API_PORT, FLOODING, FLOOD.0 * FLOOD.1)?;
    let quiet = first.follow(API_PORT, BESIDE, QUIET.0 * QUIET.1)?;
    let (began, cpu) = (Instant::now(), process::cpu_seconds(pid)?);
    ask(BESIDE, QUIET)?;
    ask(FLOODING, FLOOD)?;
    let flood = joined(all)?;
    let cores = (process::cpu_seconds(pid)? - cpu) / began.elapsed().as_secs_f64();
    let seconds = began.elapsed().as_secs_f64();
    let quiet = joined(quiet)?;
    let late = percentile(&quiet.delays_ms, 100);
    println!(
        "       {} lines followed in {seconds:.1} s, {cores:.2} cores; another app's line {late:.0} ms at most",
        flood.lines
    );
    let mut value = json!({
        "lines": flood.lines,
        "seconds": rounded(seconds),
        "cores": rounded(cores),
        "delay_p99_ms": rounded(percentile(&flood.delays_ms, 99)),
        "beside_max_ms": rounded(late),
    });

    let busy = first.follow(API_PORT, BESIDE, BUSY.0 * BUSY.1)?;
    ask(BESIDE, BUSY)?;
    let busy = joined(busy)?;
    let (p50, p99) = (median(&busy.delays_ms), percentile(&busy.delays_ms, 99));
    println!("       At {} lines a second: {p50:.1} ms, p99 {p99:.1} ms", BUSY.0);
    value["busy_p50_ms"] = rounded(p50);
    value["busy_p99_ms"] = rounded(p99);

    let mut costs = Vec::new();
    for followers in [1, FOLLOWERS] {
        let following: Vec<_> = (0..followers)
            .map(|number| {
                // An account, and an address, can follow only so much at a time.
                let address = if number % 2 == 0 { Ipv4Addr::LOCALHOST } else { Ipv4Addr::new(127, 0, 0, 2) };
                let follower = Follower { token: &team[number % TEAM], address };
                follower.follow(API_PORT, BESIDE, FOLLOWED.0 * FOLLOWED.1)
            })
            .collect::<Result<_>>()?;
        let reads = process::read_bytes(pid)?;
        ask(BESIDE, FOLLOWED)?;
        for one in following {
            joined(one)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
        costs.push((process::read_bytes(pid)? - reads) as f64 / 1e6);
    }
    println!("       Read while one followed: {:.2} MB; while {FOLLOWERS} did: {:.2} MB", costs[0], costs[1]);
    value["read_by_one_mb"] = rounded(costs[0]);
    value["read_by_200_mb"] = rounded(costs[1]);
    bench.results.insert("logs_live".into(), value);
    Ok(())
}

fn joined(thread: JoinHandle<Result<Followed>>) -> Result<Followed> {
    thread.join().map_err(|_| "a follower broke down")?
}

/// Has an app begin to write.
fn ask(slug: &str, (rate, seconds): (usize, usize)) -> Result<()> {
    let page = platform::page(slug);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, page.edge_port))?;
    stream.set_read_timeout(Some(COMMAND_LIMIT))?;
    let host = page.host();
    let request = format!("GET /?rate={rate}&seconds={seconds} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.contains(READY) { Ok(()) } else { Err(format!("{slug} did not begin to write: {answer}").into()) }
}

/// Tokens of members of the organisation that has the apps.
fn team(bench: &Bench) -> Result<Vec<String>> {
    let tokens: Vec<String> = (0..TEAM).map(|number| format!("skp_bench_team_{number}")).collect();
    let list = tokens.iter().map(|token| format!("('{token}')")).collect::<Vec<_>>().join(", ");
    bench.platform.query(&format!(
        "WITH token AS (VALUES {list}),
            person AS (
                INSERT INTO users (id, email, password_hash)
                SELECT md5(column1)::uuid, column1 || '@example.com', repeat('x', 97) FROM token RETURNING id
            ),
            member AS (
                INSERT INTO organization_members (organization_id, user_id, role)
                SELECT organization_id, person.id, 'developer' FROM person, paas_applications WHERE slug = '{FLOODING}'
            )
        INSERT INTO api_tokens (id, user_id, name, hash, prefix, scope, created_at)
        SELECT gen_random_uuid(), md5(column1)::uuid, 'bench', sha256(column1::bytea), 'skp_bench', 'read', now() FROM token"
    ))?;
    Ok(tokens)
}
