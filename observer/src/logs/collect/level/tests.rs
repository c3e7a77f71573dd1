use proptest::prelude::*;
use skypanel_core::logs::LogLevel::{self, Debug, Error, Fatal, Info, Trace, Warn};

use super::level_of;

/// Lines with the level that they name.
const NAMED: &[(&str, LogLevel)] = &[
    // JSON: winston, zap, Google, Serilog, python-json-logger, ECS.
    (r#"{"level":"info","message":"ready"}"#, Info),
    (r#"{ "message" : "level", "level" : "warn" }"#, Warn),
    (r#"{"severity":"ERROR","message":"x"}"#, Error),
    (r#"{"@t":"2026-01-02T03:04:05Z","@l":"Warning","@mt":"x"}"#, Warn),
    (r#"{"asctime":"2026-01-02 03:04:05","levelname":"CRITICAL"}"#, Fatal),
    (r#"{"@timestamp":"2026-01-02","log.level":"debug","message":"x"}"#, Debug),
    (r#"{"msg":"a \"level\":\"error\" in it","lvl":"trace"}"#, Trace),
    (r#"{"req":{"level":"error"},"list":["level",1],"level":"info"}"#, Info),
    // Numbers: pino and bunyan, GELF, Monolog.
    (r#"{"level":30,"time":1767322800000,"msg":"x"}"#, Info),
    (r#"{"level":60,"msg":"x"}"#, Fatal),
    (r#"{"version":"1.1","level":3,"short_message":"x"}"#, Error),
    (r#"{"message":"x","level":300,"level_name":"WARNING"}"#, Warn),
    // Cut where it was too long.
    (r#"{"level":"error","message":"cut he"#, Error),
    // logfmt: Go's slog and logrus.
    ("time=2026-01-02T03:04:05Z level=WARN msg=\"slow\"", Warn),
    ("level=error msg=x", Error),
    ("ts=1 caller=main.go:1 lvl=dbug msg=x", Debug),
    ("at=info severity=\"FATAL\" x=1", Fatal),
    // In brackets: nginx, Apache, Elixir, gunicorn, Celery, Maven.
    ("2026/01/02 03:04:05 [error] 7#7: *1 open() failed", Error),
    ("[Fri Jan 02 03:04:05.678901 2026] [core:notice] [pid 7] AH00094", Info),
    ("[Fri Jan 02 03:04:05 2026] [:error] [pid 7] x", Error),
    ("03:04:05.678 [warning] x", Warn),
    ("[2026-01-02 03:04:05 +0000] [7] [INFO] Listening at: http://0.0.0.0:5000 (7)", Info),
    ("[2026-01-02 03:04:05,678: WARNING/MainProcess] x", Warn),
    ("[ERROR] Failed to execute goal", Error),
    // Behind a time: log4j, Logback, Spring Boot, tracing, env_logger, Sidekiq, Caddy, PostgreSQL, NestJS.
    ("2026-01-02 03:04:05,678 [main] ERROR com.example.App - x", Error),
    ("03:04:05.678 [http-nio-1] DEBUG o.s.web - x", Debug),
    ("2026-01-02T03:04:05.678Z  INFO 1 --- [           main] c.e.App : Started", Info),
    ("2026-01-02T03:04:05.678901Z  WARN shop::cart: slow", Warn),
    ("\u{1b}[2m2026-01-02T03:04:05.678901Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m shop: slow", Warn),
    ("[2026-01-02T03:04:05Z TRACE shop] x", Trace),
    ("2026-01-02T03:04:05.678Z pid=7 tid=gnw INFO: Booting", Info),
    ("2026/01/02 03:04:05.678\tFATAL\tx", Fatal),
    ("2026-01-02 03:04:05.678 UTC [7] FATAL:  the database is gone", Fatal),
    ("2026-01-02 03:04:05.678 UTC [7] LOG:  ready", Info),
    ("[Nest] 7  - 01/02/2026, 3:04:05 AM     LOG [Router] x", Info),
    ("[2026-01-02 03:04:05] production.ERROR: x {\"a\":1}", Error),
    // Python: the default, and a usual format.
    ("WARNING:root:x", Warn),
    ("CRITICAL:shop.cart:x", Fatal),
    ("2026-01-02 03:04:05,678 - shop - ERROR - x", Error),
    ("2026-01-02 03:04:05.678 | SUCCESS  | __main__:<module>:1 - x", Info),
    // Ruby, Rails, glog.
    ("E, [2026-01-02T03:04:05.678901 #7] ERROR -- : x", Error),
    ("D, [2026-01-02T03:04:05.678901 #7] DEBUG -- : x", Debug),
    ("W0102 03:04:05.678901       7 server.go:1] x", Warn),
    // Right at the beginning: .NET, winston, npm, PHP, uvicorn, exceptions.
    ("info: Microsoft.Hosting.Lifetime[14]", Info),
    ("fail: Microsoft.AspNetCore[13]", Error),
    ("\u{1b}[31merror\u{1b}[39m: x", Error),
    ("npm ERR! missing script: start", Error),
    ("npm WARN deprecated x", Warn),
    ("PHP Fatal error:  Uncaught Exception", Fatal),
    ("[02-Jan-2026 03:04:05 UTC] PHP Warning:  x", Warn),
    ("INFO:     10.0.0.1:1234 - \"GET / HTTP/1.1\" 200 OK", Info),
    ("Error: Cannot find module 'x'", Error),
    ("  WARN  x", Warn),
    ("ERROR x", Error),
];

/// Lines that name none, though some look as if they did.
const UNNAMED: &[&str] = &[
    "",
    " ",
    "listening on 5000",
    "There was an ERROR in the cart",
    "no error here",
    "Information about the shop",
    r#"10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /?level=error HTTP/1.1" 500 12 "-" "ERROR""#,
    r#"10.0.0.1 - alice [02/Jan/2026:03:04:05 +0000] "POST /ERROR HTTP/1.1" 200 12"#,
    "GET /error 200 1.234 ms - 12",
    "GET / ERROR",
    "method=GET path=\"/ level=error\" status=200",
    r#"{"message":"level is error"}"#,
    r#"{"a":{"level":"error"}}"#,
    r#"{"level":{"name":"error"}}"#,
    r#"{"level":true}"#,
    r#"{"level":12345}"#,
    r#"{"level":"none"}"#,
    r#"{"level"#,
    "{",
    "{}",
    "[1] 2 3",
    "[02/Jan/2026] (3)",
    "WARNINGS: 3",
    "level=",
    "E",
    "\u{1b}[",
];

#[test]
fn levels_are_read_from_what_frameworks_write() {
    for (line, level) in NAMED {
        assert_eq!(level_of(line.as_bytes()), Some(*level), "{line}");
    }
    for line in UNNAMED {
        assert_eq!(level_of(line.as_bytes()), None, "{line}");
    }
}

#[test]
fn a_level_far_behind_is_not_looked_for() {
    let long = format!("{} level=error", "x".repeat(10_000));
    assert_eq!(level_of(long.as_bytes()), None);
    let json = format!(r#"{{"message":"{}","level":"error"}}"#, "x".repeat(10_000));
    assert_eq!(level_of(json.as_bytes()), None);
}

/// Bytes as hostile as can be, with much of what the scanners look for.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"level".to_vec()),
        Just(b"\"level\":".to_vec()),
        Just(b"level=".to_vec()),
        Just(b"ERROR".to_vec()),
        Just(b"PHP ".to_vec()),
        Just(b"npm ".to_vec()),
        Just(b"\x1b[".to_vec()),
        proptest::sample::select(&b"{}[]()<>|:,\"\\ \t=-.E019m"[..]).prop_map(|byte| vec![byte]),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_line_breaks_it(line in any_line()) {
        let _ = level_of(&line);
    }
}
