use std::{collections::BTreeMap, sync::Arc};

use infuse_storage::{Circuit, ProcessId};

use super::instances::Survey;
use crate::{
    Infuse,
    admin::{
        problem::Problem,
        shapes::{self, Change},
    },
    events::{Event, Feed, What},
    reload::Live,
};

/// Events of one circuit that go with it.
const HISTORY: usize = 240;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub(in crate::admin) struct Admin {
    infuse: Infuse,
    pub(super) survey: Arc<Survey>,
}

impl Admin {
    pub(in crate::admin) fn new(infuse: Infuse) -> Self {
        Self { infuse, survey: Arc::default() }
    }

    pub(super) fn infuse(&self) -> &Infuse {
        &self.infuse
    }

    pub(super) fn live(&self) -> &Live {
        self.infuse.live()
    }

    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.infuse.operated().feed
    }

    /// The circuit of this name, in any of its spellings.
    pub(super) fn circuit(&self, name: &str) -> Result<Circuit, Problem> {
        self.infuse.circuit(name).ok_or_else(Problem::no_circuit)
    }

    /// The canonical name of a circuit that somebody asks for.
    pub(super) fn canonical(&self, name: Option<&str>) -> Result<Option<String>, Problem> {
        name.map(|name| Ok(self.circuit(name)?.name().to_owned())).transpose()
    }

    /// What a process is called.
    pub(super) fn name_of(&self, process: Option<ProcessId>) -> Option<String> {
        let name = self.infuse.operated().names.of(self.live(), process?);
        name.map(|name| name.as_ref().to_owned())
    }

    /// Finds out what these are called, if it can be found out.
    pub(super) async fn learn_names(&self, of: impl IntoIterator<Item = ProcessId>) {
        self.infuse.operated().names.learn(self.live(), of).await;
    }

    /// Events as they are shown.
    pub(super) async fn show(&self, events: &[Arc<Event>]) -> Vec<shapes::Event> {
        self.learn_names(events.iter().filter_map(|event| event.by())).await;
        let process = self.live().circuits.process();
        let show =
            |event: &Arc<Event>| shapes::Event::new(event, process, self.name_of(event.by()));
        events.iter().map(show).collect()
    }

    /// These circuits as they are shown.
    pub(super) async fn circuits(&self, circuits: &[Circuit]) -> Vec<shapes::Circuit> {
        let mut changes: BTreeMap<Arc<str>, Vec<Change>> = BTreeMap::new();
        for event in self.feed().newest(usize::MAX, Event::is_state) {
            if let (Some(circuit), What::State { change, .. }) = (&event.circuit, &event.what) {
                let changes = changes.entry(Arc::clone(circuit)).or_default();
                if changes.len() < HISTORY {
                    changes.push(Change::new(event.at, change.to));
                }
            }
        }
        let snapshots: Vec<_> =
            circuits.iter().map(|circuit| (circuit, circuit.snapshot())).collect();
        let by = |tripped: &Option<infuse_storage::Provenance>| tripped.as_ref()?.by;
        self.learn_names(snapshots.iter().filter_map(|(_, it)| by(&it.tripped))).await;
        let show = |(circuit, snapshot): (&Circuit, infuse_storage::CircuitSnapshot)| {
            let by_name = self.name_of(by(&snapshot.tripped));
            let mut history = changes.remove(circuit.name()).unwrap_or_default();
            history.reverse();
            shapes::Circuit::new(circuit, snapshot, by_name, history)
        };
        snapshots.into_iter().map(show).collect()
    }
}
