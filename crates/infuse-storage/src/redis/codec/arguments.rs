use std::time::Duration;

use infuse_core::Outcome;

use crate::{
    CircuitKey, Clear, Control, LeaseRequest, Look, Presented, Report, Seed, Settle, SuspicionId,
    Thresholds, Trip,
};

/// The largest generation, and the longest time in microseconds (31 years): scripts compute with
/// doubles, and refuse more digits than these have.
const MOST: u64 = 999_999_999_999_999;
/// What stands for nothing.
const NONE: &str = "-";

/// The arguments of a script for one circuit. Each verb pushes as many for every circuit.
#[derive(Debug, Default)]
pub(in crate::redis) struct Arguments(Vec<String>);

/// What is done to one circuit.
pub(in crate::redis) trait Verb: Sync {
    /// The circuit.
    fn key(&self) -> &CircuitKey;

    /// What is presented, how long a stranger's opening lasts, and then what the verb takes.
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
        self.text(format_args!(
            "{}:{}:{}:{}",
            of.max_failure,
            micros(of.reset_timeout),
            of.success_threshold,
            of.half_open_max_calls
        ))
    }

    fn presented(&mut self, presented: &Presented, open_time: Duration) -> &mut Self {
        self.number(presented.generation)
            .text(presented.state)
            .time(presented.time_left)
            .time(open_time)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(MOST).min(MOST)
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
        to.presented(&self.presented, self.thresholds.reset_timeout).time_if_any(self.last_success);
    }
}

impl Verb for Report {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(&self.presented, self.thresholds.reset_timeout)
            .text(self.process)
            .number(self.failures)
            .number(self.clears)
            .time_if_any(self.last_success)
            .number(self.thresholds.max_failure)
            .thresholds(&self.thresholds)
            .time(self.rest)
            .time(self.lapse);
    }
}

impl Verb for Trip {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(&self.presented, self.open_time)
            .text(self.process)
            .time(self.open_time)
            .thresholds(&self.thresholds)
            .suspicion(self.suspicion)
            .time(self.grace);
    }
}

impl Verb for Clear {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(&self.presented, self.thresholds.reset_timeout)
            .suspicion(Some(self.suspicion));
    }
}

impl Verb for LeaseRequest {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(&self.presented, self.thresholds.reset_timeout)
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
        to.presented(&self.presented, self.open_time)
            .text(self.token)
            .text(outcome(self.outcome))
            .number(self.success_threshold)
            .time(self.open_time);
    }
}

impl Verb for Control {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(&self.presented, self.open_time)
            .text(self.token)
            .text(self.state)
            .time(self.open_time);
    }
}

impl Verb for Seed {
    fn key(&self) -> &CircuitKey {
        &self.key
    }

    fn arguments(&self, to: &mut Arguments) {
        to.presented(&self.presented, self.open_time)
            .text(self.token)
            .text(self.state)
            .time(self.open_time)
            .time_if_any(self.late_by);
    }
}
