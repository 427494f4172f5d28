//! What the client's tests need of circuits and of the log.

use std::{
    cell::RefCell,
    fmt::{self, Write},
    sync::{Arc, Mutex, Once},
};

use infuse_storage::{Circuit, Circuits, ManualClock, Policy};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// The circuit of `payments` in a process of its own, and its clock.
pub(crate) fn circuit() -> (Circuit, ManualClock) {
    let (circuits, clock) = circuits();
    (circuits.circuit("payments", Policy::default()), clock)
}

/// The circuits of a process of its own, and their clock.
pub(crate) fn circuits() -> (Circuits, ManualClock) {
    let clock = ManualClock::new();
    (Circuits::builder().clock(clock.clone()).start().unwrap(), clock)
}

/// The warnings that are logged in this thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Warnings(Arc<Mutex<Vec<String>>>);

thread_local! {
    static HERE: RefCell<Option<Warnings>> = const { RefCell::new(None) };
}

impl Warnings {
    /// Listens for the rest of the thread's life, which is that of the test.
    pub(crate) fn listen() -> Self {
        // One subscriber for all threads, because what one of a single thread wants to hear is
        // cached for the others too.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing::subscriber::set_global_default(ByThread).unwrap();
            tracing::callsite::rebuild_interest_cache();
        });
        let warnings = Self::default();
        HERE.set(Some(warnings.clone()));
        warnings
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct ByThread;

impl Subscriber for ByThread {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                if field.name() == "message" {
                    write!(self.0, "{value:?}").unwrap();
                }
            }
        }
        let Some(warnings) = HERE.with_borrow(Clone::clone) else { return };
        let mut message = Message(String::new());
        event.record(&mut message);
        warnings.0.lock().unwrap().push(message.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
