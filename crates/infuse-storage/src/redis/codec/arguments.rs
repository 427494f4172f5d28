use std::time::Duration;

use infuse_core::{Outcome, Override};

use super::{
    limits::write_thresholds,
    opening::{write_fault, write_note, write_opening},
    overriding::write_override,
    words::{MOST, NONE, known_cause, micros},
};
use crate::{
    CircuitKey, Clear, Command, Control, LeaseRequest, Look, Opening, Report, Seed, Settle,
    SuspicionId, Thresholds, Trip, presents::Presents,
};

/// The arguments of a script for one circuit. Each verb pushes as many for every circuit.
#[derive(Debug, Default)]
pub(in crate::redis) struct Arguments(Vec<String>);

/// What is done to one circuit.
pub(in crate::redis) trait Verb: Sync {
    /// The circuit.
    fn key(&self) -> &CircuitKey;

    /// What is presented, with the override and what opened the circuit, how long a stranger's
    /// opening lasts, and then what the verb takes.
    fn arguments(&self, to: &mut Arguments);
}

impl Arguments {
    /// Arguments that begin with the channel for messages.
    pub(in crate::redis) fn new(channel: &str) -> Self {
        Self(vec![channel.to_owned()])
    }

    pub(in crate::redis) fn into_words(self) -> Vec<String> {
        self.0
    }

    fn text(&mut self, text: impl ToString) -> &mut Self {
        self.0.push(text.to_string());
        self
    }

    fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.text(number.into().min(MOST))
    }

    fn time(&mut self, time: Duration) -> &mut Self {
        self.text(micros(time))
    }

    fn time_if_any(&mut self, time: Option<Duration>) -> &mut Self {
        match time {
            Some(time) => self.time(time),
            None => self.text(NONE),
        }
    }

    fn suspicion(&mut self, id: Option<SuspicionId>) -> &mut Self {
        match id {
            Some(id) => self.text(id.generation).text(id.raised_at),
            None => self.text(NONE).text(NONE),
        }
    }

    fn thresholds(&mut self, of: &Thresholds) -> &mut Self {
        self.text(write_thresholds(of))
    }

    fn overridden(&mut self, overridden: Option<&Override>) -> &mut Self {
        match overridden {
            Some(overridden) => self.text(write_override(overridden)),
            None => self.text(NONE),
        }
    }

    fn provenance(&mut self, provenance: Option<&Opening>) -> &mut Self {
        match provenance {
            Some(provenance) => self.text(write_opening(provenance)),
            None => self.text(NONE),
        }
    }

    /// The calls that a look tells of.
    fn told(&mut self, look: &Look) -> &mut Self {
        let calls = |calls: u64| calls.min(MOST);
        match look.process {
            Some(process) if look.counts.calls > 0 => self.text(format_args!(
                "{process}:{}:{}:{}:{}:{}",
                micros(look.open_time),
                calls(look.counts.calls),
                calls(look.counts.failures),
                calls(look.counts.slow),
                write_fault(look.fault)
            )),
            _ => self.text(NONE),
        }
    }

    fn presented<'a>(&mut self, by: impl Into<Presents<'a>>, open_time: Duration) -> &mut Self {
        let Presents { presented, overridden, provenance } = by.into();
        self.number(presented.generation)
            .text(presented.state)
            .time(presented.time_left)
            .overridden(overridden)
            .provenance(provenance)
            .time(open_time)
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Ignored => "ignored",
    }
}

impl Verb for Look {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(self, self.thresholds.reset_timeout).time_if_any(self.last_success);
        match self.thresholds.rates {
            Some(_) => to.thresholds(&self.thresholds).told(self),
            None => to.text(NONE).text(NONE),
        };
    }
}

impl Verb for Report {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(self, self.thresholds.reset_timeout)
            .text(self.process)
            .number(self.failures)
            .number(self.clears)
            .time_if_any(self.last_success)
            .thresholds(&self.thresholds)
            .time(self.rest)
            .time(self.lapse)
            .time(self.held_off);
    }
}

impl Verb for Trip {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(self, self.open_time)
            .text(self.process)
            .time(self.open_time)
            .thresholds(&self.thresholds)
            .suspicion(self.suspicion)
            .time(self.grace)
            .text(known_cause(self.cause).as_str())
            .number(self.failures)
            .number(write_fault(self.fault));
    }
}

impl Verb for Clear {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(self, self.thresholds.reset_timeout).suspicion(Some(self.suspicion));
    }
}

impl Verb for LeaseRequest {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(self, self.thresholds.reset_timeout)
            .text(self.token)
            .time(self.lease)
            .number(self.max_calls);
    }
}

impl Verb for Settle {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(self, self.open_time)
            .text(self.token)
            .text(outcome(self.outcome))
            .number(self.success_threshold)
            .time(self.open_time)
            .time(self.ramp)
            .time(self.held_off)
            .number(write_fault(self.fault));
    }
}

impl Verb for Control {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        match &self.command {
            Command::Put { state, open_time, note } => to
                .presented(self, *open_time)
                .text(self.token)
                .text(state)
                .time(*open_time)
                .text(NONE)
                .text(write_note(note)),
            Command::Override(overridden) => to
                .presented(self, self.thresholds.reset_timeout)
                .text(self.token)
                .text(NONE)
                .time(Duration::ZERO)
                .overridden(overridden.as_deref())
                .text(NONE),
        };
    }
}

impl Verb for Seed {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(self, self.open_time)
            .text(self.token)
            .text(self.state)
            .time(self.open_time)
            .time_if_any(self.late_by);
    }
}
