//! The embedded storage behind gates, one for each verb.

use std::{
    collections::HashMap,
    future::{Future, pending},
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_storage::{
    BoxFuture, Clear, Control, Event, LeaseAnswer, LeaseRequest, Look, MemoryStorage, Report, Seed,
    Settle, Storage, StorageError, Trip, View, Watch,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Look,
    Report,
    Trip,
    Clear,
    Lease,
    Settle,
    Control,
    Seed,
    Probe,
    Watch,
}

pub(crate) const VERBS: [Verb; 10] = [
    Verb::Look,
    Verb::Report,
    Verb::Trip,
    Verb::Clear,
    Verb::Lease,
    Verb::Settle,
    Verb::Control,
    Verb::Seed,
    Verb::Probe,
    Verb::Watch,
];

impl Verb {
    /// How often any verb was asked for.
    pub(crate) fn of_all(scripted: &Scripted) -> usize {
        VERBS.iter().map(|verb| scripted.count(*verb)).sum()
    }
}

/// What happens to a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Gate {
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
pub(crate) struct Asked {
    pub(crate) verb: Verb,
    pub(crate) circuits: usize,
    pub(crate) at: Instant,
    pub(crate) what: String,
}

#[derive(Debug, Default)]
struct Script {
    gates: HashMap<Verb, Gate>,
    /// Gates for the next times only, before the lasting ones.
    once: HashMap<Verb, Vec<Gate>>,
    asked: Vec<Asked>,
    loses_events: bool,
    watches: usize,
    /// Watches of before say nothing any more.
    silent: usize,
}

/// Clones share their script.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    inner: MemoryStorage,
    script: Arc<Mutex<Script>>,
    end: Arc<Notify>,
}

impl Scripted {
    pub(crate) fn new(inner: MemoryStorage) -> Self {
        Self { inner, script: Arc::default(), end: Arc::default() }
    }

    /// Ends what is pushed to those who watch now.
    pub(crate) fn end_watches(&self) {
        self.end.notify_waiters();
    }

    pub(crate) fn set(&self, verb: Verb, gate: Gate) {
        self.script.lock().unwrap().gates.insert(verb, gate);
    }

    pub(crate) fn gate(&self, verb: Verb) -> Gate {
        self.script.lock().unwrap().gates.get(&verb).copied().unwrap_or_default()
    }

    pub(crate) fn set_all(&self, gate: Gate) {
        for verb in VERBS {
            self.set(verb, gate);
        }
    }

    /// The next times only.
    pub(crate) fn next(&self, verb: Verb, gates: impl Into<Vec<Gate>>) {
        let mut gates = gates.into();
        gates.reverse();
        self.script.lock().unwrap().once.insert(verb, gates);
    }

    /// Pushes get lost from now on.
    pub(crate) fn lose_events(&self, yes: bool) {
        self.script.lock().unwrap().loses_events = yes;
    }

    /// Watches that there are now say nothing any more, and do not end.
    pub(crate) fn silence_watches(&self) {
        let mut script = self.script.lock().unwrap();
        script.silent = script.watches;
    }

    pub(crate) fn asked(&self, verb: Verb) -> Vec<Asked> {
        let script = self.script.lock().unwrap();
        script.asked.iter().filter(|asked| asked.verb == verb).cloned().collect()
    }

    pub(crate) fn count(&self, verb: Verb) -> usize {
        self.asked(verb).len()
    }

    fn pass<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        circuits: usize,
        what: String,
        inner: impl Future<Output = Result<T, StorageError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        let gate = {
            let mut script = self.script.lock().unwrap();
            script.asked.push(Asked { verb, circuits, at: Instant::now(), what });
            let once = script.once.get_mut(&verb).and_then(Vec::pop);
            once.unwrap_or_else(|| script.gates.get(&verb).copied().unwrap_or_default())
        };
        Box::pin(async move {
            match gate {
                Gate::Ok => inner.await,
                Gate::Error => Err(StorageError::unavailable("refused by the script")),
                Gate::LosesAnswer => {
                    inner.await?;
                    Err(StorageError::unavailable("the answer was lost"))
                }
                Gate::Slow(time) => {
                    sleep(time).await;
                    inner.await
                }
                Gate::AnswersLate(time) => {
                    let answer = inner.await;
                    sleep(time).await;
                    answer
                }
                Gate::Never => pending().await,
                Gate::Panics => panic!("the script panics"),
            }
        })
    }
}

macro_rules! verbs {
    ($($name:ident: $verb:ident($type:ty) -> $answer:ty;)*) => {$(
        fn $name<'a>(
            &'a self,
            verbs: &'a [$type],
        ) -> BoxFuture<'a, Result<Vec<$answer>, StorageError>> {
            let what = format!("{:?}", verbs.first());
            self.pass(Verb::$verb, verbs.len(), what, self.inner.$name(verbs))
        }
    )*};
}

impl Storage for Scripted {
    verbs! {
        look: Look(Look) -> View;
        report: Report(Report) -> View;
        trip: Trip(Trip) -> View;
        clear: Clear(Clear) -> View;
        lease: Lease(LeaseRequest) -> LeaseAnswer;
        settle: Settle(Settle) -> View;
        control: Control(Control) -> View;
        seed: Seed(Seed) -> View;
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.pass(Verb::Probe, 0, String::new(), self.inner.probe())
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        let (script, end) = (Arc::clone(&self.script), Arc::clone(&self.end));
        let inner = async move {
            let inner = self.inner.watch().await?;
            let number = {
                let mut script = script.lock().unwrap();
                script.watches += 1;
                script.watches
            };
            Ok(Box::new(ScriptedWatch { inner, script, end, number }) as Box<dyn Watch>)
        };
        self.pass(Verb::Watch, 0, String::new(), inner)
    }
}

struct ScriptedWatch {
    inner: Box<dyn Watch>,
    script: Arc<Mutex<Script>>,
    end: Arc<Notify>,
    number: usize,
}

impl Watch for ScriptedWatch {
    fn next(&mut self) -> BoxFuture<'_, Event> {
        Box::pin(async {
            loop {
                let event = tokio::select! {
                    event = self.inner.next() => event,
                    () = self.end.notified() => return Event::Ended,
                };
                let script = self.script.lock().unwrap();
                if !script.loses_events && self.number > script.silent {
                    return event;
                }
            }
        })
    }
}
