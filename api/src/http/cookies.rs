//! The cookies of browser sessions. Their values are base64 and hex digits, so that nothing needs quoting.
//!
//! Apps may live under the same domain as the API, and their pages may set cookies for all of it. With HTTPS the names
//! begin with `__Host-`: browsers take such cookies from this very host only.

use axum::http::{HeaderMap, HeaderValue, header};
use skypanel_core::actions::OpenSession;

use crate::http::Shared;

/// A cookie by its names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookie {
    /// Over plain HTTP, which is for development.
    pub(crate) plain: &'static str,
    secure: &'static str,
}

/// The session: a signed token of a few minutes. No script can read it.
pub(crate) const SESSION: Cookie = Cookie { plain: "skypanel_session", secure: "__Host-skypanel_session" };
/// Carries the session on. No script can read it.
pub(crate) const REFRESH: Cookie = Cookie { plain: "skypanel_refresh", secure: "__Host-skypanel_refresh" };
/// What our own pages send back with writes; so they can read it.
pub(crate) const CSRF: Cookie = Cookie { plain: "skypanel_csrf", secure: "__Host-skypanel_csrf" };

impl Cookie {
    fn name(self, shared: &Shared) -> &'static str {
        if shared.is_encrypted() { self.secure } else { self.plain }
    }
}

/// The value of a cookie. Of two with one name, one was slipped in by somebody else, and nobody can tell which: then
/// there is none.
pub(crate) fn value<'a>(shared: &Shared, headers: &'a HeaderMap, cookie: Cookie) -> Option<&'a str> {
    let name = cookie.name(shared);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let first = values.next()?;
    values.all(|other| other == first).then_some(first)
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
    let secure = if shared.is_encrypted() { "; Secure" } else { "" };
    let cookies = [(SESSION, session, "; HttpOnly"), (REFRESH, refresh, "; HttpOnly"), (CSRF, csrf, "")];
    let mut headers = HeaderMap::new();
    for (cookie, (value, lasts), hidden) in cookies {
        let name = cookie.name(shared);
        let line = format!("{name}={value}; Path=/; Max-Age={lasts}; SameSite=Strict{hidden}{secure}");
        if let Ok(line) = HeaderValue::from_str(&line) {
            headers.append(header::SET_COOKIE, line);
        }
    }
    headers
}
