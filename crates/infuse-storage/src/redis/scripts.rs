//! The scripts: for each verb one, made of what others have in common with it and what it does.

use super::link::Script;

/// Where scripts have the time from.
const SERVERS_CLOCK: &str = include_str!("lua/clock.lua");

/// What all verbs know: see each file.
const PRELUDE: &str = concat!(
    include_str!("lua/values.lua"),
    include_str!("lua/limits.lua"),
    include_str!("lua/override.lua"),
    include_str!("lua/opening.lua"),
    include_str!("lua/buckets.lua"),
    include_str!("lua/fields.lua"),
    include_str!("lua/load.lua"),
    include_str!("lua/save.lua"),
    include_str!("lua/rules.lua"),
    include_str!("lua/counting.lua"),
    include_str!("lua/rates.lua"),
    include_str!("lua/trials.lua"),
    include_str!("lua/standing.lua"),
    include_str!("lua/strangers.lua"),
    include_str!("lua/view.lua"),
);

/// Does a verb to each circuit.
const RUN: &str = include_str!("lua/run.lua");

/// All scripts.
pub(super) struct Scripts {
    pub(super) look: Script,
    pub(super) report: Script,
    pub(super) trip: Script,
    pub(super) clear: Script,
    pub(super) lease: Script,
    pub(super) settle: Script,
    pub(super) control: Script,
    pub(super) seed: Script,
    pub(super) probe: Script,
    pub(super) announce: Script,
    pub(super) withdraw: Script,
    pub(super) time: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self::on_clock(SERVERS_CLOCK)
    }

    /// Scripts whose `now` is a number of microseconds that tests keep in a key.
    #[cfg(feature = "conformance")]
    pub(super) fn on_clock_in(key: &str) -> Self {
        Self::on_clock(&format!("local now = tonumber(redis.call('GET', '{key}'))\n"))
    }

    fn on_clock(clock: &str) -> Self {
        let script = |verb| Script::new([clock, PRELUDE, verb, RUN].concat());
        let with_clock = |verb| Script::new([clock, verb].concat());
        Self {
            look: script(include_str!("lua/look.lua")),
            report: script(include_str!("lua/report.lua")),
            trip: script(include_str!("lua/trip.lua")),
            clear: script(include_str!("lua/clear.lua")),
            lease: script(include_str!("lua/lease.lua")),
            settle: script(include_str!("lua/settle.lua")),
            control: script(include_str!("lua/control.lua")),
            seed: script(include_str!("lua/seed.lua")),
            probe: Script::new(include_str!("lua/probe.lua").to_owned()),
            announce: with_clock(include_str!("lua/announce.lua")),
            withdraw: Script::new(include_str!("lua/withdraw.lua").to_owned()),
            time: with_clock(include_str!("lua/time.lua")),
        }
    }
}
