use std::{error::Error, sync::Arc};

use super::{Breaker, Cold, limits};
use crate::{
    Listener, Outcome, Policy, Replica, TimeSource,
    exclude::Exclusions,
    listener::Listeners,
    sync::{AtomicU32, AtomicU64, Mutex},
    word::Word,
};

/// Builds a [`Breaker`].
#[must_use]
pub struct BreakerBuilder {
    name: Arc<str>,
    policy: Policy,
    time: TimeSource,
    ticks: Option<Arc<AtomicU32>>,
    listeners: Vec<Arc<dyn Listener>>,
    exclusions: Exclusions,
    replica: Option<Arc<dyn Replica>>,
}

impl BreakerBuilder {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            policy: Policy::default(),
            time: TimeSource::default(),
            ticks: None,
            listeners: Vec::new(),
            exclusions: Exclusions::new(),
            replica: None,
        }
    }

    /// When the circuit opens and closes. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Where the time comes from. Default: the system's monotonic clock.
    pub fn clock(mut self, clock: impl Into<TimeSource>) -> Self {
        self.time = clock.into();
        self
    }

    /// A coarse tick that someone else keeps. Each success copies the tick, so that
    /// [`Breaker::last_success_tick`] says how long ago the last one was, without reading a clock
    /// in the call. Default: a tick that stands still at 0.
    pub fn ticks(mut self, ticks: Arc<AtomicU32>) -> Self {
        self.ticks = Some(ticks);
        self
    }

    /// Adds a listener.
    pub fn listener(self, listener: impl Listener) -> Self {
        self.shared_listener(Arc::new(listener))
    }

    /// Adds a listener that several breakers share.
    pub fn shared_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Errors of type `E`, also anywhere along [`source`](Error::source), are successes: the
    /// dependency did answer.
    pub fn exclude<E: Error + 'static>(self) -> Self {
        self.exclusions.add_type::<E>();
        self
    }

    /// Errors that the predicate picks are successes.
    pub fn exclude_if(
        self,
        predicate: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.exclusions.add_predicate(Arc::new(predicate), Outcome::Success);
        self
    }

    /// Errors that the predicate picks are ignored: they say nothing about the dependency.
    pub fn ignore_if(
        self,
        predicate: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.exclusions.add_predicate(Arc::new(predicate), Outcome::Ignored);
        self
    }

    /// Who shares the breaker with other processes. Default nobody.
    pub fn replica(mut self, replica: Arc<dyn Replica>) -> Self {
        self.replica = Some(replica);
        self
    }

    /// The breaker: closed, with nothing counted.
    pub fn build(self) -> Breaker {
        let word = Word::NEW.with_watched(!self.listeners.is_empty());
        Breaker {
            word: AtomicU64::new(word.bits()),
            deadline: AtomicU64::new(0),
            stamp: AtomicU32::new(0),
            ticks: self.ticks.unwrap_or_else(|| Arc::new(AtomicU32::new(0))),
            limits: AtomicU64::new(limits(&self.policy)),
            time: self.time,
            name: self.name,
            listeners: Listeners::new(self.listeners),
            exclusions: self.exclusions,
            replica: self.replica,
            cold: Mutex::new(Cold {
                policy: self.policy,
                opened_at: None,
                trials: Vec::new(),
                next_trial: 0,
            }),
        }
    }
}
