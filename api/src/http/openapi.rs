//! The OpenAPI document: what the handlers say of themselves, completed by what is true of all of them.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
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
        crate::http::cookies::SESSION,
        "A browser session. Writes also need the header `X-CSRF-Token` with the value of the cookie `skypanel_csrf`.",
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

/// Adds to every operation the errors that it can have because of what it takes.
pub(crate) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let has_id = path.contains('{');
        for operation in operations(item) {
            add_errors(operation, has_id);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn add_errors(operation: &mut Operation, has_id: bool) {
    // `security(())` on a handler makes one requirement of nothing.
    let is_public = operation.security.as_ref().is_some_and(|list| list.contains(&SecurityRequirement::default()));
    let has_query = operation.parameters.as_ref().is_some_and(|list| !list.is_empty());
    let has_body = operation.request_body.is_some();
    let errors = [
        (has_query || has_body, "400", "The form of the request is wrong."),
        (!is_public, "401", "No session and no good API token."),
        (!is_public, "403", "The caller's role or the token's scope does not allow this."),
        (has_id, "404", "There is no such thing, or the caller may not know that there is."),
        (has_body, "413", "The body is too large."),
        (has_body, "415", "The body is not JSON."),
        (has_body, "422", "The input breaks a rule; `details.fields` names which."),
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
