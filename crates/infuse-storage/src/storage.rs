//! What a storage must do, to make processes agree on circuits.
//!
//! Every verb of [`Storage`] is one atomic operation, clocked by the storage alone. Times travel
//! as durations, so nobody's clock is compared with another's.
//!
//! # The contract
//!
//! **Records.** A circuit's record has a state, a *fleet generation* that only the storage gives
//! out and that rises with every change, and what goes with it. No record is a closed circuit of
//! generation 0; a look does not create one unless it tells of calls. A record that is untouched
//! for a day is forgotten.
//!
//! **Standing.** A verb presents the last view that its process had from the storage:
//!
//! - *Presented older than stored*: the verb changes nothing, and is answered with the view.
//! - *Equal*: the verb is applied.
//! - *Presented newer, or no record though a generation above 0 is presented*: the storage lost
//!   writes and mends the record first. The mended circuit is open if either side is open with
//!   time left (until the later end, or for as long as the service asked for, by the record), else
//!   what was presented; its override is the presented one, or none; its generation is the
//!   presented one, and one more if its content differs from what was presented. Failed trials
//!   are those of the record unless the circuit is closed then; of a ramp nothing is left.
//!
//! So no answer is older than what was presented. `control` and `seed` mend too, but then apply
//! and raise the generation whatever was presented.
//!
//! **Repeats.** Every verb may be repeated, because an answer may get lost: a `trip` is told by
//! its generation, a `clear` by the suspicion, a lease and its settling by the token, a command by
//! its token (the last eight of a circuit are known), a report sets what it says. A repeat changes
//! nothing and is answered with the present view. Two things are told of relative to now, or add
//! up: a repeated wish of the service's ([`Report::held_off`]) runs from when it is heard, and the
//! calls of a look ([`Look::counts`]) are added each time that they are sent, so that whoever
//! repeats a look leaves them out.
//!
//! **Counting.** A closed circuit counts failures as shares, one for each process, and knows since
//! when. A success of any process that is not older than the first counted failure
//! ([`Look::last_success`], [`Report::last_success`]) *clears*: the shares are dropped, and
//! [`View::clears`] goes up. Of a report that knows of fewer clears than there were, one failure
//! counts.
//!
//! **Suspicion.** When the shares add up to what the reporting process tolerates
//! ([`Thresholds::max_failure`]), and as many processes have one as it asks for
//! ([`Thresholds::min_reporters`]), the circuit is not opened but *suspect*, and everybody is told.
//! Whoever has seen a success since the first counted failure [clears](Storage::clear) that
//! suspicion by its id; then the count *rests*, and reports count nothing, for [`Report::rest`].
//! Otherwise whoever raised it makes it come true by a [`Trip`] that names it. One that comes later
//! than twice [`Trip::grace`] after the raising renews the suspicion instead, with a new id, at
//! most three times; after that, or when nobody comes within [`Report::lapse`], the suspicion
//! lapses and one failure less is counted than it takes. A report by which fewer failures are left
//! than the suspicion takes, or failures of fewer processes, ends it too. Every change of the
//! generation ends suspicion, rest and count.
//!
//! **Own trips.** A [`Trip`] that names no suspicion is by a process's own calls, and opens the
//! circuit at once. A closed one it opens only if as many processes as [`Thresholds::min_reporters`]
//! of its sender have seen failures: the one that trips, those with a share, and where the sender
//! goes by rates those that told of failures in its window (below; for
//! [`Cause::SlowCallRate`], of slow calls). If there are fewer, the circuit stays closed, and
//! [`Trip::failures`] become the share of the process, unless the count rests; and one that tripped
//! by a rate is remembered as if it had told of such calls by a look, because it tells of no more.
//!
//! **Rates.** A closed circuit adds up the calls that looks of its generation tell of, if they say
//! whose they are ([`Look::process`]) and by which rates ([`Thresholds::rates`]). The sums are kept
//! in at most 24 buckets, each as of when it began: a new one begins when the newest is a tenth of
//! the sender's window old, or has a tenth of its calls. In a window over time are the buckets that
//! began within it; in one over calls are the newest, until there are so many. A look that has told
//! of calls is judged at once, by its sender's rates: with [`Rates::minimum_calls`], and with a
//! share of failures (or else of slow calls) that is not below the rate, the circuit opens for
//! [`Look::open_time`], by whoever looked; there is no suspicion, because successes count too.
//! Where its sender asks for more than one process, so many must have told of failures (of slow
//! calls) in the window, or have a share; the last sixteen that did are known, and sixteen stand
//! for any number. The buckets are one circuit's, whatever windows its processes go by: who asks for
//! a much longer window than the others finds less in it. Any look that has rates is answered with the sum of its window. Every change of
//! the generation empties the buckets.
//!
//! **Open time.** A circuit is open for as long as whoever opened it says. [`View::failed_trials`]
//! counts, so that all can say the same: a trial that failed, and any opening of a circuit that is
//! half-open or on its ramp, is one more. A circuit that opens out of closed otherwise has none; a
//! command or a seed, and closing without a ramp, forget them.
//!
//! **Hold-off.** A service may ask to be left alone ([`Report::held_off`], [`Settle::held_off`]);
//! whoever tells of it has capped it. Until then no lease is granted, which [`View::time_left`]
//! says; an open circuit stays open at least so long, without a new generation; a closed one is not
//! affected, but if it opens it stays open until then. Leases that run go on. It only ever gets
//! longer, and is forgotten when the circuit closes, and by commands and seeds.
//!
//! **Ramp.** A circuit that a [`Settle`] has closed recovers for [`Settle::ramp`]:
//! [`View::ramp`] says how much of it is left. It ends by itself, and then the failed trials are
//! forgotten; and with every change of the state.
//!
//! **Provenance.** A circuit that is not closed says what opened it ([`View::provenance`]), as of
//! when it first did since it was last closed: for which cause, by which process, how long ago, and
//! what had gone wrong then ([`Trip::fault`], [`Look::fault`]; a rate of slow calls is always
//! [`FaultKind::Slow`]). Opening again, by a trial that failed ([`Settle::fault`]) or another trip,
//! renews what went wrong and nothing else, also if nobody knows it. Whoever opens it by a command
//! or a seed begins anew, with the [`Note`] of the command; closing forgets it. [`View::note`] is
//! that of the command by which the circuit came into its state, whichever that is. A mended circuit
//! that is not closed has the provenance that is presented, or else its record's, or else one of
//! [`Cause::Adopted`] as of now; of a note there is none. The texts of notes may hold anything, and
//! are cut as those of overrides are. It decides nothing.
//!
//! **Overrides.** [`Command::Override`] puts a mode above the circuit, or takes it away. It raises
//! the generation, and so ends leases and what is counted, but all else stays: the state, since
//! when it is so, why and by whom, its times, successes, failed trials, ramp and hold-off. It
//! outlasts every other change, and ends by itself, by the storage's clock, without a new
//! generation. Its texts may hold anything, and are cut at [`Override::MOST_TEXT`].
//!
//! **Expiry.** A lease ends by itself, by the storage's clock. One that has ended is no lease:
//! settling it changes nothing.
//!
//! **Pushing.** Every change of the generation, every lease that is settled, every suspicion that
//! is raised, renewed, cleared, or ended by a report or a late trip, and every hold-off by which
//! the next trial comes later, is told to all that [`watch`](Storage::watch), in the order of the
//! changes; nothing else is. That calls are counted is not, nor that a ramp, a hold-off or an
//! override has ended. Pushing may lose messages; a watcher that may have missed some is told so.
//!
//! **Announcements.** A participant tells a *group* of others what it is, as a text: see
//! [`announce`](Storage::announce). It has one text in each group, which its next one replaces, and
//! which ends by itself, by the storage's clock, or when it is [withdrawn](Storage::withdraw); then
//! it does not stand among the [instances](Storage::instances) any more. Groups have any names and
//! know nothing of each other, nor of circuits; nothing of this is pushed. A text of more than
//! [`Announcement::MOST_TEXT`] bytes is refused with [`StorageError::TooLong`], and what was said
//! before stays. All three may be repeated.
//!
//! The suite in `infuse_storage::conformance` (with the feature `conformance`) checks all this.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

#[cfg(doc)]
use infuse_core::FaultKind;
use infuse_core::{Cause, Counts, Fault, Outcome, Override, Policy, Ramp, State, Window};

pub use crate::announcement::{Announcement, Instance};
use crate::{CircuitKey, Note, Opening, ProcessId, StorageError, Token};

/// What a storage's verb returns: a boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps circuits and makes processes agree on them. See the [contract](self).
///
/// Verbs take batches of circuits; each circuit's part is atomic, the batch need not be. The
/// answers come in the order of the batch. An error says nothing about what was written: the
/// caller looks again.
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// Looks at circuits.
    fn look<'a>(&'a self, looks: &'a [Look]) -> BoxFuture<'a, Result<Vec<View>, StorageError>>;

    /// Sets this process's share of failures.
    fn report<'a>(
        &'a self,
        reports: &'a [Report],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>>;

    /// Opens circuits, or makes suspicions come true. Needs the equal generation.
    fn trip<'a>(&'a self, trips: &'a [Trip]) -> BoxFuture<'a, Result<Vec<View>, StorageError>>;

    /// Clears suspicions, because calls have succeeded. Needs the equal generation.
    fn clear<'a>(&'a self, clears: &'a [Clear]) -> BoxFuture<'a, Result<Vec<View>, StorageError>>;

    /// Grants leases for trial calls: when the open time is over and fewer than
    /// [`max_calls`](LeaseRequest::max_calls) run. Needs the equal generation. The first grant
    /// makes the circuit half-open.
    fn lease<'a>(
        &'a self,
        requests: &'a [LeaseRequest],
    ) -> BoxFuture<'a, Result<Vec<LeaseAnswer>, StorageError>>;

    /// Ends leases with the outcomes of their trials: a failure opens the circuit, as many
    /// successes as the threshold says close it, an ignored one frees the place. Needs the equal
    /// generation.
    fn settle<'a>(
        &'a self,
        settles: &'a [Settle],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>>;

    /// Puts circuits into a state, because someone asked for it.
    fn control<'a>(
        &'a self,
        commands: &'a [Control],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>>;

    /// Puts an application's own circuit into a state, because the application has started.
    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> BoxFuture<'a, Result<Vec<View>, StorageError>>;

    /// Proves that the storage can be written to: it writes.
    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Tells a group what a participant is. It holds for as long as it says.
    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>>;

    /// Takes back what a participant told a group, if it did.
    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>>;

    /// What the participants of a group say, each once, in any order.
    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>>;

    /// Whoever used it needs it no longer, and may let go what it holds: connections, say. Others
    /// may go on using it. By default nothing is done.
    fn release(&self) {}

    /// Begins to listen for changes. Whoever does looks at everything afterwards.
    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>>;
}

/// What a storage pushes.
pub trait Watch: Send {
    /// The next event. It never ends while the storage lives.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    fn next(&mut self) -> BoxFuture<'_, Event>;
}

/// Something that a storage pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "all but a few events are changes")]
#[non_exhaustive]
pub enum Event {
    /// A circuit changed.
    Changed {
        /// The circuit.
        key: CircuitKey,
        /// What it is now.
        view: View,
    },
    /// Events may have been lost: look at everything.
    Missed,
    /// Nothing more will come: watch anew.
    Ended,
}

/// What the storage says about a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// The fleet generation; 0 for a circuit that was never changed.
    pub generation: u64,
    /// The state.
    pub state: State,
    /// While open, how long it stays so. While half-open, how long until it is worth asking for
    /// a lease: zero if there is a place. Zero while closed.
    pub time_left: Duration,
    /// How long ago the circuit opened; zero while closed.
    pub open_for: Duration,
    /// The failures of all processes since the last change or clear.
    pub failures: u32,
    /// In the answer to a report, how many of them are of the process that reports; else 0.
    pub share: u32,
    /// How often the count was cleared in this generation.
    pub clears: u64,
    /// How long the count still rests after a suspicion was cleared.
    pub rest: Duration,
    /// The suspicion, if the circuit is suspect.
    pub suspicion: Option<Suspicion>,
    /// The thresholds of the process that last reported or tripped, if any has.
    pub thresholds: Option<Thresholds>,
    /// Successful trials, one after another, in this half-open period.
    pub successes: u32,
    /// Why the circuit is in this state.
    pub cause: Cause,
    /// Who brought it there, if anybody has.
    pub by: Option<ProcessId>,
    /// Who told the storage to bring it there, and why; unset if that was no command, or it said
    /// nothing.
    pub note: Option<Arc<Note>>,
    /// What opened it; unset while it is closed, and if nobody knows.
    pub provenance: Option<Arc<Opening>>,
    /// Trials that failed since the circuit was last closed for good.
    pub failed_trials: u32,
    /// While closed: how long it recovers in all, and how much of that is left.
    pub ramp: Ramp,
    /// What someone put above the modes that processes have by their settings, unless it has ended.
    pub overridden: Option<Arc<Override>>,
    /// In the answer to a look that has rates: the calls of all processes in its window; else none.
    pub counts: Counts,
}

impl View {
    /// A circuit that has no record: closed, of generation 0.
    pub const fn new() -> Self {
        Self {
            generation: 0,
            state: State::Closed,
            time_left: Duration::ZERO,
            open_for: Duration::ZERO,
            failures: 0,
            share: 0,
            clears: 0,
            rest: Duration::ZERO,
            suspicion: None,
            thresholds: None,
            successes: 0,
            cause: Cause::Adopted,
            by: None,
            note: None,
            provenance: None,
            failed_trials: 0,
            ramp: Ramp { time: Duration::ZERO, left: Duration::ZERO },
            overridden: None,
            counts: Counts::NONE,
        }
    }
}

impl Default for View {
    fn default() -> Self {
        Self::new()
    }
}

/// Failures of several processes add up to a trip, and nobody has refuted them yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suspicion {
    /// Its name.
    pub id: SuspicionId,
    /// Who raised it: the one that makes it come true.
    pub by: ProcessId,
    /// How long ago the first failure was counted. A success that is not older refutes it.
    pub first_failure: Duration,
}

impl Suspicion {
    /// A suspicion.
    pub const fn new(id: SuspicionId, by: ProcessId, first_failure: Duration) -> Self {
        Self { id, by, first_failure }
    }
}

/// Names one suspicion of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SuspicionId {
    /// The fleet generation in which it was raised.
    pub generation: u64,
    /// When, in microseconds of the storage's own clock. It rises with each suspicion of a
    /// generation.
    pub raised_at: u64,
}

/// What a process goes by, as far as others need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures that open the circuit.
    pub max_failure: u32,
    /// How long the circuit is open.
    pub reset_timeout: Duration,
    /// Successes that close it.
    pub success_threshold: u32,
    /// Trial calls in flight at most.
    pub half_open_max_calls: u32,
    /// How many processes must have seen failures before what they add up to opens the circuit.
    pub min_reporters: u32,
    /// The rates that open it, if there are any.
    pub rates: Option<Rates>,
}

/// Rates that open a circuit, over the calls of all processes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Which calls they are taken over.
    pub window: Window,
    /// How many calls there must be in it.
    pub minimum_calls: u32,
    /// The share of failures that opens the circuit.
    pub failure_rate: Option<f64>,
    /// The share of slow calls that opens it.
    pub slow_call_rate: Option<f64>,
}

/// They are shares, never "not a number".
impl Eq for Rates {}

impl Rates {
    /// The rates of a policy, if it has any.
    pub fn of(policy: &Policy) -> Option<Self> {
        let (failure_rate, slow_call_rate) = (policy.failure_rate(), policy.slow_call_rate());
        (failure_rate.is_some() || slow_call_rate.is_some()).then(|| Self {
            window: policy.window(),
            minimum_calls: policy.minimum_calls(),
            failure_rate,
            slow_call_rate,
        })
    }
}

impl From<&Policy> for Thresholds {
    fn from(policy: &Policy) -> Self {
        Self {
            max_failure: policy.max_failure(),
            reset_timeout: policy.reset_timeout(),
            success_threshold: policy.success_threshold(),
            half_open_max_calls: policy.half_open_max_calls(),
            min_reporters: policy.min_reporters(),
            rates: Rates::of(policy),
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::from(&Policy::default())
    }
}

/// The last view that a process had from the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    /// Its fleet generation.
    pub generation: u64,
    /// Its state.
    pub state: State,
    /// What is left of its open time now.
    pub time_left: Duration,
}

impl Presented {
    /// What a process presents that knows nothing.
    pub const NOTHING: Presented =
        Presented { generation: 0, state: State::Closed, time_left: Duration::ZERO };
}

impl From<&View> for Presented {
    fn from(view: &View) -> Self {
        let time_left = if view.state == State::Open { view.time_left } else { Duration::ZERO };
        Self { generation: view.generation, state: view.state, time_left }
    }
}

/// Looks at one circuit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Look {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knows.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// How long ago a call last succeeded here, at most. Failures that were counted before that
    /// are dropped.
    pub last_success: Option<Duration>,
    /// What the process goes by.
    pub thresholds: Thresholds,
    /// Who looks. Needed only to tell of calls.
    pub process: Option<ProcessId>,
    /// Calls of this process that ended since it last told of them; none by default. They are added
    /// to those of the others, each time that this is sent: whoever repeats a look leaves them out.
    /// Without [`process`](Self::process), or rates in the thresholds, they count for nothing.
    pub counts: Counts,
    /// How long the circuit opens if a rate is reached by that.
    pub open_time: Duration,
    /// What went wrong with the last of these calls that failed. It is heard only if the circuit
    /// opens by that.
    pub fault: Option<Fault>,
}

impl Look {
    /// Looks at a circuit, under the default policy.
    pub fn new(key: CircuitKey, presented: Presented) -> Self {
        let thresholds = Thresholds::default();
        Self {
            key,
            presented,
            overridden: None,
            provenance: None,
            last_success: None,
            open_time: thresholds.reset_timeout,
            thresholds,
            process: None,
            counts: Counts::NONE,
            fault: None,
        }
    }
}

/// Reports one process's failures.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knows.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// Who reports.
    pub process: ProcessId,
    /// Failures in its present run since the last clear that it knows. It replaces what the
    /// process reported before.
    pub failures: u32,
    /// How often the count was cleared in the presented generation, as far as the process knows.
    pub clears: u64,
    /// How long ago a call last succeeded here, at most.
    pub last_success: Option<Duration>,
    /// What the process goes by: `max_failure` of it makes the circuit suspect.
    pub thresholds: Thresholds,
    /// How long the count rests if the suspicion that this raises is cleared.
    pub rest: Duration,
    /// When the suspicion that this raises lapses.
    pub lapse: Duration,
    /// For how long the service asked to be left alone; zero, the default, if it did not. It is
    /// heeded in every state.
    pub held_off: Duration,
}

impl Report {
    /// Reports failures, under the default policy, where no clear is known of.
    pub fn new(key: CircuitKey, presented: Presented, process: ProcessId, failures: u32) -> Self {
        Self {
            key,
            presented,
            overridden: None,
            provenance: None,
            process,
            failures,
            clears: 0,
            last_success: None,
            thresholds: Thresholds::default(),
            rest: Duration::from_millis(250),
            lapse: Duration::from_secs(5),
            held_off: Duration::ZERO,
        }
    }
}

/// Opens one circuit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trip {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knew when it tripped.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// Who trips.
    pub process: ProcessId,
    /// How long the circuit stays open.
    pub open_time: Duration,
    /// What the process goes by.
    pub thresholds: Thresholds,
    /// The suspicion that this makes come true: nothing is done unless it stands. Unset for a
    /// process whose own calls all failed.
    pub suspicion: Option<SuspicionId>,
    /// How long others had to clear it.
    pub grace: Duration,
    /// Why. Default [`Cause::Failures`].
    pub cause: Cause,
    /// The failures of the process, in its run. They count as its share where more processes must
    /// have seen failures than have. Default what the default policy tolerates.
    pub failures: u32,
    /// What went wrong with the call that trips, if it is known.
    pub fault: Option<Fault>,
}

impl Trip {
    /// Opens a circuit for a process whose own calls all failed, under the default policy.
    pub fn new(
        key: CircuitKey,
        presented: Presented,
        process: ProcessId,
        open_time: Duration,
    ) -> Self {
        let thresholds = Thresholds::default();
        let grace = Duration::from_millis(50);
        Self {
            key,
            presented,
            overridden: None,
            provenance: None,
            process,
            open_time,
            thresholds,
            suspicion: None,
            grace,
            cause: Cause::Failures,
            failures: thresholds.max_failure,
            fault: None,
        }
    }
}

/// Clears the suspicion of one circuit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Clear {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knows.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// Who clears.
    pub process: ProcessId,
    /// The suspicion: nothing is done unless it stands.
    pub suspicion: SuspicionId,
    /// What the process goes by.
    pub thresholds: Thresholds,
}

impl Clear {
    /// Clears a suspicion, under the default policy.
    pub fn new(
        key: CircuitKey,
        presented: Presented,
        process: ProcessId,
        suspicion: SuspicionId,
    ) -> Self {
        let thresholds = Thresholds::default();
        Self { key, presented, overridden: None, provenance: None, process, suspicion, thresholds }
    }
}

/// Asks for a lease for one trial call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LeaseRequest {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knows.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// The lease's name.
    pub token: Token,
    /// How long it lasts.
    pub lease: Duration,
    /// How many may run at once.
    pub max_calls: u32,
    /// What the process goes by.
    pub thresholds: Thresholds,
}

impl LeaseRequest {
    /// Asks for the only lease of a circuit, under the default policy.
    pub fn new(key: CircuitKey, presented: Presented, token: Token, lease: Duration) -> Self {
        let thresholds = Thresholds::default();
        let max_calls = thresholds.half_open_max_calls;
        Self {
            key,
            presented,
            overridden: None,
            provenance: None,
            token,
            lease,
            max_calls,
            thresholds,
        }
    }
}

/// The answer to a [`LeaseRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseAnswer {
    /// The circuit as it is now.
    pub view: View,
    /// Whether the lease was granted.
    pub granted: bool,
}

impl LeaseAnswer {
    /// An answer.
    pub fn new(view: View, granted: bool) -> Self {
        Self { view, granted }
    }
}

/// Ends one lease.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settle {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knows.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// The lease.
    pub token: Token,
    /// What came of the trial.
    pub outcome: Outcome,
    /// Of a failure: what went wrong, if it is known.
    pub fault: Option<Fault>,
    /// How many successes close the circuit.
    pub success_threshold: u32,
    /// How long a failure opens it.
    pub open_time: Duration,
    /// How long the circuit recovers once it is closed by this; zero, the default, for not at all.
    pub ramp: Duration,
    /// For how long the service asked to be left alone; zero, the default, if it did not.
    pub held_off: Duration,
}

impl Settle {
    /// Ends a lease, under the default policy.
    pub fn new(key: CircuitKey, presented: Presented, token: Token, outcome: Outcome) -> Self {
        let policy = infuse_core::Policy::default();
        Self {
            key,
            presented,
            overridden: None,
            provenance: None,
            token,
            outcome,
            fault: None,
            success_threshold: policy.success_threshold(),
            open_time: policy.reset_timeout(),
            ramp: Duration::ZERO,
            held_off: Duration::ZERO,
        }
    }
}

/// A command about one circuit. It applies whatever was.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Control {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knows: the record is mended by it.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// The command's name, and who gives it.
    pub token: Token,
    /// What is to be done.
    pub command: Command,
    /// What the process goes by.
    pub thresholds: Thresholds,
}

/// What is to be done with a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Puts it into a state.
    Put {
        /// The state.
        state: State,
        /// How long it stays open, if that is the state.
        open_time: Duration,
        /// Who wants it, and why.
        note: Note,
    },
    /// Puts a mode above those that processes have by their settings, or takes it away. The state
    /// stays, with its times; what was counted and leases go, as with every change.
    Override(Option<Arc<Override>>),
}

impl Control {
    /// Puts a circuit into a state, by one who knows nothing of it.
    pub fn put(key: CircuitKey, token: Token, state: State, open_time: Duration) -> Self {
        Self::new(key, token, Command::Put { state, open_time, note: Note::new() })
    }

    /// A command by one who knows nothing of the circuit.
    pub fn new(key: CircuitKey, token: Token, command: Command) -> Self {
        Self {
            key,
            presented: Presented::NOTHING,
            overridden: None,
            provenance: None,
            token,
            command,
            thresholds: Thresholds::default(),
        }
    }
}

/// Puts an application's own circuit into a state at its start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Seed {
    /// The circuit.
    pub key: CircuitKey,
    /// What the process knows: the record is mended by it.
    pub presented: Presented,
    /// The override that it knows, with what is left of it now.
    pub overridden: Option<Arc<Override>>,
    /// What opened the circuit, as far as it knows, with how long ago that is now.
    pub provenance: Option<Arc<Opening>>,
    /// The seed's name, and who gives it.
    pub token: Token,
    /// The state.
    pub state: State,
    /// How long it stays open, if that is the state.
    pub open_time: Duration,
    /// For a seed that comes later than its first attempt: how long ago the process started. It
    /// is dropped if the circuit has changed since.
    pub late_by: Option<Duration>,
}

impl Seed {
    /// Seeds a circuit, at the first attempt, by one who knows nothing of it.
    pub fn new(key: CircuitKey, token: Token, state: State, open_time: Duration) -> Self {
        Self {
            key,
            presented: Presented::NOTHING,
            overridden: None,
            provenance: None,
            token,
            state,
            open_time,
            late_by: None,
        }
    }
}
