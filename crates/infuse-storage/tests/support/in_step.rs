//! A fleet whose clocks are the runtime's, so that graces and ages pass together when it is paused.

use std::sync::Arc;

use infuse_storage::{
    CircuitKey, Circuits, CircuitsBuilder, Look, MemoryStorage, Presented, Storage, View,
    test_util::TestClock,
};

use super::{ready, scripted::Scripted};

/// A storage and a clock.
pub(crate) struct InStep {
    clock: TestClock,
    pub(crate) memory: MemoryStorage,
}

impl InStep {
    pub(crate) fn new() -> Self {
        let clock = TestClock::new();
        Self { memory: MemoryStorage::with_clock(clock.clone()), clock }
    }

    pub(crate) fn builder_on(&self, storage: Arc<dyn Storage>) -> CircuitsBuilder {
        Circuits::builder().storage(storage).clock(self.clock.clone())
    }

    pub(crate) async fn join(&self) -> Circuits {
        ready(self.builder_on(Arc::new(self.memory.clone()))).await
    }

    /// An application behind a script.
    pub(crate) async fn scripted(&self) -> (Scripted, Circuits) {
        self.scripted_with(|builder| builder).await
    }

    pub(crate) async fn scripted_with(
        &self,
        setup: impl FnOnce(CircuitsBuilder) -> CircuitsBuilder,
    ) -> (Scripted, Circuits) {
        let script = Scripted::new(self.memory.clone());
        let circuits = ready(setup(self.builder_on(Arc::new(script.clone())))).await;
        (script, circuits)
    }

    /// What the storage says of `payments`.
    pub(crate) async fn stored(&self) -> View {
        let look = [Look::new(CircuitKey::new("payments"), Presented::NOTHING)];
        self.memory.look(&look).await.unwrap().remove(0)
    }
}
