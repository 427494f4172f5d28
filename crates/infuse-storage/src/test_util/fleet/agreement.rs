use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt::{self, Write},
    time::Duration,
};

use super::{Application, Fleet};
use crate::{CircuitSnapshot, State};

/// The processes of a fleet did not come to what was waited for. It shows what each of them thinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    wanted: String,
    after: Duration,
    who: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, after, who } = self;
        write!(f, "{wanted} did not come about within {after:?}:\n{who}")
    }
}

impl Error for Disagreement {}

/// What must not change for the fleet to be at rest.
#[derive(PartialEq)]
pub(super) struct Picture {
    changes: usize,
    circuits: Vec<(usize, String, State, u64, bool, bool, u32)>,
}

impl<A: Application> Fleet<A> {
    pub(super) fn picture(&self) -> Picture {
        let mut circuits = Vec::new();
        for (process, one) in self.snapshots() {
            circuits.push((
                process,
                one.service,
                one.state,
                one.generation,
                one.shared,
                one.suspect,
                one.fleet_failures,
            ));
        }
        Picture { changes: self.iter().map(|process| process.link().changes()).sum(), circuits }
    }

    fn snapshots(&self) -> impl Iterator<Item = (usize, CircuitSnapshot)> {
        self.iter().flat_map(|process| {
            process.circuits().into_iter().map(|circuit| (process.number(), circuit))
        })
    }

    /// Whether the processes that reach the storage have the same view of every circuit from it. One
    /// that stands apart, because its last trip was refuted say, may be in a state of its own then.
    pub(super) fn agrees(&self) -> bool {
        let reaches = |(number, _): &(usize, CircuitSnapshot)| self[*number].link().is_up();
        let mut generations = BTreeMap::new();
        self.snapshots().filter(reaches).all(|(_, one)| {
            let generation = *generations.entry(one.service).or_insert(one.generation);
            one.shared && !one.suspect && one.generation == generation
        })
    }

    /// Whether every process that reaches the storage has the circuit in this state.
    pub(super) fn is_all(&self, circuit: &str, state: State) -> bool {
        self.iter().filter(|process| process.link().is_up()).all(|process| {
            let circuits = process.circuits();
            circuits.iter().any(|one| one.service == circuit && one.state == state)
        })
    }

    pub(super) fn disagreement(&self, wanted: String, after: Duration) -> Disagreement {
        Disagreement { wanted, after, who: self.describe() }
    }

    /// What each process thinks of each circuit, a line each.
    pub fn describe(&self) -> String {
        let names: BTreeSet<String> =
            self.snapshots().map(|(_, circuit)| circuit.service).collect();
        let mut text = String::new();
        for name in names {
            // A `String` takes whatever is written.
            let _ = writeln!(text, "circuit {name:?}");
            for number in 0..self.len() {
                let _ = writeln!(text, "  process {number}: {}", self.describe_one(number, &name));
            }
        }
        text
    }

    fn describe_one(&self, number: usize, name: &str) -> String {
        let Some(process) = self.get(number) else { return "killed".to_owned() };
        let circuits = process.circuits();
        let Some(one) = circuits.iter().find(|circuit| circuit.service == name) else {
            return "has no such circuit".to_owned();
        };
        let mut text = format!("{}, generation {}", one.state, one.generation);
        let failures = (one.fail_counter, one.fleet_failures);
        let notes = [
            (one.retry_after.is_some(), format!("{:?} left", one.retry_after.unwrap_or_default())),
            (one.trials > 0, format!("{} trials in flight", one.trials)),
            (failures != (0, 0), format!("{} failures, {} in the fleet", failures.0, failures.1)),
            (one.suspect, "suspect".to_owned()),
            (!process.link().is_up(), "cut off".to_owned()),
            (!one.shared, "decides alone".to_owned()),
        ];
        for (_, note) in notes.into_iter().filter(|(holds, _)| *holds) {
            text.push_str(", ");
            text.push_str(&note);
        }
        text
    }
}
