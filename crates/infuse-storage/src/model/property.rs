//! What must hold: at every state, at everything that a storage does, and at everything that a
//! process learns.

use infuse_core::{Cause, State};

use super::{process::Process, setting::Setting, time::span};
use crate::{Presented, ProcessId, SuspicionId, Token, View, known::Known, memory::record::Record};

/// A property that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Broken {
    /// More leases run than may.
    Leases,
    /// After the faults a process does not agree with the storage.
    Agreement,
    /// A process rejects for ever.
    Rejecting,
    /// An open circuit whose time ran became closed in the storage, and nobody asked for it.
    Closed,
    /// The same, as a process learns it.
    LearntClosed,
    /// A process that had opened alone closed without a trial when it found the storage.
    ClosedUntried,
    /// A command was carried out twice.
    Repeated,
    /// A process opened the fleet by what it saw alone.
    OpenedByTheLonely,
    /// An answer is older than what was presented.
    OlderAnswer,
    /// A process went back to an older generation.
    WentBack,
    /// A suspicion came true that was cleared.
    ClearedCameTrue,
    /// A circuit opened by a sum that is not one.
    TooFew,
    /// A verb changed something though what it presented was older.
    StaleVerb,
    /// A suspicion stands for ever.
    SuspectForEver,
    /// A flush lost an override that all processes knew of.
    OverrideLost,
    /// A closed circuit opened though too few processes had seen failures.
    OpenedByTooFew,
    /// A circuit opened by a sum though somebody could have said that calls succeed.
    Unheard,
}

/// What holds of the world beside its processes.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// Suspicions that were cleared.
    pub(super) cleared: Vec<SuspicionId>,
    /// Commands that were carried out.
    pub(super) commands: Vec<Token>,
    /// Whether a verb arrived of which nobody expected an answer any more.
    pub(super) straggled: bool,
    /// Whether the storage lost writes or was two: then what it did before may come again.
    pub(super) torn: bool,
    /// Who has seen failures.
    pub(super) failed: Vec<ProcessId>,
    /// How many must have.
    pub(super) needed: usize,
    /// Until when the circuit is isolated by what everybody knew when the storage forgot it.
    pub(super) isolated_until: u32,
}

impl Past {
    /// A storage that lost writes may give a generation out twice. Whoever knows the first takes
    /// over the second, for the storage is right: so a process can learn of a trial that succeeded
    /// while the open time runs that it knew of.
    pub(super) fn excuses(&self, broken: Broken) -> bool {
        self.torn && broken == Broken::LearntClosed
    }
}

impl Broken {
    /// Of what a process learns, and whether the circuit was open to it before, and ran.
    pub(super) fn learning(
        before: Presented,
        ran: bool,
        after: &Known,
        view: &View,
    ) -> Option<Self> {
        if after.generation < before.generation {
            return Some(Broken::WentBack);
        }
        // `TrialSucceeded` needs an open time that is over. `Adopted` is a stranger's write, or a
        // mending by what somebody knows to be closed.
        let closes = matches!(view.cause, Cause::Manual | Cause::Seed | Cause::Adopted);
        (ran && after.state == State::Closed && !closes).then_some(Broken::LearntClosed)
    }

    /// Whether a suspicion came true that a process had reason to clear, and the time for it.
    pub(super) fn unheard(id: SuspicionId, process: &Process, now: u32, setting: &Setting) -> bool {
        let spoken = setting.speaks_within();
        let heard = process.heard_of.filter(|heard| heard.id == id);
        heard.and_then(|heard| heard.refuted).is_some_and(|since| now - since > spoken)
    }

    /// Of a record as it stands.
    pub(super) fn standing(record: &Record, now: u32, most: u32) -> Option<Self> {
        let running = record.leases.iter().filter(|lease| span(now) < lease.ends).count();
        (running > most as usize).then_some(Broken::Leases)
    }
}
