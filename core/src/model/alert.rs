//! Alerts: what is wrong, found by a rule, about one thing.

use chrono::{DateTime, Utc};

use super::{AlertId, OrganizationId};

text_enum! {
    /// What is looked after. What each looks at is in [`crate::alerts`].
    AlertRule {
        /// Several deployments of an app in a row failed.
        AppDeploysFailing = "app_deploys_failing",
        /// Many of the platform's deployments fail.
        DeployFailures = "deploy_failures",
    }
}

text_enum! {
    /// How grave an alert is, least first.
    Severity {
        /// Somebody should look at it.
        Warning = "warning",
        /// Somebody must, now.
        Critical = "critical",
    }
}

text_enum! {
    /// What an alert can be about.
    SubjectKind {
        /// The whole platform.
        Platform = "platform",
        /// Something that the platform works with, such as the log store.
        Service = "service",
        /// A machine of the Swarm.
        Node = "node",
        /// A machine that Skypanel itself runs on.
        Host = "host",
        /// An organisation.
        Organization = "organization",
        /// An app.
        App = "app",
        /// A custom domain.
        Domain = "domain",
    }
}

/// The thing that an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// What kind of thing.
    pub kind: SubjectKind,
    /// Which one: its id, or its name where that is all it has.
    pub key: String,
    /// How people know it.
    pub name: String,
    /// Whose people are concerned; none for the platform's admins alone.
    pub organization: Option<OrganizationId>,
}

impl Subject {
    /// The whole platform.
    pub fn platform() -> Self {
        let word = || "platform".to_owned();
        Self { kind: SubjectKind::Platform, key: word(), name: word(), organization: None }
    }

    /// Something that the platform works with.
    pub fn service(key: &str, name: &str) -> Self {
        Self { kind: SubjectKind::Service, key: key.to_owned(), name: name.to_owned(), organization: None }
    }
}

/// An alert that was told of, or would have been if there had been anybody to tell.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// Which rule found it.
    pub rule: AlertRule,
    /// What kind of thing it is about.
    pub subject_kind: SubjectKind,
    /// Which one.
    pub subject: String,
    /// How people know that one, or knew it then.
    pub subject_name: String,
    /// Whose people are concerned.
    pub organization_id: Option<OrganizationId>,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, in words. Holds nothing secret.
    pub message: String,
    /// What was measured last, where the rule is about a number.
    pub value: Option<f64>,
    /// What that was held against.
    pub threshold: Option<f64>,
    /// When it was first seen.
    pub began_at: DateTime<Utc>,
    /// When it had lasted for long enough to count.
    pub fired_at: DateTime<Utc>,
    /// When it was last seen.
    pub last_seen: DateTime<Utc>,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
}

text_enum! {
    /// What is told of an alert.
    News {
        /// It is new.
        Fired = "fired",
        /// It has become graver.
        Worse = "worse",
        /// It still lasts, a long time after it was told of last.
        Lasting = "lasting",
        /// It is over.
        Resolved = "resolved",
    }
}
