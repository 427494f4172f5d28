use infuse_core::{Counts, Policy, Standing};

/// The calls of all processes in the window, and how far their rates are from opening the circuit.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FleetWindow {
    /// The calls.
    pub counts: Counts,
    /// The rate of failures, if the policy goes by it.
    pub failure_rate: Option<Standing>,
    /// The rate of slow calls, if the policy goes by it.
    pub slow_call_rate: Option<Standing>,
}

impl FleetWindow {
    pub(super) fn of(counts: Counts, policy: &Policy) -> Option<Self> {
        let rates = (policy.failure_rate(), policy.slow_call_rate());
        if counts == Counts::NONE || rates == (None, None) {
            return None;
        }
        let calls = counts.calls;
        let minimum = policy.minimum_calls();
        let standing = |part: u64, threshold: Option<f64>| {
            let threshold = threshold?;
            Some(if calls < u64::from(minimum).max(1) {
                Standing::NotJudged { calls, minimum }
            } else {
                Standing::Judged { rate: part as f64 / calls as f64, threshold }
            })
        };
        Some(Self {
            counts,
            failure_rate: standing(counts.failures, rates.0),
            slow_call_rate: standing(counts.slow, rates.1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_judged_when_there_are_enough_calls() {
        let policy = Policy::builder().failure_rate(0.5).minimum_calls(10).build().unwrap();
        let of = |calls, failures| FleetWindow::of(Counts { calls, failures, slow: 0 }, &policy);
        assert_eq!(of(0, 0), None);
        let few = of(6, 6).unwrap();
        assert_eq!(few.failure_rate, Some(Standing::NotJudged { calls: 6, minimum: 10 }));
        assert_eq!(few.slow_call_rate, None);
        let many = of(10, 4).unwrap().failure_rate.unwrap();
        assert_eq!(many, Standing::Judged { rate: 0.4, threshold: 0.5 });
        assert_eq!(FleetWindow::of(few.counts, &Policy::default()), None);
    }
}
