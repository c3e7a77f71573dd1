//! Custom domains: names that may be one, what a check of DNS finds, and what becomes of a domain by that.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use super::{AppId, DomainId, UserId};
use crate::{Error, Result};

/// Names under these never are in public DNS (RFC 6761, RFC 6762, RFC 7686, RFC 9476). `.internal` is left
/// to those who run it with a certificate authority of their own.
const SPECIAL: &[&str] = &["localhost", "local", "invalid", "onion", "arpa", "alt"];
/// Longest name whose `_paas-verify.` is still a name.
const MAX_LENGTH: usize = 253 - "_paas-verify.".len();
/// First and longest pause between two checks of a domain that is not as it should be, in seconds.
const BACK_OFF: (i64, i64) = (60, 6 * 3_600);
/// Between two checks of one that is given up, and of one that is as it should be.
const FAILED_PAUSE: TimeDelta = TimeDelta::hours(24);
const ACTIVE_PAUSE: TimeDelta = TimeDelta::hours(1);
/// First and longest pause before a domain is asked for again whose name servers did not answer.
const SILENCE_PAUSE: (TimeDelta, TimeDelta) = (TimeDelta::minutes(5), TimeDelta::hours(6));
/// Silence of name servers says nothing about a domain until it has lasted so long.
const SILENCE_LIMIT: TimeDelta = TimeDelta::days(7);
/// After this a domain that was never right counts as failed.
const PENDING_LIMIT: TimeDelta = TimeDelta::days(7);

/// A domain name as DNS has it: lower case, international ones in their ASCII form (`xn--…`), without the last dot.
/// It lies below a public suffix, is no address, no wildcard and none of the special names of RFC 6761.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(String);

impl DomainName {
    /// The name as text, in ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As people write it: `bücher.example` for `xn--bcher-kva.example`.
    pub fn for_people(&self) -> String {
        let (unicode, valid) = idna::domain_to_unicode(&self.0);
        if valid.is_ok() { unicode } else { self.0.clone() }
    }

    /// Whether it stands directly below a public suffix (`example.co.uk`): DNS allows no CNAME there.
    pub fn is_apex(&self) -> bool {
        psl::domain_str(&self.0) == Some(&self.0)
    }

    /// Whether it is `zone` or lies below it.
    pub fn is_in(&self, zone: &str) -> bool {
        is_in(&self.0, zone)
    }

    /// Where the proof of ownership lies: `_paas-verify.<domain>`.
    pub fn proof_name(&self) -> String {
        format!("_paas-verify.{}", self.0)
    }
}

/// Whether a name is `zone` or lies below it. Letter case and last dots do not matter.
pub(crate) fn is_in(name: &str, zone: &str) -> bool {
    let (name, zone) = (name.trim_end_matches('.'), zone.trim_matches('.'));
    if zone.is_empty() || name.len() < zone.len() || !name.is_char_boundary(name.len() - zone.len()) {
        return false;
    }
    let (before, end) = name.split_at(name.len() - zone.len());
    end.eq_ignore_ascii_case(zone) && (before.is_empty() || before.ends_with('.'))
}

/// What a domain's TXT record must say for this app.
pub fn proof_of(app: AppId) -> String {
    format!("paas-verify={app}")
}

impl FromStr for DomainName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |why: &str| Err(Error::field("domain", why));
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.len() > 1_000 {
            return refused("That is too long for a domain name.");
        }
        if text.contains('*') {
            return refused("Wildcards cannot be verified. Add every name by itself, such as www.example.com.");
        }
        if text.contains("://") || text.contains('/') {
            return refused("Give the name alone, such as www.example.com, without http:// and without a path.");
        }
        if text.parse::<IpAddr>().is_ok() || text.starts_with('[') {
            return refused("That is an address. Give a domain name, such as www.example.com.");
        }
        let Ok(name) = idna::domain_to_ascii_strict(text) else {
            return refused("That is no domain name. Names look like www.example.com: letters, digits, dashes, dots.");
        };
        if name.len() > MAX_LENGTH {
            return refused("That name is too long: the name of its proof would not fit into DNS.");
        }
        if !name.contains('.') {
            return refused("Give a whole name with its ending, such as www.example.com.");
        }
        // Addresses in forms that only some programs take for one: 127.1, 0x7f.1.
        if name.rsplit('.').next().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_digit())) {
            return refused("That is an address. Give a domain name, such as www.example.com.");
        }
        if let Some(special) = SPECIAL.iter().find(|special| is_in(&name, special)) {
            return refused(&format!("Names under .{special} are not in public DNS and can have no certificate."));
        }
        if psl::domain_str(&name).is_none() {
            return refused(
                "Everybody registers names below this one, so it can be nobody's alone. Give one below it.",
            );
        }
        Ok(Self(name))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A name in the store was checked when it came in; suffixes change.
#[expect(clippy::unnecessary_wraps, reason = "the names of other kinds are checked again")]
fn stored(text: &str) -> Result<DomainName> {
    Ok(DomainName(text.to_owned()))
}

text_value!(DomainName, stored);

/// A domain as a client names it: by name or by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainRef {
    /// By its name, in ASCII and lower case.
    Name(String),
    /// By its id.
    Id(DomainId),
}

impl FromStr for DomainRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(DomainId(id)));
        }
        let text = text.trim().trim_end_matches('.');
        // Also one that could not be added any more.
        let name = idna::domain_to_ascii(text).map_err(|_| Error::field("domain", "That is no domain name."))?;
        Ok(Self::Name(name))
    }
}

impl<'de> serde::Deserialize<'de> for DomainRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

text_enum! {
    /// Whether requests for a domain are answered by its app.
    DomainStatus {
        /// Never proven so far.
        Pending = "pending",
        /// Proven and leading here: it is routed. One that stopped to do so stays active for the time of grace.
        Active = "active",
        /// Given up: not proven within a week, or not leading here any more. A check that finds all right revives it.
        Failed = "failed",
    }
}

text_enum! {
    /// What the edge really shows to who asks for a domain over TLS.
    CertificateStatus {
        /// None so far.
        Pending = "pending",
        /// One for the domain, in its time.
        Active = "active",
        /// None although there was time to get one, or one that is over.
        Failed = "failed",
    }
}

/// A custom domain of an app.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// Whose it is.
    pub application_id: AppId,
    /// Its name.
    pub domain: DomainName,
    /// Whether it is routed.
    pub status: DomainStatus,
    /// What the last check found wrong.
    pub problem: Option<String>,
    /// Checks in a row that found something wrong.
    pub failed_checks: i32,
    /// When the first of them was.
    pub failing_since: Option<DateTime<Utc>>,
    /// Since when its name servers give no answer.
    pub unanswered_since: Option<DateTime<Utc>>,
    /// When it was checked last.
    pub checked_at: Option<DateTime<Utc>>,
    /// When it is checked next.
    pub next_check_at: DateTime<Utc>,
    /// When a check found all right last.
    pub dns_validated_at: Option<DateTime<Utc>>,
    /// Since when it is routed.
    pub active_since: Option<DateTime<Utc>>,
    /// What the edge serves.
    pub ssl_status: CertificateStatus,
    /// Who issued the certificate that the edge serves.
    pub ssl_issuer: Option<String>,
    /// Until when it holds.
    pub ssl_cert_expires_at: Option<DateTime<Utc>>,
    /// Why there is none, or none that is good.
    pub ssl_problem: Option<String>,
    /// When the edge was asked last.
    pub ssl_checked_at: Option<DateTime<Utc>>,
    /// Who added it.
    pub created_by: Option<UserId>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

impl Domain {
    /// What becomes of it by a check: none found wrong, or what was. `grace` is how long one that was right may be
    /// wrong before it is routed no more.
    #[must_use]
    pub fn after_check(mut self, problem: Option<String>, now: DateTime<Utc>, grace: TimeDelta) -> Self {
        self.checked_at = Some(now);
        self.unanswered_since = None;
        let Some(problem) = problem else {
            if self.status != DomainStatus::Active {
                self.active_since = Some(now);
            }
            self.status = DomainStatus::Active;
            self.problem = None;
            self.failed_checks = 0;
            self.failing_since = None;
            self.dns_validated_at = Some(now);
            self.next_check_at = now + ACTIVE_PAUSE;
            return self;
        };
        self.problem = Some(problem);
        self.failed_checks = self.failed_checks.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now);
        self.status = match self.status {
            DomainStatus::Active if now - since >= grace => DomainStatus::Failed,
            DomainStatus::Pending if now - self.created_at >= PENDING_LIMIT => DomainStatus::Failed,
            other => other,
        };
        if self.status != DomainStatus::Active {
            self.active_since = None;
        }
        self.next_check_at = now
            + match self.status {
                DomainStatus::Failed => FAILED_PAUSE,
                DomainStatus::Pending => back_off(self.failed_checks),
                // Never later than the end of its time of grace.
                DomainStatus::Active => {
                    back_off(self.failed_checks).min(ACTIVE_PAUSE).min((since + grace - now).max(TimeDelta::minutes(1)))
                }
            };
        self
    }

    /// What becomes of it when its name servers give no answer: nothing but ever longer pauses for a week, as silence
    /// says nothing about it. Longer silence is a problem like any other, and has been one since it began.
    #[must_use]
    pub fn after_silence(mut self, now: DateTime<Utc>, grace: TimeDelta) -> Self {
        let since = *self.unanswered_since.get_or_insert(now);
        if now - since < SILENCE_LIMIT {
            // As long as the silence so far: that doubles.
            self.next_check_at = now + (now - since).clamp(SILENCE_PAUSE.0, SILENCE_PAUSE.1);
            return self;
        }
        let problem = format!(
            "Its name servers have given no answer about it since {}. Have a look at them, and at the zone's delegation.",
            since.format("%Y-%m-%d %H:%M UTC")
        );
        self.failing_since.get_or_insert(since);
        Self { unanswered_since: Some(since), ..self.after_check(Some(problem), now, grace) }
    }

    /// When routing ends if nothing changes; none for one that is right, or is not routed.
    pub fn demoted_at(&self, grace: TimeDelta) -> Option<DateTime<Utc>> {
        self.failing_since.filter(|_| self.status == DomainStatus::Active).map(|since| since + grace)
    }
}

/// Doubles with every failed check.
fn back_off(failed_checks: i32) -> TimeDelta {
    let doublings = u32::try_from(failed_checks.saturating_sub(1)).unwrap_or(0).min(16);
    TimeDelta::seconds((BACK_OFF.0 << doublings).min(BACK_OFF.1))
}

/// A record for DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// Such as `CNAME`.
    pub kind: &'static str,
    /// Its full name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What the people of a domain have to put into their DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainInstructions {
    /// Proves that the domain is theirs.
    pub proof: DnsRecord,
    /// Leads requests here: one CNAME, or the addresses where there can be none.
    pub routing: Vec<DnsRecord>,
}

impl DomainInstructions {
    /// For this domain of an app that answers as `target`, at `addresses`.
    pub fn new(domain: &DomainName, app: AppId, target: &str, addresses: &[IpAddr]) -> Self {
        let record = |kind, name: &str, value: String| DnsRecord { kind, name: name.to_owned(), value };
        let routing = if domain.is_apex() && !addresses.is_empty() {
            addresses
                .iter()
                .map(|address| {
                    record(if address.is_ipv4() { "A" } else { "AAAA" }, domain.as_str(), address.to_string())
                })
                .collect()
        } else {
            // At an apex without known addresses it is ALIAS or ANAME, which some DNS hosts have.
            let kind = if domain.is_apex() { "ALIAS" } else { "CNAME" };
            vec![record(kind, domain.as_str(), target.to_owned())]
        };
        Self { proof: record("TXT", &domain.proof_name(), proof_of(app)), routing }
    }
}

#[cfg(test)]
mod tests;
