use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{Arc, mpsc},
    time::Duration,
};

use infuse_core::{
    Admission, Breaker, CallError, ExclusionId, KeptModeChanges, Listener, ListenerId, Permit,
    Policy, Rejected, State, Totals, Verdict,
};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    CircuitSnapshot, Provenance,
    hub::Hub,
    lease::{self, Answer},
    node::{Asking, Node},
    shared_call::{SharedCall, Waiting},
};

/// The right to make one call, owned by whoever makes it.
pub type CircuitPermit = Permit<Arc<Breaker>>;

/// A circuit: a [`Breaker`] that is shared with others through a storage.
///
/// Every call is decided from this process's own memory; only the caller of a trial call waits
/// for a lease, under the storage's timeout. Cloning is cheap, and clones are the same circuit.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use infuse_storage::{Circuits, Policy};
///
/// let circuits = Circuits::builder().start()?;
/// let database = circuits.circuit("database", Policy::default());
/// # async fn update(id: u64) -> std::io::Result<u64> { Ok(id) }
/// let rows = database.call(|| update(7)).await?;
/// # assert_eq!(rows, 7);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Circuit(Arc<Inner>);

struct Inner {
    breaker: Arc<Breaker>,
    node: Arc<Node>,
    hub: Arc<Hub>,
    waiting: Waiting,
}

/// What a circuit consists of.
pub(crate) struct Parts<'a> {
    pub(crate) breaker: &'a Arc<Breaker>,
    pub(crate) node: &'a Arc<Node>,
    pub(crate) hub: &'a Arc<Hub>,
}

impl Circuit {
    pub(crate) fn new(breaker: Arc<Breaker>, node: Arc<Node>, hub: Arc<Hub>) -> Self {
        Self(Arc::new(Inner { breaker, node, hub, waiting: Waiting::default() }))
    }

    #[inline]
    pub(crate) fn breaker(&self) -> &Breaker {
        &self.0.breaker
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        let Inner { breaker, node, hub, .. } = &*self.0;
        Parts { breaker, node, hub }
    }

    /// Asks the breaker to pass. A trial that is due is for [`trial`](Self::trial) to take.
    pub(crate) fn admit(&self) -> Admission<Arc<Breaker>> {
        self.0.breaker.admit_owned()
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    /// Asks to pass. It waits only when a trial call is due, for the lease.
    ///
    /// `call_timeout` is how long the call may take in all; it bounds the lease (see
    /// [`Policy::lease`]).
    ///
    /// # Errors
    ///
    /// [`Rejected`] while the circuit is open, or half-open with enough trials in flight.
    ///
    /// # Cancel safety
    ///
    /// A lease that is granted to a caller that has left is given back.
    pub async fn acquire(&self, call_timeout: Option<Duration>) -> Result<CircuitPermit, Rejected> {
        match self.admit() {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Rejected(rejected) => Err(rejected),
            Admission::TrialDue => self.trial(call_timeout).await,
        }
    }

    /// Asks to pass without ever waiting: rejected when a trial is due, because a lease would
    /// have to be waited for.
    ///
    /// # Errors
    ///
    /// [`Rejected`] unless the circuit is closed.
    pub fn try_permit(&self) -> Result<CircuitPermit, Rejected> {
        match self.admit() {
            Admission::Admitted(permit) => Ok(permit),
            Admission::Rejected(rejected) => Err(rejected),
            Admission::TrialDue => self.breaker().refuse(Arc::clone(&self.0.breaker)),
        }
    }

    /// Makes a call if the circuit lets it through: see [`Breaker::call`].
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] when it does not, else the call's own error.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped before its end counts as nothing; or as a failure, if the policy has
    /// an [`abandoned_after`](Policy::abandoned_after) and it was let through so long ago.
    #[inline]
    pub fn call<F, Fut, T, E>(&self, call: F) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Error + 'static,
    {
        SharedCall::new(self, |permit: Permit<&'_ Breaker>| permit.run(call))
    }

    /// [`call`](Self::call) for results of any kind: `judge` says what a result means, by an
    /// [`Outcome`](crate::Outcome) or a [`Verdict`], and the exclusions are not asked.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped before its end counts as nothing; or as a failure, if the policy has
    /// an [`abandoned_after`](Policy::abandoned_after) and it was let through so long ago.
    #[inline]
    pub fn call_with<F, Fut, T, E, J, V>(
        &self,
        call: F,
        judge: J,
    ) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        J: FnOnce(&Result<T, E>) -> V,
        V: Into<Verdict>,
    {
        SharedCall::new(self, |permit: Permit<&'_ Breaker>| permit.run_with(call, judge))
    }

    /// [`call`](Self::call) for blocking code. When a trial is due it blocks for the lease, under
    /// the storage's timeout.
    ///
    /// The lease comes from a task of the runtime on which the circuits were started: in the only
    /// thread of that runtime a trial is therefore always rejected.
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    #[inline]
    pub fn call_sync<T, E, F>(&self, call: F) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        E: Error + 'static,
    {
        match self.breaker().quiet_permit() {
            Some(permit) => permit.run_sync(call),
            None => self.call_sync_slowly(|permit| permit.run_sync(call)),
        }
    }

    /// [`call_with`](Self::call_with) for blocking code: see [`call_sync`](Self::call_sync).
    ///
    /// # Errors
    ///
    /// As for [`call`](Self::call).
    #[inline]
    pub fn call_sync_with<T, E, F, J, V>(&self, call: F, judge: J) -> Result<T, CallError<E>>
    where
        F: FnOnce() -> Result<T, E>,
        J: FnOnce(&Result<T, E>) -> V,
        V: Into<Verdict>,
    {
        match self.breaker().quiet_permit() {
            Some(permit) => permit.run_sync_with(call, judge),
            None => self.call_sync_slowly(|permit| permit.run_sync_with(call, judge)),
        }
    }

    // Apart, so that there is one copy of the call in the function that is to be inlined.
    #[inline(never)]
    fn call_sync_slowly<T, E>(
        &self,
        run: impl FnOnce(Permit<&Breaker>) -> Result<T, CallError<E>>,
    ) -> Result<T, CallError<E>> {
        // Told apart once more, so that the permit stays in registers where calls are watched, too.
        if let Some(permit) = self.breaker().passing_permit() {
            return run(permit);
        }
        let permit = match self.breaker().admit() {
            Admission::Admitted(permit) => permit,
            Admission::Rejected(rejected) => return Err(CallError::Rejected(rejected)),
            Admission::TrialDue => {
                self.trial_sync().map_err(CallError::Rejected)?.with_owner(self.breaker())
            }
        };
        run(permit)
    }

    #[cold]
    pub(crate) fn trial(
        &self,
        call_timeout: Option<Duration>,
    ) -> impl Future<Output = Result<CircuitPermit, Rejected>> + Send + use<> {
        let this = self.clone();
        async move {
            let Some(asking) = this.ask() else { return this.pass_without_lease(call_timeout) };
            let (reply, answer) = oneshot::channel();
            let lease = this.breaker().policy().lease(call_timeout);
            lease::ask(&this.0.hub, asking, lease, move |answer| {
                // Nobody there: the permit that comes back is dropped, which gives it back.
                drop(reply.send(answer));
            });
            let answer = timeout(this.0.hub.options.timeout, answer).await;
            this.conclude(answer.ok().and_then(Result::ok), call_timeout)
        }
    }

    #[cold]
    fn trial_sync(&self) -> Result<CircuitPermit, Rejected> {
        let Some(asking) = self.ask() else { return self.pass_without_lease(None) };
        let (reply, answer) = mpsc::sync_channel(1);
        let lease = self.breaker().policy().lease(None);
        lease::ask(&self.0.hub, asking, lease, move |answer| drop(reply.send(answer)));
        self.conclude(answer.recv_timeout(self.0.hub.options.timeout).ok(), None)
    }

    /// Becomes the caller that asks for a lease, unless another does or none is needed.
    fn ask(&self) -> Option<Asking> {
        if self.grants_trials() {
            return None;
        }
        let most = self.breaker().policy().half_open_max_calls();
        self.0.node.ask(self.0.hub.now(), most)
    }

    /// Whether this process grants trials itself.
    fn grants_trials(&self) -> bool {
        self.0.hub.standing.is_alone() || self.0.node.decides_alone()
    }

    fn conclude(
        &self,
        answer: Option<Answer>,
        call_timeout: Option<Duration>,
    ) -> Result<CircuitPermit, Rejected> {
        match answer {
            Some(Answer::Granted(permit)) => Ok(permit),
            Some(Answer::Alone) => self.pass_without_lease(call_timeout),
            // The circuit may have closed meanwhile.
            Some(Answer::NotNow) | None => self.try_permit(),
        }
    }

    fn pass_without_lease(
        &self,
        call_timeout: Option<Duration>,
    ) -> Result<CircuitPermit, Rejected> {
        let Inner { breaker, node, hub, .. } = &*self.0;
        if hub.standing.is_alone() {
            breaker.begin_trial(Arc::clone(breaker), call_timeout)
        } else if node.decides_alone() {
            // The fleet makes its calls: one that stands apart from it needs no more than one.
            breaker.begin_only_trial(Arc::clone(breaker), call_timeout)
        } else {
            self.try_permit()
        }
    }
}

/// Inspection, thresholds, listeners and exclusions, as on a [`Breaker`].
impl Circuit {
    /// The circuit's name.
    pub fn name(&self) -> &str {
        self.breaker().name()
    }

    /// The state. A circuit that is open past its time is open until a call comes to try.
    pub fn state(&self) -> State {
        self.breaker().state()
    }

    /// This process's failures, one after another.
    pub fn fail_counter(&self) -> u32 {
        self.breaker().fail_counter()
    }

    /// Successful trial calls, one after another, in the present half-open period.
    pub fn success_counter(&self) -> u32 {
        self.breaker().success_counter()
    }

    /// When the circuit opened; `None` while it is closed.
    pub fn opened_at(&self) -> Option<std::time::SystemTime> {
        self.breaker().opened_at()
    }

    /// How long until a call may be let through; `None` while the circuit is closed.
    pub fn retry_after(&self) -> Option<Duration> {
        self.breaker().retry_after()
    }

    /// A copy of it all to look at.
    pub fn snapshot(&self) -> CircuitSnapshot {
        let Inner { breaker, node, hub, .. } = &*self.0;
        let snapshot = breaker.snapshot();
        let tripped = snapshot.tripped.map(|tripped| node.provenance(tripped));
        CircuitSnapshot::new(
            breaker.name(),
            snapshot,
            tripped,
            node.seen(hub.now()),
            &breaker.policy(),
            !hub.standing.is_alone(),
        )
    }

    /// What opened the circuit, until it is closed: which process, and what it saw.
    ///
    /// It is that of the first opening since the circuit was last closed. A trial that fails renews
    /// what went wrong; whoever opens the circuit by hand begins anew.
    pub fn provenance(&self) -> Option<Provenance> {
        self.breaker().tripped().map(|tripped| self.0.node.provenance(tripped))
    }

    /// The last change of the state, as far as this process has seen one: which process made it, why,
    /// and who wanted it. Listeners that are told of a change find it here.
    ///
    /// Its `at` is when this process learnt of it, but of an opening when it opened; its `fault` is
    /// there only for an opening.
    pub fn last_change(&self) -> Option<Provenance> {
        self.0.node.last_change()
    }

    /// Holds back what listeners are to be told of the mode: see [`Breaker::keep_mode_changes`].
    pub fn keep_mode_changes(&self) -> KeptModeChanges<'_> {
        self.breaker().keep_mode_changes()
    }

    /// Counts [`totals`](Self::totals) from now on: see [`Breaker::keep_totals`].
    pub fn keep_totals(&self) {
        self.breaker().keep_totals();
    }

    /// How often what happened in this process, if that [is counted](Self::keep_totals).
    pub fn totals(&self) -> Option<Totals> {
        self.breaker().totals()
    }

    /// The policy that holds now.
    pub fn policy(&self) -> Policy {
        self.breaker().policy()
    }

    /// The service asked to be left alone for so long: see [`Breaker::hold_off`]. It holds in every
    /// process.
    pub fn hold_off(&self, retry_after: Duration) {
        self.breaker().hold_off(retry_after);
    }

    /// From 0 to 1, by the circuits' clock, for what is spread out at random.
    #[doc(hidden)]
    pub fn fraction(&self) -> f64 {
        self.0.hub.time.fraction()
    }

    /// Changes this process's thresholds, without losing the circuit's state.
    pub fn set_policy(&self, policy: Policy) {
        self.0.node.thresholds_change(&self.breaker().policy());
        self.breaker().set_policy(policy);
    }

    /// Adds a listener in this process.
    pub fn add_listener(&self, listener: impl Listener) -> ListenerId {
        self.breaker().add_listener(listener)
    }

    /// Removes a listener; whether it was there.
    pub fn remove_listener(&self, id: ListenerId) -> bool {
        self.breaker().remove_listener(id)
    }

    /// See [`Breaker::add_excluded`].
    pub fn add_excluded<E: Error + 'static>(&self) -> ExclusionId {
        self.breaker().add_excluded::<E>()
    }

    /// See [`Breaker::remove_excluded`].
    pub fn remove_excluded<E: Error + 'static>(&self) -> bool {
        self.breaker().remove_excluded::<E>()
    }

    /// See [`Breaker::exclude_if`].
    pub fn exclude_if(
        &self,
        predicate: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> ExclusionId {
        self.breaker().exclude_if(predicate)
    }

    /// See [`Breaker::ignore_if`].
    pub fn ignore_if(
        &self,
        predicate: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> ExclusionId {
        self.breaker().ignore_if(predicate)
    }

    /// Removes an exclusion by what adding it returned; whether it was there.
    pub fn remove_exclusion(&self, id: ExclusionId) -> bool {
        self.breaker().remove_exclusion(id)
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit")
            .field("name", &self.name())
            .field("state", &self.state())
            .field("fail_counter", &self.fail_counter())
            .finish_non_exhaustive()
    }
}
