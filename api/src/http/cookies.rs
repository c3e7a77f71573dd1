//! The cookies of browser sessions. Their values are base64 and hex digits, so that nothing needs quoting.

use axum::http::{HeaderMap, HeaderValue, header};
use skypanel_core::actions::OpenSession;

use crate::http::Shared;

/// The session: a signed token of a few minutes. No script can read it.
pub(crate) const SESSION: &str = "skypanel_session";
/// Carries the session on. Sent to the paths that need it only.
pub(crate) const REFRESH: &str = "skypanel_refresh";
/// What our own pages send back with writes; so they can read it.
pub(crate) const CSRF: &str = "skypanel_csrf";

const REFRESH_PATH: &str = "/api/auth";

/// The value of a cookie.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Headers that make a browser keep a session.
pub(crate) fn keep(shared: &Shared, open: &OpenSession) -> HeaderMap {
    let lasts = (open.session.expires_at - shared.actions.clock.now()).num_seconds().max(0);
    set(shared, [(&open.token, lasts), (open.refresh.as_str(), lasts), (&open.csrf_token, lasts)])
}

/// Headers that make a browser forget it.
pub(crate) fn forget(shared: &Shared) -> HeaderMap {
    set(shared, [("", 0); 3])
}

fn set(shared: &Shared, [session, refresh, csrf]: [(&str, i64); 3]) -> HeaderMap {
    let secure = if shared.options.public_url.starts_with("https://") { "; Secure" } else { "" };
    let cookies =
        [(SESSION, session, "/", "; HttpOnly"), (REFRESH, refresh, REFRESH_PATH, "; HttpOnly"), (CSRF, csrf, "/", "")];
    let mut headers = HeaderMap::new();
    for (name, (value, lasts), path, hidden) in cookies {
        let line = format!("{name}={value}; Path={path}; Max-Age={lasts}; SameSite=Strict{hidden}{secure}");
        if let Ok(line) = HeaderValue::from_str(&line) {
            headers.append(header::SET_COOKIE, line);
        }
    }
    headers
}
