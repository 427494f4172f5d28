//! Who changed a circuit, and why: for people to look at.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use infuse_core::{Breaker, Cause, Fault, State, StateChange, Tripped};

use crate::{
    Note, Opening, ProcessId, Provenance, View,
    hub::{Hub, lock},
    node::Node,
    when::When,
};

/// What there is to tell of a circuit's changes. It decides nothing. Boxed, because most circuits
/// never change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Story {
    /// What opened the fleet's circuit, and when the storage said so: for a storage that has lost it.
    fleet: Option<(Arc<Opening>, When)>,
    /// Who opened the circuit of this process. The breaker knows the rest.
    opened: Option<Who>,
    last: Option<Last>,
}

/// Who did something, and what they said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Who {
    process: Option<ProcessId>,
    note: Option<Arc<Note>>,
}

/// The last change of this process's circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Last {
    to: State,
    cause: Cause,
    at: SystemTime,
    fault: Option<Fault>,
    who: Who,
    /// Whether the change that it is about was told.
    told: bool,
}

impl Story {
    /// The storage says what opened the circuit.
    pub(crate) fn hear(&mut self, view: &View, now: Duration) {
        self.fleet = view.provenance.clone().map(|opening| (opening, now.into()));
    }

    /// What a verb presents: with how long ago that is.
    pub(crate) fn presented(&self, now: Duration) -> Option<Arc<Opening>> {
        let (opening, heard_at) = self.fleet.as_ref()?;
        let ago = opening.ago.saturating_add(now.saturating_sub(heard_at.time()));
        Some(Arc::new(Opening { ago, ..Opening::clone(opening) }))
    }

    /// The breaker is what the view says, and by that view. If it says of an open circuit nothing
    /// more, what is known stays.
    pub(crate) fn agree(&mut self, view: &View) {
        if view.state != State::Closed && view.provenance.is_none() {
            return;
        }
        self.opened = view.provenance.as_deref().map(Who::opened);
    }

    /// Whether it was they who opened the circuit.
    pub(crate) fn knows(&self, opening: &Opening) -> bool {
        self.opened.as_ref() == Some(&Who::opened(opening))
    }

    /// The breaker has followed the view, which is a change that will be told.
    pub(crate) fn follow(&mut self, view: &View, change: &StateChange, wall: SystemTime) {
        // Of others it is not known when they changed.
        let open_for = if view.state == State::Open { view.open_for } else { Duration::ZERO };
        self.last = Some(Last {
            to: change.to,
            cause: change.cause,
            at: wall.checked_sub(open_for).unwrap_or(wall),
            fault: change.fault,
            who: Who { process: view.by, note: view.note.clone() },
            told: false,
        });
    }

    /// The breaker of this process is about to be put into a state.
    fn put(&mut self, (from, to): (State, State), cause: Cause, who: Who, wall: SystemTime) {
        if opens_anew(from, to, cause) {
            self.opened = Some(who.clone());
        }
        self.last = Some(Last { to, cause, at: wall, fault: None, who, told: false });
    }

    /// The breaker tells of a change: who made it, and what they said.
    pub(crate) fn tell(
        &mut self,
        change: &StateChange,
        me: ProcessId,
        wall: SystemTime,
    ) -> Telling {
        let known =
            |last: &&mut Last| !last.told && last.to == change.to && last.cause == change.cause;
        let last = match self.last.as_mut().filter(known) {
            Some(last) => last,
            None => {
                let who = Who { process: (!change.remote).then_some(me), note: None };
                if opens_anew(change.from, change.to, change.cause) {
                    self.opened = Some(who.clone());
                }
                let StateChange { to, cause, fault, .. } = *change;
                self.last.insert(Last { to, cause, at: wall, fault, who, told: false })
            }
        };
        last.told = true;
        if change.to == State::Closed {
            self.opened = None;
        }
        last.who.telling()
    }

    fn provenance(&self, tripped: Tripped) -> Provenance {
        let Tripped { cause, at, fault, .. } = tripped;
        Who::provenance(self.opened.as_ref(), cause, at, fault)
    }

    fn last_change(&self) -> Option<Provenance> {
        let last = self.last.as_ref()?;
        Some(Who::provenance(Some(&last.who), last.cause, last.at, last.fault))
    }
}

impl Telling {
    pub(crate) fn of(opening: &Opening) -> Self {
        Who::opened(opening).telling()
    }

    /// Who did it, and why; empty if nobody said.
    pub(crate) fn words(&self) -> (&str, &str) {
        self.note.as_deref().map_or(("", ""), |note| (&note.by, &note.reason))
    }
}

impl Who {
    fn opened(opening: &Opening) -> Self {
        let note = (!opening.note.is_empty()).then(|| Arc::new(opening.note.clone()));
        Self { process: opening.by, note }
    }

    fn telling(&self) -> Telling {
        Telling { process: self.process, note: self.note.clone() }
    }

    fn provenance(
        who: Option<&Self>,
        cause: Cause,
        at: SystemTime,
        fault: Option<Fault>,
    ) -> Provenance {
        let note = who.and_then(|who| who.note.as_deref()).cloned().unwrap_or_default();
        Provenance { cause, by: who.and_then(|who| who.process), at, fault, note }
    }
}

impl Node {
    /// Puts the breaker of this process alone into a state.
    pub(crate) fn put_here(&self, hub: &Hub, breaker: &Breaker, state: State, cause: Cause) {
        self.tell_here(hub, (breaker.state(), state), cause, &Note::new());
        breaker.put(state, cause);
    }

    /// A change of the state, from the first to the second, that this process alone is about to
    /// make. It returns who makes it.
    pub(crate) fn tell_here(
        &self,
        hub: &Hub,
        change: (State, State),
        cause: Cause,
        note: &Note,
    ) -> Telling {
        let note = (!note.is_empty()).then(|| Arc::new(note.bounded()));
        let who = Who { process: Some(self.process(hub)), note };
        let telling = who.telling();
        lock(&self.known).story_mut().put(change, cause, who, hub.time.wall());
        telling
    }

    /// What opened the circuit, of which the breaker says this much.
    pub(crate) fn provenance(&self, tripped: Tripped) -> Provenance {
        let known = lock(&self.known);
        let nothing = || Who::provenance(None, tripped.cause, tripped.at, tripped.fault);
        known.story().map_or_else(nothing, |story| story.provenance(tripped))
    }

    pub(crate) fn last_change(&self) -> Option<Provenance> {
        lock(&self.known).story().and_then(Story::last_change)
    }
}

/// What is said of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telling {
    pub(crate) process: Option<ProcessId>,
    pub(crate) note: Option<Arc<Note>>,
}

/// Whether it is what opened the circuit from then on, as the breaker sees it.
fn opens_anew(from: State, to: State, cause: Cause) -> bool {
    let by_hand = matches!(cause, Cause::Manual | Cause::Seed | Cause::Fallback);
    match to {
        State::Closed => false,
        State::Open => by_hand || from == State::Closed,
        State::HalfOpen => from == State::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_small() {
        let size = size_of::<Story>();
        assert!(size <= 112, "{size} bytes");
    }
}
