//! What changed, as the database tells it: whoever shows it reads it again then. Called by the API, which passes on to
//! each follower what they may see.

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::model::{AppId, AppSlug, OrganizationId, UserId};

/// Channel of the announcements; the payload is [`Change::parse`]'s.
pub(super) const CHANNEL: &str = "skypanel_changes";

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of an organisation.
    Of(Changed),
    /// A person's own, such as a key or a session.
    User(UserId),
    /// Of the platform, as its admins see it.
    Admins,
    /// Of the platform, as everybody sees it, such as a plan.
    Everybody,
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

impl Change {
    /// `everybody`, `admins`, `user USER`, `ORGANISATION`, or `ORGANISATION APP SLUG`, as triggers write it.
    pub(super) fn parse(payload: &str) -> Option<Self> {
        let words: Vec<&str> = payload.split(' ').collect();
        let of = |id: &str, app| {
            let organization = OrganizationId(id.parse::<Uuid>().ok()?);
            Some(Self::Of(Changed { organization, app }))
        };
        match words[..] {
            ["everybody"] => Some(Self::Everybody),
            ["admins"] => Some(Self::Admins),
            ["user", id] => Some(Self::User(UserId(id.parse::<Uuid>().ok()?))),
            [organization] => of(organization, None),
            [organization, id, slug] => of(organization, Some((AppId(id.parse::<Uuid>().ok()?), slug.parse().ok()?))),
            _ => None,
        }
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
        let of = |payload: &str| Change::parse(payload);
        let change = |app| Some(Change::Of(Changed { organization: OrganizationId(organization), app }));
        assert_eq!(of(&format!("{organization}")), change(None));
        let slug: AppSlug = "shop".parse().expect("is a slug");
        assert_eq!(of(&format!("{organization} {app} shop")), change(Some((AppId(app), slug))));
        assert_eq!(of(&format!("user {app}")), Some(Change::User(UserId(app))));
        assert_eq!(of("admins"), Some(Change::Admins));
        assert_eq!(of("everybody"), Some(Change::Everybody));
        assert_eq!(of("user everybody"), None);
        assert_eq!(of("nothing"), None);
        assert_eq!(of(&format!("{organization} {app} No-Slug")), None);
    }
}
