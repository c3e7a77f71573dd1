//! Crash loops: how long a replica that ends again and again waits for its next start, and when it has recovered.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The pause after the first crash. The engine itself starts a replica again after as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Crashes of a replica in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct CrashStreak {
    /// How many.
    #[sqlx(try_from = "i32")]
    pub crashes: u32,
    /// When the first one was.
    pub first_at: DateTime<Utc>,
    /// When the last one was.
    pub last_at: DateTime<Utc>,
}

impl CrashStreak {
    /// The streak with one more crash at `now`. One that comes when the replica may have run for `stable_seconds` is the
    /// first of a new streak.
    #[must_use]
    pub fn and_at(before: Option<Self>, now: DateTime<Utc>, stable_seconds: u64) -> Self {
        match before.filter(|before| before.lasts(now, stable_seconds)) {
            Some(before) => {
                Self { crashes: before.crashes.saturating_add(1), last_at: before.last_at.max(now), ..before }
            }
            None => Self { crashes: 1, first_at: now, last_at: now },
        }
    }

    /// Whether the replica is not known to have recovered by `now`: since its pause it cannot have run for
    /// `stable_seconds`.
    pub fn lasts(&self, now: DateTime<Utc>, stable_seconds: u64) -> bool {
        let within = self.pause().saturating_add(Duration::from_secs(stable_seconds));
        now - self.last_at < TimeDelta::from_std(within).unwrap_or(TimeDelta::MAX)
    }

    /// How long the replica waits for its next start: twice as long after each crash, up to five minutes.
    pub fn pause(&self) -> Duration {
        let doubled = 1u32.checked_shl(self.crashes.saturating_sub(1)).unwrap_or(u32::MAX);
        FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).expect("is a time")
    }

    fn after(crashes: u32) -> CrashStreak {
        CrashStreak { crashes, first_at: at(0), last_at: at(0) }
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let pauses: Vec<u64> = (1..=10).map(|crashes| after(crashes).pause().as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(after(u32::MAX).pause(), LONGEST_PAUSE);
    }

    #[test]
    fn a_stable_time_ends_a_streak() {
        let first = CrashStreak::and_at(None, at(0), 60);
        assert_eq!((first.crashes, first.first_at), (1, at(0)));
        let second = CrashStreak::and_at(Some(first), at(61), 60);
        assert_eq!((second.crashes, second.first_at, second.last_at), (2, at(0), at(61)), "2 s were a pause");
        let recovered = CrashStreak::and_at(Some(second), at(61 + 4 + 60), 60);
        assert_eq!((recovered.crashes, recovered.first_at), (1, at(125)));
    }

    proptest::proptest! {
        #[test]
        fn pauses_only_grow_and_are_bounded(crashes in 1u32..10_000) {
            let (pause, next) = (after(crashes).pause(), after(crashes + 1).pause());
            assert!(FIRST_PAUSE <= pause && pause <= next && next <= LONGEST_PAUSE);
        }

        #[test]
        fn what_crashes_at_once_after_each_pause_never_recovers(stable in 10u64..100_000, crashes in 2u32..50) {
            let mut streak = CrashStreak::and_at(None, at(0), stable);
            for _ in 1..crashes {
                let next = streak.last_at + streak.pause();
                streak = CrashStreak::and_at(Some(streak), next, stable);
            }
            assert_eq!(streak.crashes, crashes);
        }

        #[test]
        fn a_clock_that_goes_back_breaks_nothing(times in proptest::collection::vec(-1_000i64..1_000, 1..20)) {
            let mut streak = None;
            for time in times {
                let next = CrashStreak::and_at(streak, at(time), 300);
                assert!(next.crashes >= 1 && next.first_at <= next.last_at);
                streak = Some(next);
            }
        }
    }
}
