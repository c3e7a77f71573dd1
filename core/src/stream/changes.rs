//! What changed, as the database tells it: whoever shows an app or an organisation reads it again then. Called by the
//! API, which passes on to each follower what they may see.

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::model::{AppId, AppSlug, OrganizationId};

/// Channel of the announcements; the payload is [`Changed::parse`]'s.
pub(super) const CHANNEL: &str = "skypanel_changes";

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of an organisation.
    Of(Changed),
    /// Nobody knows what: announcements were lost, so that all that is shown has to be read again.
    Unknown,
}

/// Where it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The organisation.
    pub organization: OrganizationId,
    /// The app, where it is something of an app.
    pub app: Option<(AppId, AppSlug)>,
}

impl Changed {
    /// `ORGANISATION` or `ORGANISATION APP SLUG`, as the trigger `paas_tell_change` writes it.
    pub(super) fn parse(payload: &str) -> Option<Self> {
        let mut words = payload.split(' ');
        let organization = OrganizationId(words.next()?.parse::<Uuid>().ok()?);
        let app = match (words.next(), words.next()) {
            (Some(id), Some(slug)) => Some((AppId(id.parse::<Uuid>().ok()?), slug.parse().ok()?)),
            _ => None,
        };
        Some(Self { organization, app })
    }
}

/// Changes as they are announced.
#[derive(Debug)]
pub struct Changes(pub(super) broadcast::Receiver<Change>);

impl Changes {
    /// The next one; none once Skypanel stops.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Unknown),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_say_whose_change_it_is() {
        let (organization, app) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let of = |payload: &str| Changed::parse(payload);
        assert_eq!(
            of(&format!("{organization}")),
            Some(Changed { organization: OrganizationId(organization), app: None })
        );
        let slug: AppSlug = "shop".parse().expect("is a slug");
        assert_eq!(
            of(&format!("{organization} {app} shop")),
            Some(Changed { organization: OrganizationId(organization), app: Some((AppId(app), slug)) })
        );
        assert_eq!(of("nothing"), None);
        assert_eq!(of(&format!("{organization} {app} No-Slug")), None);
    }
}
