use infuse_axum::Policy;
use infuse_storage::{CircuitSnapshot, State};

use crate::{
    announced::Announced,
    clean::clean,
    mode::FleetMode,
    paint::{self, Tone},
    table::Cell,
    time, words,
};

/// What the columns of a list of circuits are called.
pub(crate) const HEADS: [&str; 7] =
    ["CIRCUIT", "STATE", "RETRY IN", "MODE", "FAILURES", "OPEN FOR", "WHY"];

/// A circuit as a line of a list.
pub(crate) fn row(
    snapshot: &CircuitSnapshot,
    policy: &Policy,
    instances: &[Announced],
) -> [Cell; HEADS.len()] {
    let open_for = snapshot.opened_at.filter(|_| snapshot.state != State::Closed);
    let open_for = open_for.map_or_else(|| words::NONE.to_owned(), |at| time::ago(time::since(at)));
    let state = paint::of_state(snapshot.state);
    let mode = FleetMode::of(snapshot, instances);
    let waits = if snapshot.state == State::Closed { Tone::Dim } else { state };
    [
        Cell::new(clean(&snapshot.service), Tone::Plain),
        Cell::new(snapshot.state.as_str(), state),
        Cell::new(words::retry(snapshot), waits),
        Cell::new(mode.as_str(), mode.tone()),
        Cell::new(
            words::failures(snapshot, policy),
            if snapshot.suspect { Tone::Warn } else { Tone::Dim },
        ),
        Cell::new(open_for, Tone::Dim),
        Cell::new(words::why(snapshot, instances), Tone::Plain),
    ]
}
