//! What a circuit does and why, in words.

use infuse_axum::{Policy, Window};
use infuse_storage::{CircuitSnapshot, Fault, FleetWindow, Override, Provenance, Standing, State};

use crate::{
    announced::{self, Announced},
    clean::clean,
    time,
};

/// What stands where there is nothing to say.
pub(crate) const NONE: &str = "–";

/// When a call may be let through.
pub(crate) fn retry(snapshot: &CircuitSnapshot) -> String {
    match (snapshot.state, snapshot.retry_after, snapshot.ramp) {
        (State::Closed, _, Some(ramp)) if !ramp.time.is_zero() => {
            let done = 1.0 - ramp.left.as_secs_f64() / ramp.time.as_secs_f64();
            format!("ramp {}", percent(done))
        }
        (State::Closed, _, _) => NONE.to_owned(),
        (State::Open, Some(left), _) if left.is_zero() => "trial due".to_owned(),
        (State::HalfOpen, Some(left), _) if left.is_zero() => "on trial".to_owned(),
        (_, Some(left), _) => time::left(left),
        (_, None, _) => NONE.to_owned(),
    }
}

/// How far a closed circuit is from opening, in the whole fleet.
pub(crate) fn failures(snapshot: &CircuitSnapshot, policy: &Policy) -> String {
    if snapshot.state != State::Closed {
        return NONE.to_owned();
    }
    let count = snapshot.fleet_failures;
    let count =
        max_failure(policy).map_or_else(|| count.to_string(), |max| format!("{count}/{max}"));
    let window = snapshot.fleet_window;
    let rates = window.into_iter().flat_map(|it| [it.failure_rate, it.slow_call_rate]).flatten();
    let rates = rates.filter_map(|rate| match rate {
        Standing::Judged { rate, threshold } => {
            Some(format!(" {}/{}", percent(rate), percent(threshold)))
        }
        Standing::NotJudged { .. } => None,
    });
    count + &rates.collect::<String>()
}

/// The failures, one after another, that open a circuit, if any do.
pub(crate) fn max_failure(policy: &Policy) -> Option<u32> {
    Some(policy.max_failure()).filter(|max| *max != u32::MAX)
}

/// What opened a circuit, and who.
pub(crate) fn tripped(trip: &Provenance, instances: &[Announced]) -> String {
    let by = trip.by.map(|process| {
        announced::name_of(process, instances).unwrap_or_else(|| process.to_string())
    });
    trip_of(trip.cause.as_str(), trip.fault, by.as_deref(), (&trip.note.by, &trip.note.reason))
}

fn trip_of(cause: &str, fault: Option<Fault>, seen: Option<&str>, note: (&str, &str)) -> String {
    let mut text = cause.to_owned();
    if let Some(fault) = fault {
        text += &format!(", last {fault}");
    }
    if note.0.is_empty()
        && let Some(seen) = seen
    {
        text += &format!(", seen by {}", clean(seen));
    }
    text + &signed(note.0, note.1)
}

/// An override, with who put it on, why, and what is left of it.
pub(crate) fn overridden(over: &Override) -> String {
    let left = over.left.map(|left| format!(" for {}", time::left(left))).unwrap_or_default();
    format!("{}{left}{}", over.mode, signed(&over.by, &over.reason))
}

fn signed(by: &str, reason: &str) -> String {
    let by = if by.is_empty() { String::new() } else { format!(" by {}", clean(by)) };
    if reason.is_empty() { by } else { format!("{by}: {}", clean(reason)) }
}

/// All there is to say of why a circuit is as it is, on one line.
pub(crate) fn why(snapshot: &CircuitSnapshot, instances: &[Announced]) -> String {
    let over = snapshot.overridden.as_ref().map(overridden);
    let trip = snapshot.tripped.as_ref().map(|trip| tripped(trip, instances));
    let suspect = snapshot.suspect.then(|| "suspect: failures of several processes".to_owned());
    let all: Vec<_> = [over, trip, suspect].into_iter().flatten().collect();
    all.join("; ")
}

/// The calls of the fleet's window, and how far its rates are from opening the circuit.
pub(crate) fn window(window: &FleetWindow) -> String {
    let rate = |what: &str, rate: Option<Standing>| {
        rate.map(|rate| match rate {
            Standing::NotJudged { calls, minimum } => {
                format!("{what}: not judged before {minimum} calls, there are {calls}")
            }
            Standing::Judged { rate, threshold } => {
                format!("{what}: {} of {}", percent(rate), percent(threshold))
            }
        })
    };
    let rates = [rate("failures", window.failure_rate), rate("slow calls", window.slow_call_rate)];
    let rates: Vec<_> = rates.into_iter().flatten().collect();
    format!("{} calls; {}", window.counts.calls, rates.join("; "))
}

/// What opens a circuit, and for how long.
pub(crate) fn policy(policy: &Policy) -> String {
    let mut opens = Vec::new();
    opens.extend(max_failure(policy).map(|max| format!("{max} failures in a row")));
    let over = match policy.window() {
        Window::Time(time) => format!("of the calls of {}", time::words(time)),
        Window::Calls(calls) => format!("of the last {calls} calls"),
    };
    let failing = policy.failure_rate().map(|rate| (rate, "failed"));
    let slow = policy.slow_call_rate().map(|rate| (rate, "slow"));
    for (rate, what) in [failing, slow].into_iter().flatten() {
        opens.push(format!("{} {over} {what}", percent(rate)));
    }
    format!("opens for {} by {}", time::words(policy.reset_timeout()), opens.join(", "))
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use infuse_storage::{Mode, Ramp};

    use super::*;
    use crate::testing::snapshot;

    #[tokio::test]
    async fn it_says_when_a_call_passes() {
        let mut it = snapshot().await;
        assert_eq!(retry(&it), NONE);
        it.ramp = Some(Ramp { time: Duration::from_secs(10), left: Duration::from_secs(4) });
        assert_eq!(retry(&it), "ramp 60%");
        for (state, left, said) in [
            (State::Open, 11_001, "12s"),
            (State::Open, 0, "trial due"),
            (State::HalfOpen, 0, "on trial"),
            (State::HalfOpen, 900, "1s"),
        ] {
            it.state = state;
            it.retry_after = Some(Duration::from_millis(left));
            assert_eq!(retry(&it), said);
        }
    }

    #[tokio::test]
    async fn it_says_how_far_a_closed_circuit_is_from_opening() {
        let mut it = snapshot().await;
        it.fleet_failures = 2;
        assert_eq!(failures(&it, &Policy::default()), "2/5");
        let rates = Policy::builder().no_max_failure().failure_rate(0.5).build().unwrap();
        assert_eq!(failures(&it, &rates), "2");
        assert_eq!(policy(&rates), "opens for 15s by 50% of the calls of 10s failed");
        assert_eq!(policy(&Policy::default()), "opens for 15s by 5 failures in a row");
        it.state = State::Open;
        assert_eq!(failures(&it, &Policy::default()), NONE);
    }

    #[test]
    fn it_says_what_opened_a_circuit() {
        let nobody = ("", "");
        let status = Some(Fault::status(503));
        assert_eq!(
            trip_of("failures", status, Some("orders-1"), nobody),
            "failures, last status 503, seen by orders-1"
        );
        assert_eq!(trip_of("failures", None, None, nobody), "failures");
        assert_eq!(
            trip_of("manual", None, Some("0000000000000007"), ("ada", "moving\u{1b}[2J")),
            "manual by ada: moving�[2J"
        );
    }

    #[tokio::test]
    async fn it_says_who_put_an_override_on() {
        let mut it = snapshot().await;
        assert_eq!(why(&it, &[]), "");
        let over = Override::new(Mode::Isolated).lasting(Duration::from_millis(9_500));
        it.overridden = Some(over.by("ada").because("moving\nhouse"));
        assert_eq!(why(&it, &[]), "isolated for 10s by ada: moving�house");
        it.overridden = Some(Override::new(Mode::Observe));
        it.suspect = true;
        assert_eq!(why(&it, &[]), "observe; suspect: failures of several processes");
    }
}
