//! The suite that every [`Storage`] must pass: its [contract](crate::storage) as cases that run
//! against any implementation.
//!
//! An implementor says in a [`Harness`] where their storage is and how its time passes:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use infuse_storage::{
//!     BoxFuture, ManualClock, MemoryStorage, Storage,
//!     conformance::{self, Harness},
//! };
//!
//! struct Embedded {
//!     storage: MemoryStorage,
//!     clock: ManualClock,
//! }
//!
//! impl Harness for Embedded {
//!     fn storage(&self) -> Arc<dyn Storage> {
//!         Arc::new(self.storage.clone())
//!     }
//!
//!     // For a storage with a clock of its own: Box::pin(tokio::time::sleep(time))
//!     fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
//!         self.clock.advance(time);
//!         Box::pin(async {})
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let clock = ManualClock::new();
//! let storage = MemoryStorage::with_clock(clock.clone());
//! conformance::check(&Embedded { storage, clock }).await;
//! # }
//! ```
//!
//! [`check`] runs every case and panics with all that failed; [`cases`] gives them one by one.
//! Against a server all of them take a few seconds, because leases and open times have to end.

mod batches;
mod commands;
mod expect;
mod failed_trials;
mod hold_offs;
mod instances;
mod leases;
mod mending;
mod overrides;
mod provenance;
mod pushes;
mod rates;
mod reporters;
mod reports;
mod settles;
mod standing;
mod subject;
mod suspicions;
mod trips;

use std::{fmt, sync::Arc, time::Duration};

use self::{expect::Verdict, subject::Subject};
use crate::{BoxFuture, CircuitKey, ProcessId, Storage};

/// Where a storage under test is, and how its time passes.
pub trait Harness: Send + Sync {
    /// The storage. Each call may make a connection of its own, but all keep the same records.
    fn storage(&self) -> Arc<dyn Storage>;

    /// Lets at least this much of the storage's time pass: a manual clock is advanced, a server
    /// is waited for.
    fn pass(&self, time: Duration) -> BoxFuture<'_, ()>;

    /// A circuit that the storage has no record of. Default: `conformance:` and a random number.
    fn key(&self) -> CircuitKey {
        CircuitKey::new(format!("conformance:{}", ProcessId::random()))
    }
}

/// One thing that a storage must do.
pub struct Case {
    name: &'static str,
    run: for<'a> fn(&'a Subject<'a>) -> BoxFuture<'a, Verdict>,
}

impl Case {
    /// What the storage must do.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs the case, on circuits of its own.
    ///
    /// # Errors
    ///
    /// [`CaseFailed`] says what the storage did instead.
    pub async fn run(&self, harness: &dyn Harness) -> Result<(), CaseFailed> {
        let subject = Subject::new(harness);
        let case = self.name;
        (self.run)(&subject).await.map_err(|differs| CaseFailed { case, differs })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// A storage did something else than it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{case}: {differs}")]
pub struct CaseFailed {
    case: &'static str,
    differs: String,
}

impl CaseFailed {
    /// The case's name.
    pub fn case(&self) -> &'static str {
        self.case
    }

    /// What differs.
    pub fn differs(&self) -> &str {
        &self.differs
    }
}

/// Runs all cases, one after another.
///
/// # Panics
///
/// If the storage fails one, with the names of all that it failed and what differs.
pub async fn check(harness: &dyn Harness) {
    let mut failed = Vec::new();
    for case in cases() {
        if let Err(failure) = case.run(harness).await {
            failed.push(format!("\n  {failure}"));
        }
    }
    assert!(
        failed.is_empty(),
        "the storage fails {} of {} cases:{}",
        failed.len(),
        cases().len(),
        failed.concat()
    );
}

/// All cases.
pub fn cases() -> &'static [Case] {
    CASES
}

macro_rules! cases {
    ($($module:ident { $($function:ident: $name:literal,)* })*) => {
        &[$($(
            Case { name: $name, run: |subject| Box::pin($module::$function(subject)) },
        )*)*]
    };
}

static CASES: &[Case] = cases! {
    standing {
        no_record: "a circuit without a record is closed and of generation 0",
        looking: "looking changes nothing",
        probing: "a probe succeeds",
        older_look: "a look that presents an older view changes nothing",
        older_report: "a report that presents an older view changes nothing",
        older_trip: "a trip that presents an older view changes nothing",
        older_lease: "a lease request that presents an older view is denied",
        older_settle: "a settle that presents an older view leaves the lease running",
        older_command: "commands and seeds apply whatever they present",
    }
    mending {
        as_presented: "a lost record becomes what is presented",
        an_open_that_is_over: "a lost open record whose time is over grants a lease",
        never_older: "no verb's answer is older than what it presents",
        then_applied: "a verb is applied after it has mended",
        a_command_after_a_loss: "a command after a loss is newer than what was known",
        open_in_the_record: "an older record that is open stays open, as a new generation",
        open_as_presented: "what is presented open stays open over an older record",
        later_end: "of two open times the later end holds",
        not_open_anywhere: "an older record that is not open gives way to what is presented",
        twice: "mending twice is mending once",
    }
    trips {
        opens: "a trip opens the circuit",
        repeated: "a repeated trip changes nothing",
        second: "the second of two trips changes nothing",
        after_a_close: "a trip that races with a close loses",
        of_half_open: "a trip opens a half-open circuit",
        equal: "a trip that presents the present view opens again",
        time_goes: "the time left goes down, and the time that it was open goes up",
        over: "a circuit that is open past its time stays open",
    }
    leases {
        while_open: "a lease is denied while the circuit is open, with the time left",
        granted: "the first lease after the open time makes the circuit half-open",
        closed: "a lease is denied while the circuit is closed",
        repeated: "a repeated lease request is granted again",
        one: "one lease may run where one call is allowed",
        three: "three leases may run where three calls are allowed",
        first_end: "a denial says when the first lease ends",
        expiry: "a lease that has ended gives way",
        processes: "the same number is another lease for another process",
        race: "of many requests at once one is granted",
    }
    settles {
        success: "a success closes the circuit",
        threshold: "as many successes as the threshold says close the circuit",
        failure: "a failure opens the circuit",
        failure_after_success: "a failure forgets the successes before it",
        ignored: "an ignored trial frees its place",
        late: "a lease that has ended cannot be settled",
        repeated_success: "a repeated success counts once",
        repeated_failure: "a repeated failure changes nothing",
        unknown: "an unknown token changes nothing",
        other_process: "another process's number changes nothing",
        others_end: "a settle that changes the circuit ends the other leases",
    }
    commands {
        every_change: "a command brings a circuit from any state to any other",
        open_time: "a command opens for the time that it says",
        half_open: "a circuit that is put half-open grants a lease at once",
        repeated: "a repeated command changes nothing",
        ends_leases: "a command ends the leases",
        seeds: "a seed puts the circuit into its state",
        repeated_after_others: "a repeated command changes nothing after commands of others",
        repeated_seed: "a repeated seed changes nothing",
        late_seed: "a late seed applies if the circuit has not changed since the start",
        late_seed_dropped: "a late seed is dropped if the circuit has changed since the start",
        late_seed_first: "a late seed applies to a circuit without a record",
    }
    reports {
        share: "a report sets its process's share",
        sum: "the shares of all processes are added",
        nothing: "a report of no failures takes the share away",
        emptied: "a change empties the shares",
        not_closed: "failures count only while the circuit is closed",
        refuted: "a success drops the failures that were counted before it",
        not_refuted: "a success from before the first failure drops nothing",
        refuted_by_report: "a report's own success drops what was counted before",
        refuted_then_counted: "failures after a success count from then on",
        first_again: "after a share was taken away the next failure is the first",
    }
    batches {
        empty: "an empty batch has an empty answer",
        order: "answers come in the order of the batch",
        same_circuit: "a batch may name a circuit twice",
        verbs: "every verb takes a batch",
    }
    suspicions {
        raised: "shares that add up make the circuit suspect",
        own_share: "one process alone makes the circuit suspect too",
        senders_threshold: "a report is judged by its sender's thresholds",
        comes_true: "a suspicion that is settled opens the circuit",
        comes_true_once: "a repeated settling of a suspicion changes nothing",
        cleared: "a suspicion is cleared by its id, and everything counted is dropped",
        cleared_once: "a repeated clear changes nothing",
        cleared_other: "a clear of another suspicion changes nothing",
        settled_other: "a settling of another suspicion changes nothing",
        cleared_then_settled: "a suspicion that was cleared does not come true",
        rests: "after a suspicion was cleared the count rests",
        refuted_by_look: "a look that tells of a success clears a suspicion",
        stale_clears: "of a report that knows too few clears one failure counts",
        repeated_report: "a repeated report that refuted what was counted changes nothing",
        refuting_counts: "what was refuted counts as a clear",
        taken_back: "a suspicion ends when the last share of it is taken back",
        fallen: "a suspicion ends when fewer failures are left than it takes",
        own_run: "a trip without a suspicion opens a suspect circuit",
        late: "a suspicion that is settled late is renewed",
        late_too_often: "a suspicion is renewed three times and then lapses",
        lapses: "a suspicion that nobody settles lapses",
        ended_by_a_change: "a change ends suspicion, rest and clears",
        thresholds: "the thresholds are those of the last who reported or tripped",
        older: "a clear that presents an older view changes nothing",
        pushed: "a suspicion and its end are pushed",
    }
    rates {
        added: "the calls that looks tell of are added up, and a look is answered with the sum",
        opens: "a rate that is reached at a look opens the circuit, which is pushed",
        exactly: "a rate is reached exactly",
        too_few: "a rate over too few calls is not judged",
        slow: "a rate of slow calls opens the circuit",
        by_the_sender_s: "calls are judged by the rates of who tells of some",
        untold: "nobody's calls, calls without a window and no calls count for nothing",
        repeated: "calls are added each time that they are told of",
        emptied: "a change empties the window",
        only_while_closed: "calls count only while the circuit is closed",
        generations: "calls of an older circuit count for nothing, those of a newer after mending",
        not_refuted: "a success takes no calls out of the window",
        window_over_time: "a window over time forgets",
        window_over_calls: "a window over calls holds the last",
        any_number: "any number of calls can be told of",
    }
    reporters {
        suspicion: "a suspicion takes failures of as many processes as its sender says",
        comes_true: "a suspicion that was raised takes no more processes to come true",
        alone: "a trip by too few processes counts, and the circuit stays closed",
        with_another: "a trip opens once enough processes have seen failures",
        once_each: "a process counts once, whatever it reported",
        of_half_open: "a trip of a half-open circuit takes no other processes",
        older: "a trip by too few that presents an older view counts for nothing",
        newer: "a trip by too few that presents a newer view counts after mending",
        resting: "a trip by too few counts for nothing while the count rests",
        told_by_looks: "whoever told of failures by a look has seen some",
        rate: "a rate takes failures of as many processes as its sender says",
        slow_rate: "a rate of slow calls takes as many processes that have seen some",
        tripped_by_a_window: "whoever tripped by a window has seen what fills it",
        forgotten: "whoever told of failures before the window has seen none",
        in_the_last_calls: "whoever told of failures before the last calls has seen none",
        sixteen: "sixteen processes that told by looks are as good as any number",
    }
    failed_trials {
        counted: "each trial that fails is counted once",
        by_a_trip: "a trip of a half-open circuit is a trial that failed",
        forgotten: "failed trials are forgotten by closing, commands and seeds",
        ramp: "a ramp says its time and what is left, and keeps the failed trials",
        opened_while_ramping: "opening within the ramp counts as a failed trial",
        ramp_over: "failed trials are forgotten when the ramp is over",
        no_ramp: "only closing by trials has a ramp",
        mended: "failed trials survive a mending unless the circuit is closed by it",
    }
    hold_offs {
        open: "an open circuit stays open while the service asks for it, which is pushed",
        within_the_open_time: "a shorter wish of the service's changes nothing",
        closed: "a circuit that opens while the service asks for it stays open until then",
        with_failures: "a report tells of failures and of the service's wish",
        half_open: "while the service asks for it no lease is granted",
        running_trial: "a trial that runs goes on, and closing forgets the service's wish",
        by_a_trial: "a trial tells of the service's wish",
        forgotten: "commands and seeds forget the service's wish",
        over: "the service's wish ends by itself",
        generations: "the wish is not heeded of an older circuit, and of a newer after mending",
    }
    overrides {
        put: "an override leaves the circuit as it is, as a new generation, which is pushed",
        taken_away: "an override is replaced and taken away",
        repeated: "a repeated override changes nothing",
        every_mode: "every mode can be put on",
        any_text: "who and why can be any text, and are cut when they are too long",
        ends: "an override ends by itself, which is no new generation",
        outlasts: "an override outlasts every change, commands and seeds",
        ends_what_runs: "an override ends leases, counts and suspicion",
        keeps: "an override leaves failed trials, ramp and the service's wish",
        late_seed: "an override is no change that a late seed is dropped for",
        mended: "a lost override is mended by every verb of one who knows it",
        mended_as_newer: "the override of a newer circuit holds, or that it has none",
        not_mended: "at an equal generation, or a newer one, the storage's override holds",
    }
    provenance {
        tripped: "what opened a circuit is its cause, its process and what went wrong",
        closed: "a closed circuit says nothing of what opened it, and begins anew",
        trials: "a trial that failed renews what went wrong, and nothing else",
        trip_of_half_open: "a trip of a half-open circuit renews what went wrong, and nothing else",
        second: "a trip that does not open changes nothing of it",
        faults: "any fault is kept, and none too",
        rates: "a rate that opens says what went wrong",
        suspicion: "a suspicion that comes true says what went wrong",
        by_hand: "whoever opens it by hand begins anew, and says who and why",
        half_open_by_hand: "putting a circuit half-open keeps what opened it",
        notes: "every command says who and why, until the next change",
        any_text: "a note can be any text, and is cut when it is too long",
        seeded: "a seed that opens begins anew",
        overrides: "an override leaves what opened the circuit, and the note",
        mended: "what opened a lost circuit is mended by every verb of one who knows it",
        mended_from_the_record: "what an older record says opened the circuit holds if nothing is presented",
        mended_to_closed: "nothing opened a circuit that is closed by mending",
        mended_by_nobody: "a mended circuit of which nobody knows more was adopted",
        not_mended: "at an equal generation, or a newer one, the storage's holds",
    }
    pushes {
        every_change: "every change is pushed, in order",
        given_back: "a lease that is given back is pushed",
        counted: "a success that does not close is pushed",
        mended: "a mended record is pushed",
        quiet: "what changes nothing is not pushed",
        all_watchers: "all watchers hear",
    }
    instances {
        said: "what participants say is told, with how long ago they said so",
        replaced: "what a participant says takes the place of what it said before",
        groups: "groups of any name know nothing of each other",
        ends: "what is said ends by itself",
        renewed: "what is said again lasts anew",
        withdrawn: "what is withdrawn is gone, and what others say stays",
        any_text: "any text is told as it was said",
        too_long: "a text that is too long is refused, and the one before stays",
        many: "many participants may speak",
        apart: "what is said changes no circuit, and is not pushed",
    }
};
