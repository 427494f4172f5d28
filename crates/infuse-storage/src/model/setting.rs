//! What one search goes by: the policy, what may go wrong, and how often.

use infuse_core::State;

use super::{time::span, twist::Twist};
use crate::{Thresholds, suspected::Graces};

/// One search's world. Times are in ticks.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) processes: usize,
    pub(super) max_failure: u32,
    pub(super) half_open_max_calls: u32,
    pub(super) reset: u32,
    pub(super) lease: u32,
    pub(super) grace: u32,
    pub(super) rest: u32,
    /// After how long the unsettled suspicion lapses.
    pub(super) lapse: u32,
    /// Where in the first half of the grace a process clears.
    pub(super) random: f64,
    pub(super) fallback: Option<State>,
    /// Whether a process tells what it has to tell by an action of its own, instead of at once.
    pub(super) lazy: bool,
    /// Whether a verb and its answer are one step, so that more of them come in as many steps.
    pub(super) atomic: bool,
    /// Faults of the world, in all, and which of them there are.
    pub(super) faults: u8,
    pub(super) kinds: &'static [Fault],
    /// How often a message is repeated, in all.
    pub(super) repeats: u8,
    /// How many manual commands and seeds are given, in all.
    pub(super) commands: u8,
    /// How often an override is put on or taken away, in all, and how long it lasts.
    pub(super) overrides: u8,
    pub(super) isolated: u32,
    /// How often the service asks to be left alone, in all, and for how long.
    pub(super) hold_offs: u8,
    pub(super) held_off: u32,
    /// How many processes must have seen failures.
    pub(super) min_reporters: u32,
    /// How many looks are made that find nothing new, in all.
    pub(super) idle_looks: u8,
    /// How many ticks pass at most.
    pub(super) ticks: u32,
    /// A rule that is broken on purpose.
    pub(super) twist: Option<Twist>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A process dies, and another that knows nothing takes its place.
    Die,
    /// A verb and its repeat fail: the process loses the storage, until it finds it.
    Lose,
    /// A lease takes longer than its caller waits.
    Slow,
    /// The storage forgets everything.
    Flush,
    /// The storage goes back to what it was before its last change.
    Rollback,
    /// The storage is two masters for a while, each with one of the processes.
    Split,
    /// A process that knows none of the rules writes a state.
    Stranger,
}

impl Setting {
    /// Nothing goes wrong.
    pub(super) const CALM: Setting = Setting {
        name: "calm",
        processes: 2,
        max_failure: 2,
        half_open_max_calls: 1,
        reset: 2,
        lease: 2,
        grace: 1,
        rest: 1,
        lapse: 6,
        random: 0.0,
        fallback: None,
        lazy: false,
        atomic: false,
        faults: 0,
        kinds: &[],
        repeats: 0,
        commands: 0,
        overrides: 0,
        isolated: 0,
        hold_offs: 0,
        held_off: 0,
        min_reporters: 1,
        idle_looks: 1,
        ticks: 8,
        twist: None,
    };

    pub(super) fn thresholds(&self) -> Thresholds {
        Thresholds {
            max_failure: self.max_failure,
            reset_timeout: span(self.reset),
            success_threshold: 1,
            half_open_max_calls: self.half_open_max_calls,
            min_reporters: self.min_reporters,
            ..Thresholds::default()
        }
    }

    pub(super) fn graces(&self) -> Graces {
        Graces {
            grace: span(self.grace),
            unheard: span(self.grace + 1),
            long: span(2 * self.grace + 1),
            lapse: span(self.lapse),
        }
    }

    /// How long it takes until what a process has to say of a suspicion has reached the storage: it
    /// waits for a part of the grace, and a verb takes a tick, or the storage is lost.
    pub(super) fn speaks_within(&self) -> u32 {
        (f64::from(self.grace) * self.random / 2.0).ceil() as u32 + 1
    }

    pub(super) fn is_twisted(&self, twist: Twist) -> bool {
        self.twist == Some(twist)
    }
}
