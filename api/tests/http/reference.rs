//! docs/api.md from its mark on is written from the OpenAPI document, and so is api/dashboard/openapi.json: `SKYPANEL_UPDATE_DOCS=1` writes it anew, and
//! without it a reference that is not what the document says fails the test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// What is above it is written by hand.
const MARK: &str = "<!-- Written from the OpenAPI document. -->\n";
/// Begins the names of schemas that are pages of items, which all have one form.
const PAGE: &str = "Listed_";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[test]
fn the_reference_is_what_the_document_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let document = serde_json::to_value(skypanel_api::openapi()).expect("is JSON");
    let old = std::fs::read_to_string(&path).expect("reads");
    let (head, _) = old.split_once(MARK).expect("has the mark");
    let new = format!("{head}{MARK}{}", reference(&document));
    if std::env::var_os("SKYPANEL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, new).expect("writes");
        return;
    }
    assert!(
        new == old,
        "docs/api.md is not what the OpenAPI document says. Write it anew: \
         SKYPANEL_UPDATE_DOCS=1 cargo test -p skypanel-api --test http reference::"
    );
}

/// The dashboard's client is made from this file, which has to be there before anything of Rust is built.
#[test]
fn the_dashboard_knows_the_document_of_now() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboard/openapi.json");
    let document = serde_json::to_value(skypanel_api::openapi()).expect("is JSON");
    let new = format!("{document:#}\n");
    if std::env::var_os("SKYPANEL_UPDATE_DOCS").is_some() {
        std::fs::write(&path, new).expect("writes");
        return;
    }
    assert!(
        new == std::fs::read_to_string(&path).expect("reads"),
        "api/dashboard/openapi.json is not the OpenAPI document. Write it anew, and build the dashboard with it: \
         SKYPANEL_UPDATE_DOCS=1 cargo test -p skypanel-api --test http reference:: && infra/dev/dashboard"
    );
}

#[test]
fn the_table_of_errors_has_all_codes_that_are_answered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("../docs/api.md")).expect("reads");
    let table: String = guide.lines().filter(|line| line.starts_with("| ")).collect();
    let mut codes = Vec::new();
    for file in sources(&root.join("src")) {
        let text = std::fs::read_to_string(file).expect("reads");
        codes.extend(text.split("ApiError::new(").skip(1).filter_map(code));
    }
    let errors = std::fs::read_to_string(root.join("../core/src/error.rs")).expect("reads");
    let (_, named) = errors.split_once("fn code(&self)").expect("names the codes");
    codes.extend(named.split("=> ").skip(1).filter_map(code));
    assert!(codes.len() > 30, "{codes:?}");
    for code in codes {
        assert!(table.contains(&format!("`{code}`")), "docs/api.md says nothing of {code}");
    }
}

/// The first text in quotes, if it is all of capitals.
fn code(text: &str) -> Option<String> {
    let code = text.split('"').nth(1)?;
    code.chars().all(|char| char.is_ascii_uppercase() || char == '_').then(|| code.to_owned())
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("lists").map(|entry| entry.expect("is there").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(directories.iter().flat_map(|directory| sources(directory))).collect()
}

fn reference(document: &Value) -> String {
    let mut nouns: BTreeMap<&str, String> = BTreeMap::new();
    for (path, item) in object(&document["paths"]) {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let noun = operation["tags"][0].as_str().expect("has a noun");
            *nouns.entry(noun).or_default() += &described(path, method, operation);
        }
    }
    let mut text = String::new();
    for (noun, operations) in nouns {
        write!(text, "\n## {}\n{operations}", title(noun)).expect("is text");
    }
    text += "\n## Schemas\n";
    let schemas = object(&document["components"]["schemas"]).iter();
    for (name, schema) in schemas.filter(|(name, _)| !name.starts_with(PAGE)) {
        text += &shape(name, schema);
    }
    text
}

fn described(path: &str, method: &str, operation: &Value) -> String {
    let mut text = format!("\n### {}\n\n", words(&operation["summary"]));
    writeln!(text, "`{} {path}`", method.to_uppercase()).expect("is text");
    if operation["security"].as_array().is_some_and(|list| list.iter().any(|one| object(one).is_empty())) {
        text += "\nNeeds no login.\n";
    }
    if let Some(description) = operation["description"].as_str() {
        write!(text, "\n{description}\n").expect("is text");
    }
    // Each call has these two; the text above the mark tells of them.
    let common = ["Idempotency-Key", "If-None-Match"];
    let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    let mut rows = String::new();
    for parameter in parameters.iter().filter(|one| !common.contains(&one["name"].as_str().unwrap_or_default())) {
        let (name, place) = (words(&parameter["name"]), words(&parameter["in"]));
        let needed = if parameter["required"] == true { "" } else { ", optional" };
        let kind = kind(&parameter["schema"]);
        writeln!(rows, "| `{name}` | {place}{needed} | {kind} | {} |", cell(&parameter["description"]))
            .expect("is text");
    }
    if !rows.is_empty() {
        write!(text, "\n| parameter | in | type | meaning |\n|---|---|---|---|\n{rows}").expect("is text");
    }
    for (media, content) in object(&operation["requestBody"]["content"]) {
        write!(text, "\nBody: {}{}\n", kind(&content["schema"]), unless_json(media)).expect("is text");
    }
    let answers = object(&operation["responses"]).iter().filter(|(status, _)| status.starts_with('2'));
    let answers: Vec<String> = answers.map(|(status, response)| answer(status, response)).collect();
    let errors: Vec<&str> = object(&operation["responses"])
        .keys()
        .map(String::as_str)
        .filter(|status| status.starts_with('4') && !["401", "403", "429"].contains(status))
        .collect();
    write!(text, "\nAnswers: {}", answers.join("; ")).expect("is text");
    if !errors.is_empty() {
        write!(text, ". Errors: {}", errors.join(", ")).expect("is text");
    }
    text + "\n"
}

fn answer(status: &str, response: &Value) -> String {
    let description = response["description"].as_str().unwrap_or_default().trim_end_matches('.');
    let bodies: Vec<String> = object(&response["content"])
        .iter()
        .map(|(media, content)| format!("{}{}", kind(&content["schema"]), unless_json(media)))
        .collect();
    let body = if bodies.is_empty() { "nothing".to_owned() } else { bodies.join(" or ") };
    if description.is_empty() {
        format!("{status} with {body}")
    } else {
        format!("{status} with {body} ({description})")
    }
}

fn unless_json(media: &str) -> String {
    if media == "application/json" { String::new() } else { format!(" as `{media}`") }
}

fn shape(name: &str, schema: &Value) -> String {
    let mut text = format!("\n### {name}\n");
    if let Some(description) = schema["description"].as_str() {
        write!(text, "\n{description}\n").expect("is text");
    }
    let properties = properties(schema);
    if properties.is_empty() {
        write!(text, "\n{}\n", title(&kind(schema))).expect("is text");
        return text;
    }
    text += "\n| field | type | meaning |\n|---|---|---|\n";
    for (field, schema, required) in properties {
        let optional = if required { "" } else { ", optional" };
        writeln!(text, "| `{field}` | {}{optional} | {} |", kind(schema), cell(&schema["description"]))
            .expect("is text");
    }
    text
}

/// The fields of an object, those of the parts it is made of included.
fn properties(schema: &Value) -> Vec<(&str, &Value, bool)> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|one| one == name));
    let own = object(&schema["properties"]).iter().map(|(name, property)| (name.as_str(), property, required(name)));
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(properties);
    parts.chain(own).collect()
}

/// A type in words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let linked = |name: &str| format!("[{name}](#{})", name.to_lowercase());
        return name.strip_prefix(PAGE).map_or_else(|| linked(name), |item| format!("a page of {}", linked(item)));
    }
    if let Some(list) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let mut kinds: Vec<String> = list.iter().map(kind).collect();
        kinds.sort_by_key(|kind| kind == "null");
        return kinds.join(" or ");
    }
    if let Some(list) = schema["allOf"].as_array().filter(|_| schema["properties"].is_null()) {
        return list.iter().map(kind).collect::<Vec<_>>().join(" and ");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", words_of(word))).collect::<Vec<_>>().join(", ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        Value::String(name) => vec![name],
        _ => return "any JSON".to_owned(),
    };
    let kinds: Vec<String> = names.iter().map(|name| simple(name, schema)).collect();
    kinds.join(" or ") + &limits(schema)
}

fn simple(name: &str, schema: &Value) -> String {
    match (name, schema["format"].as_str()) {
        ("string", Some("uuid")) => "UUID".to_owned(),
        ("string", Some("date-time")) => "time".to_owned(),
        ("string", Some("date")) => "date".to_owned(),
        ("string", Some("binary")) => "bytes".to_owned(),
        ("string", _) => "text".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("boolean", _) => "`true` or `false`".to_owned(),
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        ("object", _) if !schema["additionalProperties"].is_null() && schema["additionalProperties"].is_object() => {
            format!("object with values {}", kind(&schema["additionalProperties"]))
        }
        (other, _) => other.to_owned(),
    }
}

fn limits(schema: &Value) -> String {
    let mut limits = Vec::new();
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => limits.push(format!("{least} to {most}")),
        (Some(least), None) => limits.push(format!("from {least}")),
        (None, Some(most)) => limits.push(format!("to {most}")),
        (None, None) => {}
    }
    match (schema["minLength"].as_u64(), schema["maxLength"].as_u64()) {
        (Some(least), Some(most)) => limits.push(format!("{least} to {most} characters")),
        (Some(least), None) => limits.push(format!("{least} characters or more")),
        (None, Some(most)) => limits.push(format!("up to {most} characters")),
        (None, None) => {}
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        limits.push(format!("`{}`", pattern.replace('|', "\\|")));
    }
    match &schema["default"] {
        Value::Null => {}
        default => limits.push(format!("`{}` without", words_of(default))),
    }
    if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) }
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn cell(value: &Value) -> String {
    words(value).replace('\n', " ").replace('|', "\\|")
}

fn title(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn object(value: &Value) -> &Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&EMPTY)
}
