//! Over HTTP.

use std::time::{Duration, Instant};

use skypanel_core::repository::Credentials;
use zeroize::Zeroizing;

use crate::git_hosts::Origin;
use crate::git_hosts::http::{HttpHost, Manners};
use crate::{client, fault, file_of, remote, settings};

const HOST: &str = "git.example.test";

fn token(user: &str, token: &str) -> Credentials {
    Credentials { token: Some((user.to_owned(), Zeroizing::new(token.to_owned()))), ..Credentials::default() }
}

#[tokio::test]
async fn asking_tells_an_unreachable_repository_from_a_missing_branch() {
    let origin = Origin::new();
    let tip = origin.commit("app.txt", b"two", "Second");
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let settings = settings();
    let seen = client().ask(&remote(&host.url(HOST), "main", Credentials::default()), &settings).await;
    assert_eq!(seen.expect("is there").tip.as_str(), tip);

    let error = client().ask(&remote(&host.url(HOST), "mian", Credentials::default()), &settings).await;
    let (field, words) = fault(error.expect_err("is missing"));
    assert_eq!(field, "git_branch");
    assert!(words.contains("can be reached, but has no branch \"mian\""), "{words}");

    let elsewhere = format!("http://{HOST}:{}/acme/none.git", host.port);
    let error = client().ask(&remote(&elsewhere, "main", Credentials::default()), &settings).await;
    let (field, words) = fault(error.expect_err("is missing"));
    assert!(field == "git_url" && words.contains("there is no such repository"), "{field}: {words}");

    drop(host);
    let error =
        client().ask(&remote("http://git.example.test:9/x.git", "main", Credentials::default()), &settings).await;
    let (field, words) = fault(error.expect_err("is not there"));
    assert!(field == "git_url" && words.contains("does not answer on port 9"), "{field}: {words}");
}

#[tokio::test]
async fn inner_addresses_and_plain_http_need_an_admins_leave() {
    let origin = Origin::new();
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let mut inner = settings();
    inner.set("network.allowed", "").expect("sets");
    for name in [HOST, "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let error = client().ask(&remote(&host.url(name), "main", Credentials::default()), &inner).await;
        let (field, words) = fault(error.expect_err("is refused"));
        assert!(field == "git_url" && words.contains("this machine itself"), "{field}: {words}");
    }
    let mut plain = settings();
    plain.set("git.allow_http", "false").expect("sets");
    let error = client().ask(&remote(&host.url(HOST), "main", Credentials::default()), &plain).await;
    assert!(fault(error.expect_err("is refused")).1.contains("Use https://"));
    assert!(host.requests().is_empty(), "{:?}", host.requests());
}

#[tokio::test]
async fn the_checked_address_is_the_one_that_is_connected_to() {
    // No resolver but ours knows the name, and ours answers the truth once: all of git's connections go there.
    let origin = Origin::new();
    let tip = origin.commit("app.txt", b"two", "Second");
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let fetched =
        client().fetch(&remote(&host.url(HOST), "main", Credentials::default()), None, None, &settings()).await;
    let fetched = fetched.expect("is fetched");
    assert_eq!(fetched.commit.as_str(), tip);
    assert!(host.requests().len() >= 4, "{:?}", host.requests());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let origin = Origin::new();
    let inner = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let elsewhere = Manners { redirect: Some(format!("http://127.0.0.1:{}", inner.port)), ..Manners::default() };
    let host = HttpHost::serve(origin.root().to_owned(), elsewhere).await;
    let error = client().ask(&remote(&host.url(HOST), "main", Credentials::default()), &settings()).await;
    let (field, words) = fault(error.expect_err("is refused"));
    assert!(field == "git_url" && words.contains("not followed"), "{field}: {words}");
    assert_eq!((host.requests().len(), inner.requests().len()), (1, 0));
}

#[tokio::test]
async fn private_repositories_open_for_the_right_token_only() {
    let origin = Origin::new();
    let secret = "gh:p/ä @%41\"'$(id)";
    let manners = Manners { login: Some(("x-access-token".to_owned(), secret.to_owned())), ..Manners::default() };
    let host = HttpHost::serve(origin.root().to_owned(), manners).await;
    let settings = settings();
    let url = host.url(HOST);
    let fetched = client().fetch(&remote(&url, "main", token("x-access-token", secret)), None, None, &settings).await;
    let repository = fetched.as_ref().expect("is fetched").repository();
    assert!(!repository.parent().expect("has one").join("access").exists(), "the token is gone from the disk");

    let error = client().ask(&remote(&url, "main", Credentials::default()), &settings).await;
    let (field, words) = fault(error.expect_err("is refused"));
    assert!(field == "token" && words.contains("wants a token"), "{field}: {words}");
    let error = client().ask(&remote(&url, "main", token("x-access-token", "wr0ng")), &settings).await;
    let (field, words) = fault(error.expect_err("is refused"));
    assert!(field == "token" && words.contains("refuses the token") && !words.contains("wr0ng"), "{field}: {words}");
}

#[tokio::test]
async fn the_asked_for_commit_is_fetched_and_not_the_branchs_newer_one() {
    let origin = Origin::new();
    let wanted = origin.commit("app.txt", b"two", "Second");
    origin.commit("app.txt", b"three", "Third");
    for old in [false, true] {
        let host = HttpHost::serve(origin.root().to_owned(), Manners { old, ..Manners::default() }).await;
        let commit = wanted.parse().expect("is a hash");
        let remote = remote(&host.url(HOST), "main", Credentials::default());
        let fetched = client().fetch(&remote, Some(&commit), None, &settings()).await.expect("is fetched");
        assert_eq!(file_of(&fetched.repository(), &wanted, "app.txt"), "two", "old protocol: {old}");
        if !old {
            let count = crate::git_hosts::git(&fetched.repository(), &["rev-list", "--count", &wanted]);
            assert_eq!(count, "1", "alone, without what was before it");
        }
    }
}

#[tokio::test]
async fn a_commit_that_is_gone_is_told_as_that() {
    let origin = Origin::new();
    // More than are fetched at first where single commits are not given.
    origin.grow(60);
    let gone = "1".repeat(40).parse().expect("is a hash");
    for old in [false, true] {
        let host = HttpHost::serve(origin.root().to_owned(), Manners { old, ..Manners::default() }).await;
        let remote = remote(&host.url(HOST), "main", Credentials::default());
        let error = client().fetch(&remote, Some(&gone), None, &settings()).await.expect_err("is gone");
        let (field, words) = fault(error);
        assert!(field == "commit" && words.contains("1111111"), "{field}: {words}");
    }
}

#[tokio::test]
async fn what_takes_too_long_or_is_too_large_is_stopped() {
    let origin = Origin::new();
    let mut noise = vec![0_u8; 24 << 20];
    rand::fill(&mut noise[..]);
    origin.commit("large.bin", &noise, "Large");
    let host = HttpHost::serve(origin.root().to_owned(), Manners::default()).await;
    let mut small = settings();
    small.set("git.max_pack_mb", "2").expect("sets");
    let error = client().fetch(&remote(&host.url(HOST), "main", Credentials::default()), None, None, &small).await;
    let (field, words) = fault(error.expect_err("is too large"));
    assert!(field == "git_url" && words.contains("larger than 2.0 MB"), "{field}: {words}");

    let silent = HttpHost::serve(origin.root().to_owned(), Manners { silent: true, ..Manners::default() }).await;
    let mut short = settings();
    short.set("git.fetch_seconds", "5").expect("sets");
    let started = Instant::now();
    let error = client().fetch(&remote(&silent.url(HOST), "main", Credentials::default()), None, None, &short).await;
    assert!(fault(error.expect_err("is given up")).1.contains("longer than 5 s"));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
