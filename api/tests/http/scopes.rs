//! What tokens of less than the scope `manage`, and members who own nothing, may change: every write of the OpenAPI
//! document, asked for by them. A new route is asked for as soon as it is there.

use skypanel_core::actions::Scope;

use crate::things::{Things, things};
use crate::walk::{Findings, NOT_THERE_EITHER_WAY, let_in, operations, writes};
use crate::world::World;

/// Writes about an organisation's things that need its owner and the scope `manage`. All others are for developers and
/// the scope `deploy`.
const OWN: &[&str] = &[
    "delete /api/organizations/{organization}/invitations/{id}",
    "delete /api/organizations/{organization}/members/{user}",
    "delete /api/organizations/{organization}/notifications/{id}",
    "delete /api/paas/apps/{app}",
    "patch /api/organizations/{organization}",
    "patch /api/organizations/{organization}/notifications/{id}",
    "patch /api/organizations/{organization}/wallet",
    "post /api/organizations/{organization}/invitations",
    "post /api/organizations/{organization}/notifications",
    "post /api/organizations/{organization}/notifications/{id}/rotate",
    "post /api/organizations/{organization}/notifications/{id}/test",
    "post /api/paas/apps/{app}/transfer",
    "put /api/organizations/{organization}/members/{user}",
];
/// The member that the walk takes out is the developer, and everybody may leave.
const LEAVES: &str = "delete /api/organizations/{organization}/members/{user}";
/// What a token may change about its user, whatever its scope: nothing but that it ends.
const ENDS: &str = "delete /api/auth/token";

async fn unlimited() -> (World, Things) {
    let world = World::unlimited().await;
    let things = things(&world).await;
    (world, things)
}

#[tokio::test]
async fn developers_and_deploying_tokens_change_apps_and_nothing_that_owners_do() {
    for (who, name, scope) in
        [("developer", "developer", Scope::Manage), ("an owner's deploying token", "owner", Scope::Deploy)]
    {
        let (world, things) = unlimited().await;
        let token = world.token(name, scope).await;
        let mut findings = Findings::default();
        let mut asked = Vec::new();
        let operations = operations(&things);
        for operation in writes(&operations) {
            let not_there = NOT_THERE_EITHER_WAY.iter().any(|(name, _)| operation.name == *name);
            let leaves = operation.name == LEAVES && name == "developer";
            if !operation.of_acme || operation.is_of_admins() || not_there || leaves {
                continue;
            }
            let answered = operation.ask(operation.call(&world).token(&token)).await;
            if operation.is_in(OWN) {
                asked.push(operation.name.as_str());
                findings.look(who, operation, &answered, |status| status == 403);
            } else {
                findings.look(who, operation, &answered, let_in);
            }
        }
        findings.none();
        assert_eq!(asked.len(), OWN.len() - usize::from(name == "developer"), "{asked:?}");
        world.close().await;
    }
}

#[tokio::test]
async fn nothing_but_a_token_that_manages_changes_what_is_its_users() {
    let (world, things) = unlimited().await;
    let mut findings = Findings::default();
    let operations = operations(&things);
    let own: Vec<_> =
        writes(&operations).into_iter().filter(|one| !one.of_acme && !one.is_of_admins() && one.name != ENDS).collect();
    assert!(own.iter().any(|one| one.name == "post /api/auth/logout-all"));
    assert!(own.iter().filter(|one| one.name.contains(" /api/me/")).count() > 8, "{}", own.len());
    for scope in [Scope::Read, Scope::Deploy] {
        let token = world.token("owner", scope).await;
        for operation in &own {
            let answered = operation.ask(operation.call(&world).token(&token)).await;
            findings.look(&format!("a token of the scope {scope}"), operation, &answered, |status| status == 403);
        }
    }
    findings.none();
    world.close().await;
}
