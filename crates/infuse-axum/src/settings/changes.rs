//! What differs between two readings of the settings.

use std::{collections::BTreeSet, fmt, time::Duration};

use infuse_storage::core::Window;

use super::{
    BreakerSettings, Secret, ServiceName, ServiceSettings, Settings, duration, key::Key,
    service_url,
};

/// A setting that has another value than before.
///
/// `Display` is one line: `INFUSE_BREAKER_MAX_FAILURE: 5 -> 3`. No secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingChange {
    key: String,
    service: Option<ServiceName>,
    from: String,
    to: String,
}

impl SettingChange {
    /// The setting, as a variable of the environment, wherever it was set:
    /// `INFUSE_BREAKER_MAX_FAILURE`, `INFUSE_SERVICES__PAYMENTS__TIMEOUT`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The service, or the circuit, that it changed for. `None` if it changed for all that have no
    /// value of their own; they are not listed one by one.
    pub fn service(&self) -> Option<&str> {
        self.service.as_ref().map(ServiceName::as_str)
    }

    /// What it was, as it could be written: `15s`, `none`, `unset`. Secrets are masked.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// What it is now.
    pub fn to(&self) -> &str {
        &self.to
    }
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.key, self.from, self.to)
    }
}

/// What differs, by whether it can change while the process runs.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// It can.
    pub(crate) live: Vec<SettingChange>,
    /// It holds until the process starts anew.
    pub(crate) fixed: Vec<SettingChange>,
}

/// What differs between two readings. `own_storage` says that the application brought the storage,
/// so that the settings of one are of no account.
pub(crate) fn between(old: &Settings, new: &Settings, own_storage: bool) -> Changes {
    let mut changes = Changes::default();
    let fixed = &mut changes.fixed;
    installation(old, new, fixed);
    if !own_storage {
        storage(old, new, fixed);
    }
    compare(fixed, "redis_timeout", &old.redis.timeout, &new.redis.timeout, time);
    if old.service_url_template != new.service_url_template {
        let (from, to) = (&old.service_url_template, &new.service_url_template);
        compare(fixed, "service_url_template", from, to, ToString::to_string);
    }

    operating(old, new, &mut changes.live);
    let general = |name| (Key::General(name), None);
    push(&mut changes.live, &of_all(old), &of_all(new), general, &[]);
    push(&mut changes.fixed, &fixed_of(&old.breaker), &fixed_of(&new.breaker), general, &[]);
    let covered = [changes.live.clone(), changes.fixed.clone()].concat();

    let names = [&old.circuits, &new.circuits].into_iter().flat_map(|circuits| circuits.keys());
    let services = [&old.services, &new.services].into_iter().flat_map(|services| services.keys());
    for name in names.chain(services).cloned().collect::<BTreeSet<_>>() {
        let key = |setting| (Key::Service(name.clone(), setting), Some(name.clone()));
        let (was, is) = (old.services.get(&name), new.services.get(&name));
        reachable(old, new, &name, was, is, &mut changes.fixed);
        let (before, after) = (old.breaker_for(&name), new.breaker_for(&name));
        push(&mut changes.live, &of_breaker(before), &of_breaker(after), key, &covered);
        push(&mut changes.fixed, &fixed_of(before), &fixed_of(after), key, &covered);
        if let (Some(was), Some(is)) = (was, is) {
            push(&mut changes.live, &of_service(was), &of_service(is), key, &covered);
        }
    }
    changes
}

/// What was read at the start and is built into what was started.
fn installation(old: &Settings, new: &Settings, found: &mut Vec<SettingChange>) {
    let name = |name: &Option<ServiceName>| shown(name.as_ref());
    compare(found, "service_name", &old.service_name, &new.service_name, name);
    let text = String::clone;
    compare(found, "environment", &old.environment, &new.environment, text);
    let (from, to) = (&old.initial_state, &new.initial_state);
    compare(found, "initial_circuit_state", from, to, ToString::to_string);
    let (from, to) = (&old.fallback_state, &new.fallback_state);
    compare(found, "fallback_circuit_state", from, to, |state| shown(state.as_ref()));
    let (from, to) = (&old.namespace_template, &new.namespace_template);
    compare(found, "redis_key_namespace_template", from, to, ToString::to_string);
    compare(found, "sync_interval", &old.sync_interval, &new.sync_interval, time);
    compare(found, "trip_grace", &old.trip_grace, &new.trip_grace, time);
    compare(found, "trip_rest", &old.trip_rest, &new.trip_rest, time);
    let (from, to) = (&old.propagate_headers, &new.propagate_headers);
    compare(found, "propagate_headers", from, to, |names| list(names));
}

/// What is looked up whenever it is needed.
fn operating(old: &Settings, new: &Settings, found: &mut Vec<SettingChange>) {
    compare(found, "instance_name", &old.instance_name, &new.instance_name, String::clone);
    compare(found, "admin_token", &old.admin_token, &new.admin_token, hidden);
    compare(found, "admin_read_token", &old.admin_read_token, &new.admin_read_token, hidden);
    compare(found, "ready_services", &old.ready_services, &new.ready_services, |it| list(it));
}

fn storage(old: &Settings, new: &Settings, found: &mut Vec<SettingChange>) {
    compare(found, "storage", &old.storage, &new.storage, ToString::to_string);
    let (old, new) = (&old.redis, &new.redis);
    compare(found, "redis_mode", &old.mode, &new.mode, ToString::to_string);
    compare(found, "redis_url", &old.urls, &new.urls, |urls| {
        let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
        if urls.is_empty() { "unset".to_owned() } else { urls.join(", ") }
    });
    let (from, to) = (&old.sentinel_master, &new.sentinel_master);
    compare(found, "redis_sentinel_master", from, to, |master| unset(master.as_ref()));
    let (from, to) = (&old.sentinel_username, &new.sentinel_username);
    compare(found, "redis_sentinel_username", from, to, |user| unset(user.as_ref()));
    let (from, to) = (&old.sentinel_password, &new.sentinel_password);
    compare(found, "redis_sentinel_password", from, to, hidden);
    compare(found, "redis_pool_size", &old.pool_size, &new.pool_size, ToString::to_string);
    compare(found, "redis_key_layout", &old.key_layout, &new.key_layout, ToString::to_string);
}

/// Whether and how a service is called.
fn reachable(
    old: &Settings,
    new: &Settings,
    name: &ServiceName,
    was: Option<&ServiceSettings>,
    is: Option<&ServiceSettings>,
    found: &mut Vec<SettingChange>,
) {
    // By the name that it still has.
    let name = was.map_or(name, |was| &was.name);
    let of_service = |setting| Key::Service(name.clone(), setting);
    let mut add = |key: Key, from: String, to: String| {
        found.push(SettingChange { key: key.variable(), service: Some(name.clone()), from, to });
    };
    let (Some(was), Some(is)) = (was, is) else {
        let url = |service: Option<&ServiceSettings>| match service {
            Some(service) => service.url.to_string(),
            None => "no service".to_owned(),
        };
        if was.is_some() || is.is_some() {
            add(of_service("url"), url(was), url(is));
        }
        return;
    };
    // The spelling is in keys and labels.
    if was.name.as_str() != is.name.as_str() {
        add(Key::General("service_connections"), was.name.to_string(), is.name.to_string());
    }
    // What differs by the template alone is said once.
    if was.url != is.url && !(is_by_template(old, was) && is_by_template(new, is)) {
        add(of_service("url"), was.url.to_string(), is.url.to_string());
    }
    if was.redirects != is.redirects {
        add(of_service("redirects"), was.redirects.to_string(), is.redirects.to_string());
    }
}

fn is_by_template(settings: &Settings, service: &ServiceSettings) -> bool {
    let (template, env) = (&settings.service_url_template, &settings.environment);
    service_url::from_template(template, env, &service.name).is_ok_and(|url| url == service.url)
}

pub(super) type Shown = Vec<(&'static str, String)>;

pub(super) fn of_all(settings: &Settings) -> Shown {
    let mut shown = of_breaker(&settings.breaker);
    shown.extend([
        ("service_timeout", time(&settings.service_timeout)),
        ("service_body_limit", self::shown(settings.service_body_limit.as_ref())),
        ("service_max_circuits", settings.service_max_circuits.to_string()),
    ]);
    shown
}

pub(super) fn of_service(service: &ServiceSettings) -> Shown {
    vec![
        ("timeout", time(&service.timeout)),
        ("body_limit", shown(service.body_limit.as_ref())),
        ("max_circuits", service.max_circuits.to_string()),
    ]
}

pub(super) fn of_breaker(breaker: &BreakerSettings) -> Shown {
    let (window, calls) = match breaker.window {
        Window::Time(window) => (time(&window), None),
        Window::Calls(calls) => ("unset".to_owned(), Some(calls)),
    };
    vec![
        ("breaker_max_failure", shown(breaker.max_failure.as_ref())),
        ("breaker_failure_rate", shown(breaker.failure_rate.as_ref())),
        ("breaker_slow_call_rate", shown(breaker.slow_call_rate.as_ref())),
        ("breaker_slow_call_duration", shown_time(breaker.slow_call_duration)),
        ("breaker_window", window),
        ("breaker_window_calls", shown(calls.as_ref())),
        ("breaker_minimum_calls", unset(breaker.minimum_calls.as_ref())),
        ("breaker_reset_timeout", time(&breaker.reset_timeout)),
        ("breaker_reset_backoff", breaker.reset_backoff.to_string()),
        ("breaker_max_reset_timeout", unset(breaker.max_reset_timeout.map(duration::format))),
        ("breaker_reset_jitter", breaker.reset_jitter.to_string()),
        ("breaker_max_retry_after", shown_time(breaker.max_retry_after)),
        ("breaker_success_threshold", breaker.success_threshold.to_string()),
        ("breaker_half_open_max_calls", breaker.half_open_max_calls.to_string()),
        ("breaker_ramp", shown_time(breaker.ramp)),
        ("breaker_abandoned_after", shown_time(breaker.abandoned_after)),
        ("breaker_split_local_origin", breaker.split_local_origin.to_string()),
        ("trip_min_reporters", breaker.min_reporters.to_string()),
        ("retry_after_jitter", breaker.retry_after_jitter.to_string()),
        ("breaker_mode", breaker.mode.to_string()),
        ("breaker_exclude_exceptions", list(&breaker.exclude)),
    ]
}

/// What of a circuit is built into it.
pub(super) fn fixed_of(breaker: &BreakerSettings) -> Shown {
    vec![("breaker_listeners", list(&breaker.listeners))]
}

/// Adds what differs and is not said already of all.
fn push(
    found: &mut Vec<SettingChange>,
    old: &Shown,
    new: &Shown,
    key: impl Fn(&'static str) -> (Key, Option<ServiceName>),
    covered: &[SettingChange],
) {
    for ((setting, from), (_, to)) in old.iter().zip(new) {
        let (key, service) = key(setting);
        let of_all = |change: &&SettingChange| {
            let name = change.key.trim_start_matches("INFUSE_");
            let name = name.strip_prefix("SERVICE_").unwrap_or(name);
            name.eq_ignore_ascii_case(setting) && (&change.from, &change.to) == (from, to)
        };
        if from != to && !covered.iter().any(|change| of_all(&change)) {
            let (from, to) = (from.clone(), to.clone());
            found.push(SettingChange { key: key.variable(), service, from, to });
        }
    }
}

fn compare<T: PartialEq>(
    found: &mut Vec<SettingChange>,
    setting: &'static str,
    from: &T,
    to: &T,
    show: impl Fn(&T) -> String,
) {
    if from != to {
        let key = Key::General(setting).variable();
        let (from, mut to) = (show(from), show(to));
        if from == to {
            // What differs is hidden.
            to.push_str(" (another)");
        }
        found.push(SettingChange { key, service: None, from, to });
    }
}

pub(super) fn time(time: &Duration) -> String {
    duration::format(*time)
}

fn shown_time(time: Option<Duration>) -> String {
    shown(time.map(duration::format).as_ref())
}

pub(super) fn shown<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "none".to_owned(), T::to_string)
}

pub(super) fn unset<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "unset".to_owned(), |value| value.to_string())
}

pub(super) fn hidden(secret: &Option<Secret>) -> String {
    unset(secret.as_ref().map(|_| "***"))
}

pub(super) fn list<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
