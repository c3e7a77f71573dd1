//! The OpenAPI document: what the handlers say of themselves, completed by what is true of all of them.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponseBuilder,
};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::error::ErrorBody;

/// The document before any handler is added.
pub(crate) fn begin() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Skypanel")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Everything that can be done on the platform. Errors have one form everywhere; lists come in pages; \
             amounts of money are decimal text; times are RFC 3339.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
        .build();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API token, `skp_…`, with the scope `read`, `deploy` or `manage`."))
        .build();
    let session = ApiKeyValue::with_description(
        crate::http::cookies::SESSION.plain,
        "A browser session. Writes also need the header `X-CSRF-Token` with the value of the cookie `skypanel_csrf`. With \
         HTTPS the names of both cookies begin with `__Host-`.",
    );
    let mut document = OpenApiBuilder::new()
        .info(info)
        .security(Some([
            SecurityRequirement::new("token", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    components.schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    document
}

/// Adds to every operation what is true of all of its kind: what they take beside their own, and how they can fail.
pub(crate) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let has_id = path.contains('{');
        let methods = [
            ("GET", &mut item.get),
            ("PUT", &mut item.put),
            ("POST", &mut item.post),
            ("DELETE", &mut item.delete),
            ("PATCH", &mut item.patch),
        ];
        for (method, operation) in methods {
            let Some(operation) = operation else { continue };
            add_headers(operation, method);
            add_errors(operation, method != "GET", has_id);
        }
    }
}

/// The operations of a path, with their methods.
pub(crate) fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let methods = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("PATCH", &item.patch),
    ];
    methods.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// The parameters of an operation; none is kept apart, to be referred to.
pub(crate) fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

fn is_public(operation: &Operation) -> bool {
    // `security(())` on a handler makes one requirement of nothing.
    operation.security.as_ref().is_some_and(|list| list.contains(&SecurityRequirement::default()))
}

fn add_headers(operation: &mut Operation, method: &str) {
    let parameter = match method {
        "POST" if !is_public(operation) => header(
            "Idempotency-Key",
            "Makes the call safe to repeat: the same call with the same key gets the first answer again, for a day.",
            ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(200)),
        ),
        "GET" if answers_json(operation) => {
            let unchanged = "Nothing changed since the answer with that `ETag`; there is no body.";
            let response = ResponseBuilder::new().description(unchanged).build();
            operation.responses.responses.insert("304".to_owned(), RefOr::T(response));
            header(
                "If-None-Match",
                "`ETag` of an answer that the client still has.",
                ObjectBuilder::new().schema_type(Type::String),
            )
        }
        _ => return,
    };
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter));
}

fn header(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn answers_json(operation: &Operation) -> bool {
    matches!(operation.responses.responses.get("200"), Some(RefOr::T(response))
        if response.content.contains_key("application/json"))
}

fn add_errors(operation: &mut Operation, writes: bool, has_id: bool) {
    let public = is_public(operation);
    let has_query = parameters(operation).any(|parameter| parameter.parameter_in == ParameterIn::Query);
    let has_key = parameters(operation).any(|parameter| parameter.name == "Idempotency-Key");
    let has_last_event = parameters(operation).any(|parameter| parameter.name == "Last-Event-ID");
    let names_other = parameters(operation).any(|parameter| {
        parameter.parameter_in == ParameterIn::Query && ["app", "organization"].contains(&parameter.name.as_str())
    });
    let has_body = operation.request_body.is_some();
    let errors = [
        (has_body || has_key || has_last_event, "400", "The form of the request is wrong."),
        (!public, "401", "No session and no good API token."),
        (!public || writes, "403", "The caller's role or the token's scope does not allow this, or another site asks."),
        (
            has_id || names_other || (has_body && !public),
            "404",
            "There is no such thing, or the caller may not know that there is.",
        ),
        (writes && !public, "409", "It does not go together with what is there, or that idempotency key is in use."),
        (has_body, "413", "The body is too large."),
        (has_body, "415", "The body is of another type."),
        (has_query || has_body || has_key, "422", "The input breaks a rule; `details.fields` names which."),
        (true, "429", "Too many requests; `Retry-After` says when to try again."),
        (true, "500", "Skypanel failed; its log says why under the request's id."),
        (true, "503", "Something that Skypanel needs does not answer at the moment."),
        (true, "504", "It took too long and was given up."),
    ];
    for (_, status, description) in errors.into_iter().filter(|(applies, ..)| *applies) {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| {
            RefOr::T(
                ResponseBuilder::new().description(description).content("application/json", error_content()).build(),
            )
        });
    }
}

fn error_content() -> Content {
    Content::new(Some(Ref::from_schema_name(ErrorBody::name())))
}
