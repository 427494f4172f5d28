//! The circuit as one would explain it.

use std::time::Duration;

use infuse_core::{Mode, Outcome, Ramp, Reason, State};

use super::action::{MOST, Numbers, Said};

/// A permit, in the model: the epoch it is from, the trial it stands for, since when it is timed,
/// and whether it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    epoch: u64,
    pub(crate) trial: Option<u64>,
    started: Option<Duration>,
    counts: bool,
}

#[derive(Debug)]
pub(crate) struct Trial {
    number: u64,
    ends: Duration,
}

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) numbers: Numbers,
    pub(crate) now: Duration,
    pub(crate) state: State,
    pub(crate) failures: u32,
    pub(crate) successes: u32,
    pub(crate) epoch: u64,
    open_until: Duration,
    pub(crate) opened_at: Option<Duration>,
    pub(crate) trials: Vec<Trial>,
    next_trial: u64,
    pub(crate) settings: Mode,
    /// And until when, if it ends.
    pub(crate) over: Option<(Mode, Option<Duration>)>,
    /// How long it takes, and until when.
    recovers: Option<(Duration, Duration)>,
    turns: u32,
    failed_trials: u32,
    held_off_until: Duration,
    pub(crate) would_have_rejected: u64,
    pub(crate) events: Vec<String>,
}

type Answer = Result<Ticket, (Reason, Duration)>;

impl Model {
    pub(crate) fn new(numbers: Numbers) -> Self {
        Self {
            numbers,
            now: Duration::ZERO,
            state: State::Closed,
            failures: 0,
            successes: 0,
            epoch: 0,
            open_until: Duration::ZERO,
            opened_at: None,
            trials: Vec::new(),
            next_trial: 0,
            settings: Mode::Enabled,
            over: None,
            recovers: None,
            turns: 0,
            failed_trials: 0,
            held_off_until: Duration::ZERO,
            would_have_rejected: 0,
            events: Vec::new(),
        }
    }

    /// The override that holds.
    pub(crate) fn over(&self) -> Option<(Mode, Option<Duration>)> {
        self.over.filter(|(_, until)| until.is_none_or(|until| self.now < until))
    }

    pub(crate) fn mode(&self) -> Mode {
        self.over().map_or(self.settings, |(mode, _)| mode)
    }

    fn counts(&self) -> bool {
        matches!(self.mode(), Mode::Enabled | Mode::Observe)
    }

    pub(crate) fn ramp(&self) -> Option<Ramp> {
        let (time, until) = self.recovers.filter(|(_, until)| self.now < *until)?;
        Some(Ramp { time, left: until - self.now })
    }

    pub(crate) fn failed_trials(&self) -> u32 {
        let forgotten = self.state == State::Closed && self.ramp().is_none();
        if forgotten { 0 } else { self.failed_trials }
    }

    /// By hand.
    pub(crate) fn put(&mut self, state: State) {
        self.held_off_until = Duration::ZERO;
        self.failed_trials = 0;
        self.enter(state, self.now + self.numbers.reset_timeout);
    }

    fn open(&mut self, failed_trials: u32) {
        let grown = self.numbers.reset_timeout * (1 << failed_trials.min(6));
        let open_time = if self.numbers.doubles { grown } else { self.numbers.reset_timeout };
        self.enter(State::Open, (self.now + open_time.min(MOST)).max(self.held_off_until));
        self.failed_trials = failed_trials;
    }

    fn enter(&mut self, state: State, open_until: Duration) {
        if state != self.state {
            self.events.push(format!("{} > {state}", self.state));
        }
        self.state = state;
        self.epoch += 1;
        self.successes = 0;
        self.trials.clear();
        self.recovers = None;
        match state {
            State::Closed => {
                self.failures = 0;
                self.opened_at = None;
                self.held_off_until = Duration::ZERO;
            }
            State::Open => {
                self.open_until = open_until;
                self.opened_at = Some(self.now);
            }
            State::HalfOpen => self.opened_at = self.opened_at.or(Some(self.now)),
        }
    }

    /// `leases` if there is one for a trial.
    pub(crate) fn admit(&mut self, leases: bool) -> Answer {
        match self.mode() {
            Mode::Disabled => return Ok(self.uncounted()),
            Mode::Isolated => {
                let until = self.over().and_then(|(_, until)| until);
                let left = until.map_or(Duration::ZERO, |until| until - self.now);
                self.events.push("rejected".to_owned());
                return Err((Reason::Isolated, left));
            }
            Mode::Enabled | Mode::Observe => {}
        }
        match self.state {
            State::Closed => {
                if let Some(Ramp { time, left }) = self.ramp() {
                    let nth = self.turns;
                    self.turns += 1;
                    let share = 0.1 + 0.9 * (1.0 - left.as_secs_f64() / time.as_secs_f64());
                    let place = u64::from(nth) * 0x9e37_79b9 % (1 << 32);
                    if place as f64 / (1_u64 << 32) as f64 >= share {
                        return self.reject(Reason::Recovering, Duration::ZERO);
                    }
                }
                self.events.push("before_call".to_owned());
                let started = self.numbers.abandoned_after.map(|_| self.now);
                Ok(Ticket { epoch: self.epoch, trial: None, started, counts: true })
            }
            State::Open if self.now < self.open_until => {
                self.reject(Reason::Open, self.open_until - self.now)
            }
            State::Open if !leases => self.reject(Reason::Open, Duration::ZERO),
            State::Open => {
                self.enter(State::HalfOpen, Duration::ZERO);
                Ok(self.begin_trial())
            }
            State::HalfOpen => {
                self.forget_expired();
                let room = self.trials.len() < self.numbers.half_open_max_calls as usize;
                if leases && room && self.now >= self.held_off_until {
                    Ok(self.begin_trial())
                } else {
                    self.reject(Reason::HalfOpen, Duration::ZERO)
                }
            }
        }
    }

    fn begin_trial(&mut self) -> Ticket {
        self.next_trial += 1;
        let number = self.next_trial;
        self.trials.push(Trial { number, ends: self.now + self.numbers.trial_lease });
        self.events.push("before_call".to_owned());
        Ticket { epoch: self.epoch, trial: Some(number), started: Some(self.now), counts: true }
    }

    fn uncounted(&self) -> Ticket {
        Ticket { epoch: self.epoch, trial: None, started: None, counts: false }
    }

    fn reject(&mut self, reason: Reason, left: Duration) -> Answer {
        if self.mode() == Mode::Observe {
            self.events.push("would_reject".to_owned());
            self.would_have_rejected += 1;
            return Ok(self.uncounted());
        }
        self.events.push("rejected".to_owned());
        Err((reason, left))
    }

    pub(crate) fn forget_expired(&mut self) {
        let now = self.now;
        self.trials.retain(|trial| trial.ends > now);
    }

    /// `None` when the permit is dropped.
    pub(crate) fn settle(&mut self, ticket: Ticket, said: Option<Said>) {
        if !ticket.counts {
            return;
        }
        self.forget_expired();
        let mut outcome = match said {
            Some(said) => said.outcome,
            None => {
                let after = self.numbers.abandoned_after;
                let took = ticket.started.map(|started| self.now - started);
                let abandoned = after.zip(took).is_some_and(|(after, took)| took >= after);
                if abandoned { Outcome::Failure } else { Outcome::Ignored }
            }
        };
        let retry_after = said.and_then(|said| said.retry_after);
        if let Some(left) = retry_after.filter(|_| outcome != Outcome::Success && self.counts()) {
            self.hold_off(left);
        }
        if ticket.epoch != self.epoch {
            return;
        }
        if let Some(number) = ticket.trial {
            let Some(at) = self.trials.iter().position(|trial| trial.number == number) else {
                return;
            };
            self.trials.remove(at);
            if said.is_some_and(|said| said.local)
                && self.numbers.split
                && outcome == Outcome::Failure
            {
                outcome = Outcome::Ignored;
            }
        }
        if self.counts() {
            self.count(outcome, ticket.trial.is_some());
        }
    }

    fn hold_off(&mut self, left: Duration) {
        let until = self.now + left.min(MOST);
        self.held_off_until = self.held_off_until.max(until);
        if self.state == State::Open {
            self.open_until = self.open_until.max(until);
        }
    }

    fn count(&mut self, outcome: Outcome, trial: bool) {
        match (outcome, trial) {
            (Outcome::Ignored, _) => {}
            (Outcome::Success, false) => {
                self.failures = 0;
                self.events.push("success".to_owned());
            }
            (Outcome::Success, true) => {
                self.successes += 1;
                if self.successes >= self.numbers.success_threshold {
                    self.enter(State::Closed, Duration::ZERO);
                    self.recovers = self.numbers.ramp.map(|time| (time, self.now + time));
                    self.turns = 0;
                }
                self.events.push("success".to_owned());
            }
            (Outcome::Failure, trial) => {
                self.failures += 1;
                self.events.push("failure".to_owned());
                if trial || self.failures >= self.numbers.max_failure {
                    let once_more = trial || self.ramp().is_some();
                    self.open(self.failed_trials() + u32::from(once_more));
                }
            }
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open => Some(self.open_until.saturating_sub(self.now)),
            State::HalfOpen => Some(self.held_off_until.saturating_sub(self.now)),
        }
    }
}
