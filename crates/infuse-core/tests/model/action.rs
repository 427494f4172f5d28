//! What may happen to a breaker.

use std::time::Duration;

use infuse_core::{Mode, Origin, Outcome, Policy, Verdict};
use proptest::{option, prelude::*};

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Admit,
    /// Asks, and gets no lease if a trial is due.
    Refuse,
    /// Settles one of the permits that are still held; picked by this number.
    Settle(usize, Said),
    Drop(usize),
    Advance(Duration),
    Open,
    HalfOpen,
    Close,
    Reset,
    SetPolicy(Numbers),
    SetMode(Mode),
    /// Puts a mode on for so long, or takes it away.
    Override(Option<(Mode, Option<Duration>)>),
    Listen,
    Unlisten,
    /// Takes a snapshot. Not after every step, because the breaker tidies up while it does.
    Look,
}

/// What is said of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) outcome: Outcome,
    pub(crate) local: bool,
    pub(crate) retry_after: Option<Duration>,
}

impl Said {
    pub(crate) fn verdict(self) -> Verdict {
        let mut verdict = Verdict::from(self.outcome).retry_after(self.retry_after);
        if self.local {
            verdict.origin = Origin::Local;
        }
        verdict
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) max_failure: u32,
    pub(crate) success_threshold: u32,
    pub(crate) half_open_max_calls: u32,
    pub(crate) reset_timeout: Duration,
    pub(crate) trial_lease: Duration,
    /// Whether the open time doubles with each failed trial.
    pub(crate) doubles: bool,
    pub(crate) ramp: Option<Duration>,
    pub(crate) abandoned_after: Option<Duration>,
    pub(crate) split: bool,
}

/// The most that an open time grows to, and that the service's own word can make it.
pub(crate) const MOST: Duration = Duration::from_secs(60);

impl Numbers {
    pub(crate) fn policy(self) -> Policy {
        Policy::builder()
            .max_failure(self.max_failure)
            .success_threshold(self.success_threshold)
            .half_open_max_calls(self.half_open_max_calls)
            .reset_timeout(self.reset_timeout)
            .trial_lease(self.trial_lease)
            .reset_backoff(if self.doubles { 2.0 } else { 1.0 })
            .max_reset_timeout(MOST)
            .max_retry_after(Some(MOST))
            .ramp(self.ramp)
            .abandoned_after(self.abandoned_after)
            .split_local_origin(self.split)
            .build()
            .unwrap()
    }
}

fn seconds(most: u64) -> impl Strategy<Value = Duration> {
    (1..most).prop_map(Duration::from_secs)
}

pub(crate) fn numbers() -> impl Strategy<Value = Numbers> {
    let counts = (1..4u32, 1..4u32, 1..5u32);
    let more = (option::weighted(0.8, seconds(90)), option::of(seconds(10)), any::<[bool; 2]>());
    (counts, seconds(20), seconds(20), more).prop_map(
        |(counts, reset_timeout, trial_lease, (ramp, abandoned_after, [doubles, split]))| Numbers {
            max_failure: counts.0,
            success_threshold: counts.1,
            half_open_max_calls: counts.2,
            reset_timeout,
            trial_lease,
            doubles,
            ramp,
            abandoned_after,
            split,
        },
    )
}

fn said() -> impl Strategy<Value = Said> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Success),
        9 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignored),
    ];
    let retry_after = option::weighted(0.1, (0..100u64).prop_map(Duration::from_secs));
    (outcome, prop::bool::weighted(0.2), retry_after)
        .prop_map(|(outcome, local, retry_after)| Said { outcome, local, retry_after })
}

fn mode() -> impl Strategy<Value = Mode> {
    use Mode::{Disabled, Enabled, Isolated, Observe};
    prop::sample::select(vec![Enabled, Observe, Disabled, Isolated])
}

pub(crate) fn action(modes: bool) -> impl Strategy<Value = Action> {
    let on_modes = prop_oneof![
        2 => mode().prop_map(Action::SetMode),
        3 => option::of((mode(), option::of(seconds(10)))).prop_map(Action::Override),
    ];
    let ordinary = prop_oneof![
        12 => Just(Action::Admit),
        1 => Just(Action::Refuse),
        14 => (any::<usize>(), said()).prop_map(|(at, said)| Action::Settle(at, said)),
        2 => any::<usize>().prop_map(Action::Drop),
        // Whole seconds meet deadlines exactly, microseconds stand beside them.
        4 => seconds(10).prop_map(Action::Advance),
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
    ];
    prop_oneof![
        38 => ordinary,
        if modes { 4 } else { 0 } => on_modes,
    ]
}
