//! What a push must be like, field by field.

use serde_json::Value;

use crate::query::Labels;

/// What Loki allows unless it is told otherwise.
const MAX_LABELS: usize = 15;
const MAX_VALUE: usize = 2_048;
const MAX_LINE: usize = 256 * 1024;

/// A line that is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) labels: Labels,
    pub(crate) at: i64,
    pub(crate) text: String,
    pub(crate) metadata: Labels,
}

/// The lines of a push, field by field.
pub(crate) fn pushed(body: &Value) -> Result<Vec<Line>, String> {
    let body = only(body, &["streams"])?;
    let mut lines = Vec::new();
    for stream in body["streams"].as_array().ok_or("streams is no list")? {
        let stream = only(stream, &["stream", "values"])?;
        let labels = texts(&stream["stream"])?;
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if labels.is_empty() || labels.len() > MAX_LABELS {
            return Err(format!("{} labels", labels.len()));
        }
        for (name, value) in &labels {
            if !is_name(name) || value.is_empty() || value.len() > MAX_VALUE {
                return Err(format!("label {name}={value:?}"));
            }
        }
        for value in stream["values"].as_array().ok_or("values is no list")? {
            let parts =
                value.as_array().filter(|parts| matches!(parts.len(), 2 | 3)).ok_or("a value has 2 or 3 parts")?;
            let at = parts[0].as_str().ok_or("a time must be sent as a string")?;
            let at: i64 = at.parse().map_err(|_| format!("time {at:?}"))?;
            let text = parts[1].as_str().ok_or("a line is a string")?.to_owned();
            if text.len() > MAX_LINE {
                return Err(format!("Max entry size '{MAX_LINE}' bytes exceeded"));
            }
            let metadata = parts.get(2).map(texts).transpose()?.unwrap_or_default();
            lines.push(Line { labels: labels.clone(), at, text, metadata });
        }
    }
    if lines.is_empty() {
        Err("error at least one valid stream is required for ingestion".to_owned())
    } else {
        Ok(lines)
    }
}

fn only<'a>(value: &'a Value, names: &[&str]) -> Result<&'a serde_json::Map<String, Value>, String> {
    let object = value.as_object().ok_or("is no object")?;
    let others: Vec<&String> = object.keys().filter(|name| !names.contains(&name.as_str())).collect();
    if others.is_empty() && object.len() == names.len() { Ok(object) } else { Err(format!("fields {others:?}")) }
}

fn texts(value: &Value) -> Result<Labels, String> {
    let object = value.as_object().ok_or("is no object")?;
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    object.iter().map(text).collect::<Option<_>>().ok_or_else(|| format!("not only strings: {value}"))
}
