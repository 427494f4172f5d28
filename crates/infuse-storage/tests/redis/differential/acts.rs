//! What is done to circuits.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    Cause, Fault, FaultKind, Note, Opening, Outcome, ProcessId, Rates, State, Thresholds, Token,
    core::{Counts, Mode, Override, Window},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// Circuits of a batch.
pub(super) const CIRCUITS: usize = 10;

fn millis(all: &'static [u64]) -> impl Strategy<Value = Duration> {
    select(all).prop_map(Duration::from_millis)
}

fn process() -> impl Strategy<Value = ProcessId> {
    // Their order is not that of their last digits.
    select(&[0xA, 0xFF00_0000_0000_0001, 0xB0][..]).prop_map(ProcessId::from_u64)
}

fn token() -> impl Strategy<Value = Token> {
    (process(), 0..3_u64).prop_map(|(process, number)| Token { process, number })
}

fn state() -> impl Strategy<Value = State> {
    select(&[State::Closed, State::Open, State::HalfOpen][..])
}

/// What a process presents.
#[derive(Debug, Clone)]
pub(super) enum Presents {
    /// The last that it was answered.
    Known,
    Nothing,
    /// Of a generation so much older or newer than the last that it was answered.
    Other {
        off: i64,
        state: State,
        time_left: Duration,
    },
}

fn presents() -> impl Strategy<Value = Presents> {
    prop_oneof![
        8 => Just(Presents::Known),
        1 => Just(Presents::Nothing),
        2 => (-2..3_i64, state(), millis(&[0, 5, 20]))
            .prop_map(|(off, state, time_left)| Presents::Other { off, state, time_left }),
    ]
}

fn rates() -> impl Strategy<Value = Rates> {
    let window = prop_oneof![
        select(&[0, 1, 5, 20, 100][..]).prop_map(|ms| Window::Time(Duration::from_millis(ms))),
        select(&[0, 1, 4, 10, 30][..]).prop_map(Window::Calls),
    ];
    let share =
        || option::of(select(&[0.1, 0.3, 1.0 / 3.0, 0.5, 2.0 / 3.0, 0.999_999_999, 1.0][..]));
    (window, select(&[0, 1, 3, 3, 10][..]), share(), share()).prop_map(
        |(window, minimum_calls, failure_rate, slow_call_rate)| Rates {
            window,
            minimum_calls,
            failure_rate,
            slow_call_rate,
        },
    )
}

fn thresholds() -> impl Strategy<Value = Thresholds> {
    let reporters = select(&[0, 1, 1, 1, 2, 2, 3, 4][..]);
    let first = (0..5_u32, millis(&[1, 20]), 0..3_u32, 0..3_u32);
    (first, reporters, option::of(rates())).prop_map(|(first, min_reporters, rates)| {
        let (max_failure, reset_timeout, success_threshold, half_open_max_calls) = first;
        Thresholds {
            max_failure,
            reset_timeout,
            success_threshold,
            half_open_max_calls,
            min_reporters,
            rates,
        }
    })
}

fn counts() -> impl Strategy<Value = Counts> {
    let few = || select(&[0, 0, 1, 1, 2, 3][..]);
    prop_oneof![
        1 => Just(Counts::NONE),
        8 => (few(), few(), few()).prop_map(|(ok, failures, slow)| {
            Counts { calls: ok + failures.max(slow), failures, slow }
        }),
        // What cannot be.
        1 => select(&[
            Counts { calls: 0, failures: 3, slow: 1 },
            Counts { calls: 1, failures: 9, slow: 9 },
            Counts { calls: u64::MAX, failures: 1, slow: u64::MAX },
        ][..]),
    ]
}

fn overriding() -> impl Strategy<Value = Arc<Override>> {
    let mode = select(&[Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated][..]);
    let left = option::of(millis(&[0, 3, 20, 1_000]));
    let text = || select(&["", "ada", "a b:c-%41\n\0", "\u{1F980}"][..]);
    (mode, left, text(), text()).prop_map(|(mode, left, by, reason)| {
        let mut it = Override::new(mode).by(by).because(reason);
        it.left = left;
        Arc::new(it)
    })
}

/// Which override a process presents.
#[derive(Debug, Clone)]
pub(super) enum Overrides {
    /// The last that it was told of.
    Known,
    Other(Option<Arc<Override>>),
}

fn overrides() -> impl Strategy<Value = Overrides> {
    prop_oneof![
        4 => Just(Overrides::Known),
        1 => option::of(overriding()).prop_map(Overrides::Other),
    ]
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    let some = [Fault::new(FaultKind::Timeout), Fault::status(503), Fault::new(FaultKind::Slow)];
    option::of(select(some.to_vec()))
}

fn note() -> impl Strategy<Value = Note> {
    let text = || select(&["", "", "ada", "a b:c-%41\n\0", "\u{1F980}"][..]);
    (text(), text()).prop_map(|(by, reason)| Note::new().by(by).because(reason))
}

/// What a process presents of what opened the circuit.
#[derive(Debug, Clone)]
pub(super) enum Openings {
    /// The last that it was told of.
    Known,
    Other(Option<Arc<Opening>>),
}

fn openings() -> impl Strategy<Value = Openings> {
    let other = (cause(), option::of(process()), millis(&[0, 7, 1_000]), fault(), note()).prop_map(
        |(cause, by, ago, fault, note)| {
            let mut it = Opening::new(cause, by);
            (it.ago, it.fault, it.note) = (ago, fault, note);
            Arc::new(it)
        },
    );
    prop_oneof![
        4 => Just(Openings::Known),
        1 => option::of(other).prop_map(Openings::Other),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    select(
        &[
            Cause::Failures,
            Cause::Failures,
            Cause::FailureRate,
            Cause::SlowCallRate,
            Cause::Rule,
            Cause::TrialFailed,
        ][..],
    )
}

/// What is done to one circuit. Its verb is the step's.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) process: ProcessId,
    pub(super) presents: Presents,
    pub(super) token: Token,
    pub(super) thresholds: Thresholds,
    pub(super) state: State,
    pub(super) failures: u32,
    /// How many clears fewer than it was told of last it knows.
    pub(super) clears_missed: u64,
    pub(super) last_success: Option<Duration>,
    pub(super) late_by: Option<Duration>,
    pub(super) open_time: Duration,
    pub(super) grace: Duration,
    pub(super) rest: Duration,
    pub(super) lapse: Duration,
    /// Which suspicion, if that matters: that which it was told of last, another, or none.
    pub(super) suspicion: Which,
    pub(super) outcome: Outcome,
    /// Of this is told, unless the look is nobody's.
    pub(super) counts: Counts,
    pub(super) anonymous: bool,
    pub(super) cause: Cause,
    pub(super) held_off: Duration,
    pub(super) ramp: Duration,
    pub(super) overrides: Overrides,
    pub(super) provenance: Openings,
    pub(super) fault: Option<Fault>,
    /// Of a command about the state.
    pub(super) note: Note,
    /// What a command is about, if not about the state.
    pub(super) command: Option<Option<Arc<Override>>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    Known,
    Other,
    OtherGeneration,
    None,
}

fn act() -> impl Strategy<Value = Act> {
    let who = (process(), presents(), token(), thresholds(), state());
    let counts = (
        prop_oneof![3 => 0..5_u32, 1 => Just(u32::MAX)],
        select(&[0, 0, 0, 1][..]),
        option::weighted(0.3, millis(&[0, 1, 5, 100])),
        option::weighted(0.3, millis(&[0, 5])),
    );
    let times = (
        millis(&[0, 5, 20]),
        millis(&[0, 3, 1_000]),
        millis(&[0, 5, 30]),
        millis(&[0, 10, 10, 10_000]),
    );
    let which = prop_oneof![
        4 => Just(Which::Known),
        1 => Just(Which::Other),
        1 => Just(Which::OtherGeneration),
        2 => Just(Which::None),
    ];
    let outcome = select(&[Outcome::Success, Outcome::Failure, Outcome::Ignored][..]);
    let calls = (self::counts(), proptest::bool::weighted(0.1), cause());
    let modes = (overrides(), option::of(option::weighted(0.7, overriding())));
    let holds = (millis(&[0, 0, 0, 3, 30]), millis(&[0, 5, 50]));
    let blames = (openings(), fault(), note());
    let all = (who, counts, times, which, outcome, calls, modes, holds, blames);
    all.prop_map(|(who, counts, times, suspicion, outcome, calls, modes, holds, blames)| {
        let (process, presents, token, thresholds, state) = who;
        let (failures, clears_missed, last_success, late_by) = counts;
        let (open_time, grace, rest, lapse) = times;
        let (told, anonymous, cause) = calls;
        let (overrides, command) = modes;
        let (held_off, ramp) = holds;
        let (provenance, fault, note) = blames;
        Act {
            process,
            presents,
            token,
            thresholds,
            state,
            failures,
            clears_missed,
            last_success,
            late_by,
            open_time,
            grace,
            rest,
            lapse,
            suspicion,
            outcome,
            counts: told,
            anonymous,
            cause,
            held_off,
            ramp,
            overrides,
            provenance,
            fault,
            note,
            command,
        }
    })
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Look,
    Report,
    Trip,
    Clear,
    Lease,
    Settle,
    Control,
    Seed,
}

/// Time that passes, and one verb then, as often as is said.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) passes: Duration,
    pub(super) verb: Verb,
    pub(super) acts: Vec<Act>,
    pub(super) times: usize,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![
        7 => Just(Verb::Look),
        5 => Just(Verb::Report),
        3 => Just(Verb::Trip),
        2 => Just(Verb::Clear),
        4 => Just(Verb::Lease),
        4 => Just(Verb::Settle),
        2 => Just(Verb::Control),
        1 => Just(Verb::Seed),
    ];
    let times = prop_oneof![6 => Just(1_usize), 1 => Just(2)];
    (millis(&[0, 0, 1, 1, 3, 5, 10, 50]), verb, vec(act(), CIRCUITS), times)
        .prop_map(|(passes, verb, acts, times)| Step { passes, verb, acts, times })
}
