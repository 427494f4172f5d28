//! Handing single numbers to the recorder. Which that is, is asked each time: it may come after
//! Infuse, and tests have one for each.

use std::sync::Arc;

use infuse_storage::{Mode, State};
use metrics::{counter, gauge, histogram};

use super::{CALL_DURATION, MODE, STATE};
use crate::durations::Durations;

const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];
const MODES: [Mode; 4] = [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated];

pub(super) fn count(name: &'static str, labels: &[(&'static str, Arc<str>)], value: u64) {
    counter!(name, labels).absolute(value);
}

pub(super) fn show(name: &'static str, value: f64) {
    gauge!(name).set(value);
}

/// The state and the mode. The one that holds comes first, so that whoever looks meanwhile never
/// sees none.
pub(super) fn standing(service: &Arc<str>, state: State, mode: Mode) {
    one_of(STATE, "state", service, state.as_str(), STATES.map(State::as_str));
    one_of(MODE, "mode", service, mode.as_str(), MODES.map(Mode::as_str));
}

fn one_of<const N: usize>(
    name: &'static str,
    label: &'static str,
    service: &Arc<str>,
    holds: &'static str,
    mut all: [&'static str; N],
) {
    all.sort_by_key(|one| *one != holds);
    for one in all {
        let value = if one == holds { 1.0 } else { 0.0 };
        gauge!(name, "service" => Arc::clone(service), label => one).set(value);
    }
}

pub(super) fn durations(service: &Arc<str>, durations: &Durations) {
    let histogram = histogram!(CALL_DURATION, "service" => Arc::clone(service));
    durations.hand_over(|seconds, calls| histogram.record_many(seconds, calls));
}
