//! What in the settings of a circuit does not go together.

use std::time::Duration;

use infuse_storage::core::Window;

use super::BreakerSettings;

/// Settings of which each is right by itself, and which contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// Nothing would open the circuit.
    NeverOpens,
    /// A rate over the last calls would never be judged.
    MinimumAboveWindow { minimum: u32, calls: u32 },
    /// A rate of slow calls, but no call is slow.
    SlowRateAlone,
    /// Calls are slow, but no rate of them opens the circuit.
    SlowDurationAlone,
    /// The open time would be cut below where it starts.
    MaxBelowResetTimeout { most: Duration, reset_timeout: Duration },
}

impl Contradiction {
    /// The settings that contradict each other, first the one to be mended.
    pub(super) fn settings(self) -> &'static [&'static str] {
        match self {
            Self::NeverOpens => &[
                "breaker_max_failure",
                "breaker_failure_rate",
                "breaker_slow_call_rate",
                "breaker_slow_call_duration",
            ],
            Self::MinimumAboveWindow { .. } => {
                &["breaker_minimum_calls", "breaker_window_calls", "breaker_window"]
            }
            Self::SlowRateAlone => &["breaker_slow_call_rate", "breaker_slow_call_duration"],
            Self::SlowDurationAlone => &["breaker_slow_call_duration", "breaker_slow_call_rate"],
            Self::MaxBelowResetTimeout { .. } => {
                &["breaker_max_reset_timeout", "breaker_reset_timeout"]
            }
        }
    }
}

/// All that is contradictory. Where this finds nothing, and each value is within its own range, a
/// policy can be made.
///
/// `has_rules` says that circuits have rules of the application's own.
pub(super) fn find(breaker: &BreakerSettings, has_rules: bool) -> Vec<Contradiction> {
    let mut found = Vec::new();
    if breaker.max_failure.is_none() && !breaker.has_rate() && !has_rules {
        found.push(Contradiction::NeverOpens);
    }
    if let (Some(minimum), Window::Calls(calls)) = (breaker.minimum_calls, breaker.window)
        && minimum > calls
    {
        found.push(Contradiction::MinimumAboveWindow { minimum, calls });
    }
    match (breaker.slow_call_rate, breaker.slow_call_duration) {
        (Some(_), None) => found.push(Contradiction::SlowRateAlone),
        (None, Some(_)) => found.push(Contradiction::SlowDurationAlone),
        _ => {}
    }
    if let Some(most) = breaker.max_reset_timeout
        && most < breaker.reset_timeout
    {
        let reset_timeout = breaker.reset_timeout;
        found.push(Contradiction::MaxBelowResetTimeout { most, reset_timeout });
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::*;

    fn time() -> impl Strategy<Value = Duration> {
        prop_oneof![Just(1), Just(500), Just(15_000), Just(86_400_000)]
            .prop_map(Duration::from_millis)
    }

    fn window() -> impl Strategy<Value = Window> {
        let time = prop_oneof![Just(1), Just(10_000), Just(3_600_000)];
        prop_oneof![
            time.prop_map(|millis| Window::Time(Duration::from_millis(millis))),
            prop_oneof![Just(1), 2_u32..100, Just(10_000)].prop_map(Window::Calls),
        ]
    }

    fn share() -> impl Strategy<Value = f64> {
        prop_oneof![Just(0.000_001), Just(0.5), Just(1.0)]
    }

    fn breaker() -> impl Strategy<Value = BreakerSettings> {
        let rates = (
            option::of(prop_oneof![Just(1), Just(65_535)]),
            option::of(share()),
            option::of(share()),
            option::of(time()),
            window(),
            option::of(prop_oneof![1_u32..100, Just(1_000_000)]),
        );
        let times =
            (time(), 1.0_f64..=1_000.0, option::of(time()), 0.0_f64..=1.0, option::of(time()));
        let others = (option::of(time()), option::of(time()), 1_u32..=1_000);
        (rates, times, others).prop_map(|(rates, times, others)| BreakerSettings {
            max_failure: rates.0,
            failure_rate: rates.1,
            slow_call_rate: rates.2,
            slow_call_duration: rates.3,
            window: rates.4,
            minimum_calls: rates.5,
            reset_timeout: times.0,
            reset_backoff: times.1,
            max_reset_timeout: times.2,
            reset_jitter: times.3,
            max_retry_after: times.4,
            ramp: others.0,
            abandoned_after: others.1,
            min_reporters: others.2,
            ..BreakerSettings::default()
        })
    }

    proptest! {
        /// So that nobody ever gets to see an error of the policy, which knows no settings.
        #[test]
        fn what_a_policy_refuses_is_found_here_and_nothing_else(
            breaker in breaker(),
            has_rules: bool,
        ) {
            let policy = breaker.policy(Some(Duration::from_secs(5)), has_rules);
            prop_assert_eq!(find(&breaker, has_rules).is_empty(), policy.is_ok(), "{:?}", policy);
        }
    }

    #[test]
    fn all_of_them_at_once() {
        let breaker = BreakerSettings {
            max_failure: None,
            slow_call_duration: Some(Duration::from_secs(1)),
            window: Window::Calls(10),
            minimum_calls: Some(11),
            max_reset_timeout: Some(Duration::from_secs(14)),
            ..BreakerSettings::default()
        };
        assert_eq!(
            find(&breaker, false),
            [
                Contradiction::NeverOpens,
                Contradiction::MinimumAboveWindow { minimum: 11, calls: 10 },
                Contradiction::SlowDurationAlone,
                Contradiction::MaxBelowResetTimeout {
                    most: Duration::from_secs(14),
                    reset_timeout: Duration::from_secs(15),
                },
            ]
        );
        assert_eq!(find(&BreakerSettings::default(), false), []);
        let policy = BreakerSettings::default().policy(None, true).unwrap();
        assert_eq!(policy, infuse_storage::Policy::default());
    }
}
