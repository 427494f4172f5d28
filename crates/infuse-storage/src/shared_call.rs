use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll},
};

use infuse_core::{Admission, Breaker, CallError, Permit, Rejected};
use pin_project_lite::pin_project;

use crate::{BoxFuture, Circuit, CircuitPermit, hub::lock};

pin_project! {
    /// A guarded call that asks to pass when it is polled first. `run` makes the call with the
    /// permit.
    ///
    /// By hand, so that the quiet case costs next to nothing. For that no reference to a field may
    /// leave `poll`, nor a field need one to be dropped, nor a field be taken and put back: the
    /// whole future would have to stand in memory, which costs more than all the rest. So what
    /// waits for a lease stands with the circuit, and the future keeps its number.
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct SharedCall<'a, R, Fut> {
        circuit: &'a Circuit,
        run: Option<R>,
        #[pin]
        running: Option<Fut>,
        waiting: Number<'a>,
    }
}

impl<'a, R, Fut> SharedCall<'a, R, Fut>
where
    R: FnOnce(Permit<&'a Breaker>) -> Fut,
{
    #[inline]
    pub(crate) fn new(circuit: &'a Circuit, run: R) -> Self {
        Self { circuit, run: Some(run), running: None, waiting: Number { circuit, number: 0 } }
    }
}

impl<'a, R, Fut, T, E> Future for SharedCall<'a, R, Fut>
where
    R: FnOnce(Permit<&'a Breaker>) -> Fut,
    Fut: Future<Output = Result<T, CallError<E>>>,
{
    type Output = Result<T, CallError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.running.is_none() {
            match this.circuit.breaker().quiet_permit() {
                Some(permit) => {
                    let run = this.run.take().expect("polled after it was rejected");
                    this.running.set(Some(run(permit)));
                }
                None => match ask_again(this.circuit, this.waiting.number, cx) {
                    Asked::Passed(permit) => {
                        this.waiting.number = 0;
                        let run = this.run.take().expect("polled after it was rejected");
                        this.running.set(Some(run(permit)));
                    }
                    Asked::Rejected(rejected) => {
                        this.waiting.number = 0;
                        *this.run = None;
                        return Poll::Ready(Err(CallError::Rejected(rejected)));
                    }
                    Asked::Waiting(number) => {
                        this.waiting.number = number;
                        return Poll::Pending;
                    }
                },
            }
        }
        this.running.as_pin_mut().expect("polled after it was rejected").poll(cx)
    }
}

/// The place of what waits for a lease, 0 while nothing does. It takes it out when it is dropped.
struct Number<'a> {
    circuit: &'a Circuit,
    number: u64,
}

impl Drop for Number<'_> {
    // Always: not inlined, it would take the reference that must not leave.
    #[inline(always)]
    fn drop(&mut self) {
        if self.number != 0 {
            self.circuit.waiting().leave(self.number);
        }
    }
}

/// How asking to pass stands.
enum Asked<'a> {
    Passed(Permit<&'a Breaker>),
    Rejected(Rejected),
    Waiting(u64),
}

/// Asks to pass where that is not the quiet case. What passes all the same, because it is only
/// watched, is told apart first, so that its permit stays in registers.
#[inline(always)]
fn ask_again<'a>(circuit: &'a Circuit, waiting: u64, cx: &mut Context<'_>) -> Asked<'a> {
    if waiting == 0
        && let Some(permit) = circuit.breaker().passing_permit()
    {
        return Asked::Passed(permit);
    }
    ask(circuit, waiting, cx)
}

/// Asks to pass, or goes on asking, where that is not the quiet case.
#[inline(never)]
fn ask<'a>(circuit: &'a Circuit, waiting: u64, cx: &mut Context<'_>) -> Asked<'a> {
    if let Some(asking) = circuit.waiting().take(waiting) {
        return wait(circuit, asking, cx);
    }
    match circuit.breaker().admit() {
        Admission::Admitted(permit) => Asked::Passed(permit),
        Admission::Rejected(rejected) => Asked::Rejected(rejected),
        Admission::TrialDue => wait(circuit, Box::pin(circuit.trial(None)), cx),
    }
}

#[cold]
fn wait<'a>(circuit: &'a Circuit, mut asking: Asking, cx: &mut Context<'_>) -> Asked<'a> {
    match asking.as_mut().poll(cx) {
        Poll::Ready(Ok(permit)) => Asked::Passed(permit.with_owner(circuit.breaker())),
        Poll::Ready(Err(rejected)) => Asked::Rejected(rejected),
        Poll::Pending => Asked::Waiting(circuit.waiting().put(asking)),
    }
}

/// What asks for the lease of a trial.
type Asking = BoxFuture<'static, Result<CircuitPermit, Rejected>>;

/// The calls of a circuit that wait for a lease: one, unless many circuits of one name are held.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<(u64, HashMap<u64, Asking>)>);

impl Waiting {
    fn put(&self, asking: Asking) -> u64 {
        let mut waiting = lock(&self.0);
        waiting.0 += 1;
        let number = waiting.0;
        waiting.1.insert(number, asking);
        number
    }

    fn take(&self, number: u64) -> Option<Asking> {
        if number == 0 { None } else { lock(&self.0).1.remove(&number) }
    }

    /// The call was dropped: what is granted from now on is given back.
    #[cold]
    #[inline(never)]
    fn leave(&self, number: u64) {
        // Dropped when the lock is released.
        let asking = self.take(number);
        drop(asking);
    }
}
