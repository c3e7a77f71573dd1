//! Rules for settings whose values are text of a certain form: what is wrong with one is told when it is set, rather
//! than when it is needed.

use std::net::{IpAddr, SocketAddr};

use super::ServiceAddress;
use super::SettingValue as _;

/// What a value must be that the setting `key` cannot have; none where it can.
pub(super) fn broken(key: &str, text: &str) -> Option<&'static str> {
    let parts = || text.split(',').map(str::trim);
    let (fine, form) = match key {
        "apps.default_domain" => (is_host_name(text), "a name in lower case, such as apps.example.com"),
        "domains.reserved" | "alerts.mail_domains" => (
            text.is_empty() || parts().all(is_host_name),
            "names in lower case separated by commas, such as example.com",
        ),
        "domains.addresses" => (
            text.is_empty() || parts().all(|part| part.parse::<IpAddr>().is_ok()),
            "IP addresses separated by commas, such as 203.0.113.7, 2001:db8::7",
        ),
        "dns.resolver" => (
            text.is_empty() || parts().all(|part| part.parse::<IpAddr>().is_ok() || part.parse::<SocketAddr>().is_ok()),
            "IP addresses separated by commas, with a port where it is not 53, such as 10.0.0.2, 10.0.0.3:5353",
        ),
        "build.http_proxy" | "build.https_proxy" => (
            ServiceAddress::parse(text).is_ok(),
            "an address such as http://proxy.example:3128, without a user name or password: every build can read it",
        ),
        "storage.s3_endpoint" => (
            ServiceAddress::parse(text).is_ok(),
            "an address such as https://s3.example.com, without a user name or password",
        ),
        _ => return None,
    };
    (!fine).then_some(form)
}

/// A name of a host or a zone as DNS takes it, written the one way.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label) && text.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    #[test]
    fn text_of_a_certain_form_is_checked_when_it_is_set() {
        let mut settings = Settings::default();
        for (key, right, wrong) in [
            (
                "apps.default_domain",
                &["apps.example.com", "localhost"][..],
                &["", "Apps.example", "a..b", "a/b", "1.2.3.4"][..],
            ),
            ("domains.reserved", &["", "example.com, internal"], &["*.example.com", "a b", "example.com,"]),
            ("domains.addresses", &["", "203.0.113.7, 2001:db8::7"], &["edge.example.com", "203.0.113", "1.1.1.1:80"]),
            ("dns.resolver", &["", "10.0.0.2,10.0.0.3:5353", "[::1]:53"], &["dns.example.com", "10.0.0.2:x", ","]),
            (
                "build.http_proxy",
                &["", "http://proxy.example:3128"],
                &["proxy:3128", "http://me:secret@proxy:3128", "ftp://x"],
            ),
            ("build.https_proxy", &["http://[fd00::1]:3128"], &["https://token@proxy.example"]),
            (
                "storage.s3_endpoint",
                &["", "https://s3.example.com"],
                &["s3.example.com", "https://key:secret@s3.example.com"],
            ),
        ] {
            for text in right {
                settings.set(key, text).unwrap_or_else(|error| panic!("{key}={text}: {error}"));
                assert_eq!(settings.show(key).as_deref(), Some(*text));
            }
            for text in wrong {
                let told = settings.set(key, text).expect_err(text).to_string();
                assert!(told.contains(key) && !told.contains("secret@"), "{told}");
            }
        }
    }
}
