use infuse_axum::Policy;
use infuse_storage::{CircuitSnapshot, State};

use crate::{
    announced::Announced,
    mode::FleetMode,
    paint::{self, Tone},
    table::Cell,
    time, words,
};

/// A circuit in full: what each line is about, and what it says.
pub(crate) fn details(
    snapshot: &CircuitSnapshot,
    policy: &Policy,
    instances: &[Announced],
) -> Vec<(&'static str, Cell)> {
    let mut lines = vec![("state", state(snapshot)), ("mode", mode(snapshot, instances))];
    let mut plain = |about, text: String| lines.push((about, Cell::new(text, Tone::Plain)));
    if let Some(trip) = &snapshot.tripped {
        let ago = time::ago(time::since(trip.at));
        plain("opened by", format!("{}, {ago} ago", words::tripped(trip, instances)));
    }
    if snapshot.failed_trials > 0 {
        plain("trials", format!("{} failed since it was closed", snapshot.failed_trials));
    }
    if snapshot.state == State::Closed {
        let suspect = if snapshot.suspect { ", suspect" } else { "" };
        let counted = match words::max_failure(policy) {
            Some(max) => format!("{} of {max} in the fleet", snapshot.fleet_failures),
            None => format!("{} in the fleet", snapshot.fleet_failures),
        };
        plain("failures", counted + suspect);
    }
    if let Some(window) = &snapshot.fleet_window {
        plain("rates", words::window(window));
    }
    plain("policy", format!("{}, by the settings read here", words::policy(policy)));
    let heard = snapshot.view_age.map(|age| format!(", heard {} ago", time::ago(age)));
    plain("generation", format!("{}{}", snapshot.generation, heard.unwrap_or_default()));
    lines
}

fn state(snapshot: &CircuitSnapshot) -> Cell {
    let open_for = snapshot.opened_at.map(|at| format!(" for {}", time::ago(time::since(at))));
    let next = match (snapshot.state, words::retry(snapshot)) {
        (State::Closed, ramp) if ramp == words::NONE => String::new(),
        (State::Open, left) if snapshot.retry_after.is_some_and(|left| !left.is_zero()) => {
            format!(", a trial call in {left}")
        }
        (_, other) => format!(", {other}"),
    };
    let since = open_for.filter(|_| snapshot.state != State::Closed).unwrap_or_default();
    Cell::new(format!("{}{since}{next}", snapshot.state), paint::of_state(snapshot.state))
}

fn mode(snapshot: &CircuitSnapshot, instances: &[Announced]) -> Cell {
    let mode = FleetMode::of(snapshot, instances);
    let is = mode.as_str();
    let text = match (&snapshot.overridden, mode) {
        (Some(over), _) => format!("{}, above the settings", words::overridden(over)),
        (None, FleetMode::Settings(_)) => format!("{is}, by the settings read here"),
        (None, FleetMode::Mixed) => format!("{is}: instances announce different modes"),
        (None, _) => format!("{is}, as instances announce"),
    };
    Cell::new(text, mode.tone())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use infuse_storage::{Mode, Override, ProcessId};

    use super::*;
    use crate::testing::snapshot;

    #[tokio::test]
    async fn it_says_all_of_a_circuit() {
        let mut it = snapshot().await;
        it.fleet_failures = 2;
        let said = |it: &CircuitSnapshot| {
            let lines = details(it, &Policy::default(), &[]);
            lines
                .iter()
                .map(|(about, cell)| format!("{about}: {}\n", cell.text))
                .collect::<String>()
        };
        assert_eq!(
            said(&it),
            "state: closed\n\
             mode: enabled, by the settings read here\n\
             failures: 2 of 5 in the fleet\n\
             policy: opens for 15s by 5 failures in a row, by the settings read here\n\
             generation: 0\n"
        );
        let says = |mode: &str| {
            let text = format!(r#"{{"circuits": [{{"service": "payments", "mode": "{mode}"}}]}}"#);
            Announced::new(ProcessId::from_u64(7), Duration::ZERO, &text)
        };
        let [observe, enabled] = ["observe", "enabled"].map(says);
        assert_eq!(
            mode(&it, std::slice::from_ref(&observe)),
            Cell::new("observe, as instances announce", Tone::Warn)
        );
        assert_eq!(
            mode(&it, &[observe, enabled]),
            Cell::new("mixed: instances announce different modes", Tone::Warn)
        );
        it.state = State::Open;
        it.opened_at = Some(SystemTime::now() - Duration::from_millis(3_100));
        it.retry_after = Some(Duration::from_secs(12));
        it.failed_trials = 1;
        it.view_age = Some(Duration::from_millis(300));
        it.mode = Mode::Isolated;
        it.overridden = Some(Override::new(Mode::Isolated).by("ada").because("moving"));
        assert_eq!(
            said(&it),
            "state: open for 3s, a trial call in 12s\n\
             mode: isolated by ada: moving, above the settings\n\
             trials: 1 failed since it was closed\n\
             policy: opens for 15s by 5 failures in a row, by the settings read here\n\
             generation: 0, heard 0s ago\n"
        );
        it.retry_after = Some(Duration::ZERO);
        assert!(said(&it).starts_with("state: open for 3s, trial due\n"));
    }
}
