//! How finely, and for how long, what was measured is kept.

/// Rows of one length of step, in a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tier {
    /// Its place in a file, from 0.
    pub(super) index: usize,
    /// Length of a step, in seconds.
    pub(super) step: u32,
    /// How many steps are kept.
    pub(super) rows: u32,
}

/// As measured, for three hours.
pub(super) const RAW: Tier = Tier { index: 0, step: 10, rows: 3 * 360 };
/// Minutes, for two days.
pub(super) const MINUTE: Tier = Tier { index: 1, step: 60, rows: 2 * 1_440 };
/// Ten minutes, for thirty days.
pub(super) const TEN_MINUTES: Tier = Tier { index: 2, step: 600, rows: 30 * 144 };
/// All, the finest first.
pub(super) const TIERS: [Tier; 3] = [RAW, MINUTE, TEN_MINUTES];

impl Tier {
    /// How far back it goes, in seconds.
    pub(super) fn span(self) -> i64 {
        i64::from(self.step) * i64::from(self.rows)
    }

    /// How many of the measured steps make one of its steps.
    pub(super) fn raw_steps(self) -> u32 {
        self.step / RAW.step
    }

    /// Number of the step that a time falls into, counted from 1970; the ends of the range where it is outside.
    pub(super) fn slot(self, seconds: i64) -> u32 {
        u32::try_from(seconds.max(0) / i64::from(self.step)).unwrap_or(u32::MAX)
    }
}
