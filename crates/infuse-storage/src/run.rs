/// A breaker's present run of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// How many runs ended before it.
    pub(crate) number: u32,
    /// How long it is.
    pub(crate) failures: u32,
}

/// How much of a run no longer counts in the fleet, because a call has succeeded elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Baseline {
    pub(crate) run: u32,
    pub(crate) failures: u32,
}

impl Baseline {
    /// All of a run counts no longer, but for the last `but`.
    pub(crate) fn of(run: Run, but: u32) -> Self {
        Self { run: run.number, failures: run.failures.saturating_sub(but) }
    }

    /// What of a run counts.
    pub(crate) fn share(self, run: Run) -> u32 {
        // The second is for a run whose end is not told yet.
        if run.number != self.run || run.failures < self.failures {
            return run.failures;
        }
        run.failures - self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u32, failures: u32) -> Run {
        Run { number, failures }
    }

    #[test]
    fn what_was_before_the_clear_no_longer_counts() {
        let baseline = Baseline::of(run(0, 3), 0);
        assert_eq!(baseline.share(run(0, 3)), 0);
        assert_eq!(baseline.share(run(0, 5)), 2);
        assert_eq!(Baseline::of(run(0, 3), 1).share(run(0, 5)), 3);
    }

    #[test]
    fn another_run_counts_as_a_whole() {
        let baseline = Baseline::of(run(0, 3), 0);
        assert_eq!(baseline.share(run(1, 3)), 3);
        assert_eq!(baseline.share(run(0, 2)), 2);
        assert_eq!(Baseline::default().share(run(0, 4)), 4);
    }
}
