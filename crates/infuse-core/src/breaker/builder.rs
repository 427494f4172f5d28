use std::{
    error::Error,
    sync::{Arc, OnceLock},
};

use super::{Breaker, Cold, blame::LastFault, limits, locked::News, trials::Trials};
use crate::{
    Listener, Mode, Outcome, Policy, Replica, TimeSource, TripRule,
    exclude::Exclusions,
    listener::Listeners,
    meter::Meter,
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
    trip_rules: Vec<Arc<dyn TripRule>>,
    mode: Mode,
    totals: bool,
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
            trip_rules: Vec::new(),
            mode: Mode::Enabled,
            totals: false,
        }
    }

    /// When the circuit opens and closes. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What the circuit does with what it knows. Default: [`Mode::Enabled`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Where the time comes from. Default: the system's monotonic clock.
    pub fn clock(mut self, clock: impl Into<TimeSource>) -> Self {
        self.time = clock.into();
        self
    }

    /// A coarse tick that someone else keeps. Each success copies the tick, also one that counts
    /// for nothing, so that [`Breaker::last_success_tick`] says how long ago the last one was,
    /// without reading a clock in the call. Default: a tick that stands still at 0.
    pub fn ticks(mut self, ticks: Arc<AtomicU32>) -> Self {
        self.ticks = Some(ticks);
        self
    }

    /// Keeps [`Breaker::totals`]. Each call then adds one to a count of its thread's own, which costs
    /// a few nanoseconds. Default: nothing is counted.
    pub fn totals(mut self) -> Self {
        self.totals = true;
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

    /// Adds a rule for what opens the circuit, beside those of the policy. It is given the calls in
    /// the policy's [window](crate::Policy::window), which is kept for it even if the policy has no
    /// rates.
    pub fn trip_rule(self, rule: impl TripRule) -> Self {
        self.shared_trip_rule(Arc::new(rule))
    }

    /// Adds a rule that several breakers share.
    pub fn shared_trip_rule(mut self, rule: Arc<dyn TripRule>) -> Self {
        self.trip_rules.push(rule);
        self
    }

    /// The breaker: closed, with nothing counted.
    pub fn build(self) -> Breaker {
        let meter = OnceLock::new();
        if self.policy.has_rates() || !self.trip_rules.is_empty() {
            let new = || Box::new(Meter::new(&self.policy, self.trip_rules.into()));
            meter.get_or_init(new);
        }
        let limits = limits(&self.policy, meter.get().map(|meter| &**meter));
        let breaker = Breaker {
            word: AtomicU64::new(Word::NEW.bits()),
            deadline: AtomicU64::new(0),
            stamp: AtomicU32::new(0),
            ticks: self.ticks.unwrap_or_else(|| Arc::new(AtomicU32::new(0))),
            limits: AtomicU64::new(limits),
            time: self.time,
            name: self.name,
            listeners: Listeners::new(self.listeners),
            exclusions: self.exclusions,
            replica: self.replica,
            meter,
            extras: OnceLock::new(),
            counters: OnceLock::new(),
            last_fault: LastFault::default(),
            cold: Mutex::new(Cold {
                policy: self.policy,
                opened_at: None,
                trials: Trials::default(),
                failed_trials: 0,
                mode: self.mode,
                overridden: None,
                held_off_until: 0,
                tripped: None,
                news: News::default(),
                keeping_news: 0,
            }),
        };
        if self.totals {
            breaker.keep_totals();
        }
        breaker.apply_mode(&mut breaker.lock(), 0);
        breaker
    }
}
