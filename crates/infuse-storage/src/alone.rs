use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the breaker decides by itself while the fleet's circuit is closed. Its trials need no
/// lease then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Alone {
    /// It does as the fleet does.
    #[default]
    No,
    /// It was open here when the storage came back, or its trips are not believed.
    Yes,
    /// What opened it is no matter for others, or more of them must have seen failures. Nor is it
    /// when its trial fails.
    Apart,
}

/// An [`Alone`] that is read by calls.
#[derive(Debug, Default)]
pub(crate) struct StandsAlone(AtomicU8);

impl StandsAlone {
    pub(crate) fn set(&self, alone: Alone) {
        // Relaxed: written before the word by which a caller finds that a trial is due, or by the
        // call that opened the circuit.
        self.0.store(alone as u8, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Alone {
        [Alone::No, Alone::Yes, Alone::Apart][usize::from(self.0.load(Ordering::Relaxed))]
    }
}
