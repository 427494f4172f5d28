//! Settings that are right and change nothing.

use std::time::Duration;

use infuse_storage::core::Window;

use super::{
    BreakerSettings, KnownNames, ServiceName, Settings, StorageKind, duration, entry::Entry,
    key::Key, reader::Reader,
};

/// Warns of what is set for circuits and has no effect beside what else is set.
pub(super) fn warn(reader: &mut Reader<'_>, settings: &Settings, known: &KnownNames) {
    warn_of_timeouts(reader, settings);
    // A storage of the application's own may be shared.
    if known.has_storage() || settings.storage != StorageKind::Memory {
        warn_of_windows(reader, settings);
    } else {
        warn_of_reporters(reader, settings);
    }
    let all = || {
        let services = settings.services.values().map(|service| &service.breaker);
        std::iter::once(&settings.breaker).chain(services).chain(settings.circuits.values())
    };
    for (name, message, has_effect) in EFFECTS {
        // A rule of the application's is given the window too.
        if known.has_trip_rule() && name.starts_with("breaker_window") {
            continue;
        }
        // What is set for all may be for a few of them.
        if !all().any(has_effect) {
            warn_of(reader, Key::General(name), message);
        }
        let services = settings.services.iter().map(|(name, service)| (name, &service.breaker));
        for (service, breaker) in services.chain(settings.circuits.iter()) {
            if !has_effect(breaker) {
                warn_of(reader, Key::Service(service.clone(), name), message);
            }
        }
    }
}

type HasEffect = fn(&BreakerSettings) -> bool;

const NO_RATE: &str = "no effect without a rate; set BREAKER_FAILURE_RATE, or \
                       BREAKER_SLOW_CALL_RATE with BREAKER_SLOW_CALL_DURATION, or remove this";
const NO_BACKOFF: &str =
    "no effect: the open time does not grow; set BREAKER_RESET_BACKOFF above 1 or remove this";

const EFFECTS: [(&str, &str, HasEffect); 4] = [
    ("breaker_window", NO_RATE, BreakerSettings::has_rate),
    ("breaker_window_calls", NO_RATE, BreakerSettings::has_rate),
    ("breaker_minimum_calls", NO_RATE, BreakerSettings::has_rate),
    ("breaker_max_reset_timeout", NO_BACKOFF, |breaker| breaker.reset_backoff > 1.0),
];

fn warn_of(reader: &mut Reader<'_>, key: Key, message: &str) {
    if let Some(entry) = reader.entry(&key).filter(|entry| !is_none(entry)) {
        reader.report.warn(entry.problem(message));
    }
}

fn is_none(entry: &Entry) -> bool {
    entry.scalar().is_ok_and(|text| text.eq_ignore_ascii_case("none"))
}

/// Warns of times that no call to a service takes, because it has timed out by then.
fn warn_of_timeouts(reader: &mut Reader<'_>, settings: &Settings) {
    for service in settings.services.values() {
        let (name, limit) = (&service.name, service.timeout);
        let too_long = |time: Option<Duration>| time.filter(|&time| time >= limit);
        let (own, general) =
            (Key::Service(name.clone(), "timeout"), Key::General("service_timeout"));
        let timeout = if reader.entry(&own).is_some() { own } else { general }.variable();
        let is = duration::format(limit);
        if let Some(after) = too_long(service.breaker.abandoned_after) {
            let after = duration::format(after);
            let message = format!(
                "no effect: no call waits {after}, because `{timeout}` ends it after {is}; use \
                 less than that, or remove this"
            );
            warn_where_set(reader, name, &["breaker_abandoned_after"], &message);
        }
        if let Some(from) = too_long(service.breaker.slow_call_duration) {
            let from = duration::format(from);
            let message = format!(
                "no call waits {from}, because `{timeout}` ends it after {is}: only those that \
                 time out, or whose own callers are slow, would be slow; use less than that"
            );
            warn_where_set(reader, name, &["breaker_slow_call_duration"], &message);
        }
    }
}

/// Warns where several processes are asked for and there is only one.
fn warn_of_reporters(reader: &mut Reader<'_>, settings: &Settings) {
    for (name, breaker) in each(settings) {
        if breaker.min_reporters > 1 {
            let message = "no other process reports to a circuit that is kept in memory, so this \
                           one decides by itself; set INFUSE_REDIS_URL or remove this";
            warn_at(reader, name, &["trip_min_reporters"], message);
        }
    }
}

/// Warns of windows that are over before the calls of all processes have come together in them.
fn warn_of_windows(reader: &mut Reader<'_>, settings: &Settings) {
    let interval = settings.sync_interval;
    for (name, breaker) in each(settings) {
        let Window::Time(window) = breaker.window else { continue };
        if breaker.has_rate() && window < interval.saturating_mul(2) {
            let (window, interval) = (duration::format(window), duration::format(interval));
            let message = format!(
                "processes tell each other of their calls every {interval} \
                 (`INFUSE_SYNC_INTERVAL`), which is too seldom for a window of {window}: each goes \
                 by its own calls alone; use a window of two intervals at least"
            );
            warn_at(reader, name, &["breaker_window", "sync_interval"], &message);
        }
    }
}

/// How circuits behave: all for which nothing else is set, and then each.
fn each(settings: &Settings) -> impl Iterator<Item = (Option<&ServiceName>, &BreakerSettings)> {
    let services = settings.services.iter().map(|(name, service)| (Some(name), &service.breaker));
    let circuits = settings.circuits.iter().map(|(name, breaker)| (Some(name), breaker));
    std::iter::once((None, &settings.breaker)).chain(services).chain(circuits)
}

fn warn_at(
    reader: &mut Reader<'_>,
    name: Option<&ServiceName>,
    settings: &[&'static str],
    message: &str,
) {
    match name {
        Some(name) => warn_where_set(reader, name, settings, message),
        None => {
            let entries = settings.iter().map(|&setting| reader.entry(&Key::General(setting)));
            if let Some(entry) = entries.flatten().next() {
                reader.report.warn(entry.problem(message));
            }
        }
    }
}

/// Warns at the first of the settings that is set, for the service rather than for all.
fn warn_where_set(
    reader: &mut Reader<'_>,
    name: &ServiceName,
    settings: &[&'static str],
    message: &str,
) {
    let own = settings.iter().map(|&setting| Key::Service(name.clone(), setting));
    let general = settings.iter().map(|&setting| Key::General(setting));
    let keys: Vec<_> = own.chain(general).collect();
    if let Some(entry) = keys.iter().find_map(|key| reader.entry(key)) {
        reader.report.warn(entry.problem(message));
    }
}

/// Warns of what is set for the calls to a service that cannot be called.
pub(super) fn warn_of_uncalled(reader: &mut Reader<'_>, name: &ServiceName) {
    // Exclusions by name are about answers; errors of other calls are excluded in code.
    let about_calls =
        ["timeout", "body_limit", "redirects", "max_circuits", "breaker_exclude_exceptions"];
    for key in about_calls {
        if let Some(entry) = reader.entry(&Key::Service(name.clone(), key)) {
            reader.report.warn(entry.problem(format!(
                "no effect: the service `{name}` cannot be called; list it in \
                 INFUSE_SERVICE_CONNECTIONS or set its URL"
            )));
        }
    }
}
