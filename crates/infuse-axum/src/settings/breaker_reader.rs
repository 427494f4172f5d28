//! Reads how circuits behave: first those for which nothing else is set, then each upon that.

use std::collections::BTreeSet;

use infuse_storage::core::{Mode, ParseModeError, Window};

use super::{
    BreakerSettings, Exclusion, KnownNames, ParseExclusionError, ServiceName,
    breaker_check::{self, Contradiction},
    duration::{self, UP_TO_A_DAY, UP_TO_AN_HOUR},
    exclusion::BUILT_IN,
    flag,
    key::Key,
    problem::SettingsProblem,
    reader::{Reader, none_or, whole},
    share,
};
use crate::listeners::{BUILT_IN as BUILT_IN_LISTENERS, METRICS};

/// How a circuit behaves, as far as it could be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Circuit {
    pub(super) breaker: BreakerSettings,
    /// The settings that are wrong. What contradicts them cannot be told.
    wrong: BTreeSet<&'static str>,
}

/// Reads what is set for `service`, or for all of them, upon what holds where nothing is.
pub(super) fn read(
    reader: &mut Reader<'_>,
    known: &KnownNames,
    service: Option<&ServiceName>,
    base: &Circuit,
) -> Circuit {
    let mut layer = Layer { reader, service, wrong: base.wrong.clone() };
    let mut breaker = base.breaker.clone();
    let b = &mut breaker;
    let a_day = |text: &str| duration::parse(text, &UP_TO_A_DAY);

    layer.set("breaker_max_failure", &mut b.max_failure, |t| none_or(t, whole(1..=65_535)));
    layer.set("breaker_failure_rate", &mut b.failure_rate, |t| none_or(t, share::rate));
    slow_calls(&mut layer, b);
    window(&mut layer, b);
    layer.set("breaker_minimum_calls", &mut b.minimum_calls, |t| whole(1..=1_000_000)(t).map(Some));
    layer.set("breaker_reset_timeout", &mut b.reset_timeout, a_day);
    layer.set("breaker_reset_backoff", &mut b.reset_backoff, share::factor);
    layer.set("breaker_max_reset_timeout", &mut b.max_reset_timeout, |t| a_day(t).map(Some));
    layer.set("breaker_reset_jitter", &mut b.reset_jitter, share::jitter);
    layer.set("breaker_max_retry_after", &mut b.max_retry_after, |t| none_or(t, a_day));
    layer.set("breaker_success_threshold", &mut b.success_threshold, whole(1..=1_023));
    layer.set("breaker_half_open_max_calls", &mut b.half_open_max_calls, whole(1..=1_023));
    layer.set("breaker_ramp", &mut b.ramp, |t| none_or(t, a_day));
    layer.set("breaker_abandoned_after", &mut b.abandoned_after, |t| none_or(t, a_day));
    layer.set("breaker_split_local_origin", &mut b.split_local_origin, flag::parse);
    layer.set("trip_min_reporters", &mut b.min_reporters, whole(1..=1_000));
    layer.set("retry_after_jitter", &mut b.retry_after_jitter, share::jitter);
    layer.set("breaker_mode", &mut b.mode, mode);
    layer.list("breaker_exclude_exceptions", &mut b.exclude, |t| exclusion(t, known));
    layer.list("breaker_listeners", &mut b.listeners, |name| listener(name, known));

    layer.report_contradictions(&breaker, known.has_trip_rule());
    Circuit { breaker, wrong: layer.wrong }
}

fn slow_calls(layer: &mut Layer<'_, '_>, breaker: &mut BreakerSettings) {
    const RATE: &str = "breaker_slow_call_rate";
    const DURATION: &str = "breaker_slow_call_duration";
    let a_day = |text: &str| duration::parse(text, &UP_TO_A_DAY);
    let rate = layer.set(RATE, &mut breaker.slow_call_rate, |t| none_or(t, share::rate));
    let duration = layer.set(DURATION, &mut breaker.slow_call_duration, |t| none_or(t, a_day));
    // A service that switches off one of the two which hold for all has no use for the other.
    if rate && !duration && breaker.slow_call_rate.is_none() && !layer.wrong.contains(RATE) {
        breaker.slow_call_duration = layer.inherited(DURATION, breaker.slow_call_duration);
    }
    if duration && !rate && breaker.slow_call_duration.is_none() && !layer.wrong.contains(DURATION)
    {
        breaker.slow_call_rate = layer.inherited(RATE, breaker.slow_call_rate);
    }
}

fn window(layer: &mut Layer<'_, '_>, breaker: &mut BreakerSettings) {
    const TIME: &str = "breaker_window";
    const CALLS: &str = "breaker_window_calls";
    let (mut time, mut calls) = (None, None);
    layer.set(TIME, &mut time, |t| duration::parse(t, &UP_TO_AN_HOUR).map(Some));
    layer.set(CALLS, &mut calls, |t| none_or(t, whole(1..=10_000)).map(Some));
    // Either replaces the window that holds for all: what is wrong there is of no account here.
    for (set, other) in [(time.is_some(), CALLS), (calls.is_some(), TIME)] {
        if set && layer.entry(other).is_none() {
            layer.wrong.remove(other);
        }
    }
    match (time, calls) {
        (Some(_), Some(Some(_))) => {
            let other = layer.place(TIME, None);
            layer.report(CALLS, format!("{other} is a window too; keep one of the two"));
            layer.wrong.insert(CALLS);
        }
        (_, Some(Some(calls))) => breaker.window = Window::Calls(calls),
        (Some(time), _) => breaker.window = Window::Time(time),
        (None, Some(None)) if matches!(breaker.window, Window::Calls(_)) => {
            breaker.window = Window::default();
        }
        (None, _) => {}
    }
}

fn mode(text: &str) -> Result<Mode, String> {
    text.parse().map_err(|error: ParseModeError| error.to_string().replace(": use", "; use"))
}

fn exclusion(text: &str, known: &KnownNames) -> Result<Exclusion, String> {
    match text.parse().map_err(|error: ParseExclusionError| error.to_string())? {
        Exclusion::Named(name) if !known.has_exclusion(&name) => {
            Err(format!("no exclusion has this name; built in: {BUILT_IN}; {}", known.exclusions()))
        }
        exclusion => Ok(exclusion),
    }
}

fn listener(name: &str, known: &KnownNames) -> Result<String, String> {
    if known.has_listener(name) || BUILT_IN_LISTENERS.contains(&name) {
        return Ok(name.to_owned());
    }
    if name == METRICS {
        return Err("needs the feature `metrics` of infuse-axum".to_owned());
    }
    let built_in: Vec<_> = BUILT_IN_LISTENERS.iter().map(|name| format!("`{name}`")).collect();
    let (built_in, registered) = (built_in.join(", "), known.listeners());
    Err(format!("no listener has this name; built in: {built_in}; {registered}"))
}

/// The settings of one circuit, or of all.
struct Layer<'r, 'v> {
    reader: &'r mut Reader<'v>,
    service: Option<&'r ServiceName>,
    wrong: BTreeSet<&'static str>,
}

impl<'v> Layer<'_, 'v> {
    fn key(&self, name: &'static str) -> Key {
        match self.service {
            Some(service) => Key::Service(service.clone(), name),
            None => Key::General(name),
        }
    }

    fn variable(&self, name: &'static str) -> String {
        self.key(name).variable()
    }

    fn entry(&self, name: &'static str) -> Option<&'v super::entry::Entry> {
        self.reader.entry(&self.key(name))
    }

    /// Reads a setting into its field; whether it is set here, right or wrong.
    fn set<T>(
        &mut self,
        name: &'static str,
        field: &mut T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> bool {
        if self.entry(name).is_none() {
            return false;
        }
        match self.reader.one(&self.key(name), parse) {
            Some(value) => {
                *field = value;
                self.wrong.remove(name);
            }
            None => drop(self.wrong.insert(name)),
        }
        true
    }

    fn list<T: PartialEq>(
        &mut self,
        name: &'static str,
        field: &mut Vec<T>,
        parse: impl FnMut(&str) -> Result<T, String>,
    ) {
        if let Some(list) = self.reader.many(&self.key(name), parse) {
            *field = list;
        }
    }

    /// What is left of a value when the other that it goes with is switched off here: nothing, if
    /// it was set for all.
    fn inherited<T>(&mut self, name: &'static str, value: Option<T>) -> Option<T> {
        if self.service.is_none() {
            return value;
        }
        self.wrong.remove(name);
        None
    }

    /// A setting, its value and where it stands; what it is by default where it is not set.
    fn place(&self, name: &'static str, default: Option<String>) -> String {
        let general = || self.reader.entry(&Key::General(name));
        match (self.entry(name).or_else(general), default) {
            (Some(entry), _) => {
                format!("`{}` = {} (from {})", entry.shown_key, entry.show(), entry.origin)
            }
            (None, Some(default)) => format!("`{}`, {default} by default", self.variable(name)),
            (None, None) => format!("`{}`", self.variable(name)),
        }
    }

    fn report(&mut self, name: &'static str, message: String) {
        let general = || self.reader.entry(&Key::General(name));
        let problem = match self.entry(name).or_else(general) {
            Some(entry) => entry.problem(message),
            None => SettingsProblem::new(self.variable(name), message),
        };
        self.reader.report.error(problem);
    }

    fn report_contradictions(&mut self, breaker: &BreakerSettings, has_rules: bool) {
        let found = breaker_check::find(breaker, has_rules);
        for contradiction in &found {
            let settings = contradiction.settings();
            // A wrong value has been told of, and what holds instead was not asked for.
            if settings.iter().any(|name| self.wrong.contains(name)) {
                continue;
            }
            // What contradicts itself for all has been told of there.
            let here = settings.iter().find(|name| self.entry(name).is_some());
            if let Some(name) = here.copied() {
                let message = self.message(*contradiction, name);
                self.report(name, message);
            }
        }
        if found.is_empty()
            && self.wrong.is_empty()
            && let Err(error) = breaker.policy(None, has_rules)
        {
            // Only if the ranges here are not those of the policy, which is a defect of Infuse.
            self.report("breaker_max_failure", error.to_string());
        }
    }

    /// What is wrong with `name`, and how to mend it.
    fn message(&self, contradiction: Contradiction, name: &str) -> String {
        let other = |default: Option<String>| {
            let other = contradiction.settings().iter().find(|other| **other != name);
            other.map(|other| self.place(other, default)).unwrap_or_default()
        };
        let variable = |name| self.variable(name);
        match contradiction {
            Contradiction::NeverOpens => {
                let also = if name == "breaker_max_failure" {
                    String::new()
                } else {
                    format!(" with {}", self.place("breaker_max_failure", None))
                };
                format!(
                    "nothing opens the circuit{also}; set `{}` to a number, or a rate: `{}`, or \
                     `{}` with `{}`",
                    variable("breaker_max_failure"),
                    variable("breaker_failure_rate"),
                    variable("breaker_slow_call_rate"),
                    variable("breaker_slow_call_duration"),
                )
            }
            Contradiction::MinimumAboveWindow { minimum, calls } => format!(
                "contradicts {}: no rate would be judged, because {minimum} calls are never in a \
                 window of {calls}; lower `{}` to {calls} or raise `{}` to {minimum}",
                other(None),
                variable("breaker_minimum_calls"),
                variable("breaker_window_calls"),
            ),
            Contradiction::SlowRateAlone => format!(
                "no call is slow without {}; set that too, or neither",
                self.place("breaker_slow_call_duration", None),
            ),
            Contradiction::SlowDurationAlone => format!(
                "slow calls open nothing without {}; set that too, or neither",
                self.place("breaker_slow_call_rate", None),
            ),
            Contradiction::MaxBelowResetTimeout { most, reset_timeout } => {
                let (most, reset) = (duration::format(most), duration::format(reset_timeout));
                format!(
                    "contradicts {}: the open time cannot grow to less than it begins with; raise \
                     `{}` to {reset} or lower `{}` to {most}",
                    other(Some(reset.clone())),
                    variable("breaker_max_reset_timeout"),
                    variable("breaker_reset_timeout"),
                )
            }
        }
    }
}
