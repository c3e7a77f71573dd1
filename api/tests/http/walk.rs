//! The authorisation walk: every operation of the OpenAPI document, asked for by those who may not. A new route is
//! walked as soon as it is there.

use axum::http::Method;
use serde_json::{Map, Value, json};
use skypanel_core::actions::Scope;
use skypanel_core::model::{DeploymentId, NewDeployment, Trigger};

use crate::world::{Answered, World};

/// One operation, ready to be asked for.
struct Operation {
    method: Method,
    /// As in the document.
    path: String,
    /// With everything filled in.
    uri: String,
    body: Option<(String, String)>,
    public: bool,
}

impl Operation {
    /// Whether it is about things of one organisation.
    fn is_of_acme(&self) -> bool {
        ["{app}", "{organization}", "/api/paas/jobs/"].iter().any(|part| self.path.contains(part))
    }

    fn is_of_admins(&self) -> bool {
        self.path.starts_with("/api/admin/")
    }

    fn writes(&self) -> bool {
        self.method != Method::GET
    }

    async fn ask(&self, world: &World, token: Option<&str>) -> Answered {
        let mut call = world.call(self.method.clone(), &self.uri);
        if let Some(token) = token {
            call = call.token(token);
        }
        if let Some((content_type, body)) = &self.body {
            call = call.header("content-type", content_type).body(body.clone());
        }
        call.send().await
    }
}

#[tokio::test]
async fn nobody_gets_where_they_do_not_belong() {
    let world = World::new().await;
    let app = world.app("shop").await;
    let deployment = deployment(&world, &app).await;
    let operations = operations(&world, deployment);
    assert!(operations.len() > 50, "the document is walked");
    let mut wrong = Vec::new();
    let mut look = |who: &str, operation: &Operation, answered: &Answered, allowed: &[u16]| {
        if !allowed.contains(&answered.status.as_u16()) {
            let (method, uri, text) = (&operation.method, &operation.uri, &answered.text);
            wrong.push(format!("{who}: {method} {uri}: {} {}", answered.status, &text[..text.len().min(300)]));
        }
    };
    let token = |scope| world.token("viewer", scope);
    let viewer = token(Scope::Manage).await;
    let reader = world.token("owner", Scope::Read).await;
    let (outsider, loner) = (world.token("outsider", Scope::Manage).await, world.token("loner", Scope::Manage).await);
    let owner = world.token("owner", Scope::Manage).await;
    let admin_reader = world.token("admin", Scope::Read).await;
    for operation in operations.iter().filter(|operation| !operation.public) {
        look("nobody", operation, &operation.ask(&world, None).await, &[401]);
        look("a made-up token", operation, &operation.ask(&world, Some("skp_x")).await, &[401, 429]);
        if operation.is_of_admins() {
            for (who, token) in [("owner", &owner), ("outsider", &outsider), ("admin's reading token", &admin_reader)] {
                look(who, operation, &operation.ask(&world, Some(token)).await, &[403, 404]);
            }
            continue;
        }
        if operation.is_of_acme() {
            for (who, token) in [("outsider", &outsider), ("loner", &loner)] {
                look(who, operation, &operation.ask(&world, Some(token)).await, &[403, 404]);
            }
            if operation.writes() {
                look("viewer", operation, &operation.ask(&world, Some(&viewer)).await, &[403, 404]);
                look("reading token", operation, &operation.ask(&world, Some(&reader)).await, &[403, 404]);
            }
        }
    }
    assert!(wrong.is_empty(), "{} answers are wrong:\n{}", wrong.len(), wrong.join("\n"));
    world.close().await;
}

pub(crate) async fn deployment(world: &World, app: &skypanel_core::model::Application) -> DeploymentId {
    let id = DeploymentId::new();
    let new = NewDeployment {
        id,
        application_id: app.id,
        trigger: Trigger::Push,
        git_branch: Some("main".to_owned()),
        git_commit: Some("0".repeat(40)),
        git_message: None,
        git_author: None,
        no_cache: false,
        description: "Deploy 0000000".to_owned(),
        parent_id: None,
        created_by: None,
    };
    world.store().create_deployment(&new).await.expect("makes a deployment");
    world.actions.streams.create(id.into(), app.id).await.expect("makes a stream");
    id
}

fn operations(world: &World, deployment: DeploymentId) -> Vec<Operation> {
    let document = serde_json::to_value(skypanel_api::openapi()).expect("is JSON");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("has paths") {
        for (method, operation) in item.as_object().expect("has operations") {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let security = operation.get("security").and_then(Value::as_array);
            operations.push(Operation {
                uri: filled(world, path, deployment),
                public: security.is_some_and(|list| list.contains(&json!({}))),
                body: body(&document, operation),
                path: path.clone(),
                method,
            });
        }
    }
    operations
}

/// The path with what is there: things of `acme` wherever there are some.
fn filled(world: &World, path: &str, deployment: DeploymentId) -> String {
    let part = |part: &str| {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else { return part.to_owned() };
        match name {
            "app" => "shop".to_owned(),
            "organization" => "acme".to_owned(),
            "user" => world.users["developer"].id.to_string(),
            "deployment" | "job" => deployment.to_string(),
            "id" if path.contains("/jobs/") => deployment.to_string(),
            "key" => "NAME".to_owned(),
            "month" => "2026-02".to_owned(),
            "plan" => "00000000-0000-4000-8000-000000000001".to_owned(),
            "user_code" => "BCDF-GHJK".to_owned(),
            "provider" => "github".to_owned(),
            _ => uuid::Uuid::nil().to_string(),
        }
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A body that the handler can read: what is refused is refused for who asks.
pub(crate) fn body(document: &Value, operation: &Value) -> Option<(String, String)> {
    let (content_type, content) = operation["requestBody"]["content"].as_object()?.iter().next()?;
    if content_type != "application/json" {
        return Some((content_type.clone(), "NAME=value".to_owned()));
    }
    Some((content_type.clone(), example(document, &content["schema"], 0).to_string()))
}

/// A value of a schema: its example, its first choice, or the least of its type.
fn example(document: &Value, schema: &Value, depth: u8) -> Value {
    if depth > 6 {
        return Value::Null;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return example(document, &document["components"]["schemas"][name], depth + 1);
    }
    if let Some(value) = schema.get("example").or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(list) = schema[choice].as_array() {
            let first = list.iter().find(|schema| schema["type"] != "null").unwrap_or(&Value::Null);
            return example(document, first, depth + 1);
        }
    }
    if let Some(list) = schema["allOf"].as_array() {
        let parts = list.iter().map(|schema| example(document, schema, depth + 1));
        let merged = parts.filter_map(|part| part.as_object().cloned()).flatten().collect::<Map<_, _>>();
        return Value::Object(merged);
    }
    let kind = match &schema["type"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        kind => kind.as_str().unwrap_or("null"),
    };
    match kind {
        "object" => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let property = |name: &Value| {
                let name = name.as_str()?;
                Some((name.to_owned(), example(document, &schema["properties"][name], depth + 1)))
            };
            Value::Object(required.iter().filter_map(property).collect())
        }
        "array" => json!([]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "string" => match schema["format"].as_str() {
            Some("uuid") => json!(uuid::Uuid::nil()),
            Some("date-time") => json!("2026-03-01T00:00:00Z"),
            _ => json!("a value"),
        },
        _ => Value::Null,
    }
}
