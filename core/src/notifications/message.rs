//! A message about alerts, as each kind of target takes it. Names and words in it come from apps and machines, so none of
//! them may end a line, a header or a link.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::model::{Alert, News, NotificationId};

/// Most alerts that a message tells one by one.
const MOST: usize = 25;
/// Longest subject of a mail, in characters.
const MAX_SUBJECT: usize = 150;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) id: NotificationId,
    /// Which installation it is from: its apps' domain.
    pub(super) platform: &'a str,
    pub(super) sent_at: DateTime<Utc>,
    pub(super) is_test: bool,
    pub(super) news: &'a [(News, Alert)],
}

impl Message<'_> {
    /// What it is about, for whoever takes its calls.
    pub(super) fn event(&self) -> &'static str {
        if self.is_test { "test" } else { "alerts" }
    }

    /// All of it in one line.
    fn title(&self) -> String {
        if self.is_test {
            return "This is a test".to_owned();
        }
        if let [(news, alert)] = self.news {
            return headline(*news, alert);
        }
        let over = self.news.iter().filter(|(news, _)| *news == News::Resolved).count();
        match (self.news.len() - over, over) {
            (wrong, 0) => format!("{wrong} alerts"),
            (0, over) => format!("{over} alerts are over"),
            (wrong, over) => format!("{wrong} alerts, {over} are over"),
        }
    }

    /// Subject of a mail: one line, whatever its parts hold.
    pub(super) fn subject(&self) -> String {
        let line = one_line(&format!("[Skypanel {}] {}", self.platform, self.title()));
        line.chars().take(MAX_SUBJECT).collect()
    }

    /// Text of a mail.
    pub(super) fn mail(&self) -> String {
        let mut text = self.lines();
        let _ = write!(
            text,
            "\n--\nSkypanel, {}. What is told to whom: the command notifications.\n",
            one_line(self.platform)
        );
        text
    }

    /// As Slack takes it.
    pub(super) fn slack(&self) -> Value {
        let text = format!("Skypanel {}: {}\n{}", one_line(self.platform), one_line(&self.title()), self.lines());
        json!({ "text": escaped(text.trim_end()) })
    }

    /// The body of a call. Described in docs/alerts.md.
    pub(super) fn json(&self) -> Value {
        let alerts: Vec<Value> = self.news.iter().map(|(news, alert)| item(*news, alert)).collect();
        json!({
            "version": 1,
            "id": self.id,
            "event": self.event(),
            "platform": self.platform,
            "sent_at": self.sent_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "alerts": alerts,
        })
    }

    fn lines(&self) -> String {
        if self.is_test {
            return "Somebody tries whether messages about alerts arrive here. They do.\n".to_owned();
        }
        let mut text = String::new();
        for (news, alert) in self.news.iter().take(MOST) {
            let _ = writeln!(text, "{}\n    {}", one_line(&headline(*news, alert)), one_line(&alert.message));
            let since = alert.began_at.format("%Y-%m-%d %H:%M UTC");
            let _ = match alert.resolved_at.filter(|_| *news == News::Resolved) {
                Some(over) => writeln!(text, "    From {since} to {}.", over.format("%Y-%m-%d %H:%M UTC")),
                None => writeln!(text, "    Since {since}."),
            };
        }
        if let Some(more) = self.news.len().checked_sub(MOST).filter(|more| *more > 0) {
            let _ = writeln!(text, "And {more} more: the command alerts lists them all.");
        }
        text
    }
}

/// `critical: node_down worker-2`.
fn headline(news: News, alert: &Alert) -> String {
    let how = match news {
        News::Fired => alert.severity.to_string(),
        News::Worse => format!("{}, worse than before", alert.severity),
        News::Lasting => format!("{}, still", alert.severity),
        News::Resolved => "over".to_owned(),
    };
    if alert.subject_name == alert.subject_kind.as_str() {
        return format!("{how}: {}", alert.rule);
    }
    format!("{how}: {} {}", alert.rule, alert.subject_name)
}

fn item(news: News, alert: &Alert) -> Value {
    json!({
        "id": alert.id,
        "rule": alert.rule,
        "status": if news == News::Resolved { "resolved" } else { "firing" },
        "news": news,
        "severity": alert.severity,
        "subject": { "kind": alert.subject_kind, "id": alert.subject, "name": alert.subject_name },
        "organization_id": alert.organization_id,
        "message": alert.message,
        "value": alert.value,
        "threshold": alert.threshold,
        "began_at": alert.began_at,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
    })
}

/// The text on one line, without what a terminal or a mail program would obey.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() || is_separator(c) { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// Lines and directions that are not control characters to Unicode.
fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The three characters that mean something in Slack's texts; with them gone, no name is a link or calls a channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AlertId, AlertRule, Severity, SubjectKind};

    fn alert(name: &str, message: &str) -> Alert {
        let at: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().expect("is a time");
        Alert {
            id: AlertId(uuid::Uuid::nil()),
            rule: AlertRule::AppDeploysFailing,
            subject_kind: SubjectKind::App,
            subject: "1".to_owned(),
            subject_name: name.to_owned(),
            organization_id: None,
            severity: Severity::Warning,
            message: message.to_owned(),
            value: Some(3.0),
            threshold: Some(3.0),
            began_at: at,
            fired_at: at,
            last_seen: at,
            resolved_at: None,
        }
    }

    fn message(news: &[(News, Alert)]) -> Message<'_> {
        let sent_at = "2026-03-01T12:00:30Z".parse().expect("is a time");
        Message { id: NotificationId(uuid::Uuid::nil()), platform: "apps.example.com", sent_at, is_test: false, news }
    }

    #[test]
    fn several_alerts_are_one_message() {
        let mut over = alert("blog", "Deployments of blog failed.");
        over.resolved_at = Some(over.began_at + chrono::TimeDelta::minutes(5));
        let news = [(News::Fired, alert("shop", "Deployments of shop failed.")), (News::Resolved, over)];
        let message = message(&news);
        assert_eq!(message.subject(), "[Skypanel apps.example.com] 1 alerts, 1 are over");
        let text = message.mail();
        assert!(text.starts_with("warning: app_deploys_failing shop\n    Deployments of shop failed.\n"), "{text}");
        assert!(text.contains("over: app_deploys_failing blog\n"), "{text}");
        assert!(text.contains("From 2026-03-01 12:00 UTC to 2026-03-01 12:05 UTC."), "{text}");
        assert_eq!(message.json()["alerts"][1]["status"], "resolved");
    }

    #[test]
    fn no_name_gets_out_of_its_line() {
        let hostile = "x\r\nBcc: eve@example.com\u{2028}y\u{1b}[31m";
        let news = [(News::Fired, alert(hostile, "a\nb"))];
        let message = message(&news);
        assert!(!message.subject().chars().any(char::is_control), "{}", message.subject());
        let text = message.mail();
        assert!(!text.lines().any(|line| line.starts_with("Bcc:") || line == "b"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{2028}'));
        let long = [(News::Fired, alert(&"x".repeat(10_000), "a"))];
        assert_eq!(self::message(&long).subject().chars().count(), MAX_SUBJECT);
    }

    #[test]
    fn slack_is_shown_text_and_nothing_to_obey() {
        let news = [(News::Fired, alert("<!channel> & <https://evil.example|shop>", "ok"))];
        let slack = message(&news).slack();
        let text = slack["text"].as_str().expect("is text");
        assert!(!text.contains(['<', '>']), "{text}");
        assert!(text.contains("&lt;!channel&gt; &amp; &lt;https://evil.example|shop&gt;"), "{text}");
    }

    #[test]
    fn a_long_list_is_cut() {
        let news: Vec<(News, Alert)> = (0..40).map(|n| (News::Fired, alert(&format!("app-{n}"), "x"))).collect();
        let text = message(&news).mail();
        assert!(text.contains("app-24") && !text.contains("app-25") && text.contains("And 15 more"), "{text}");
        assert_eq!(message(&news).json()["alerts"].as_array().map(Vec::len), Some(40));
    }
}
