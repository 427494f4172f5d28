use std::ops::{Add, AddAssign};

/// How many calls there were, and how many of them failed or were slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counts {
    /// Calls that ended and were not ignored.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that were slow. One that was slow and failed is in both.
    pub slow: u64,
}

impl Counts {
    /// No calls.
    pub const NONE: Counts = Counts { calls: 0, failures: 0, slow: 0 };

    /// What is left of these without others; nothing is ever less than none.
    pub(crate) fn without(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            failures: self.failures.saturating_sub(other.failures),
            slow: self.slow.saturating_sub(other.slow),
        }
    }

    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            calls: self.calls.max(other.calls),
            failures: self.failures.max(other.failures),
            slow: self.slow.max(other.slow),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            failures: self.failures.saturating_add(other.failures),
            slow: self.slow.saturating_add(other.slow),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
