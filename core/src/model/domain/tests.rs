//! Names that are domains and names that are not, and the life of a domain.

use super::*;

fn name(text: &str) -> DomainName {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn names_are_kept_as_dns_has_them() {
    for (given, kept) in [
        ("www.example.com", "www.example.com"),
        (" WWW.Example.COM. ", "www.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Straße.de", "xn--strae-oqa.de"),
        ("例え.jp", "xn--r8jz45g.jp"),
        ("shop.example.co.uk", "shop.example.co.uk"),
        ("me.github.io", "me.github.io"),
        ("app.corp.internal", "app.corp.internal"),
    ] {
        assert_eq!(name(given).as_str(), kept);
    }
    assert_eq!(name("xn--bcher-kva.example").for_people(), "bücher.example");
}

#[test]
fn what_is_no_domain_of_one_s_own_is_refused_with_the_reason() {
    for (given, why) in [
        ("", "no domain name"),
        ("example", "whole name"),
        ("com", "whole name"),
        ("co.uk", "below this one"),
        ("github.io", "below this one"),
        ("*.example.com", "Wildcards"),
        ("https://example.com", "name alone"),
        ("example.com/path", "name alone"),
        ("user@example.com", "no domain name"),
        ("example.com:8080", "no domain name"),
        ("127.0.0.1", "address"),
        ("[::1]", "address"),
        ("127.1", "address"),
        ("0x7f.0x1", "address"),
        ("shop.localhost", "not in public DNS"),
        ("printer.local", "not in public DNS"),
        ("a..example.com", "no domain name"),
        ("-a.example.com", "no domain name"),
        ("a_b.example.com", "no domain name"),
        ("a`) || PathPrefix(`/`) && Host(`b.example.com", "name alone"),
        ("a b.example.com", "no domain name"),
        (&format!("{}.example.com", "a".repeat(64)), "no domain name"),
        (&format!("{}example.com", "abcdefgh.".repeat(26)), "too long"),
        (&"a".repeat(2_000), "too long"),
    ] {
        let error = given.parse::<DomainName>().expect_err(given).to_string();
        assert!(error.contains(why), "{given}: {error}");
    }
}

#[test]
fn zones_end_at_dots() {
    assert!(name("shop.example.com").is_in("example.com"));
    assert!(name("example.com").is_in("Example.COM."));
    assert!(!name("myexample.com").is_in("example.com"));
    assert!(!name("example.com").is_in("shop.example.com"));
    assert!(!name("example.com").is_in(""));
}

#[test]
fn an_apex_needs_addresses_and_everything_else_an_alias() {
    let app = AppId::new();
    let addresses = ["192.0.2.1".parse().expect("an address"), "2001:db8::1".parse().expect("an address")];
    let below = DomainInstructions::new(&name("www.example.co.uk"), app, "shop.apps.test", &addresses);
    assert_eq!(below.proof.name, "_paas-verify.www.example.co.uk");
    assert_eq!(below.proof.value, format!("paas-verify={app}"));
    assert_eq!((below.routing[0].kind, below.routing[0].value.as_str()), ("CNAME", "shop.apps.test"));

    let apex = DomainInstructions::new(&name("example.co.uk"), app, "shop.apps.test", &addresses);
    let kinds: Vec<_> = apex.routing.iter().map(|record| (record.kind, record.value.as_str())).collect();
    assert_eq!(kinds, [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")]);
    let unknown = DomainInstructions::new(&name("example.co.uk"), app, "shop.apps.test", &[]);
    assert_eq!((unknown.routing[0].kind, unknown.routing[0].value.as_str()), ("ALIAS", "shop.apps.test"));
}

fn new_domain(now: DateTime<Utc>) -> Domain {
    Domain {
        id: DomainId::new(),
        application_id: AppId::new(),
        domain: name("www.example.com"),
        status: DomainStatus::Pending,
        problem: None,
        failed_checks: 0,
        failing_since: None,
        unanswered_since: None,
        checked_at: None,
        next_check_at: now,
        dns_validated_at: None,
        active_since: None,
        ssl_status: CertificateStatus::Pending,
        ssl_issuer: None,
        ssl_cert_expires_at: None,
        ssl_problem: None,
        ssl_checked_at: None,
        created_by: None,
        created_at: now,
    }
}

const GRACE: TimeDelta = TimeDelta::hours(72);

/// Checks the domain whenever it is due until it is in another state; how often, and when that was.
fn until_changed(mut domain: Domain, problem: Option<&str>) -> (Domain, u32, DateTime<Utc>) {
    let before = domain.status;
    let mut checks = 0;
    loop {
        let now = domain.next_check_at;
        domain = domain.after_check(problem.map(str::to_owned), now, GRACE);
        checks += 1;
        assert!(domain.next_check_at > now, "goes on");
        if domain.status != before {
            return (domain, checks, now);
        }
        assert!(checks < 1_000, "ends");
    }
}

#[test]
fn a_domain_that_nobody_proves_is_given_up_after_a_week_with_ever_longer_pauses() {
    let now = Utc::now();
    let (failed, checks, at) = until_changed(new_domain(now), Some("no TXT record"));
    assert_eq!(failed.status, DomainStatus::Failed);
    assert!(at - now >= TimeDelta::days(7) && at - now < TimeDelta::days(8), "{}", at - now);
    assert!((30..60).contains(&checks), "{checks} checks");
    assert_eq!(failed.next_check_at - at, TimeDelta::hours(24));
    // The first ones come soon: DNS is often changed while one waits.
    let first = new_domain(now).after_check(Some(String::new()), now, GRACE);
    assert_eq!(first.next_check_at - now, TimeDelta::minutes(1));
}

#[test]
fn an_active_domain_that_leads_elsewhere_has_the_time_of_grace() {
    let now = Utc::now();
    let active = new_domain(now).after_check(None, now, GRACE);
    assert_eq!((active.status, active.dns_validated_at), (DomainStatus::Active, Some(now)));
    let (failed, checks, at) = until_changed(active.clone(), Some("leads elsewhere"));
    let began = active.next_check_at;
    assert_eq!(failed.status, DomainStatus::Failed);
    assert!(at - began >= GRACE && at - began < GRACE + TimeDelta::minutes(5), "{}", at - began);
    assert!(checks > 20, "{checks} checks");

    // What is mended in that time starts anew.
    let wrong = active.after_check(Some("elsewhere".to_owned()), began, GRACE);
    assert_eq!(wrong.demoted_at(GRACE), Some(began + GRACE));
    let mended = wrong.after_check(None, began + TimeDelta::hours(71), GRACE);
    assert_eq!((mended.demoted_at(GRACE), mended.failed_checks, mended.problem), (None, 0, None));
    // And one that was given up is revived.
    assert_eq!(failed.after_check(None, at, GRACE).status, DomainStatus::Active);
}

#[test]
fn silence_changes_nothing_for_a_week_and_is_a_problem_then() {
    let begun = Utc::now();
    let active = new_domain(begun).after_check(None, begun, GRACE);
    let pending = new_domain(begun).after_check(Some("no TXT record".to_owned()), begun, GRACE);
    for domain in [active, pending] {
        let (before, began) = (domain.clone(), domain.next_check_at);
        let (mut domain, mut now, mut pauses) = (domain, began, Vec::new());
        while domain.status == before.status {
            assert_eq!((domain.problem.clone(), domain.failed_checks), (before.problem.clone(), before.failed_checks));
            now = domain.next_check_at;
            domain = domain.after_silence(now, GRACE);
            pauses.push(domain.next_check_at - now);
            assert!(pauses.len() < 100, "ends");
        }
        assert_eq!(domain.status, DomainStatus::Failed);
        assert!(now - began >= SILENCE_LIMIT && now - began <= SILENCE_LIMIT + SILENCE_PAUSE.1, "{}", now - began);
        assert!(domain.problem.as_deref().is_some_and(|problem| problem.contains("no answer")), "{domain:?}");
        assert_eq!(pauses[..4], [5, 5, 10, 20].map(TimeDelta::minutes));
        assert!(pauses[..pauses.len() - 1].iter().all(|pause| *pause <= SILENCE_PAUSE.1), "{pauses:?}");
        // An answer ends it.
        assert_eq!(domain.after_check(None, now, GRACE).unanswered_since, None);
    }
}

#[test]
fn a_longer_time_of_grace_counts_for_silence_too() {
    let now = Utc::now();
    let grace = TimeDelta::days(30);
    let mut domain = new_domain(now).after_check(None, now, grace);
    while domain.status == DomainStatus::Active {
        let at = domain.next_check_at;
        domain = domain.after_silence(at, grace);
        assert!(at - now < TimeDelta::days(31), "ends");
    }
    assert!(domain.checked_at.is_some_and(|at| at - now >= grace), "{domain:?}");
}

proptest::proptest! {
    #[test]
    fn whatever_is_taken_can_stand_in_a_rule_and_in_a_zone(text in ".{0,80}") {
        if let Ok(name) = text.parse::<DomainName>() {
            let safe = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
            proptest::prop_assert!(name.as_str().bytes().all(safe));
            proptest::prop_assert_eq!(&name.as_str().parse::<DomainName>().expect("stays one"), &name);
        }
    }
}
