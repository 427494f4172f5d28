use std::time::Duration;

use tokio::time::Instant;

/// A verb of [`Storage`](crate::Storage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// [`Storage::look`](crate::Storage::look).
    Look,
    /// [`Storage::report`](crate::Storage::report).
    Report,
    /// [`Storage::trip`](crate::Storage::trip).
    Trip,
    /// [`Storage::clear`](crate::Storage::clear).
    Clear,
    /// [`Storage::lease`](crate::Storage::lease).
    Lease,
    /// [`Storage::settle`](crate::Storage::settle).
    Settle,
    /// [`Storage::control`](crate::Storage::control).
    Control,
    /// [`Storage::seed`](crate::Storage::seed).
    Seed,
    /// [`Storage::probe`](crate::Storage::probe).
    Probe,
    /// [`Storage::announce`](crate::Storage::announce).
    Announce,
    /// [`Storage::withdraw`](crate::Storage::withdraw).
    Withdraw,
    /// [`Storage::instances`](crate::Storage::instances).
    Instances,
    /// [`Storage::watch`](crate::Storage::watch).
    Watch,
}

/// All verbs.
pub const VERBS: [Verb; 13] = [
    Verb::Look,
    Verb::Report,
    Verb::Trip,
    Verb::Clear,
    Verb::Lease,
    Verb::Settle,
    Verb::Control,
    Verb::Seed,
    Verb::Probe,
    Verb::Announce,
    Verb::Withdraw,
    Verb::Instances,
    Verb::Watch,
];

impl Verb {
    /// Whether it tells the storage something, or asks something of it, that changes a circuit.
    pub(crate) fn changes(self) -> bool {
        self.is_about_circuits() && self != Verb::Look
    }

    /// Whether it is about circuits: not about the storage, or a group of participants.
    pub fn is_about_circuits(self) -> bool {
        !matches!(
            self,
            Verb::Probe | Verb::Announce | Verb::Withdraw | Verb::Instances | Verb::Watch
        )
    }
}

/// What happens to a verb on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// It passes.
    #[default]
    Ok,
    /// It is refused.
    Error,
    /// It is carried out, and the answer is lost.
    LosesAnswer,
    /// It is carried out after a while.
    Slow(Duration),
    /// It is carried out at once, and answered after a while.
    AnswersLate(Duration),
    /// It is not answered, and not carried out.
    Never,
    /// It panics.
    Panics,
}

/// One verb that was asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Asked {
    /// Which one.
    pub verb: Verb,
    /// For how many circuits.
    pub circuits: usize,
    /// When, by the runtime's time.
    pub at: Instant,
    /// What was asked about the first of them, as `Debug` shows it; or the group.
    pub what: String,
}
