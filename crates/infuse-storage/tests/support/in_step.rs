//! A fleet whose clocks are the runtime's, so that graces and ages pass together when it is paused.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    CircuitKey, Circuits, CircuitsBuilder, Clock, Look, MemoryStorage, Presented, Storage, View,
};
use tokio::time::Instant;

use super::{ready, scripted::Scripted};

/// The runtime's clock.
#[derive(Debug, Clone)]
struct Runtime(Instant);

impl Clock for Runtime {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A storage and a clock.
pub(crate) struct InStep {
    clock: Runtime,
    pub(crate) memory: MemoryStorage,
}

impl InStep {
    pub(crate) fn new() -> Self {
        let clock = Runtime(Instant::now());
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
