//! The LogQL that a log query can be: matchers of labels, then filters of lines and labels.

use std::collections::BTreeMap;

use regex::Regex;

/// Labels of a stream, or what is beside a line.
pub(crate) type Labels = BTreeMap<String, String>;

/// A query, as far as this Loki knows them.
pub(crate) struct Query {
    matchers: Vec<(String, Regex)>,
    lines: Vec<Regex>,
    beside: Vec<(String, Regex)>,
}

impl Query {
    /// What Loki says where it cannot read one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |rest: &str| format!("parse error at line 1, col {}: syntax error", text.len() - rest.len() + 1);
        let mut query = Self { matchers: Vec::new(), lines: Vec::new(), beside: Vec::new() };
        let mut rest = text.strip_prefix('{').ok_or_else(|| wrong(text))?;
        while !rest.starts_with('}') {
            let (name, behind) = rest.split_at(rest.find(['=', '!']).ok_or_else(|| wrong(rest))?);
            let (value, behind) = value(behind).ok_or_else(|| wrong(behind))?;
            query.matchers.push((name.to_owned(), value));
            rest = behind.strip_prefix(',').unwrap_or(behind);
        }
        if query.matchers.is_empty() {
            return Err("queries require at least one regexp or equality matcher".to_owned());
        }
        rest = &rest[1..];
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix(" |~ ") {
                let (text, behind) = quoted(behind).ok_or_else(|| wrong(behind))?;
                query.lines.push(Regex::new(&text).map_err(|error| error.to_string())?);
                rest = behind;
            } else {
                let filter = rest.strip_prefix(" | ").ok_or_else(|| wrong(rest))?;
                let (name, behind) = filter.split_at(filter.find('=').ok_or_else(|| wrong(filter))?);
                let (value, behind) = value(behind).ok_or_else(|| wrong(behind))?;
                query.beside.push((name.to_owned(), value));
                rest = behind;
            }
        }
        Ok(query)
    }

    pub(crate) fn is_of(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|(name, value)| value.is_match(labels.get(name).map_or("", String::as_str)))
    }

    pub(crate) fn takes(&self, labels: &Labels, metadata: &Labels, line: &str) -> bool {
        let all = |name: &String| metadata.get(name).or_else(|| labels.get(name)).map_or("", String::as_str);
        self.lines.iter().all(|expression| expression.is_match(line))
            && self.beside.iter().all(|(name, value)| value.is_match(all(name)))
    }
}

/// What a label must be, whole.
fn value(text: &str) -> Option<(Regex, &str)> {
    if let Some(behind) = text.strip_prefix("=~") {
        let (expression, behind) = quoted(behind)?;
        return Some((Regex::new(&format!("^(?:{expression})$")).ok()?, behind));
    }
    let (exact, behind) = quoted(text.strip_prefix('=')?)?;
    Some((Regex::new(&format!("^{}$", regex::escape(&exact))).ok()?, behind))
}

/// A text in double quotes with the escapes of Go.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        is_end
    })?;
    // What we use of them is JSON's, too.
    let (quoted, behind) = text.split_at(end.0 + 1);
    Some((serde_json::from_str(quoted).ok()?, behind))
}
