//! Over SSH, with deploy keys and pinned host keys.

use skypanel_core::repository::{Credentials, DeployKey, GitClient, HostKeys};

use crate::git_hosts::Origin;
use crate::git_hosts::ssh::SshHost;
use crate::{client, fault, file_of, remote, settings};

fn with(key: &DeployKey, host_keys: Option<HostKeys>) -> Credentials {
    Credentials { token: None, key: Some(key.clone()), host_keys }
}

#[tokio::test]
async fn a_deploy_key_opens_and_the_hosts_first_key_is_pinned() {
    let origin = Origin::new();
    let first = origin.commit("app.txt", b"two", "Second");
    origin.commit("app.txt", b"three", "Third");
    let key = DeployKey::generate().expect("is made");
    let mut host = SshHost::start(&key.public_openssh("skypanel-shop"));
    let url = host.url(&origin.bare());
    let settings = settings();

    let seen = client().ask(&remote(&url, "main", with(&key, None)), &settings).await.expect("is let in");
    let pinned = seen.host_keys.expect("was learned");
    assert_eq!(host.host_key().parse::<HostKeys>().expect("is a key"), pinned);

    let commit = first.parse().expect("is a hash");
    let known = remote(&url, "main", with(&key, Some(pinned.clone())));
    let fetched = client().fetch(&known, Some(&commit), None, &settings).await.expect("is fetched");
    assert_eq!(file_of(&fetched.repository(), &first, "app.txt"), "two");
    assert!(fetched.host_keys.is_none(), "nothing new was learned");
    assert!(!fetched.repository().parent().expect("has one").join("access").exists(), "the key is gone from the disk");

    let error = client().ask(&remote(&url, "mian", with(&key, Some(pinned.clone()))), &settings).await;
    assert_eq!(fault(error.expect_err("is missing")).0, "git_branch");

    host.restart_with_another_host_key();
    let error = client().ask(&known, &settings).await.expect_err("is another host");
    let (field, words) = fault(error);
    assert!(field == "host_keys" && words.contains("another SSH key"), "{field}: {words}");
    // The new key, given by hand, opens again.
    let given = host.host_key().parse().expect("is a key");
    assert!(client().ask(&remote(&url, "main", with(&key, Some(given))), &settings).await.is_ok());
}

#[tokio::test]
async fn a_key_the_host_does_not_know_is_told_as_that() {
    let origin = Origin::new();
    let (right, wrong) = (DeployKey::generate().expect("is made"), DeployKey::generate().expect("is made"));
    let host = SshHost::start(&right.public_openssh("skypanel-shop"));
    let url = host.url(&origin.bare());
    let error = client().ask(&remote(&url, "main", with(&wrong, None)), &settings()).await.expect_err("is refused");
    let (field, words) = fault(error);
    assert!(field == "deploy_key" && words.contains("does not let this app's deploy key in"), "{field}: {words}");
    let error = client().ask(&remote(&url, "main", Credentials::default()), &settings()).await.expect_err("is refused");
    let (field, words) = fault(error);
    assert!(field == "deploy_key" && words.contains("Make a deploy key"), "{field}: {words}");
    let none = host.url(&origin.root().join("acme/none.git"));
    let error = client().ask(&remote(&none, "main", with(&right, None)), &settings()).await.expect_err("is missing");
    let (field, words) = fault(error);
    assert!(field == "git_url" && words.contains("no such repository"), "{field}: {words}");
}

#[tokio::test]
async fn ssh_goes_to_the_checked_address_only() {
    let origin = Origin::new();
    let key = DeployKey::generate().expect("is made");
    let host = SshHost::start(&key.public_openssh("skypanel-shop"));
    let named = host.url(&origin.bare()).replace("127.0.0.1", "git.example.test");
    // No other resolver knows the name.
    assert!(client().ask(&remote(&named, "main", with(&key, None)), &settings()).await.is_ok());
    let error = GitClient::default()
        .ask(&remote(&named, "main", with(&key, None)), &settings())
        .await
        .expect_err("is not known to the system");
    assert!(fault(error).1.contains("cannot be found"));
}
