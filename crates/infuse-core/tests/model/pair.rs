//! A breaker and the model of it, side by side.

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use infuse_core::{
    Admission, Breaker, Clock, Listener, ListenerId, ManualClock, Override, Permit, Rejected,
    State, StateChange,
};
use proptest::prelude::*;

use super::{
    action::{Action, Numbers},
    plain::{Model, Ticket},
};

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
    fn would_reject(&self, _: &Breaker, _: Rejected) {
        self.note("would_reject");
    }
}

pub(crate) struct Pair {
    breaker: Arc<Breaker>,
    clock: ManualClock,
    start: SystemTime,
    heard: Heard,
    listening: Option<ListenerId>,
    pub(crate) model: Model,
    held: Vec<(Permit<Arc<Breaker>>, Ticket)>,
}

impl Pair {
    pub(crate) fn new(numbers: Numbers) -> Self {
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

    pub(crate) fn step(&mut self, action: Action) -> Result<(), TestCaseError> {
        match action {
            Action::Admit => self.asked(self.breaker.try_permit_owned(), true)?,
            Action::Refuse => {
                let real = match self.breaker.admit_owned() {
                    Admission::Admitted(permit) => Ok(permit),
                    Admission::Rejected(rejected) => Err(rejected),
                    Admission::TrialDue => self.breaker.refuse(Arc::clone(&self.breaker)),
                };
                self.asked(real, false)?;
            }
            Action::Settle(at, said) => {
                if let Some((permit, ticket)) = self.take(at) {
                    permit.settle(said.verdict());
                    self.model.settle(ticket, Some(said));
                }
            }
            Action::Drop(at) => {
                if let Some((permit, ticket)) = self.take(at) {
                    drop(permit);
                    self.model.settle(ticket, None);
                }
            }
            Action::Advance(by) => {
                self.clock.advance(by);
                self.model.now += by;
            }
            Action::Open => {
                self.breaker.open();
                self.model.put(State::Open);
            }
            Action::HalfOpen => {
                self.breaker.half_open();
                self.model.put(State::HalfOpen);
            }
            Action::Close => {
                self.breaker.close();
                self.model.put(State::Closed);
            }
            Action::Reset => {
                self.breaker.reset();
                self.model.put(State::Closed);
            }
            Action::SetPolicy(numbers) => {
                self.breaker.set_policy(numbers.policy());
                self.model.numbers = numbers;
            }
            Action::SetMode(mode) => {
                self.breaker.set_mode(mode);
                self.model.settings = mode;
            }
            Action::Override(over) => {
                self.breaker.set_override(over.map(|(mode, left)| {
                    let over = Override::new(mode);
                    left.map_or(over.clone(), |left| over.lasting(left))
                }));
                let now = self.model.now;
                self.model.over = over.map(|(mode, left)| (mode, left.map(|left| now + left)));
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

    fn asked(
        &mut self,
        real: Result<Permit<Arc<Breaker>>, Rejected>,
        leases: bool,
    ) -> Result<(), TestCaseError> {
        match (real, self.model.admit(leases)) {
            (Ok(permit), Ok(ticket)) => {
                prop_assert_eq!(permit.is_trial(), ticket.trial.is_some());
                self.held.push((permit, ticket));
            }
            (Err(rejected), Err(expected)) => {
                prop_assert_eq!((rejected.reason(), rejected.retry_after()), expected);
            }
            (real, model) => prop_assert!(false, "{real:?}, but in the model {model:?}"),
        }
        Ok(())
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

    pub(crate) fn look(&mut self) -> Result<(), TestCaseError> {
        let (real, model) = (self.breaker.snapshot(), &mut self.model);
        model.forget_expired();
        prop_assert_eq!(real.state, model.state);
        prop_assert_eq!(real.fail_counter, model.failures);
        prop_assert_eq!(real.success_counter, model.successes);
        prop_assert_eq!(real.epoch, model.epoch);
        prop_assert_eq!(real.retry_after, model.retry_after());
        prop_assert_eq!(real.trials as usize, model.trials.len());
        prop_assert_eq!(real.opened_at, model.opened_at.map(|at| self.start + at));
        prop_assert_eq!(real.failed_trials, model.failed_trials());
        prop_assert_eq!(real.ramp, model.ramp());
        prop_assert_eq!(real.would_have_rejected, model.would_have_rejected);
        prop_assert_eq!(real.mode, model.mode());
        let over = real.overridden.map(|over| (over.mode, over.left.map(|left| model.now + left)));
        prop_assert_eq!(over, model.over());
        Ok(())
    }
}
