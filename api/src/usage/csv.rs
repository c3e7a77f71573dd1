//! `GET /api/paas/usage.csv`.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use skypanel_core::actions::{Actions, Period};
use skypanel_core::model::Hour;
use skypanel_core::store::{UsageHour, UsagePosition};
use skypanel_core::usage_csv;

use super::Wish;
use crate::error::ApiError;
use crate::http::{Caller, QueryOf};

/// Lines that are read and sent at a time.
const PAGE: u32 = 2_000;

/// Export usage
///
/// Settled hours as CSV: a line for every hour, app, process type, plan and price. `replica_seconds` are replicas times
/// the seconds that they ran, exactly; `charged` is whether the ledger has it.
#[utoipa::path(
    get,
    path = "/api/paas/usage.csv",
    tag = "usage",
    params(Wish),
    responses((status = OK, content_type = "text/csv", body = String))
)]
pub(crate) async fn export_usage(
    State(actions): State<Actions>,
    caller: Caller,
    QueryOf(wish): QueryOf<Wish>,
) -> Result<Response, ApiError> {
    let asked = wish.resolve(&actions, &caller).await?;
    let bounds = match asked.period {
        Period::Month(month) => (Hour::of(month.begin()), Hour::of(month.end())),
        Period::Hours(from, to) => (from, to),
    };
    let first = actions.store.usage_hours(asked.organization, asked.app, bounds, None, PAGE).await?;
    let store = actions.store.clone();
    let next = move |position: UsagePosition| {
        let store = store.clone();
        async move { store.usage_hours(asked.organization, asked.app, bounds, Some(&position), PAGE).await }
    };
    let begin = (Some(usage_csv::HEAD.to_owned()), Some(first), None);
    let pages = stream::unfold((begin, next), |((head, page, position), next)| async move {
        let page = match (page, position) {
            (Some(page), _) => page,
            (None, Some(position)) => match next(position).await {
                Ok(page) => page,
                // Breaks the answer off, so that nobody takes a part of it for the whole.
                Err(error) => return Some((Err(error), ((None, None, None), next))),
            },
            (None, None) => return None,
        };
        let mut text = head.unwrap_or_default();
        text.extend(page.iter().map(usage_csv::line));
        let full = page.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        let position = page.last().filter(|_| full).map(UsageHour::position);
        Some((Ok(Bytes::from(text)), ((None, None, position), next)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}
