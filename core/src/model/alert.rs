//! Alerts: what is wrong, found by a rule, about one thing.

use chrono::{DateTime, Utc};

use super::{AlertId, OrganizationId};

text_enum! {
    /// What is looked after. What each looks at is in [`crate::alerts`].
    AlertRule {
        /// Many requests to the API fail.
        ApiErrors = "api_errors",
        /// Many answers of the API take long.
        ApiLatency = "api_latency",
        /// An app's processes end again and again.
        AppCrashes = "app_crashes",
        /// Several deployments of an app in a row failed.
        AppDeploysFailing = "app_deploys_failing",
        /// Many requests to an app fail.
        AppErrors = "app_errors",
        /// Processes of an app are not started any more.
        AppGivenUp = "app_given_up",
        /// Many answers of an app take long.
        AppLatency = "app_latency",
        /// An app's replicas fail their health checks again and again.
        AppUnhealthy = "app_unhealthy",
        /// What was charged is not what was used.
        BillingMismatch = "billing_mismatch",
        /// Builds take long.
        BuildTime = "build_time",
        /// A custom domain has no certificate, or one that ends soon.
        CertificateFailing = "certificate_failing",
        /// Many of the platform's deployments fail.
        DeployFailures = "deploy_failures",
        /// The edge does not answer.
        EdgeDown = "edge_down",
        /// A job has waited long.
        JobsAge = "jobs_age",
        /// Many jobs wait.
        JobsDepth = "jobs_depth",
        /// The external log store does not answer.
        LogStoreDown = "log_store_down",
        /// A wallet does not last for long any more.
        LowBalance = "low_balance",
        /// The mail server does not answer.
        MailDown = "mail_down",
        /// The external source of metrics does not answer.
        MetricsSourceDown = "metrics_source_down",
        /// What a month was charged gets near an organisation's own budget.
        MonthBudget = "month_budget",
        /// A machine's processors are busy.
        NodeCpu = "node_cpu",
        /// A machine's disk is nearly full.
        NodeDisk = "node_disk",
        /// A machine of the Swarm does not answer.
        NodeDown = "node_down",
        /// A machine's memory is nearly used up.
        NodeMemory = "node_memory",
        /// Rollouts take long.
        RolloutTime = "rollout_time",
        /// An hour that is over is not settled.
        SettlementLate = "settlement_late",
        /// An empty wallet holds an organisation's apps.
        WalletEmpty = "wallet_empty",
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
