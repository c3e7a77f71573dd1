//! The course of an alert: from being seen for the first time to being over. Pure, so that every turn of it can be
//! tested; the store does what this says.

use chrono::{DateTime, TimeDelta, Utc};

use super::Level;
use crate::model::{News, Severity};
use crate::settings::Settings;

/// What nobody looks at any more, such as the disk of a machine that is gone, is over after this time.
const UNWATCHED: TimeDelta = TimeDelta::hours(1);

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// For how long it must be seen before it counts.
    pub(crate) fires: TimeDelta,
    /// For how long it must not be seen before it is over.
    pub(crate) resolves: TimeDelta,
    /// After what time it is told of again while it lasts; none for never.
    pub(crate) repeats: Option<TimeDelta>,
}

impl Timing {
    /// As the settings say, for a rule whose alerts count after that time.
    pub(crate) fn of(settings: &Settings, fires: TimeDelta) -> Self {
        let seconds = |number: u64| TimeDelta::seconds(i64::try_from(number).unwrap_or(i64::from(i32::MAX)));
        let pause = settings.alerts_repeat_hours.saturating_mul(3_600);
        Self { fires, resolves: seconds(settings.alerts_clear_seconds), repeats: (pause > 0).then(|| seconds(pause)) }
    }
}

/// An alert that is not over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) began_at: DateTime<Utc>,
    pub(crate) fired_at: Option<DateTime<Utc>>,
    pub(crate) last_seen: DateTime<Utc>,
    pub(crate) clear_since: Option<DateTime<Utc>>,
    pub(crate) told_at: Option<DateTime<Utc>>,
    pub(crate) severity: Severity,
}

/// What a look found of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Something wrong.
    Wrong(Level, Severity),
    /// Nothing.
    Nothing,
    /// It was not looked at.
    NotLooked,
    /// Nobody is to look any more.
    Off,
}

/// What is to be done with an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing.
    Stay,
    /// Write down that it was seen, for the first time.
    Begin,
    /// It counts from now on.
    Fire,
    /// It was seen once more, which is told if it is news.
    GoOn(Option<News>),
    /// It was not seen, for the first time.
    Clear,
    /// It is over, which is told.
    Resolve,
    /// It is over, and nobody need know.
    Close,
    /// It never counted.
    Forget,
}

/// What is next for a thing.
pub(crate) fn next(open: Option<&Open>, found: Found, timing: &Timing, now: DateTime<Utc>) -> Next {
    let Some(open) = open else {
        return match found {
            Found::Wrong(Level::Over, _) if timing.fires <= TimeDelta::zero() => Next::Fire,
            Found::Wrong(Level::Over, _) => Next::Begin,
            _ => Next::Stay,
        };
    };
    if open.fired_at.is_none() {
        return match found {
            Found::Wrong(Level::Over, _) if now - open.began_at >= timing.fires => Next::Fire,
            Found::Wrong(Level::Over, _) => Next::GoOn(None),
            Found::NotLooked if now - open.last_seen < UNWATCHED => Next::Stay,
            _ => Next::Forget,
        };
    }
    match found {
        Found::Wrong(_, severity) => Next::GoOn(news(open, severity, timing, now)),
        Found::Nothing => match open.clear_since {
            _ if timing.resolves <= TimeDelta::zero() => Next::Resolve,
            None => Next::Clear,
            Some(since) if now - since >= timing.resolves => Next::Resolve,
            Some(_) => Next::Stay,
        },
        Found::NotLooked if now - open.last_seen >= UNWATCHED => Next::Resolve,
        Found::NotLooked => Next::Stay,
        Found::Off => Next::Close,
    }
}

fn news(open: &Open, severity: Severity, timing: &Timing, now: DateTime<Utc>) -> Option<News> {
    if severity > open.severity {
        return Some(News::Worse);
    }
    let since = open.told_at.or(open.fired_at)?;
    timing.repeats.filter(|pause| now - since >= *pause).map(|_| News::Lasting)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMING: Timing =
        Timing { fires: TimeDelta::minutes(3), resolves: TimeDelta::minutes(2), repeats: Some(TimeDelta::hours(24)) };
    const OVER: Found = Found::Wrong(Level::Over, Severity::Warning);
    const EASED: Found = Found::Wrong(Level::Eased, Severity::Warning);

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 60, 0).expect("is a time")
    }

    /// Does to an alert what the store does.
    fn apply(open: &mut Option<Open>, next: Next, found: Found, now: DateTime<Utc>) {
        let severity = match found {
            Found::Wrong(_, severity) => severity,
            _ => Severity::Warning,
        };
        match next {
            Next::Stay => {}
            Next::Begin | Next::Fire => {
                let fired = (next == Next::Fire).then_some(now);
                let began_at = open.map_or(now, |open| open.began_at);
                let (clear_since, told_at) = (None, fired);
                *open = Some(Open { began_at, fired_at: fired, last_seen: now, clear_since, told_at, severity });
            }
            Next::GoOn(news) => {
                let open = open.as_mut().expect("goes on");
                open.last_seen = now;
                open.clear_since = None;
                open.told_at = news.map_or(open.told_at, |_| Some(now));
                open.severity = open.severity.max(severity);
            }
            Next::Clear => open.as_mut().expect("clears").clear_since = Some(now),
            Next::Resolve | Next::Close | Next::Forget => *open = None,
        }
    }

    /// What is done minute by minute.
    fn course(found: &[Found]) -> Vec<Next> {
        let mut open = None;
        let mut done = Vec::new();
        for (number, found) in found.iter().enumerate() {
            let now = minute(i64::try_from(number).expect("is small"));
            let next = next(open.as_ref(), *found, &TIMING, now);
            apply(&mut open, next, *found, now);
            done.push(next);
        }
        done
    }

    #[test]
    fn what_lasts_fires_once_and_resolves_once() {
        let found = [OVER, OVER, OVER, OVER, OVER, Found::Nothing, Found::Nothing, Found::Nothing, Found::Nothing];
        let expected = [
            Next::Begin,
            Next::GoOn(None),
            Next::GoOn(None),
            Next::Fire,
            Next::GoOn(None),
            Next::Clear,
            Next::Stay,
            Next::Resolve,
            Next::Stay,
        ];
        assert_eq!(course(&found), expected);
    }

    #[test]
    fn what_passes_before_it_counts_is_forgotten() {
        assert_eq!(course(&[OVER, OVER, EASED, OVER])[2..], [Next::Forget, Next::Begin]);
        assert_eq!(course(&[EASED, EASED]), [Next::Stay, Next::Stay]);
        assert_eq!(course(&[OVER, Found::Off]), [Next::Begin, Next::Forget]);
    }

    #[test]
    fn what_flaps_or_hovers_stays_one_alert() {
        let mut found = vec![OVER; 4];
        for _ in 0..50 {
            found.extend([Found::Nothing, OVER, EASED, Found::NotLooked]);
        }
        let done = course(&found);
        assert_eq!(done.iter().filter(|next| **next == Next::Fire).count(), 1);
        assert!(!done.contains(&Next::Resolve), "{done:?}");
    }

    #[test]
    fn what_gets_worse_or_lasts_is_told_again() {
        let worse = Found::Wrong(Level::Over, Severity::Critical);
        assert_eq!(
            course(&[OVER, OVER, OVER, OVER, worse, worse])[4..],
            [Next::GoOn(Some(News::Worse)), Next::GoOn(None)]
        );
        let day = course(&vec![OVER; 2 * 24 * 60 + 10]);
        let told: Vec<usize> = (0..day.len()).filter(|at| day[*at] == Next::GoOn(Some(News::Lasting))).collect();
        assert_eq!(told, [3 + 24 * 60, 3 + 2 * 24 * 60]);
    }

    #[test]
    fn what_nobody_looks_at_any_more_is_over_in_the_end() {
        let mut found = vec![OVER; 4];
        found.extend(vec![Found::NotLooked; 61]);
        let done = course(&found);
        assert_eq!(done.iter().position(|next| *next == Next::Resolve), Some(63));
        assert_eq!(course(&[OVER, OVER, OVER, OVER, Found::Off])[4], Next::Close);
    }

    proptest! {
        #[test]
        fn news_come_in_order(found in proptest::collection::vec(0..5u8, 0..200)) {
            let found: Vec<Found> = found.into_iter().map(|number| match number {
                0 => OVER,
                1 => EASED,
                2 => Found::Nothing,
                3 => Found::NotLooked,
                _ => Found::Wrong(Level::Over, Severity::Critical),
            }).collect();
            let mut fired = false;
            for next in course(&found) {
                match next {
                    Next::Fire => { prop_assert!(!fired); fired = true; }
                    Next::Resolve | Next::Close => { prop_assert!(fired); fired = false; }
                    Next::GoOn(Some(_)) | Next::Clear => prop_assert!(fired),
                    Next::Begin | Next::Forget => prop_assert!(!fired),
                    Next::GoOn(None) | Next::Stay => {}
                }
            }
        }
    }
}
