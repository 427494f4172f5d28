//! What of a world, the storage and the processes decides how they go on.

use std::time::Duration;

use infuse_core::State;

use super::{
    fingerprint::{Encoder, cause},
    process::Process,
    time::{START, moment, span},
};
use crate::{SuspicionId, alone::Alone, count::Count, known::Known, memory::record::Record};

impl Encoder<'_> {
    pub(super) fn world(&mut self) {
        let world = self.world;
        self.put(u64::from(START + world.setting.ticks - world.now));
        self.flags([world.past.torn, world.past.straggled]);
        self.put(
            u64::from(world.faults) << 16
                | u64::from(world.repeats) << 8
                | u64::from(world.commands) << 24
                | u64::from(world.idle_looks)
                | u64::from(world.overrides) << 32
                | u64::from(world.hold_offs) << 40,
        );
        if world.past.needed > 1 {
            self.put(world.past.failed.len().min(world.past.needed) as u64);
        }
        self.until(span(world.past.isolated_until));
        for record in world.masters.iter().chain([&world.older]) {
            self.some(record.as_ref(), |this, record| this.record(record));
        }
        for place in 0..world.processes.len() {
            let index = (0..world.processes.len()).find(|index| self.place[*index] == place);
            self.one_process(&world.processes[index.unwrap_or(place)]);
        }
        // In whatever order they were sent.
        let outer = self.hash;
        let mut sum = 0_u64;
        for (flight, side) in &world.stragglers {
            self.hash = *side as u64;
            self.flight(flight, 0);
            sum = sum.wrapping_add(self.hash);
        }
        self.hash = outer;
        self.put(sum);
    }

    fn record(&mut self, record: &Record) {
        self.generation(record.generation);
        self.put((record.state as u64) << 8 | cause(record.cause));
        self.some(record.by, Self::process);
        self.until(record.open_until);
        self.until(record.held_until);
        self.overridden(record.overridden.as_ref().and_then(|it| it.left(span(self.world.now))));
        if self.world.setting.commands > 0 || self.world.setting.overrides > 0 {
            self.ago(record.changed_at);
            record.commands.iter().for_each(|token| self.token(*token));
        }
        self.number(record.successes);
        for lease in &record.leases {
            self.token(lease.token);
            self.until(lease.ends);
        }
        // Both orders of the processes give the same sum.
        let outer = self.hash;
        let mut sum = 0_u64;
        for (process, share) in &record.shares {
            self.hash = 1;
            self.process(*process);
            self.number(*share);
            sum = sum.wrapping_add(self.hash);
        }
        self.hash = outer;
        self.put(sum);
        self.some(record.first_failure, Self::ago);
        self.put(record.clears);
        self.until(record.rest_until);
        self.until(Duration::from_micros(record.last_raised.saturating_add(1)));
        self.some(record.suspected.as_ref(), |this, suspected| {
            let (generation, raised_at) = (record.generation, suspected.id);
            this.suspicion(SuspicionId { generation, raised_at });
            this.process(suspected.by);
            this.ago(suspected.at);
            this.number(suspected.renewals);
        });
    }

    fn one_process(&mut self, process: &Process) {
        self.put(process.id.as_u64() / 16);
        self.put(process.side as u64);
        let breaker = &process.breaker;
        self.state(breaker.state);
        if breaker.state != State::Closed {
            self.until(span(breaker.due));
        }
        self.put(u64::from(breaker.failures) << 8 | u64::from(breaker.successes));
        self.until(span(breaker.held_until));
        self.until(span(breaker.isolated_until));
        if self.world.past.needed > 1 {
            self.flags([self.world.past.failed.contains(&process.id)]);
        }
        for trial in &breaker.trials {
            self.until(span(trial.ends));
            self.some(trial.token, |this, token| this.put(process.numbers - token));
        }
        self.known(&process.known, process.runs);
        if process.known.state == State::Open {
            self.until(span(process.runs_until));
        }
        self.flags([
            process.alone == Alone::Yes,
            process.alone == Alone::Apart,
            process.lost,
            process.ignored_event,
            process.wants_lease,
            process.pending.look,
            process.pending.failures,
        ]);
        self.some(process.pending.trip, |this, trip| {
            this.presented(trip.presented);
            this.put(cause(trip.cause));
        });
        for (token, outcome) in &process.pending.settles {
            self.put((process.numbers - token) << 2 | *outcome as u64);
        }
        self.number((self.world.now - process.failed_at).min(2));
        self.stamp(process.stamp);
        for lane in &process.lanes {
            self.put(lane.len() as u64);
            lane.iter().for_each(|flight| self.flight(flight, process.runs));
        }
        let outer = self.hash;
        let mut sum = 0_u64;
        for push in &process.pushes {
            self.hash = 2;
            self.view(&push.view);
            if push.view.state == State::Open {
                self.until(span(push.at) + push.view.time_left);
            }
            sum = sum.wrapping_add(self.hash);
        }
        self.hash = outer;
        self.put(sum);
        // Only whether it is from before a suspicion counts.
        let suspected = process.known.count.suspected.as_ref();
        self.flags([suspected.is_some_and(|it| moment(process.subscribed) <= it.learnt_at)]);
        self.number(process.fresh);
        self.some(process.late_seed, |this, token| {
            this.token(token);
            this.ago(span(process.started));
        });
        self.some(process.heard_of, |this, heard| {
            this.suspicion(heard.id);
            this.number((this.world.now - heard.first_failure).min(8));
            let most = this.world.setting.speaks_within() + 1;
            this.some(heard.refuted, |this, since| {
                this.number((this.world.now - since).min(most));
            });
        });
    }

    fn known(&mut self, known: &Known, runs: u32) {
        self.generation(known.generation);
        self.state(known.state);
        self.until(known.open_until.time());
        let trust = known.trust;
        let flags = [trust.telling, trust.tripped, trust.refused, known.returning, known.apart];
        self.flags(flags);
        self.overridden(known.overridden(span(self.world.now)));
        self.some(known.seldom(), |this, seldom| {
            this.flags([seldom.overridden_here]);
            for time in seldom.held_off.times() {
                this.until(time);
            }
        });
        self.until(trust.apart_until.time());
        if !trust.apart_until.left(span(self.world.now)).is_zero() {
            let count = &known.count;
            self.put(u64::from(count.failures) << 32 | u64::from(count.sent));
        }
        self.count(&known.count, runs);
    }

    fn count(&mut self, count: &Count, runs: u32) {
        self.put(count.clears);
        if count.over == 0 {
            self.put(0)
        } else {
            self.ago(Duration::from_micros(count.over))
        }
        self.until(count.rest_until.time());
        let baseline = count.baseline;
        self.put(u64::from(baseline.failures) << 1 | u64::from(baseline.run == runs));
        self.some(count.suspected.as_deref(), |this, suspected| {
            this.suspicion(suspected.id);
            this.process(suspected.by);
            this.flags([suspected.mine, suspected.told]);
            this.number(suspected.renewals);
            this.ago(suspected.first_failure);
            this.stamp(suspected.stamp);
            for at in [Some(suspected.learnt_at), suspected.heard_at, suspected.clear_at] {
                this.some(at, |this, at| {
                    let now = moment(this.world.now);
                    this.time(now.saturating_duration_since(at));
                    this.time(at.saturating_duration_since(now));
                });
            }
        });
    }
}
