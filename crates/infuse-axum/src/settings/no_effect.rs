//! Settings that are right and change nothing.

use super::{
    BreakerSettings, ServiceName, Settings, duration, entry::Entry, key::Key, reader::Reader,
};

/// Warns of what is set for circuits and has no effect beside what else is set.
pub(super) fn warn(reader: &mut Reader<'_>, settings: &Settings) {
    warn_of_timeouts(reader, settings);
    let all = || {
        let services = settings.services.values().map(|service| &service.breaker);
        std::iter::once(&settings.breaker).chain(services).chain(settings.circuits.values())
    };
    for (name, message, has_effect) in EFFECTS {
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

/// Warns of calls that would be abandoned only after they have timed out.
fn warn_of_timeouts(reader: &mut Reader<'_>, settings: &Settings) {
    for service in settings.services.values() {
        let Some(after) = service.breaker.abandoned_after.filter(|&it| it >= service.timeout)
        else {
            continue;
        };
        let of_service = |name| Key::Service(service.name.clone(), name);
        let own = reader.entry(&of_service("breaker_abandoned_after"));
        let entry = own.or_else(|| reader.entry(&Key::General("breaker_abandoned_after")));
        let (own, general) = (of_service("timeout"), Key::General("service_timeout"));
        let timeout = if reader.entry(&own).is_some() { own } else { general };
        let (is, after) = (duration::format(service.timeout), duration::format(after));
        if let Some(entry) = entry {
            reader.report.warn(entry.problem(format!(
                "no effect: no call waits {after}, because `{}` ends it after {is}; use less than \
                 that, or remove this",
                timeout.variable(),
            )));
        }
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
