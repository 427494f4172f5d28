use std::{sync::Arc, time::Duration};

use infuse_core::{Cause, Fault, State};

use super::kept::Record;
use crate::{Note, Opening, ProcessId};

/// Why a circuit changes its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why {
    pub(crate) cause: Cause,
    pub(crate) by: Option<ProcessId>,
    pub(crate) fault: Option<Fault>,
    /// Of whoever commands it.
    pub(crate) note: Option<Arc<Note>>,
}

impl Why {
    pub(crate) fn new(cause: Cause, by: impl Into<Option<ProcessId>>) -> Self {
        Self { cause, by: by.into(), fault: None, note: None }
    }

    /// Whether someone asked for it, who knows better than what was.
    fn is_asked_for(&self) -> bool {
        matches!(self.cause, Cause::Manual | Cause::Seed)
    }
}

/// What opened a circuit, as the storage keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) at: Duration,
    /// What was told of it, whose `ago` says nothing here.
    it: Opening,
}

impl Opened {
    fn new(now: Duration, why: &Why) -> Self {
        let note = why.note.as_deref().cloned().unwrap_or_default();
        let it = Opening { fault: why.fault, note, ..Opening::new(why.cause, why.by) };
        Self { at: now, it }
    }

    /// As whoever presents it knows it. Its texts are kept as far as they are not too long.
    pub(super) fn presented(now: Duration, it: &Opening) -> Self {
        let at = now.saturating_sub(it.ago);
        Self { at, it: Opening { ago: Duration::ZERO, note: it.note.bounded(), ..it.clone() } }
    }

    fn shown(&self, now: Duration) -> Arc<Opening> {
        Arc::new(Opening { ago: now.saturating_sub(self.at), ..self.it.clone() })
    }
}

impl Record {
    /// What opened the circuit, once it has that state anew.
    pub(super) fn opened_after(
        &mut self,
        now: Duration,
        to: State,
        why: &Why,
    ) -> Option<Arc<Opened>> {
        let before = self.opened.take();
        match (to, before) {
            (State::Closed, _) => None,
            (State::Open, Some(mut opened)) if !why.is_asked_for() => {
                Arc::make_mut(&mut opened).it.fault = why.fault;
                Some(opened)
            }
            (State::HalfOpen, Some(opened)) => Some(opened),
            (State::Open | State::HalfOpen, _) => Some(Arc::new(Opened::new(now, why))),
        }
    }

    pub(super) fn provenance(&self, now: Duration) -> Option<Arc<Opening>> {
        self.opened.as_ref().map(|opened| opened.shown(now))
    }
}
