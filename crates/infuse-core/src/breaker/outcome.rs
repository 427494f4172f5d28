use std::error::Error;

use super::{Breaker, ERROR_ON_TRIP};
use crate::{
    Cause, Outcome, StateChange,
    deadline::micros,
    decide::{self, Step},
    sync::{Ordering, lock},
    word::Word,
};

impl Breaker {
    /// A success of a call that holds `ticket`: in a quiet closed circuit, a comparison.
    #[inline]
    pub(crate) fn succeed(&self, ticket: Word, trial: u64) {
        // Relaxed, also below: the stamp is a coarse age that orders nothing.
        let tick = self.ticks.load(Ordering::Relaxed);
        if self.stamp.load(Ordering::Relaxed) != tick {
            self.stamp.store(tick, Ordering::Relaxed);
        }
        if self.word() != ticket {
            self.succeed_slowly(ticket, trial);
        }
    }

    #[cold]
    fn succeed_slowly(&self, ticket: Word, trial: u64) {
        let epoch = ticket.epoch();
        let (counted, change) = if trial != 0 {
            self.settle_trial(epoch, trial, Outcome::Success)
        } else {
            (self.count_success(epoch), None)
        };
        if let Some(change) = change {
            self.tell_change(change);
        }
        if counted && self.word().is_watched() {
            self.listeners.tell(|listener| listener.success(self));
        }
    }

    /// Whether the success counted: not if it came from another epoch.
    fn count_success(&self, epoch: u64) -> bool {
        loop {
            let word = self.word();
            match decide::success(word, epoch, u32::MAX) {
                Step::Count(next) if self.swap(word, next) => {
                    if let Some(replica) = &self.replica {
                        replica.counted(0);
                    }
                    return true;
                }
                Step::Count(_) => {}
                Step::Nothing | Step::Change(_) => return word.epoch() == epoch,
            }
        }
    }

    /// A failure of a call that holds `ticket`; whether it opened the circuit.
    #[cold]
    pub(crate) fn fail(
        &self,
        ticket: Word,
        trial: u64,
        error: Option<&(dyn Error + 'static)>,
    ) -> bool {
        let epoch = ticket.epoch();
        let (counted, change) = if trial != 0 {
            self.settle_trial(epoch, trial, Outcome::Failure)
        } else {
            self.count_failure(epoch)
        };
        if counted && self.word().is_watched() {
            self.listeners.tell(|listener| listener.failure(self, error));
        }
        if let Some(change) = change {
            self.tell_change(change);
        }
        change.is_some()
    }

    fn count_failure(&self, epoch: u64) -> (bool, Option<StateChange>) {
        loop {
            let word = self.word();
            match decide::failure(word, epoch, self.max_failure()) {
                Step::Nothing => return (false, None),
                Step::Count(next) if self.swap(word, next) => {
                    if let Some(replica) = &self.replica {
                        replica.counted(next.failures());
                    }
                    return (true, None);
                }
                Step::Count(_) => {}
                Step::Change(_) => {
                    if let Some(change) = self.trip(epoch) {
                        return (true, Some(change));
                    }
                }
            }
        }
    }

    /// Opens the circuit, unless a success got in between and the failure is to be counted anew.
    fn trip(&self, epoch: u64) -> Option<StateChange> {
        let now = micros(self.time.now());
        let mut cold = lock(&self.cold);
        let due = now.saturating_add(micros(cold.policy.reset_timeout()));
        let (from, to) = self.change(&mut cold, due, |word| {
            match decide::failure(word, epoch, self.max_failure()) {
                Step::Change(next) => Some(next),
                Step::Nothing | Step::Count(_) => None,
            }
        })?;
        drop(cold);
        if let Some(replica) = &self.replica {
            replica.tripped();
        }
        Some(StateChange { from, to, cause: Cause::Failures, remote: false })
    }

    fn max_failure(&self) -> u32 {
        // Relaxed: outcomes may be judged by either policy while it is replaced.
        (self.limits.load(Ordering::Relaxed) & u64::from(u32::MAX)) as u32
    }

    pub(crate) fn errors_on_trip(&self) -> bool {
        self.limits.load(Ordering::Relaxed) & ERROR_ON_TRIP != 0
    }

    /// A permit that was dropped; `running` if a panic did it that came out of the call.
    #[cold]
    pub(crate) fn drop_permit(&self, ticket: Word, trial: u64, running: bool) {
        if running {
            self.fail(ticket, trial, None);
        } else {
            self.ignore(ticket, trial);
        }
    }

    /// A call that said nothing: only a trial's place needs to be given back.
    pub(crate) fn ignore(&self, ticket: Word, trial: u64) {
        if trial != 0 {
            self.settle_trial(ticket.epoch(), trial, Outcome::Ignored);
        }
    }
}
