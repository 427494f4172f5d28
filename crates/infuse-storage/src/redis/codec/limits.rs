use std::{fmt::Write as _, time::Duration};

use infuse_core::Window;

use super::words::{NONE, micros, number};
use crate::{Rates, Thresholds};

/// Thresholds as text: four numbers; then, unless it is 1, how many processes must have seen
/// failures; and rates, if there are any.
pub(super) fn write_thresholds(of: &Thresholds) -> String {
    let mut text = format!(
        "{}:{}:{}:{}",
        of.max_failure,
        micros(of.reset_timeout),
        of.success_threshold,
        of.half_open_max_calls
    );
    if of.min_reporters != 1 || of.rates.is_some() {
        // Writing to a text never fails.
        let _ = write!(text, ":{}", of.min_reporters);
    }
    if let Some(rates) = &of.rates {
        let _ = match rates.window {
            Window::Time(time) => write!(text, ":t{}", micros(time)),
            Window::Calls(calls) => write!(text, ":c{calls}"),
        };
        let _ = write!(text, ":{}", rates.minimum_calls);
        for share in [rates.failure_rate, rates.slow_call_rate] {
            let _ = match share.filter(|share| *share > 0.0 && *share <= 1.0) {
                // As few digits as say exactly this number.
                Some(share) => write!(text, ":{share:e}"),
                None => write!(text, ":{NONE}"),
            };
        }
    }
    text
}

pub(super) fn read_thresholds(text: &str) -> Option<Thresholds> {
    let mut parts = text.split(':');
    let mut next = || parts.next().and_then(number);
    let count = |number: u64| u32::try_from(number).ok();
    let mut thresholds = Thresholds {
        max_failure: count(next()?)?,
        reset_timeout: Duration::from_micros(next()?),
        success_threshold: count(next()?)?,
        half_open_max_calls: count(next()?)?,
        min_reporters: 1,
        rates: None,
    };
    let Some(reporters) = parts.next() else { return Some(thresholds) };
    thresholds.min_reporters = count(number(reporters)?)?;
    let Some(window) = parts.next() else { return Some(thresholds) };
    let (unit, size) = window.split_at_checked(1)?;
    let rates = Rates {
        window: match unit {
            "t" => Window::Time(Duration::from_micros(number(size)?)),
            "c" => Window::Calls(count(number(size)?)?),
            _ => return None,
        },
        minimum_calls: count(number(parts.next()?)?)?,
        failure_rate: share(parts.next()?)?,
        slow_call_rate: share(parts.next()?)?,
    };
    thresholds.rates = Some(rates);
    parts.next().is_none().then_some(thresholds)
}

fn share(text: &str) -> Option<Option<f64>> {
    if text == NONE {
        return Some(None);
    }
    // `parse` takes more than digits: a sign, "inf".
    let share: f64 =
        text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())??;
    (share > 0.0 && share <= 1.0).then_some(Some(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(rates: Option<Rates>, min_reporters: u32) -> Thresholds {
        Thresholds { min_reporters, rates, ..Thresholds::default() }
    }

    #[test]
    fn thresholds_are_read_as_they_were_written() {
        for (thresholds, text) in [
            (with(None, 1), "5:15000000:1:1"),
            (with(None, 3), "5:15000000:1:1:3"),
            (with(Some(rates(Some(0.5), None)), 1), "5:15000000:1:1:1:t10000000:20:5e-1:-"),
            (
                with(Some(Rates { window: Window::Calls(100), ..rates(None, Some(1.0)) }), 2),
                "5:15000000:1:1:2:c100:20:-:1e0",
            ),
        ] {
            assert_eq!(write_thresholds(&thresholds), text);
            assert_eq!(read_thresholds(text), Some(thresholds));
        }
    }

    fn rates(failure_rate: Option<f64>, slow_call_rate: Option<f64>) -> Rates {
        let window = Window::Time(Duration::from_secs(10));
        Rates { window, minimum_calls: 20, failure_rate, slow_call_rate }
    }

    #[test]
    fn every_share_is_the_same_afterwards() {
        for share in [0.1, 0.29, 1.0 / 3.0, 2.0 / 3.0, f64::MIN_POSITIVE, 5e-324, 1.0] {
            let thresholds = with(Some(rates(Some(share), Some(share))), 1);
            let text = write_thresholds(&thresholds);
            assert!(text.len() < 100, "{text}");
            assert_eq!(read_thresholds(&text), Some(thresholds));
        }
        // What no policy has is none.
        for share in [0.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            let text = write_thresholds(&with(Some(rates(Some(share), None)), 1));
            assert_eq!(read_thresholds(&text), Some(with(Some(rates(None, None)), 1)));
        }
    }

    #[test]
    fn rubbish_is_none() {
        for text in [
            "",
            "5",
            "5:1:1",
            "5:1:1:1:",
            "5:1:1:1:x",
            "5:1:1:1:1:",
            "5:1:1:1:1:10:1:-:-",
            "5:1:1:1:1:t10:1:-",
            "5:1:1:1:1:t10:1:-:-:-",
            "5:1:1:1:1:t10:1:inf:-",
            "5:1:1:1:1:t10:1:+5e-1:-",
            "5:1:1:1:1:t10:1:2e0:-",
            "5:1:1:1:1:\u{1F980}:1:-:-",
        ] {
            assert_eq!(read_thresholds(text), None, "{text}");
        }
    }
}
