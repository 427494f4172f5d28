use std::{collections::VecDeque, sync::Arc, time::Duration};

use infuse_axum::Policy;
use infuse_storage::{CircuitSnapshot, Mode, State};

use crate::{
    announced::Announced,
    clean::clean,
    mode::FleetMode,
    paint::{self, Tone},
    words,
};

/// How many changes are remembered.
const CHANGES: usize = 100;

/// What there is to see.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) environment: String,
    /// Circuits, and what the settings say of them: first those that do not let calls through.
    pub(super) circuits: Vec<Watched>,
    pub(super) instances: Arc<[Announced]>,
    /// How long the storage has been out of reach, and why.
    pub(super) lost: Option<(Duration, Arc<str>)>,
    /// What has changed since this began, the newest first.
    pub(super) changes: VecDeque<Change>,
    /// The name of the circuit that is chosen.
    chosen: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) snapshot: CircuitSnapshot,
    pub(super) policy: Policy,
    /// The mode by what instances said when this was taken.
    mode: FleetMode,
}

impl Watched {
    pub(super) fn new(snapshot: CircuitSnapshot, policy: Policy) -> Self {
        let mode = FleetMode::of(&snapshot, &[]);
        Self { snapshot, policy, mode }
    }
}

/// A change of a circuit, as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// When, since this began.
    pub(super) at: Duration,
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// Where to go in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Up(usize),
    Down(usize),
    First,
    Last,
}

impl View {
    pub(super) fn new(environment: &str) -> Self {
        Self { environment: clean(environment), ..Self::default() }
    }

    /// Takes what circuits are now, so long after the beginning.
    pub(super) fn update(&mut self, mut circuits: Vec<Watched>, at: Duration) {
        for watched in &mut circuits {
            watched.mode = FleetMode::of(&watched.snapshot, &self.instances);
        }
        circuits.sort_by(|one, other| key(one).cmp(&key(other)));
        for watched in &circuits {
            let now = &watched.snapshot;
            let before = self.circuits.iter().find(|it| it.snapshot.service == now.service);
            if let Some(before) = before {
                let changes = changes(before, watched, &self.instances, at);
                changes.into_iter().for_each(|change| self.changes.push_front(change));
            }
        }
        self.changes.truncate(CHANGES);
        self.circuits = circuits;
    }

    /// Where the chosen circuit stands: the first, unless one was chosen.
    pub(super) fn chosen(&self) -> Option<usize> {
        let is_chosen = |it: &Watched| Some(&it.snapshot.service) == self.chosen.as_ref();
        let found = self.circuits.iter().position(is_chosen);
        found.or_else(|| (!self.circuits.is_empty()).then_some(0))
    }

    /// Chooses another circuit.
    pub(super) fn go(&mut self, there: Move) {
        let Some(now) = self.chosen() else { return };
        let last = self.circuits.len() - 1;
        let then = match there {
            Move::Up(lines) => now.saturating_sub(lines),
            Move::Down(lines) => now.saturating_add(lines).min(last),
            Move::First => 0,
            Move::Last => last,
        };
        self.chosen = self.circuits.get(then).map(|it| it.snapshot.service.clone());
    }
}

/// In which order circuits stand.
fn key(watched: &Watched) -> (u8, &str) {
    let CircuitSnapshot { state, service, .. } = &watched.snapshot;
    let trouble = match (state, watched.mode.mode()) {
        (_, Some(Mode::Isolated)) | (State::Open, _) => 0,
        (State::HalfOpen, _) => 1,
        (State::Closed, None | Some(Mode::Observe | Mode::Disabled)) => 2,
        (State::Closed, Some(Mode::Enabled)) => 3,
    };
    (trouble, service)
}

fn changes(before: &Watched, now: &Watched, instances: &[Announced], at: Duration) -> Vec<Change> {
    let (modes, before, now) = ((before.mode, now.mode), &before.snapshot, &now.snapshot);
    let name = clean(&now.service);
    let mut changes = Vec::new();
    let mut push = |from: &str, to: &str, why: String, tone| {
        let why = if why.is_empty() { why } else { format!(": {why}") };
        changes.push(Change { at, text: format!("{name} {from} → {to}{why}"), tone });
    };
    if before.state != now.state {
        let trip = now.tripped.as_ref().filter(|_| now.state != State::Closed);
        let why = trip.map(|trip| words::tripped(trip, instances)).unwrap_or_default();
        push(before.state.as_str(), now.state.as_str(), why, paint::of_state(now.state));
    }
    let (was, is) = modes;
    // Not by where it is known from.
    if was.as_str() != is.as_str() {
        let why = now.overridden.as_ref().map(words::overridden).unwrap_or_default();
        push(was.as_str(), is.as_str(), why, is.tone());
    }
    changes
}

#[cfg(test)]
pub(super) mod tests {
    use infuse_storage::{Override, ProcessId};

    use super::*;
    use crate::testing::snapshot;

    /// Closed circuits of these names.
    pub(crate) async fn circuits(names: &[&str]) -> Vec<Watched> {
        let snapshot = snapshot().await;
        let watched = |name: &&str| {
            let mut snapshot = snapshot.clone();
            snapshot.service = (*name).to_owned();
            Watched::new(snapshot, Policy::default())
        };
        names.iter().map(watched).collect()
    }

    fn names(view: &View) -> Vec<&str> {
        view.circuits.iter().map(|it| &*it.snapshot.service).collect()
    }

    #[tokio::test]
    async fn trouble_stands_first_and_is_told() {
        let mut view = View::new("production");
        let mut now = circuits(&["b", "a", "c\u{1b}", "d"]).await;
        view.update(now.clone(), Duration::ZERO);
        assert_eq!(names(&view), ["a", "b", "c\u{1b}", "d"]);
        assert!(view.changes.is_empty());

        now[0].snapshot.state = State::Open;
        now[2].snapshot.mode = Mode::Isolated;
        let over = Override::new(Mode::Isolated).by("ada").because("moving");
        now[2].snapshot.overridden = Some(over);
        now[3].snapshot.mode = Mode::Observe;
        view.update(now.clone(), Duration::from_secs(1));
        assert_eq!(names(&view), ["b", "c\u{1b}", "d", "a"]);
        let told: Vec<_> = view.changes.iter().map(|change| &*change.text).collect();
        assert_eq!(
            told,
            [
                "d enabled → observe",
                "c� enabled → isolated: isolated by ada: moving",
                "b closed → open",
            ]
        );
        // Nothing new.
        view.update(now, Duration::from_secs(2));
        assert_eq!(view.changes.len(), 3);
    }

    #[tokio::test]
    async fn the_mode_is_what_instances_announce() {
        let says = |mode: &str| {
            let text = format!(r#"{{"circuits": [{{"service": "b", "mode": "{mode}"}}]}}"#);
            Announced::new(ProcessId::from_u64(7), Duration::ZERO, &text)
        };
        let mut view = View::new("production");
        let now = circuits(&["a", "b"]).await;
        for (turn, said) in
            [&[][..], &["enabled"], &["enabled", "isolated"], &["isolated"]].into_iter().enumerate()
        {
            view.instances = said.iter().copied().map(says).collect();
            view.update(now.clone(), Duration::from_secs(turn as u64));
        }
        assert_eq!(names(&view), ["b", "a"]);
        let told: Vec<_> = view.changes.iter().map(|change| &*change.text).collect();
        assert_eq!(told, ["b mixed → isolated", "b enabled → mixed"]);
    }

    #[tokio::test]
    async fn changes_are_forgotten_after_a_while() {
        let mut view = View::new("production");
        let mut now = circuits(&["a"]).await;
        for turn in 0..300 {
            now[0].snapshot.state = if turn % 2 == 0 { State::Open } else { State::Closed };
            view.update(now.clone(), Duration::from_secs(turn));
        }
        assert_eq!(view.changes.len(), CHANGES);
        assert_eq!(view.changes[0].at, Duration::from_secs(299));
    }

    #[tokio::test]
    async fn what_is_chosen_stays_chosen_wherever_it_goes() {
        let mut view = View::new("production");
        view.go(Move::Down(1));
        assert_eq!(view.chosen(), None);
        let mut now = circuits(&["a", "b", "c"]).await;
        view.update(now.clone(), Duration::ZERO);
        assert_eq!(view.chosen(), Some(0));
        view.go(Move::Down(1));
        assert_eq!(view.chosen(), Some(1));
        now[1].snapshot.state = State::Open;
        view.update(now, Duration::ZERO);
        assert_eq!(view.chosen(), Some(0));
        for (there, then) in [
            (Move::Last, 2),
            (Move::Down(9), 2),
            (Move::Up(1), 1),
            (Move::First, 0),
            (Move::Up(9), 0),
        ] {
            view.go(there);
            assert_eq!(view.chosen(), Some(then), "{there:?}");
        }
        // It is gone.
        view.update(circuits(&["x"]).await, Duration::ZERO);
        assert_eq!(view.chosen(), Some(0));
    }
}
