use std::{fmt, time::Duration};

use super::{PolicyError, error::number, real::Real};

/// Which calls a rate is taken over.
///
/// With the feature `serde` it serializes to `{"calls": 100}` or `{"seconds": 10.0}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Window {
    /// The last so many calls: 1 to 10,000. A seldom called service is judged by what it did long
    /// ago.
    ///
    /// Each thread's calls are counted in their order. Where several threads call, a window of 16 or
    /// more may lack the last few successes of another thread (a sixteenth of it, at most 16), until
    /// that thread makes its next calls; failures and slow calls are in it at once.
    #[cfg_attr(feature = "serde", serde(rename = "calls"))]
    Calls(u32),
    /// The calls that ended in the last so long: 1 ms to 1 h. It slides in tenths: a call counts
    /// for at least nine tenths of this time, and for no more than all of it.
    #[cfg_attr(feature = "serde", serde(rename = "seconds", serialize_with = "seconds"))]
    Time(Duration),
}

#[cfg(feature = "serde")]
fn seconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

const MOST_CALLS: u32 = 10_000;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(3600);
/// Most calls that can be asked for before a rate over time is judged.
const MOST_MINIMUM: u32 = 1_000_000;

impl Window {
    /// How much traffic a rate needs to mean something, unless the policy says otherwise.
    const USUAL_MINIMUM: u32 = 20;

    /// By time, because a window by calls remembers for ever what a quiet service did; 10 s, as
    /// Hystrix and opossum have it: longer ones are slow to see that a service has broken.
    pub(super) const DEFAULT: Window = Window::Time(Duration::from_secs(10));

    fn most_minimum(self) -> u32 {
        match self {
            Window::Calls(calls) => calls,
            Window::Time(_) => MOST_MINIMUM,
        }
    }
}

impl Default for Window {
    /// The last 10 seconds.
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Calls(1) => f.write_str("the last call"),
            Window::Calls(calls) => write!(f, "the last {calls} calls"),
            Window::Time(time) => write!(f, "the last {time:?}"),
        }
    }
}

/// What a policy says about rates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) failure_rate: Option<Real>,
    pub(super) slow_call_rate: Option<Real>,
    pub(super) slow_call_duration: Option<Duration>,
    pub(super) window: Window,
    pub(super) minimum_calls: Option<u32>,
}

impl Rates {
    pub(super) fn minimum_calls(&self) -> u32 {
        let usual = Window::USUAL_MINIMUM.min(self.window.most_minimum());
        self.minimum_calls.unwrap_or(usual)
    }

    pub(super) fn any(&self) -> bool {
        self.failure_rate.is_some() || self.slow_call_rate.is_some()
    }

    pub(super) fn check(&self) -> Result<(), PolicyError> {
        rate("failure_rate", self.failure_rate)?;
        rate("slow_call_rate", self.slow_call_rate)?;
        match self.window {
            Window::Calls(calls) => number("window", calls, MOST_CALLS)?,
            Window::Time(time) if (SHORTEST..=LONGEST).contains(&time) => {}
            Window::Time(value) => return Err(PolicyError::Window { value }),
        }
        match (self.minimum_calls, self.window) {
            (Some(minimum @ 1..), Window::Calls(calls)) if minimum > calls => {
                return Err(PolicyError::MinimumAboveWindow { minimum, calls });
            }
            (Some(minimum), window) => number("minimum_calls", minimum, window.most_minimum())?,
            (None, _) => {}
        }
        match (self.slow_call_rate, self.slow_call_duration) {
            (Some(_), None) => Err(PolicyError::SlowRateWithoutDuration),
            (None, Some(_)) => Err(PolicyError::SlowDurationWithoutRate),
            (Some(_), Some(duration)) => super::error::time("slow_call_duration", duration),
            (None, None) => Ok(()),
        }
    }
}

fn rate(name: &'static str, rate: Option<Real>) -> Result<(), PolicyError> {
    match rate {
        Some(Real(value)) if !(value > 0.0 && value <= 1.0) => {
            let allowed = "more than 0 and at most 1";
            Err(PolicyError::Fraction { name, value: value.to_string(), allowed })
        }
        _ => Ok(()),
    }
}
