//! Random calls at a breaker with rates agree, call by call, with a plain list of what ended when.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_core::{
    Breaker, Cause, Counts, Listener, ManualClock, Origin, Outcome, Permit, Policy, Standing,
    State, StateChange, Verdict, Window,
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

const CASES: u32 = 2000;
const STEPS: usize = 150;

#[derive(Debug, Clone)]
enum Action {
    Begin,
    End(usize, Outcome),
    /// So many calls succeed, one after another.
    Succeed(u32),
    /// So many fail.
    Fail(u32),
    /// It fails on our own side.
    EndHere(usize),
    Advance(u64),
    Put(State),
    SetPolicy(Numbers),
    /// What the process counted is handed out.
    Take,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Numbers {
    max_failure: Option<u32>,
    failure_rate: Option<f64>,
    slow_rate: Option<f64>,
    slow_ms: u64,
    window: Window,
    minimum: u32,
    /// Failures of our own side are not handed out.
    split: bool,
}

impl Numbers {
    fn policy(self) -> Policy {
        let mut policy = Policy::builder()
            .failure_rate(self.failure_rate)
            .slow_call_rate(self.slow_rate)
            .slow_call_duration(self.slow_rate.map(|_| ms(self.slow_ms)))
            .window(self.window)
            .reset_timeout(Duration::from_secs(5))
            .minimum_calls(self.minimum)
            .split_local_origin(self.split);
        policy = match self.max_failure {
            Some(failures) => policy.max_failure(failures),
            None if self.failure_rate.or(self.slow_rate).is_some() => policy.no_max_failure(),
            None => policy,
        };
        policy.build().unwrap()
    }

    fn is_kept(self) -> bool {
        self.failure_rate.or(self.slow_rate).is_some()
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let rate =
        || prop_oneof![Just(0.1), Just(0.25), Just(1.0 / 3.0), Just(0.5), Just(0.9), Just(1.0)];
    let window = prop_oneof![
        3 => (1..4u32).prop_map(Window::Calls),
        2 => (4..32u32).prop_map(Window::Calls),
        // From 16 on, successes are kept back.
        3 => (32..70u32).prop_map(Window::Calls),
        6 => prop_oneof![Just(10), Just(100), Just(1000), Just(995)].prop_map(|t| Window::Time(ms(t))),
    ];
    let max_failure = prop_oneof![1 => Just(None), 1 => (1..5u32).prop_map(Some)];
    let rates = (option::of(rate()), option::of(rate()), 1..60u64);
    (max_failure, rates, window, 1..12u32, any::<bool>()).prop_map(
        |(max_failure, (failure_rate, slow_rate, slow_ms), window, minimum, split)| {
            let minimum = match window {
                Window::Calls(calls) => minimum.min(calls),
                Window::Time(_) => minimum,
            };
            Numbers { max_failure, failure_rate, slow_rate, slow_ms, window, minimum, split }
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let state = prop_oneof![Just(State::Closed), Just(State::Open), Just(State::HalfOpen)];
    prop_oneof![
        30 => Just(Action::Begin),
        22 => any::<usize>().prop_map(|at| Action::End(at, Outcome::Success)),
        8 => any::<usize>().prop_map(|at| Action::End(at, Outcome::Failure)),
        2 => any::<usize>().prop_map(|at| Action::End(at, Outcome::Ignored)),
        3 => any::<usize>().prop_map(Action::EndHere),
        6 => (1..50u32).prop_map(Action::Succeed),
        12 => (1..30u64).prop_map(Action::Advance),
        4 => prop_oneof![Just(100), Just(995), Just(5000), Just(1_000_000), Just(1_000_000_000)].prop_map(Action::Advance),
        1 => state.prop_map(Action::Put),
        2 => numbers().prop_map(Action::SetPolicy),
        2 => Just(Action::Take),
    ]
}

/// A call that has ended.
#[derive(Debug, Clone, Copy)]
struct Ended {
    at: u64,
    failed: bool,
    slow: bool,
    /// Not to be handed out, or not any more.
    handed: bool,
}

/// The circuit as one would explain it. It knows nothing of trials but that they close and open.
struct Model {
    numbers: Numbers,
    now: u64,
    state: State,
    epoch: u64,
    run: u32,
    /// Those in the window.
    ended: VecDeque<Ended>,
    /// Those to be handed out, also beyond the window.
    untold: Counts,
    opened_by: Option<Cause>,
}

impl Model {
    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
        self.empty();
        if state == State::Closed {
            self.run = 0;
        }
    }

    fn empty(&mut self) {
        self.ended.clear();
        self.untold = Counts::NONE;
    }

    /// Forgets what the window no longer holds.
    fn slide(&mut self) {
        match self.numbers.window {
            Window::Calls(calls) => {
                while self.ended.len() > calls as usize {
                    self.ended.pop_front();
                }
            }
            Window::Time(time) => {
                let tenth = time.as_micros() as u64 / 10;
                let newest = self.now * 1000 / tenth;
                self.ended.retain(|call| call.at * 1000 / tenth + 10 > newest);
            }
        }
    }

    fn counts(&mut self) -> Counts {
        self.slide();
        let mut counts = Counts::default();
        for call in &self.ended {
            counts.calls += 1;
            counts.failures += u64::from(call.failed);
            counts.slow += u64::from(call.slow);
        }
        counts
    }

    fn end(&mut self, epoch: u64, started: Option<u64>, outcome: Outcome, here: bool) {
        if epoch != self.epoch || outcome == Outcome::Ignored {
            return;
        }
        let failed = outcome == Outcome::Failure;
        let counts_run = self.numbers.policy().max_failure() != u32::MAX;
        self.run = match (failed, counts_run) {
            (true, true) => self.run + 1,
            (true, false) => self.run,
            (false, _) => 0,
        };
        let slow_ms = self.numbers.slow_rate.map_or(u64::MAX, |_| self.numbers.slow_ms);
        let slow = started.is_some_and(|started| self.now - started >= slow_ms);
        if self.numbers.is_kept() {
            let handed = here && self.numbers.split;
            self.ended.push_back(Ended { at: self.now, failed, slow, handed });
            if !handed {
                self.untold += Counts { calls: 1, failures: failed.into(), slow: slow.into() };
            }
        }
        let counts = self.counts();
        let reached = |part: u64, rate: Option<f64>| {
            counts.calls >= self.numbers.minimum.into()
                && rate.is_some_and(|rate| part as f64 / counts.calls as f64 >= rate)
        };
        let most = self.numbers.policy().max_failure();
        self.opened_by = if failed && self.run >= most {
            Some(Cause::Failures)
        } else if reached(counts.failures, self.numbers.failure_rate) {
            Some(Cause::FailureRate)
        } else if reached(counts.slow, self.numbers.slow_rate) {
            Some(Cause::SlowCallRate)
        } else {
            None
        };
        if self.opened_by.is_some() {
            self.run += u32::from(failed && !counts_run);
            self.enter(State::Open);
        }
    }

    fn set_policy(&mut self, numbers: Numbers) {
        if numbers.window != self.numbers.window || !self.numbers.is_kept() || !numbers.is_kept() {
            self.empty();
        }
        self.numbers = numbers;
    }

    /// Of a window by calls, those since the last time, but of more than it holds what it holds; of
    /// one over time, what it holds of them.
    fn take(&mut self) -> Counts {
        self.slide();
        let untold = std::mem::take(&mut self.untold);
        let mut counts = Counts::default();
        for call in self.ended.iter_mut().filter(|call| !call.handed) {
            call.handed = true;
            counts.calls += 1;
            counts.failures += u64::from(call.failed);
            counts.slow += u64::from(call.slow);
        }
        match self.numbers.window {
            Window::Calls(calls) if untold.calls <= calls.into() => untold,
            _ => counts,
        }
    }

    fn has_more(&mut self) -> bool {
        self.slide();
        match self.numbers.window {
            Window::Calls(_) => self.untold.calls > 0,
            Window::Time(_) => self.ended.iter().any(|call| !call.handed),
        }
    }
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<StateChange>>>);

impl Listener for Heard {
    fn state_change(&self, _: &Breaker, change: &StateChange) {
        self.0.lock().unwrap().push(*change);
    }
}

struct Pair {
    breaker: Arc<Breaker>,
    clock: ManualClock,
    /// Without a listener, most calls go a shorter way.
    heard: Option<Heard>,
    model: Model,
    /// Ordinary calls in flight: their epoch, and when they began if they are timed.
    held: Vec<(Permit<Arc<Breaker>>, u64, Option<u64>)>,
}

impl Pair {
    fn new(numbers: Numbers, heard: bool) -> Self {
        let clock = ManualClock::new();
        let heard = heard.then(Heard::default);
        let mut builder = Breaker::builder("random").policy(numbers.policy()).clock(clock.clone());
        if let Some(heard) = &heard {
            builder = builder.listener(heard.clone());
        }
        let model = Model {
            numbers,
            now: 0,
            state: State::Closed,
            epoch: 0,
            run: 0,
            ended: VecDeque::new(),
            untold: Counts::NONE,
            opened_by: None,
        };
        Self { breaker: Arc::new(builder.build()), clock, heard, model, held: Vec::new() }
    }

    fn step(&mut self, action: Action) -> Result<(), TestCaseError> {
        match action {
            Action::Begin => self.begin()?,
            Action::End(at, outcome) => self.end(at, Verdict::from(outcome))?,
            Action::EndHere(at) => self.end(at, Verdict::local_failure())?,
            Action::Succeed(calls) => self.make(calls, Outcome::Success)?,
            Action::Fail(calls) => self.make(calls, Outcome::Failure)?,
            Action::Advance(by) => {
                self.clock.advance(ms(by));
                self.model.now += by;
            }
            Action::Put(state) => {
                self.breaker.put(state, Cause::Manual);
                self.model.enter(state);
            }
            Action::SetPolicy(numbers) => {
                self.breaker.set_policy(numbers.policy());
                self.model.set_policy(numbers);
            }
            Action::Take => {
                let deltas = self.breaker.take_deltas();
                let taken = (self.model.epoch, self.model.take());
                prop_assert_eq!((deltas.epoch, deltas.counts), taken);
                prop_assert!(!self.breaker.has_deltas());
            }
        }
        self.compare()
    }

    fn make(&mut self, calls: u32, outcome: Outcome) -> Result<(), TestCaseError> {
        for _ in 0..calls {
            let held = self.held.len();
            self.begin()?;
            if self.held.len() > held {
                self.end(held, Verdict::from(outcome))?;
            }
        }
        Ok(())
    }

    fn end(&mut self, at: usize, verdict: Verdict) -> Result<(), TestCaseError> {
        let Some(at) = at.checked_rem(self.held.len()) else { return Ok(()) };
        let (permit, epoch, started) = self.held.swap_remove(at);
        permit.settle(verdict);
        self.model.end(epoch, started, verdict.outcome, verdict.origin == Origin::Local);
        if let Some(cause) = self.model.opened_by.take() {
            prop_assert_eq!(self.breaker.state(), State::Open);
            if let Some(heard) = &self.heard {
                let last = heard.0.lock().unwrap().last().copied().unwrap();
                prop_assert_eq!((last.to, last.cause), (State::Open, cause));
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), TestCaseError> {
        let Ok(permit) = self.breaker.try_permit_owned() else {
            prop_assert_ne!(self.model.state, State::Closed);
            return Ok(());
        };
        if permit.is_trial() {
            // At once, so that it is fast: it closes, and goes into no window.
            prop_assert_ne!(self.model.state, State::Closed);
            let opened = self.model.state == State::Open;
            permit.success();
            if opened {
                self.model.enter(State::HalfOpen);
            }
            self.model.enter(State::Closed);
        } else {
            let timed = self.model.numbers.slow_rate.is_some();
            self.held.push((permit, self.model.epoch, timed.then_some(self.model.now)));
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let snapshot = self.breaker.snapshot();
        prop_assert_eq!(snapshot.state, self.model.state);
        prop_assert_eq!(snapshot.epoch, self.model.epoch);
        prop_assert_eq!(snapshot.fail_counter, self.model.run);
        let numbers = self.model.numbers;
        prop_assert_eq!(snapshot.window.is_some(), numbers.is_kept());
        let Some(window) = snapshot.window else { return Ok(()) };
        let more = self.model.state == State::Closed && self.model.has_more();
        prop_assert_eq!(self.breaker.has_deltas(), more);
        let counts = self.model.counts();
        prop_assert_eq!((window.window, window.counts), (numbers.window, counts));
        let standing = |part: u64, threshold: f64| {
            if counts.calls < numbers.minimum.into() {
                Standing::NotJudged { calls: counts.calls, minimum: numbers.minimum }
            } else {
                Standing::Judged { rate: part as f64 / counts.calls as f64, threshold }
            }
        };
        let failures = numbers.failure_rate.map(|rate| standing(counts.failures, rate));
        let slow = numbers.slow_rate.map(|rate| standing(counts.slow, rate));
        prop_assert_eq!((window.failure_rate, window.slow_call_rate), (failures, slow));
        Ok(())
    }
}

/// Runs random histories, the same everywhere and always; how often which cause opened.
fn run<S>(cases: u32, histories: S) -> [u32; 3]
where
    S: Strategy<Value = (Numbers, bool, Vec<Action>)>,
{
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let causes = Mutex::new([0_u32; 3]);
    TestRunner::new_with_rng(config, rng)
        .run(&histories, |(numbers, heard, actions)| {
            let mut pair = Pair::new(numbers, heard);
            for action in actions {
                pair.step(action)?;
            }
            let Some(heard) = &pair.heard else { return Ok(()) };
            for change in heard.0.lock().unwrap().iter() {
                let which = match change.cause {
                    Cause::Failures => 0,
                    Cause::FailureRate => 1,
                    Cause::SlowCallRate => 2,
                    _ => continue,
                };
                causes.lock().unwrap()[which] += 1;
            }
            Ok(())
        })
        .unwrap();
    causes.into_inner().unwrap()
}

#[test]
fn random_calls_agree_with_the_model() {
    let causes = run(CASES, (numbers(), any::<bool>(), vec(action(), 1..STEPS)));
    // Histories that open nothing would show nothing.
    assert!(causes.iter().all(|&trips| trips > 100), "{causes:?}");
}

/// With so many calls that a thread need not look at each failure.
#[test]
fn many_calls_agree_with_the_model() {
    let numbers = prop_oneof![Just(0.5), Just(0.9)].prop_map(|rate| Numbers {
        max_failure: None,
        failure_rate: Some(rate),
        slow_rate: None,
        slow_ms: 1,
        window: Window::Time(ms(1000)),
        minimum: 10,
        split: false,
    });
    // Within the stretch of the first calls every failure is looked at: the rest is in later ones.
    let well = (2500..3500u32, 100..130u64);
    let bad = vec((1..1500u32, prop_oneof![3 => Just(0), 1 => 1..130u64]), 1..5);
    let actions = (well, bad).prop_map(|((many, later), bad)| {
        let mut actions = vec![Action::Succeed(many), Action::Advance(later)];
        actions.extend(
            bad.into_iter().flat_map(|(many, by)| [Action::Fail(many), Action::Advance(by)]),
        );
        actions
    });
    let causes = run(16, (numbers, any::<bool>(), actions));
    assert!(causes[1] > 0, "{causes:?}");
}
