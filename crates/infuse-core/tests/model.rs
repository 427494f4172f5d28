//! Random histories of a breaker agree, step by step, with a plain model that is obviously right.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use infuse_core::{
    Breaker, Clock, Listener, ListenerId, ManualClock, Outcome, Permit, Policy, Rejected, State,
    StateChange,
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

const CASES: u32 = 3000;
const STEPS: usize = 120;

#[derive(Debug, Clone)]
enum Action {
    Admit,
    /// Settles one of the permits that are still held; picked by this number.
    Settle(usize, Outcome),
    Drop(usize),
    Advance(Duration),
    Open,
    HalfOpen,
    Close,
    Reset,
    SetPolicy(Numbers),
    Listen,
    Unlisten,
    /// Takes a snapshot. Not after every step, because the breaker tidies up while it does.
    Look,
}

#[derive(Debug, Clone, Copy)]
struct Numbers {
    max_failure: u32,
    success_threshold: u32,
    half_open_max_calls: u32,
    reset_timeout: Duration,
    trial_lease: Duration,
}

impl Numbers {
    fn policy(self) -> Policy {
        Policy::builder()
            .max_failure(self.max_failure)
            .success_threshold(self.success_threshold)
            .half_open_max_calls(self.half_open_max_calls)
            .reset_timeout(self.reset_timeout)
            .trial_lease(self.trial_lease)
            .build()
            .unwrap()
    }
}

fn numbers() -> impl Strategy<Value = Numbers> {
    (1..4u32, 1..4u32, 1..5u32, 1..20u64, 1..20u64).prop_map(
        |(max_failure, success_threshold, half_open_max_calls, reset, lease)| Numbers {
            max_failure,
            success_threshold,
            half_open_max_calls,
            reset_timeout: Duration::from_secs(reset),
            trial_lease: Duration::from_secs(lease),
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => Just(Action::Admit),
        4 => any::<usize>().prop_map(|at| Action::Settle(at, Outcome::Success)),
        9 => any::<usize>().prop_map(|at| Action::Settle(at, Outcome::Failure)),
        1 => any::<usize>().prop_map(|at| Action::Settle(at, Outcome::Ignored)),
        2 => any::<usize>().prop_map(Action::Drop),
        // Whole seconds meet deadlines exactly, microseconds stand beside them.
        4 => (1..10u64).prop_map(|s| Action::Advance(Duration::from_secs(s))),
        1 => (1..2_000_000u64).prop_map(|us| Action::Advance(Duration::from_micros(us))),
        1 => prop_oneof![
            Just(Action::Open),
            Just(Action::HalfOpen),
            Just(Action::Close),
            Just(Action::Reset),
        ],
        2 => numbers().prop_map(Action::SetPolicy),
        1 => Just(Action::Listen),
        1 => Just(Action::Unlisten),
        2 => Just(Action::Look),
    ]
}

/// A permit, in the model: the epoch it is from, and the trial it stands for.
#[derive(Debug, Clone, Copy)]
struct Ticket {
    epoch: u64,
    trial: Option<u64>,
}

#[derive(Debug)]
struct Trial {
    number: u64,
    ends: Duration,
}

/// The circuit as one would explain it.
#[derive(Debug)]
struct Model {
    numbers: Numbers,
    now: Duration,
    state: State,
    failures: u32,
    successes: u32,
    epoch: u64,
    open_until: Duration,
    opened_at: Option<Duration>,
    trials: Vec<Trial>,
    next_trial: u64,
    events: Vec<String>,
}

impl Model {
    fn new(numbers: Numbers) -> Self {
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
            events: Vec::new(),
        }
    }

    fn enter(&mut self, state: State) {
        if state != self.state {
            self.events.push(format!("{} > {state}", self.state));
        }
        self.state = state;
        self.epoch += 1;
        self.successes = 0;
        self.trials.clear();
        match state {
            State::Closed => {
                self.failures = 0;
                self.opened_at = None;
            }
            State::Open => {
                self.open_until = self.now + self.numbers.reset_timeout;
                self.opened_at = Some(self.now);
            }
            State::HalfOpen => self.opened_at = self.opened_at.or(Some(self.now)),
        }
    }

    fn admit(&mut self) -> Result<Ticket, (State, Duration)> {
        if self.state == State::Open {
            if self.now < self.open_until {
                return self.reject(self.open_until - self.now);
            }
            self.enter(State::HalfOpen);
        }
        let mut trial = None;
        if self.state == State::HalfOpen {
            self.forget_expired();
            if self.trials.len() >= self.numbers.half_open_max_calls as usize {
                return self.reject(Duration::ZERO);
            }
            self.next_trial += 1;
            let ends = self.now + self.numbers.trial_lease;
            self.trials.push(Trial { number: self.next_trial, ends });
            trial = Some(self.next_trial);
        }
        self.events.push("before_call".to_owned());
        Ok(Ticket { epoch: self.epoch, trial })
    }

    fn reject(&mut self, left: Duration) -> Result<Ticket, (State, Duration)> {
        self.events.push("rejected".to_owned());
        Err((self.state, left))
    }

    fn forget_expired(&mut self) {
        let now = self.now;
        self.trials.retain(|trial| trial.ends > now);
    }

    fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        self.forget_expired();
        if ticket.epoch != self.epoch {
            return;
        }
        if let Some(number) = ticket.trial {
            let Some(at) = self.trials.iter().position(|trial| trial.number == number) else {
                return;
            };
            self.trials.remove(at);
        }
        match (outcome, ticket.trial) {
            (Outcome::Ignored, _) => {}
            (Outcome::Success, None) => {
                self.failures = 0;
                self.events.push("success".to_owned());
            }
            (Outcome::Success, Some(_)) => {
                self.successes += 1;
                if self.successes >= self.numbers.success_threshold {
                    self.enter(State::Closed);
                }
                self.events.push("success".to_owned());
            }
            (Outcome::Failure, trial) => {
                self.failures += 1;
                self.events.push("failure".to_owned());
                if trial.is_some() || self.failures >= self.numbers.max_failure {
                    self.enter(State::Open);
                }
            }
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open => Some(self.open_until.saturating_sub(self.now)),
            State::HalfOpen => Some(Duration::ZERO),
        }
    }
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn note(&self, event: impl ToString) {
        self.0.lock().unwrap().push(event.to_string());
    }
}

impl Listener for Heard {
    fn before_call(&self, _: &Breaker) {
        self.note("before_call");
    }
    fn success(&self, _: &Breaker) {
        self.note("success");
    }
    fn failure(&self, _: &Breaker, _: Option<&(dyn Error + 'static)>) {
        self.note("failure");
    }
    fn state_change(&self, _: &Breaker, change: &StateChange) {
        self.note(format!("{} > {}", change.from, change.to));
    }
    fn rejected(&self, _: &Breaker, _: Rejected) {
        self.note("rejected");
    }
}

/// A breaker and the model of it, side by side.
struct Pair {
    breaker: Arc<Breaker>,
    clock: ManualClock,
    start: SystemTime,
    heard: Heard,
    listening: Option<ListenerId>,
    model: Model,
    held: Vec<(Permit<Arc<Breaker>>, Ticket)>,
}

impl Pair {
    fn new(numbers: Numbers) -> Self {
        let clock = ManualClock::new();
        let builder = Breaker::builder("random").policy(numbers.policy()).clock(clock.clone());
        Self {
            breaker: Arc::new(builder.build()),
            start: clock.wall(),
            clock,
            heard: Heard::default(),
            listening: None,
            model: Model::new(numbers),
            held: Vec::new(),
        }
    }

    fn step(&mut self, action: Action) -> Result<(), TestCaseError> {
        match action {
            Action::Admit => match (self.breaker.try_permit_owned(), self.model.admit()) {
                (Ok(permit), Ok(ticket)) => {
                    prop_assert_eq!(permit.is_trial(), ticket.trial.is_some());
                    self.held.push((permit, ticket));
                }
                (Err(rejected), Err(expected)) => {
                    prop_assert_eq!((rejected.state(), rejected.retry_after()), expected);
                }
                (real, model) => prop_assert!(false, "{real:?}, but in the model {model:?}"),
            },
            Action::Settle(at, outcome) => {
                if let Some((permit, ticket)) = self.take(at) {
                    permit.settle(outcome);
                    self.model.settle(ticket, outcome);
                }
            }
            Action::Drop(at) => {
                if let Some((permit, ticket)) = self.take(at) {
                    drop(permit);
                    self.model.settle(ticket, Outcome::Ignored);
                }
            }
            Action::Advance(by) => {
                self.clock.advance(by);
                self.model.now += by;
            }
            Action::Open => {
                self.breaker.open();
                self.model.enter(State::Open);
            }
            Action::HalfOpen => {
                self.breaker.half_open();
                self.model.enter(State::HalfOpen);
            }
            Action::Close => {
                self.breaker.close();
                self.model.enter(State::Closed);
            }
            Action::Reset => {
                self.breaker.reset();
                self.model.enter(State::Closed);
            }
            Action::SetPolicy(numbers) => {
                self.breaker.set_policy(numbers.policy());
                self.model.numbers = numbers;
            }
            Action::Listen => {
                if self.listening.is_none() {
                    self.listening = Some(self.breaker.add_listener(self.heard.clone()));
                }
            }
            Action::Unlisten => {
                if let Some(id) = self.listening.take() {
                    prop_assert!(self.breaker.remove_listener(id));
                }
            }
            Action::Look => self.look()?,
        }
        self.compare()
    }

    fn take(&mut self, at: usize) -> Option<(Permit<Arc<Breaker>>, Ticket)> {
        let at = at.checked_rem(self.held.len())?;
        Some(self.held.swap_remove(at))
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let (breaker, model) = (&self.breaker, &mut self.model);
        prop_assert_eq!(breaker.state(), model.state);
        prop_assert_eq!(breaker.fail_counter(), model.failures);
        prop_assert_eq!(breaker.success_counter(), model.successes);
        let heard = std::mem::take(&mut *self.heard.0.lock().unwrap());
        let events = std::mem::take(&mut model.events);
        let expected = if self.listening.is_some() { events } else { Vec::new() };
        prop_assert_eq!(heard, expected);
        Ok(())
    }

    fn look(&mut self) -> Result<(), TestCaseError> {
        let (real, model) = (self.breaker.snapshot(), &mut self.model);
        model.forget_expired();
        prop_assert_eq!(real.state, model.state);
        prop_assert_eq!(real.fail_counter, model.failures);
        prop_assert_eq!(real.success_counter, model.successes);
        prop_assert_eq!(real.epoch, model.epoch);
        prop_assert_eq!(real.retry_after, model.retry_after());
        prop_assert_eq!(real.trials as usize, model.trials.len());
        prop_assert_eq!(real.opened_at, model.opened_at.map(|at| self.start + at));
        Ok(())
    }
}

#[test]
fn random_histories_agree_with_the_model() {
    // The same histories everywhere and always.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let histories = (numbers(), vec(action(), 1..STEPS));
    let reached = Mutex::new([0_u32; 3]);
    TestRunner::new_with_rng(config, rng)
        .run(&histories, |(numbers, actions)| {
            let mut pair = Pair::new(numbers);
            for action in actions {
                pair.step(action)?;
                reached.lock().unwrap()[pair.model.state as usize] += 1;
            }
            pair.look()
        })
        .unwrap();
    // Histories that stay in one state would show nothing.
    let reached = reached.into_inner().unwrap();
    assert!(reached.iter().all(|&steps| steps > 5000), "{reached:?}");
}
