//! What a query or a tail asks for, and its answer.

use std::collections::BTreeMap;

use hyper::Request;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::pushed::Line;
use crate::query::{Labels, Query};

/// What Loki allows unless it is told otherwise.
const MAX_LIMIT: usize = 5_000;
const MAX_SPAN: i64 = 721 * 3_600 * 1_000_000_000;

/// Status and reason.
pub(crate) type Refusal = (u16, String);

pub(crate) fn bad(why: impl Into<String>) -> Refusal {
    (400, why.into())
}

/// What is asked for in an address.
pub(crate) struct Asked {
    query: Query,
    start: i64,
    end: Option<i64>,
    limit: usize,
    is_forward: bool,
    /// Whether what is beside a line is told apart from its labels.
    pub(crate) is_apart: bool,
}

pub(crate) fn asked(request: &Request<Incoming>, allowed: &[&str]) -> Result<Asked, Refusal> {
    let parameters: BTreeMap<String, String> =
        form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    if let Some(other) = parameters.keys().find(|name| !allowed.contains(&name.as_str())) {
        return Err(bad(format!("parameter {other}")));
    }
    let number = |name: &str| -> Result<Option<i64>, Refusal> {
        let number = parameters.get(name).map(|text| text.parse().map_err(|_| bad(format!("{name} {text:?}"))));
        number.transpose()
    };
    let limit = usize::try_from(number("limit")?.unwrap_or(100)).map_err(|_| bad("limit must be a positive value"))?;
    if limit == 0 || limit > MAX_LIMIT {
        return Err(bad(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {MAX_LIMIT})"
        )));
    }
    if number("delay_for")?.unwrap_or(0) > 5 {
        return Err(bad("delay_for can't be greater than 5"));
    }
    let is_forward = match parameters.get("direction").map(String::as_str) {
        Some("forward") => true,
        Some("backward") | None => false,
        Some(other) => return Err(bad(format!("invalid direction {other:?}"))),
    };
    let flags = request.headers().get("x-loki-response-encoding-flags");
    let (start, end) = (number("start")?.ok_or_else(|| bad("start"))?, number("end")?);
    if let Some(end) = end
        && !(start < end && end - start <= MAX_SPAN)
    {
        return Err(bad("the query time range exceeds the limit, or ends before it begins"));
    }
    Ok(Asked {
        query: Query::parse(parameters.get("query").map_or("", String::as_str)).map_err(bad)?,
        start,
        end,
        limit,
        is_forward,
        is_apart: flags.is_some_and(|flags| flags == "categorize-labels"),
    })
}

impl Asked {
    pub(crate) fn wants(&self, line: &Line) -> bool {
        self.query.is_of(&line.labels) && self.query.takes(&line.labels, &line.metadata, &line.text)
    }

    /// Those that are wanted, in the order that is wanted.
    pub(crate) fn select(&self, lines: &[Line]) -> Vec<Line> {
        let is_in = |line: &&Line| line.at >= self.start && self.end.is_none_or(|end| line.at < end);
        let mut found: Vec<Line> = lines.iter().filter(is_in).filter(|line| self.wants(line)).cloned().collect();
        found.sort_by_key(|line| line.at);
        if !self.is_forward {
            found.reverse();
        }
        found.truncate(self.limit);
        found
    }

    pub(crate) fn streams(&self, lines: &[Line]) -> Value {
        let mut streams: BTreeMap<Labels, Vec<Value>> = BTreeMap::new();
        for line in lines {
            let mut labels = line.labels.clone();
            let mut value = json!([line.at.to_string(), line.text]);
            if self.is_apart {
                let beside =
                    if line.metadata.is_empty() { json!({}) } else { json!({ "structuredMetadata": line.metadata }) };
                value.as_array_mut().expect("is one").push(beside);
            } else {
                labels.extend(line.metadata.clone());
            }
            streams.entry(labels).or_default().push(value);
        }
        streams.into_iter().map(|(stream, values)| json!({ "stream": stream, "values": values })).collect()
    }
}
