//! One circuit's record and what each verb does to it: pure functions of the storage's time.

use std::{collections::BTreeMap, time::Duration};

use infuse_core::{Cause, Outcome, State};

use crate::{
    Clear, Control, LeaseRequest, Look, Presented, ProcessId, Report, Seed, Settle, Suspicion,
    SuspicionId, Thresholds, Token, Trip, View,
};

/// How long a record is kept after it was last touched.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a suspicion is renewed that is settled too late.
const RENEWALS: u32 = 3;
/// How many commands are remembered, to tell their repeats: of several processes that command at
/// once, each may repeat its own after those of the others.
const COMMANDS: usize = 8;

/// A circuit, as the storage keeps it. Times are those of the storage's clock.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) generation: u64,
    pub(crate) state: State,
    pub(crate) cause: Cause,
    pub(crate) by: Option<ProcessId>,
    pub(crate) opened_at: Duration,
    pub(crate) open_until: Duration,
    pub(crate) changed_at: Duration,
    pub(crate) touched_at: Duration,
    pub(crate) successes: u32,
    pub(crate) leases: Vec<Lease>,
    /// How many leases may run, by the last who asked for one.
    pub(crate) max_calls: usize,
    pub(crate) shares: BTreeMap<ProcessId, u32>,
    pub(crate) first_failure: Option<Duration>,
    /// How often the shares were dropped in this generation because a call succeeded.
    pub(crate) clears: u64,
    pub(crate) rest_until: Duration,
    pub(crate) suspected: Option<Suspected>,
    /// The last suspicion's id, so that the next one has another.
    pub(crate) last_raised: u64,
    pub(crate) thresholds: Option<Thresholds>,
    /// The last commands, oldest first.
    pub(crate) commands: Vec<Token>,
}

/// Shares add up to a trip.
#[derive(Debug, Clone)]
pub(crate) struct Suspected {
    pub(crate) id: u64,
    pub(crate) by: ProcessId,
    pub(crate) at: Duration,
    /// How often it was renewed.
    pub(crate) renewals: u32,
    /// How many failures it takes, by whoever raised it.
    pub(crate) max_failure: u32,
    pub(crate) rest: Duration,
    pub(crate) lapse: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) token: Token,
    pub(crate) ends: Duration,
}

/// How what was presented compares with what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Older,
    Equal,
}

/// What a verb did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing that others need to know.
    Quiet,
    /// Something that is pushed to all.
    Pushed,
}

impl Effect {
    fn and(self, other: Effect) -> Effect {
        if self == Effect::Pushed { self } else { other }
    }
}

impl Record {
    /// The record of a circuit that was never changed.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            generation: 0,
            state: State::Closed,
            cause: Cause::Adopted,
            by: None,
            opened_at: now,
            open_until: now,
            changed_at: now,
            touched_at: now,
            successes: 0,
            leases: Vec::new(),
            max_calls: 1,
            shares: BTreeMap::new(),
            first_failure: None,
            clears: 0,
            rest_until: now,
            suspected: None,
            last_raised: 0,
            thresholds: None,
            commands: Vec::new(),
        }
    }

    pub(crate) fn is_expired(&self, now: Duration) -> bool {
        now.saturating_sub(self.touched_at) >= KEPT
    }

    /// Whether it says no more than no record would.
    pub(crate) fn is_blank(&self) -> bool {
        self.generation == 0 && self.shares.is_empty() && self.clears == 0
    }

    pub(crate) fn view(&self, now: Duration) -> View {
        View {
            generation: self.generation,
            state: self.state,
            time_left: match self.state {
                State::Closed => Duration::ZERO,
                State::Open => self.open_until.saturating_sub(now),
                State::HalfOpen => self.place_in(now),
            },
            open_for: match self.state {
                State::Closed => Duration::ZERO,
                State::Open | State::HalfOpen => now.saturating_sub(self.opened_at),
            },
            failures: self.failures(),
            share: 0,
            clears: self.clears,
            rest: self.rest_until.saturating_sub(now),
            suspicion: self.suspected.as_ref().map(|suspected| {
                let first = self.first_failure.unwrap_or(now);
                let id = SuspicionId { generation: self.generation, raised_at: suspected.id };
                Suspicion::new(id, suspected.by, now.saturating_sub(first))
            }),
            thresholds: self.thresholds,
            successes: self.successes,
            cause: self.cause,
            by: self.by,
        }
    }

    pub(crate) fn failures(&self) -> u32 {
        self.shares.values().fold(0, |sum, share| sum.saturating_add(*share))
    }

    pub(crate) fn share(&self, process: ProcessId) -> u32 {
        self.shares.get(&process).copied().unwrap_or(0)
    }

    pub(crate) fn look(&mut self, now: Duration, look: &Look) -> Effect {
        let (standing, effect) = self.compare(now, look.presented);
        if standing == Standing::Older {
            return effect;
        }
        effect.and(self.drop_refuted(now, look.last_success))
    }

    pub(crate) fn report(&mut self, now: Duration, report: &Report) -> Effect {
        let (standing, effect) = self.compare(now, report.presented);
        if standing == Standing::Older || self.state != State::Closed {
            return effect;
        }
        self.thresholds = Some(report.thresholds);
        // What it knows of clears is from before the success that it tells of.
        let up_to_date = report.clears >= self.clears;
        let effect = effect.and(self.drop_refuted(now, report.last_success));
        if now < self.rest_until {
            return effect;
        }
        // Of a run that may have begun before a clear, the newest failure counts.
        let failures = match up_to_date {
            true => report.failures,
            false => self.share(report.process).max(report.failures.min(1)),
        };
        if failures == 0 {
            self.shares.remove(&report.process);
            if self.shares.is_empty() {
                self.first_failure = None;
            }
        } else {
            self.shares.insert(report.process, failures);
            self.first_failure.get_or_insert(now);
        }
        if let Some(suspected) = &self.suspected {
            if self.failures() >= suspected.max_failure {
                return effect;
            }
            // A share has fallen, because a call has succeeded there.
            self.suspected = None;
            return Effect::Pushed;
        }
        if failures == 0 || self.failures() < report.thresholds.max_failure {
            return effect;
        }
        let id = self.next_suspicion(now);
        self.suspected = Some(Suspected {
            id,
            by: report.process,
            at: now,
            renewals: 0,
            max_failure: report.thresholds.max_failure,
            rest: report.rest,
            lapse: report.lapse,
        });
        Effect::Pushed
    }

    pub(crate) fn trip(&mut self, now: Duration, trip: &Trip) -> Effect {
        let (standing, effect) = self.compare(now, trip.presented);
        if standing == Standing::Older || self.state == State::Open {
            return effect;
        }
        if let Some(id) = trip.suspicion {
            let Some(raised) = self.standing_suspicion(id) else { return effect };
            if now.saturating_sub(raised) > trip.grace.saturating_mul(2) {
                self.renew(now);
                return Effect::Pushed;
            }
        }
        self.change(now, State::Open, Cause::Failures, Some(trip.process));
        self.thresholds = Some(trip.thresholds);
        self.open_until = now.saturating_add(trip.open_time);
        Effect::Pushed
    }

    pub(crate) fn clear(&mut self, now: Duration, clear: &Clear) -> Effect {
        let (standing, effect) = self.compare(now, clear.presented);
        if standing == Standing::Older || self.standing_suspicion(clear.suspicion).is_none() {
            return effect;
        }
        self.drop_shares(now);
        Effect::Pushed
    }

    /// When the suspicion of this id was raised, if it stands.
    fn standing_suspicion(&self, id: SuspicionId) -> Option<Duration> {
        let suspected = self.suspected.as_ref()?;
        (id.generation == self.generation && id.raised_at == suspected.id).then_some(suspected.at)
    }

    /// The id of a suspicion that is raised now.
    fn next_suspicion(&mut self, now: Duration) -> u64 {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.last_raised = now.max(self.last_raised + 1);
        self.last_raised
    }

    /// The suspicion was settled too late for anybody to have cleared it.
    fn renew(&mut self, now: Duration) {
        let id = self.next_suspicion(now);
        match &mut self.suspected {
            Some(suspected) if suspected.renewals < RENEWALS => {
                suspected.id = id;
                suspected.at = now;
                suspected.renewals += 1;
            }
            _ => self.lapse(),
        }
    }

    /// Nobody has settled the suspicion: one failure less is counted than it takes.
    fn lapse(&mut self) {
        let Some(suspected) = self.suspected.take() else { return };
        let mut rest = suspected.max_failure.saturating_sub(1);
        self.shares.retain(|_, share| {
            *share = (*share).min(rest);
            rest -= *share;
            *share > 0
        });
        if self.shares.is_empty() {
            self.first_failure = None;
        }
    }

    /// Whether the lease was granted.
    pub(crate) fn lease(&mut self, now: Duration, request: &LeaseRequest) -> (Effect, bool) {
        let (standing, mut effect) = self.compare(now, request.presented);
        self.leases.retain(|lease| now < lease.ends);
        if self.leases.iter().any(|lease| lease.token == request.token) {
            return (effect, true);
        }
        if standing == Standing::Older {
            return (effect, false);
        }
        self.max_calls = request.max_calls.max(1) as usize;
        match self.state {
            State::Closed => return (effect, false),
            State::Open if now < self.open_until => return (effect, false),
            State::Open => {
                let process = Some(request.token.process);
                self.change(now, State::HalfOpen, Cause::TrialStarted, process);
                effect = Effect::Pushed;
            }
            State::HalfOpen if self.place_in(now) > Duration::ZERO => return (effect, false),
            State::HalfOpen => {}
        }
        self.leases.push(Lease { token: request.token, ends: now.saturating_add(request.lease) });
        (effect, true)
    }

    /// How long until there is a place for a trial, if nobody gives one back.
    fn place_in(&self, now: Duration) -> Duration {
        let running = || self.leases.iter().map(|lease| lease.ends).filter(|ends| now < *ends);
        if running().count() < self.max_calls {
            return Duration::ZERO;
        }
        running().min().unwrap_or(now).saturating_sub(now)
    }

    pub(crate) fn settle(&mut self, now: Duration, settle: &Settle) -> Effect {
        let (standing, effect) = self.compare(now, settle.presented);
        self.leases.retain(|lease| now < lease.ends);
        if standing == Standing::Older {
            return effect;
        }
        let Some(at) = self.leases.iter().position(|lease| lease.token == settle.token) else {
            return effect;
        };
        self.leases.swap_remove(at);
        let process = Some(settle.token.process);
        match settle.outcome {
            Outcome::Failure => {
                self.change(now, State::Open, Cause::TrialFailed, process);
                self.open_until = now.saturating_add(settle.open_time);
            }
            Outcome::Success => {
                self.successes = self.successes.saturating_add(1);
                if self.successes >= settle.success_threshold {
                    self.change(now, State::Closed, Cause::TrialSucceeded, process);
                }
            }
            Outcome::Ignored => {}
        }
        Effect::Pushed
    }

    pub(crate) fn control(&mut self, now: Duration, command: &Control) -> Effect {
        // Its standing does not matter: it applies in any case.
        let (_, effect) = self.compare(now, command.presented);
        effect.and(self.put(now, command.token, command.state, command.open_time, Cause::Manual))
    }

    pub(crate) fn seed(&mut self, now: Duration, seed: &Seed) -> Effect {
        let unchanged_for = now.saturating_sub(self.changed_at);
        let late = self.generation > 0 && seed.late_by.is_some_and(|age| unchanged_for <= age);
        let (_, effect) = self.compare(now, seed.presented);
        if late {
            return effect;
        }
        effect.and(self.put(now, seed.token, seed.state, seed.open_time, Cause::Seed))
    }

    fn put(
        &mut self,
        now: Duration,
        token: Token,
        state: State,
        open_time: Duration,
        cause: Cause,
    ) -> Effect {
        if self.commands.contains(&token) {
            return Effect::Quiet;
        }
        self.change(now, state, cause, Some(token.process));
        if state == State::Open {
            self.open_until = now.saturating_add(open_time);
        }
        if self.commands.len() == COMMANDS {
            self.commands.remove(0);
        }
        self.commands.push(token);
        Effect::Pushed
    }

    /// Compares, and mends a record that has lost writes.
    fn compare(&mut self, now: Duration, presented: Presented) -> (Standing, Effect) {
        self.touched_at = now;
        if self.suspected.as_ref().is_some_and(|it| now.saturating_sub(it.at) >= it.lapse) {
            self.lapse();
        }
        if presented.generation < self.generation {
            return (Standing::Older, Effect::Quiet);
        }
        if presented.generation == self.generation {
            return (Standing::Equal, Effect::Quiet);
        }
        let stored_left = match self.state {
            State::Open => self.open_until.saturating_sub(now),
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        let presented_left = match presented.state {
            State::Open => presented.time_left,
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        let left = stored_left.max(presented_left);
        let state = if left > Duration::ZERO { State::Open } else { presented.state };
        let differs = state != presented.state || left != presented_left;
        let opened_at = if self.state == State::Closed { now } else { self.opened_at };
        self.change(now, state, Cause::Adopted, None);
        self.opened_at = opened_at;
        self.open_until = now.saturating_add(left);
        self.generation = presented.generation.saturating_add(u64::from(differs));
        (Standing::Equal, Effect::Pushed)
    }

    /// Drops counted failures if a call has succeeded since the first of them.
    fn drop_refuted(&mut self, now: Duration, last_success: Option<Duration>) -> Effect {
        let (Some(age), Some(first)) = (last_success, self.first_failure) else {
            return Effect::Quiet;
        };
        if age > now.saturating_sub(first) {
            return Effect::Quiet;
        }
        let effect = if self.suspected.is_some() { Effect::Pushed } else { Effect::Quiet };
        self.drop_shares(now);
        effect
    }

    fn drop_shares(&mut self, now: Duration) {
        self.shares.clear();
        self.first_failure = None;
        self.clears += 1;
        if let Some(suspected) = self.suspected.take() {
            self.rest_until = now.saturating_add(suspected.rest);
        }
    }

    pub(crate) fn change(&mut self, now: Duration, to: State, cause: Cause, by: Option<ProcessId>) {
        if to == State::Open || (to == State::HalfOpen && self.state == State::Closed) {
            self.opened_at = now;
        }
        self.generation = self.generation.saturating_add(1);
        self.state = to;
        self.cause = cause;
        self.by = by;
        self.changed_at = now;
        self.open_until = now;
        self.successes = 0;
        self.leases.clear();
        self.shares.clear();
        self.first_failure = None;
        self.clears = 0;
        self.rest_until = now;
        self.suspected = None;
    }
}
