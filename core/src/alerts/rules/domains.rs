//! Custom domains without a certificate, or with one that ends soon: the edge gets new ones a month before, so that
//! something keeps it from that.

use chrono::TimeDelta;

use super::number;
use crate::Result;
use crate::alerts::{Finding, Moment, Seen};
use crate::model::{Severity, Subject, SubjectKind};

/// From here on somebody must do something.
const URGENT: TimeDelta = TimeDelta::days(3);

pub(super) async fn certificates(moment: &Moment<'_>) -> Result<Seen> {
    let threshold = moment.settings.alerts_certificate_days;
    let before = moment.now + TimeDelta::days(i64::try_from(threshold).unwrap_or(0));
    let failing = moment.store.certificates_that_fail(before).await?;
    let findings = failing.into_iter().map(|certificate| {
        let (domain, slug) = (&certificate.domain, &certificate.slug);
        let subject = Subject {
            kind: SubjectKind::Domain,
            key: certificate.id.to_string(),
            name: domain.to_string(),
            organization: Some(certificate.organization_id),
        };
        let Some(expires_at) = certificate.expires_at else {
            let message = format!("There is no certificate for {domain}. What keeps it from one: domains -a {slug}");
            return Finding::plain(subject, Severity::Critical, message);
        };
        let left = expires_at - moment.now;
        let severity = if left < URGENT { Severity::Critical } else { Severity::Warning };
        let verb = if left < TimeDelta::zero() { "ended" } else { "ends" };
        let ends = expires_at.format("%Y-%m-%d %H:%M UTC");
        let message = format!(
            "The certificate of {domain} {verb} on {ends} and was not renewed. What keeps it from that: domains -a {slug}"
        );
        #[expect(clippy::cast_precision_loss, reason = "days to the second")]
        let days = left.num_seconds() as f64 / 86_400.0;
        Finding::plain(subject, severity, message).measured(days, number(threshold))
    });
    Ok(Seen::All(findings.collect()))
}
