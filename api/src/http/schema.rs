//! Schemas of the domain's values, for `#[schema(value_type = schema::Role)]`: the domain itself knows no HTTP.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! enums {
    ($($name:ident = $of:ty),+ $(,)?) => {$(
        #[doc = concat!("Schema of `", stringify!($of), "`.")]
        #[derive(Debug)]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(<$of>::ALL.iter().map(|value| value.as_str())))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

enums! {
    AlertRule = skypanel_core::model::AlertRule,
    AppStatus = skypanel_core::model::AppStatus,
    CheckOutcome = skypanel_core::actions::CheckOutcome,
    CertificateStatus = skypanel_core::model::CertificateStatus,
    DeliveryOutcome = skypanel_core::model::DeliveryOutcome,
    DeploymentStatus = skypanel_core::model::DeploymentStatus,
    DomainStatus = skypanel_core::model::DomainStatus,
    FileStatus = skypanel_core::model::FileStatus,
    HostKind = skypanel_core::model::HostKind,
    JobState = skypanel_core::store::JobState,
    LedgerKind = skypanel_core::model::LedgerKind,
    LogLevel = skypanel_core::logs::LogLevel,
    LogSource = skypanel_core::logs::LogSource,
    MetricsRange = skypanel_core::actions::MetricsRange,
    NoChanges = skypanel_core::model::NoChanges,
    NodeAvailability = skypanel_core::model::NodeAvailability,
    NodeRole = skypanel_core::model::NodeRole,
    NodeState = skypanel_core::model::NodeState,
    NotificationState = skypanel_core::model::NotificationState,
    Omission = skypanel_core::model::Omission,
    QueuedJobState = skypanel_core::store::QueuedJobState,
    Role = skypanel_core::model::Role,
    Scope = skypanel_core::actions::Scope,
    SettingKind = skypanel_core::settings::SettingKind,
    SettingPart = skypanel_core::actions::SettingPart,
    Severity = skypanel_core::model::Severity,
    Stage = skypanel_core::model::Stage,
    SubjectKind = skypanel_core::model::SubjectKind,
    SuspensionReason = skypanel_core::model::SuspensionReason,
    TargetKind = skypanel_core::model::TargetKind,
    Trigger = skypanel_core::model::Trigger,
    Via = skypanel_core::actions::Via,
    WebhookProvider = skypanel_core::model::WebhookProvider,
}

/// An exact decimal in text, such as `"0.0347"`.
#[derive(Debug)]
pub(crate) struct Money;

impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^-?\d+(\.\d+)?$")).into()
    }
}

impl ToSchema for Money {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Money")
    }
}

/// An event of a live stream, as its lines say. What `data` holds, as JSON in text, depends on the `event`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "events are written line by line; this is their description")]
pub(crate) struct LiveEvent {
    /// What happened.
    #[schema(example = "output")]
    event: Option<String>,
    /// Where the stream can be taken up again, as `Last-Event-ID`.
    id: Option<String>,
    /// JSON, as text.
    data: String,
}
