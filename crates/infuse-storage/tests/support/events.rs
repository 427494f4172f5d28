//! Hearing what happens: a listener and a subscriber of `tracing`.

use std::{
    cell::RefCell,
    fmt::{self, Write},
    mem,
    sync::{Arc, Mutex, Once},
};

use infuse_storage::{Breaker, Cause, Listener, Rejected, State, StateChange};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// A listener that notes what it is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(crate) fn take(&self) -> Vec<String> {
        mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn changes(&self) -> Vec<String> {
        let heard = self.0.lock().unwrap();
        heard.iter().filter(|event| event.contains("->")).cloned().collect()
    }

    fn note(&self, event: impl Into<String>) {
        self.0.lock().unwrap().push(event.into());
    }
}

/// How a change is noted.
pub(crate) fn change(from: State, to: State, cause: Cause, remote: bool) -> String {
    let remote = if remote { " remote" } else { "" };
    format!("{from}->{to} {}{remote}", cause.as_str())
}

impl Listener for Heard {
    fn before_call(&self, _: &Breaker) {
        self.note("before_call");
    }

    fn success(&self, _: &Breaker) {
        self.note("success");
    }

    fn failure(&self, _: &Breaker, _: Option<&(dyn std::error::Error + 'static)>) {
        self.note("failure");
    }

    fn state_change(&self, _: &Breaker, made: &StateChange) {
        self.note(change(made.from, made.to, made.cause, made.remote));
    }

    fn rejected(&self, _: &Breaker, _: Rejected) {
        self.note("rejected");
    }
}

/// What is logged in this thread at `info` and above, as `LEVEL message`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<String>>>);

thread_local! {
    static LOGGED: RefCell<Option<Logged>> = const { RefCell::new(None) };
}

/// Ends listening when it is dropped.
pub(crate) struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        LOGGED.set(None);
    }
}

impl Logged {
    /// Begins to listen, until the guard is dropped.
    pub(crate) fn start() -> (Self, Listening) {
        // One subscriber for all threads that hands lines to the thread's own log: what a
        // subscriber of a single thread wants to hear is cached for, and by, the others.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            tracing::subscriber::set_global_default(ByThread).unwrap();
            tracing::callsite::rebuild_interest_cache();
        });
        let logged = Self::default();
        LOGGED.set(Some(logged.clone()));
        (logged, Listening)
    }

    /// Lines of a level.
    pub(crate) fn at(&self, level: Level) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|line| line.starts_with(level.as_str())).cloned().collect()
    }

    /// How many lines contain this.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            write!(self.0, "{value:?}").unwrap();
        }
    }
}

struct ByThread;

impl Subscriber for ByThread {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(logged) = LOGGED.with_borrow(Clone::clone) else { return };
        let mut message = Message(format!("{} ", event.metadata().level()));
        event.record(&mut message);
        logged.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
