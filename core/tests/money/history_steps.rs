//! What can happen in a random history.

use proptest::prelude::*;

/// Most apps at a time in a history.
pub(crate) const APPS: usize = 3;

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Time goes by, in microseconds.
    Pass(i64),
    /// Time goes by up to so many microseconds around the next full hour.
    PassToHour(i64),
    Release(usize, &'static [&'static str]),
    Stop(usize),
    Start(usize),
    Scale(usize, u32, u32),
    /// The same by a process whose clock is so many microseconds behind.
    ScaleBehind(usize, i64, u32, u32),
    ChangePlan(usize, usize),
    EditPlan(usize, u32),
    Delete(usize),
    /// Its rollout begins, is done, or fails for good.
    BeginRollout(usize),
    CompleteRollout(usize),
    TakeBack(usize),
    /// An admin holds all of the first organisation, or lets it go on.
    Suspend,
    Resume,
    TopUp(u32),
    /// An adjustment of the first organisation's wallet to so many millionths.
    Leave(u32),
    /// Billing is switched on, or off.
    Bill(bool),
    /// To the other organisation.
    Move(usize),
    /// A change that never commits.
    Crash(usize),
    Settle,
    /// Two workers at once, and an app that is scaled meanwhile to what it is scaled to.
    SettleTwice(usize),
    /// A worker that dies after so many microseconds.
    SettleAndDie(u64),
}

/// What happens in a history, one after the other.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let app = 0..APPS;
    let pass = prop_oneof![
        Just(1),
        Just(999_999),
        1i64..60_000_000,
        1i64..7_200_000_000,
        Just(3_600_000_000),
        Just(93_600_000_000),
    ];
    let step = prop_oneof![
        4 => pass.prop_map(Step::Pass),
        4 => prop_oneof![Just(-1i64), Just(0), Just(1), -500_000i64..500_000].prop_map(Step::PassToHour),
        3 => (app.clone(), prop_oneof![Just(&["web"][..]), Just(&["web", "worker"][..]), Just(&["worker"][..])])
            .prop_map(|(app, processes)| Step::Release(app, processes)),
        2 => app.clone().prop_map(Step::Stop),
        2 => app.clone().prop_map(Step::Start),
        3 => (app.clone(), 0..4u32, 0..4u32).prop_map(|(app, web, worker)| Step::Scale(app, web, worker)),
        2 => (app.clone(), 1i64..7_200_000_000, 0..4u32, 0..4u32)
            .prop_map(|(app, behind, web, worker)| Step::ScaleBehind(app, behind, web, worker)),
        2 => (app.clone(), 0..3usize).prop_map(|(app, plan)| Step::ChangePlan(app, plan)),
        1 => (0..3usize, 0..2_000_000u32).prop_map(|(plan, price)| Step::EditPlan(plan, price)),
        1 => app.clone().prop_map(Step::Delete),
        3 => app.clone().prop_map(Step::BeginRollout),
        2 => app.clone().prop_map(Step::CompleteRollout),
        2 => app.clone().prop_map(Step::TakeBack),
        1 => Just(Step::Suspend),
        2 => Just(Step::Resume),
        2 => (1..5_000_000u32).prop_map(Step::TopUp),
        2 => prop_oneof![Just(0u32), 1..50_000u32, Just(4_000_000_000)].prop_map(Step::Leave),
        1 => any::<bool>().prop_map(Step::Bill),
        1 => app.clone().prop_map(Step::Move),
        1 => app.clone().prop_map(Step::Crash),
        2 => Just(Step::Settle),
        2 => app.prop_map(Step::SettleTwice),
        2 => (0u64..30_000).prop_map(Step::SettleAndDie),
    ];
    proptest::collection::vec(step, 10..60)
}
