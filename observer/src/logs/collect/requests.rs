//! The edge's access log made into one line a request, for the app whose it was. What clients send is in there:
//! nothing of it can look like another part of the line, or like another line.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::DateTime;
use serde::Deserialize;
use skypanel_core::logs::{LogLevel, LogRecord, LogSource};

use super::entry::{Entry, Output};
use super::names::{self, Owner};

/// Longest line of the edge that is taken apart. Longer ones have a path that nobody reads.
const MAX_LINE: usize = 64 * 1024;
/// Longest path shown, in characters.
const MAX_PATH: usize = 2_048;
/// Longest of the other values, in characters.
const MAX_WORD: usize = 255;
/// Millionths of a millisecond are what the edge counts in.
const MILLISECOND: u64 = 1_000_000;

/// Makes lines of requests from what the edge writes.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// The beginning of a line that the engine cut.
    begun: Vec<u8>,
}

/// What the edge writes of a request, by its own names.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Access<'a> {
    #[serde(borrow)]
    router_name: Cow<'a, str>,
    #[serde(borrow)]
    request_method: Cow<'a, str>,
    #[serde(borrow)]
    request_path: Cow<'a, str>,
    #[serde(borrow)]
    request_host: Cow<'a, str>,
    #[serde(borrow, default)]
    client_host: Cow<'a, str>,
    #[serde(default)]
    downstream_status: u16,
    #[serde(default)]
    downstream_content_size: u64,
    #[serde(default)]
    overhead: u64,
    #[serde(default)]
    origin_duration: u64,
    #[serde(rename = "request_X-Request-Id", borrow, default)]
    request_id: Cow<'a, str>,
}

impl Requests {
    /// The lines of these entries, in order, by whose they are.
    pub(super) fn lines(&mut self, entries: Vec<Entry>) -> Vec<(Owner, Vec<LogRecord>)> {
        let mut lines: Vec<(Owner, Vec<LogRecord>)> = Vec::new();
        for entry in entries {
            let Some((owner, record)) = self.line(&entry) else { continue };
            match lines.iter_mut().find(|(known, _)| *known == owner) {
                Some((_, records)) => records.push(record),
                None => lines.push((owner, vec![record])),
            }
        }
        lines
    }

    fn line(&mut self, entry: &Entry) -> Option<(Owner, LogRecord)> {
        // It writes its own troubles to the same output, which are none of the apps'.
        if entry.output == Output::Stderr {
            return None;
        }
        let Some(piece) = entry.piece else { return request(&entry.text, entry.at) };
        if piece.ordinal <= 1 {
            self.begun.clear();
        }
        if self.begun.len() <= MAX_LINE {
            self.begun.extend_from_slice(&entry.text);
        }
        if !piece.last {
            return None;
        }
        let whole = std::mem::take(&mut self.begun);
        request(&whole, entry.at)
    }
}

/// The line of a request; none for what is none, and for requests to no app.
fn request(line: &[u8], at: i64) -> Option<(Owner, LogRecord)> {
    if line.len() > MAX_LINE {
        return None;
    }
    let access: Access<'_> = serde_json::from_slice(line).ok()?;
    let owner = Owner::of_router(&access.router_name)?;
    let level = match access.downstream_status {
        500.. => LogLevel::Error,
        // 0 where the client went away before there was an answer.
        0 | 400.. => LogLevel::Warn,
        _ => LogLevel::Info,
    };
    let record = LogRecord {
        at: DateTime::from_timestamp_nanos(at),
        source: LogSource::Router,
        process: LogSource::Router.as_str().to_owned(),
        level: Some(level),
        continues: false,
        text: text(&access).into(),
    };
    Some((owner, record))
}

/// In the shape that Heroku gave it.
fn text(access: &Access<'_>) -> String {
    let at = if access.downstream_status >= 500 { "error" } else { "info" };
    let mut text = format!("at={at} method=");
    word(&access.request_method, &mut text);
    text.push_str(" path=");
    quoted(&access.request_path, MAX_PATH, &mut text);
    for (name, value) in
        [("host", &access.request_host), ("request_id", &access.request_id), ("fwd", &access.client_host)]
    {
        let _ = write!(text, " {name}=");
        word(value, &mut text);
    }
    let _ = write!(
        text,
        " protocol={} status={} bytes={} connect={}ms service={}ms",
        if names::is_secure(&access.router_name) { "https" } else { "http" },
        access.downstream_status,
        access.downstream_content_size,
        access.overhead / MILLISECOND,
        access.origin_duration / MILLISECOND,
    );
    text
}

/// A value as it is where that is one plain word, or else in quotes.
fn word(value: &str, into: &mut String) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-/+@%~,;[]*".contains(&byte);
    if value.is_empty() {
        into.push('-');
    } else if value.len() <= MAX_WORD && value.bytes().all(plain) {
        into.push_str(value);
    } else {
        quoted(value, MAX_WORD, into);
    }
}

/// A value in quotes, without anything that could end them or steer a terminal.
fn quoted(value: &str, longest: usize, into: &mut String) {
    into.push('"');
    let mut characters = value.chars();
    for character in characters.by_ref().take(longest) {
        match character {
            '"' | '\\' => into.extend(['\\', character]),
            control if control.is_control() => into.extend(control.escape_unicode()),
            other => into.push(other),
        }
    }
    if characters.next().is_some() {
        into.push('…');
    }
    into.push('"');
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::entry::{PIECE, Piece};
    use super::*;

    fn access(change: &Value) -> Vec<u8> {
        let mut access = json!({
            "ClientHost": "192.0.2.7", "DownstreamContentSize": 512, "DownstreamStatus": 200, "OriginDuration": 12_345_678,
            "Overhead": 1_234_567, "RequestHost": "shop.example.com", "RequestMethod": "GET", "RequestPath": "/cart?item=1",
            "RouterName": "tls-shop@file", "level": "info", "msg": "", "request_X-Request-Id": "abc-1", "time": "2026-01-02T03:04:05Z",
        });
        access.as_object_mut().expect("is one").extend(change.as_object().expect("is one").clone());
        access.to_string().into_bytes()
    }

    fn line(change: &Value) -> (Owner, LogLevel, String) {
        let (owner, record) = request(&access(change), 1_000).expect("is a request");
        (owner, record.level.expect("has one"), String::from_utf8(record.text.to_vec()).expect("is text"))
    }

    #[test]
    fn a_request_is_one_line_of_its_app() {
        let shop = || Owner::Slug("shop".to_owned());
        assert_eq!(
            line(&json!({})),
            (
                shop(),
                LogLevel::Info,
                "at=info method=GET path=\"/cart?item=1\" host=shop.example.com request_id=abc-1 fwd=192.0.2.7 \
                 protocol=https status=200 bytes=512 connect=1ms service=12ms"
                    .to_owned()
            )
        );
        let (owner, level, text) = line(&json!({ "RouterName": "app-shop@file", "DownstreamStatus": 502 }));
        assert_eq!((owner, level), (shop(), LogLevel::Error));
        assert!(text.starts_with("at=error ") && text.contains(" status=502 "), "{text}");
        let (owner, level, text) = line(&json!({
            "RouterName": "secure-shop.example.org@file", "DownstreamStatus": 404, "request_X-Request-Id": "",
        }));
        assert_eq!((owner, level), (Owner::Domain("shop.example.org".to_owned()), LogLevel::Warn));
        assert!(text.contains(" request_id=- "), "{text}");
    }

    #[test]
    fn what_is_no_request_to_an_app_is_left_out() {
        for router in ["unknown@file", "revision-shop@file", "app-shop@docker", "@file", ""] {
            assert_eq!(request(&access(&json!({ "RouterName": router })), 1), None, "{router}");
        }
        assert_eq!(request(br#"{"level":"error","time":"2026-01-02T03:04:05Z","message":"RouterName"}"#, 1), None);
        assert_eq!(request(b"RouterName", 1), None);
    }

    #[test]
    fn what_clients_send_stays_inside_its_value() {
        let hostile = "/\" status=200 at=info\n\r\u{1b}[31m\u{0}\u{9b}\\é";
        let (_, _, text) =
            line(&json!({ "RequestPath": hostile, "RequestHost": "a b", "request_X-Request-Id": "x\" y=\"" }));
        assert!(
            text.contains(r#"path="/\" status=200 at=info\u{a}\u{d}\u{1b}[31m\u{0}\u{9b}\\é" host="a b" request_id="x\" y=\"" fwd="#),
            "{text}"
        );
        let (_, _, text) = line(&json!({ "RequestPath": "/".repeat(10_000), "RequestMethod": "G".repeat(1_000) }));
        assert!(text.len() < 3_000 && text.contains("…\" host="), "{text}");
    }

    #[test]
    fn lines_that_the_engine_cut_are_put_together() {
        let mut requests = Requests::default();
        let mut cut = |line: &[u8]| {
            let pieces: Vec<&[u8]> = line.chunks(PIECE).collect();
            let count = pieces.len();
            let entries = pieces.into_iter().enumerate().map(|(index, text)| Entry {
                output: Output::Stdout,
                at: 1,
                text: Bytes::copy_from_slice(text),
                piece: Some(Piece { last: index + 1 == count, ordinal: i64::try_from(index).expect("is short") + 1 }),
            });
            requests.lines(entries.collect()).len()
        };
        assert_eq!(cut(&access(&json!({ "RequestPath": "/".repeat(40_000) }))), 1);
        assert_eq!(cut(&access(&json!({ "RequestPath": "/".repeat(400_000) }))), 0);
        assert_eq!(cut(&access(&json!({}))), 1);
    }

    proptest! {
        #[test]
        fn no_value_breaks_out(path in "\\PC*|[\"\\\\\\x00-\\x20 =a]*", host in ".{0,20}") {
            let (_, _, text) = line(&json!({ "RequestPath": path, "RequestHost": host }));
            prop_assert!(!text.chars().any(char::is_control));
            // Outside of quotes there is each name once.
            let mut outside = String::new();
            let (mut inside, mut escaped) = (false, false);
            for character in text.chars() {
                match character {
                    '"' if !escaped => inside = !inside,
                    _ if !inside => outside.push(character),
                    _ => {}
                }
                escaped = character == '\\' && !escaped && inside;
            }
            prop_assert!(!inside);
            prop_assert_eq!(outside.split(' ').filter(|part| part.starts_with("status=")).count(), 1);
            prop_assert_eq!(outside.split(' ').count(), 11);
        }
    }
}
