//! The part of an app's route file that is for its custom domains: a route over HTTP and one over HTTPS for each,
//! with a certificate of its own, so that one that cannot be had keeps no other from being had.

use serde_json::{Value, json};
use skypanel_core::store::RoutedDomain;

use crate::{EdgeOptions, acme, routes};

/// Adds the domains to the content of an app's file. `turn` changes when the edge is to try again to get the
/// certificates that it does not have: it only tries when its routes change.
pub(crate) fn add(content: &mut Value, slug: &str, domains: &[RoutedDomain], edge: &EdgeOptions, turn: i64) {
    let service = format!("app-{slug}");
    let redirect = format!("redirect-{slug}");
    let tls = if edge.acme.is_some() { json!({ "certResolver": acme::RESOLVER }) } else { json!({}) };
    let http = &mut content["http"];
    for RoutedDomain { domain, redirect: redirected, .. } in domains {
        let name = domain.as_str();
        let rule = format!("Host(`{name}`)");
        let middleware = if *redirected { &redirect } else { &service };
        // A domain is active for one app only, and no app's router begins with these words.
        http["routers"][format!("domain-{name}")] = json!({
            "rule": rule, "entryPoints": [routes::HTTP], "middlewares": [middleware], "service": service,
        });
        http["routers"][format!("secure-{name}")] = json!({
            "rule": rule, "entryPoints": [routes::HTTPS], "middlewares": [service], "service": service, "tls": tls,
        });
    }
    if domains.iter().any(|domain| domain.redirect) {
        let mut scheme = json!({ "scheme": "https", "permanent": true });
        if edge.https_port != 443 {
            scheme["port"] = json!(edge.https_port.to_string());
        }
        http["middlewares"][&redirect] = json!({ "redirectScheme": scheme });
    }
    if edge.acme.is_some() && domains.iter().any(|domain| !domain.has_certificate) {
        // No route uses it: all it does is to be another one in another turn.
        let header = json!({ "X-Skypanel-Turn": turn.to_string() });
        http["middlewares"][format!("turn-{slug}")] = json!({ "headers": { "customRequestHeaders": header } });
    }
}

#[cfg(test)]
mod tests {
    use skypanel_core::model::AppId;

    use super::*;
    use crate::AcmeOptions;

    fn edge(acme: bool, https_port: u16) -> EdgeOptions {
        let acme = acme.then(|| AcmeOptions {
            directory: "https://ca.example/dir".to_owned(),
            email: String::new(),
            ca_bundle: None,
        });
        EdgeOptions {
            http_port: 80,
            https_port,
            metrics_port: 0,
            image: String::new(),
            archive: None,
            pages: String::new(),
            acme,
        }
    }

    fn domain(name: &str, redirect: bool, has_certificate: bool) -> RoutedDomain {
        let domain = name.parse().expect("a domain");
        RoutedDomain { application_id: AppId::new(), domain, redirect, has_certificate }
    }

    fn with(domains: &[RoutedDomain], edge: &EdgeOptions, turn: i64) -> Value {
        let mut content = json!({ "http": { "routers": {}, "middlewares": {}, "services": {} } });
        add(&mut content, "shop", domains, edge, turn);
        content["http"].take()
    }

    #[test]
    fn every_domain_has_a_route_for_both_and_a_certificate_of_its_own() {
        let http =
            with(&[domain("a.example.com", false, true), domain("b.example.com", true, true)], &edge(true, 443), 1);
        let plain = &http["routers"]["domain-a.example.com"];
        assert_eq!(plain["rule"], "Host(`a.example.com`)");
        assert_eq!((&plain["entryPoints"], &plain["middlewares"]), (&json!(["web"]), &json!(["app-shop"])));
        let secure = &http["routers"]["secure-b.example.com"];
        assert_eq!(
            (&secure["entryPoints"], &secure["tls"]),
            (&json!(["websecure"]), &json!({ "certResolver": "acme" }))
        );
        assert_eq!(secure["middlewares"], json!(["app-shop"]));

        assert_eq!(http["routers"]["domain-b.example.com"]["middlewares"], json!(["redirect-shop"]));
        assert_eq!(
            http["middlewares"],
            json!({ "redirect-shop": { "redirectScheme": { "scheme": "https", "permanent": true } } })
        );
    }

    #[test]
    fn redirects_name_the_port_where_it_is_not_the_usual_one() {
        let http = with(&[domain("a.example.com", true, true)], &edge(true, 8443), 1);
        assert_eq!(http["middlewares"]["redirect-shop"]["redirectScheme"]["port"], "8443");
    }

    #[test]
    fn the_edge_is_moved_to_try_again_only_while_a_certificate_is_missing() {
        let (missing, there) = ([domain("a.example.com", false, false)], [domain("a.example.com", true, true)]);
        assert_ne!(with(&missing, &edge(true, 443), 1), with(&missing, &edge(true, 443), 2));
        assert_eq!(with(&there, &edge(true, 443), 1), with(&there, &edge(true, 443), 2));
        // Nobody to get one from.
        let without = with(&missing, &edge(false, 443), 1);
        assert_eq!(without, with(&missing, &edge(false, 443), 2));
        assert_eq!(without["routers"]["secure-a.example.com"]["tls"], json!({}));
    }
}
