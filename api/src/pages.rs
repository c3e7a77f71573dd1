//! The pages people see: those that the edge shows in place of an app that cannot answer, and the start page for programs.
//! Self-contained: no script, no image, one style whose hash the content policy names.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use skypanel_core::model::AppSlug;

use crate::dashboard;
use crate::http::Shared;

const STYLE: &str = "body{margin:0;min-height:100vh;display:grid;place-items:center;font:1rem/1.6 system-ui,sans-serif;color:#1d2330;background:#f4f6fa}main{max-width:34rem;padding:2rem}h1{font-size:1.6rem;line-height:1.25;margin:0 0 .75rem}p{margin:.5rem 0}code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{padding:1rem;overflow:auto;background:#e6eaf2;border-radius:.4rem}a{color:#2a52be}small{color:#596173}@media(prefers-color-scheme:dark){body{color:#e4e8f0;background:#141821}pre{background:#222938}a{color:#8fb0ff}small{color:#99a3b8}}";
/// A test holds it against [`STYLE`].
const POLICY: &str = "default-src 'none'; style-src 'sha256-+NnK2oCFvIVrzyOs+dTJ47GK6llFxjrTca3zM8WjaTc='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Seconds after which a client may try a starting app again.
const RETRY_AFTER: &str = "5";

/// A message of the edge.
struct Notice {
    status: StatusCode,
    title: String,
    lines: &'static [&'static str],
    retry: bool,
}

/// For a host name that no app has.
pub(crate) async fn unknown_host(headers: HeaderMap) -> Response {
    show(
        &headers,
        &Notice {
            status: StatusCode::NOT_FOUND,
            title: "There is no app here".to_owned(),
            lines: &[
                "No app answers to this address. Is it spelt right?",
                "If the app is yours: `apps` lists your apps and their addresses.",
            ],
            retry: false,
        },
    )
}

/// For an app that its owner stopped.
pub(crate) async fn stopped(Path(slug): Path<String>, headers: HeaderMap) -> Response {
    show(
        &headers,
        &Notice {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: titled(&slug, "is stopped"),
            lines: &["Its owner has stopped this app.", "If the app is yours: `ps:start` starts it again."],
            retry: false,
        },
    )
}

/// For an app that an admin or an empty wallet holds.
pub(crate) async fn suspended(Path(slug): Path<String>, headers: HeaderMap) -> Response {
    show(
        &headers,
        &Notice {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: titled(&slug, "is suspended"),
            lines: &[
                "This app is not being served at the moment.",
                "If the app is yours: ask an admin of this platform why, or look at your organisation's wallet.",
            ],
            retry: false,
        },
    )
}

/// For an app of which nothing was ever live, or whose processes crashed too often.
pub(crate) async fn failed(Path(slug): Path<String>, headers: HeaderMap) -> Response {
    show(
        &headers,
        &Notice {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: titled(&slug, "has failed"),
            lines: &[
                "This app does not run at the moment.",
                "If the app is yours: `events` says what happened, `logs --source app -n 100` what it wrote last. A push or \
                 `ps:restart` starts it again.",
            ],
            retry: false,
        },
    )
}

/// For an app whose processes are on their way up.
pub(crate) async fn starting(Path(slug): Path<String>, headers: HeaderMap) -> Response {
    show(
        &headers,
        &Notice {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: titled(&slug, "is starting"),
            lines: &["This app will be here in a moment. Try again in a few seconds."],
            retry: true,
        },
    )
}

/// For a path of ours that means nothing.
pub(crate) fn nothing_here(headers: &HeaderMap) -> Response {
    show(
        headers,
        &Notice {
            status: StatusCode::NOT_FOUND,
            title: "There is nothing here".to_owned(),
            lines: &["Skypanel has no page at this path. The start page is at /."],
            retry: false,
        },
    )
}

/// The dashboard for browsers; for everybody else what this is and how to push to it.
pub(crate) async fn welcome(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if accepts_html(&headers) {
        return dashboard::page(&headers);
    }
    let (host, port) = (escape(&shared.options.ssh_host), shared.options.ssh_port);
    let version = env!("CARGO_PKG_VERSION");
    let main = format!(
        "<h1>Skypanel</h1>\
         <p>Push an app with Git and it goes live.</p>\
         <pre>git remote add skypanel ssh://git@{host}:{port}/my-app.git\ngit push skypanel main</pre>\
         <p>Commands run over SSH, too:</p>\
         <pre>ssh -p {port} git@{host} help</pre>\
         <p>The guides are in the folder <code>docs</code> of Skypanel's source; \
         <a href=\"/api/health\">the platform's health</a> is here.</p>\
         <p><small>Version {version}. Browsers get the dashboard at this address.</small></p>"
    );
    secured(StatusCode::OK, "text/html; charset=utf-8", page("Skypanel", &main))
}

/// An app's name is only repeated where it is one.
fn titled(slug: &str, what: &str) -> String {
    match slug.parse::<AppSlug>() {
        Ok(slug) => format!("{slug} {what}"),
        Err(_) => format!("This app {what}"),
    }
}

fn show(headers: &HeaderMap, notice: &Notice) -> Response {
    let mut response = if accepts_html(headers) {
        let lines: Vec<String> = notice.lines.iter().map(|line| marked(line)).collect();
        let (title, lines) = (escape(&notice.title), lines.join("</p><p>"));
        let main = format!("<h1>{title}</h1><p>{lines}</p><p><small>Skypanel</small></p>");
        secured(notice.status, "text/html; charset=utf-8", page(&notice.title, &main))
    } else {
        let text = format!("{}.\n{}\n", notice.title, notice.lines.join("\n"));
        secured(notice.status, "text/plain; charset=utf-8", text)
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    if notice.retry {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    response
}

/// Browsers name HTML; programs that take anything are better served with text.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    let mut wanted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    wanted.any(|value| value.contains("text/html") || value.contains("application/xhtml+xml"))
}

fn secured(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, body).into_response()
}

fn page(title: &str, main: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{}</title>\
         <style>{STYLE}</style></head><body><main>{main}</main></body></html>\n",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text between backquotes becomes code.
fn marked(line: &str) -> String {
    let part = |(index, text): (usize, &str)| {
        if index % 2 == 1 { format!("<code>{}</code>", escape(text)) } else { escape(text) }
    };
    line.split('`').enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use sha2::Digest as _;

    use super::*;

    #[test]
    fn the_policy_names_the_style() {
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "the style's hash is {hash}");
    }

    #[test]
    fn names_that_are_none_are_not_repeated() {
        assert_eq!(titled("hello", "is stopped"), "hello is stopped");
        assert_eq!(titled("<script>", "is stopped"), "This app is stopped");
    }

    #[test]
    fn markup_in_texts_is_escaped() {
        assert_eq!(marked("a `b<c` & d"), "a <code>b&lt;c</code> &amp; d");
    }
}
