//! Custom domains of apps: added with instructions, verified, removed.

mod add;
mod list;
mod redirect;
mod remove;
mod verify;

use chrono::{DateTime, Utc};
use serde::Serialize;
use skypanel_core::actions::DomainView;
use skypanel_core::model::{CertificateStatus, DnsRecord, DomainStatus};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{Shared, schema};

/// The routes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list::list_domains, add::add_domain, redirect::set_https_redirect))
        .routes(routes!(remove::remove_domain))
        .routes(routes!(verify::verify_domain))
}

/// A record to put into DNS.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordItem {
    /// Its type, such as `CNAME`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Its full name.
    name: String,
    /// Its value.
    value: String,
}

impl From<DnsRecord> for RecordItem {
    fn from(record: DnsRecord) -> Self {
        Self { kind: record.kind, name: record.name, value: record.value }
    }
}

/// A custom domain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DomainItem {
    id: Uuid,
    /// The app that it leads to.
    application_id: Uuid,
    /// Its name as DNS has it, in ASCII.
    domain: String,
    /// The same as people write it.
    display_name: String,
    /// `active` ones are routed.
    #[schema(value_type = schema::DomainStatus)]
    status: DomainStatus,
    /// What the last check found wrong, and how to mend it.
    problem: Option<String>,
    /// The TXT record by which its people prove that it is theirs.
    verification: RecordItem,
    /// The record, or the records, that lead requests here.
    routing: Vec<RecordItem>,
    checked_at: Option<DateTime<Utc>>,
    next_check_at: DateTime<Utc>,
    /// When a check found all right last.
    dns_validated_at: Option<DateTime<Utc>>,
    /// When routing ends if what is wrong is not mended.
    demoted_at: Option<DateTime<Utc>>,
    /// What the edge really serves over TLS.
    #[schema(value_type = schema::CertificateStatus)]
    ssl_status: CertificateStatus,
    /// Who issued the certificate that the edge serves.
    ssl_issuer: Option<String>,
    /// Until when it holds.
    ssl_cert_expires_at: Option<DateTime<Utc>>,
    /// Why there is no certificate, or no good one.
    ssl_problem: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<DomainView> for DomainItem {
    fn from(view: DomainView) -> Self {
        let DomainView { domain, instructions, demoted_at } = view;
        Self {
            id: domain.id.0,
            application_id: domain.application_id.0,
            display_name: domain.domain.for_people(),
            domain: domain.domain.to_string(),
            status: domain.status,
            problem: domain.problem,
            verification: instructions.proof.into(),
            routing: instructions.routing.into_iter().map(RecordItem::from).collect(),
            checked_at: domain.checked_at,
            next_check_at: domain.next_check_at,
            dns_validated_at: domain.dns_validated_at,
            demoted_at,
            ssl_status: domain.ssl_status,
            ssl_issuer: domain.ssl_issuer,
            ssl_cert_expires_at: domain.ssl_cert_expires_at,
            ssl_problem: domain.ssl_problem,
            created_at: domain.created_at,
        }
    }
}
