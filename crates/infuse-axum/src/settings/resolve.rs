//! From values to [`Settings`].

use std::{collections::BTreeSet, time::Duration};

use infuse_storage::State;
use url::Url;

use super::{
    BreakerSettings, Exclusion, InitialState, KnownNames, ServiceName, ServiceSettings, Settings,
    Template,
    duration::{self, UP_TO_A_DAY, UP_TO_A_MINUTE, UP_TO_AN_HOUR},
    exclusion::BUILT_IN,
    features::Features,
    key::Key,
    own_name,
    problem::SettingsProblem,
    reader::{Reader, whole},
    service_url, size, storage,
};

pub(super) fn settings(
    reader: &mut Reader<'_>,
    known: &KnownNames,
    features: Features,
) -> Settings {
    let mut settings = Settings::default();
    let key = Key::General;
    let connections = connections(reader);
    let canonical = |name: ServiceName| {
        connections.iter().find(|known| **known == name).cloned().unwrap_or(name)
    };

    settings.service_name = reader
        .one(&key("service_name"), |text| ServiceName::parse(text).map_err(|e| e.to_string()))
        .map(canonical);
    set(&mut settings.environment, reader.one(&key("environment"), environment));
    let initial = reader.one(&key("initial_circuit_state"), InitialState::parse);
    settings.initial_state_set = initial.is_some();
    set(&mut settings.initial_state, initial);
    set(&mut settings.fallback_state, reader.one(&key("fallback_circuit_state"), fallback));
    let template = reader.one(&key("redis_key_namespace_template"), Template::parse_namespace);
    set(&mut settings.namespace_template, template);
    let interval = reader.one(&key("sync_interval"), |text| duration::parse(text, &UP_TO_AN_HOUR));
    set(&mut settings.sync_interval, interval);
    let grace = reader.one(&key("trip_grace"), |text| duration::parse(text, &UP_TO_A_MINUTE));
    set(&mut settings.trip_grace, grace);
    let rest = reader.one(&key("trip_rest"), |text| duration::parse(text, &UP_TO_A_MINUTE));
    set(&mut settings.trip_rest, rest);
    storage::resolve(reader, known, features, &mut settings);
    settings.breaker = breaker(reader, key, known, &settings.breaker);
    services(reader, known, &connections, &mut settings);
    settings.connections = connections;
    if !known.has_storage() {
        warn_of_spelling(reader, &settings);
    }
    settings
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn environment(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(format!("{c:?} is not allowed; use letters, digits, `-`, `_` and `.`")),
        None => Ok(text.to_owned()),
    }
}

fn fallback(text: &str) -> Result<Option<State>, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        "not a state of a circuit; use `closed`, `open`, `half-open`, or `none` for the last one \
         known"
            .to_owned()
    })
}

fn connections(reader: &mut Reader<'_>) -> Vec<ServiceName> {
    let mut seen: Vec<ServiceName> = Vec::new();
    let names = reader.many(&Key::General("service_connections"), |text| {
        let name = ServiceName::with_spelling(text).map_err(|e| e.to_string())?;
        match seen.iter().find(|other| **other == name) {
            Some(other) if other.as_str() != name.as_str() => Err(format!(
                "the same service as `{other}`: case, `-` and `_` do not distinguish names; \
                 remove one"
            )),
            _ => {
                seen.push(name.clone());
                Ok(name)
            }
        }
    });
    names.unwrap_or_default()
}

fn breaker(
    reader: &mut Reader<'_>,
    key: impl Fn(&'static str) -> Key,
    known: &KnownNames,
    base: &BreakerSettings,
) -> BreakerSettings {
    let mut breaker = base.clone();
    let max = reader.one(&key("breaker_max_failure"), whole(1..=65_535));
    set(&mut breaker.max_failure, max);
    let reset = reader.one(&key("breaker_reset_timeout"), |t| duration::parse(t, &UP_TO_A_DAY));
    set(&mut breaker.reset_timeout, reset);
    let threshold = reader.one(&key("breaker_success_threshold"), whole(1..=1_023));
    set(&mut breaker.success_threshold, threshold);
    let calls = reader.one(&key("breaker_half_open_max_calls"), whole(1..=1_023));
    set(&mut breaker.half_open_max_calls, calls);
    let exclude = reader.many(&key("breaker_exclude_exceptions"), |t| exclusion(t, known));
    set(&mut breaker.exclude, exclude);
    let listeners = reader.many(&key("breaker_listeners"), |name| match known.has_listener(name) {
        true => Ok(name.to_owned()),
        false => Err(format!("no listener has this name; {}", known.listeners())),
    });
    set(&mut breaker.listeners, listeners);
    breaker
}

fn exclusion(text: &str, known: &KnownNames) -> Result<Exclusion, String> {
    match text.parse().map_err(|error: super::ParseExclusionError| error.to_string())? {
        Exclusion::Named(name) if !known.has_exclusion(&name) => {
            Err(format!("no exclusion has this name; built in: {BUILT_IN}; {}", known.exclusions()))
        }
        exclusion => Ok(exclusion),
    }
}

fn services(
    reader: &mut Reader<'_>,
    known: &KnownNames,
    connections: &[ServiceName],
    settings: &mut Settings,
) {
    let general = Key::General;
    let template = url_template(reader, settings);
    let timeout = reader
        .one(&general("service_timeout"), |text| duration::parse(text, &UP_TO_A_DAY))
        .unwrap_or(Duration::from_secs(5));
    let body_limit = reader.one(&general("service_body_limit"), size::parse).flatten();

    // Names in the connections' spelling go first, so that it is theirs which stays.
    let mut names: BTreeSet<ServiceName> = connections.iter().cloned().collect();
    names.extend(reader.values.keys().filter_map(|key| match key {
        Key::Service(name, _) => Some(name.clone()),
        _ => None,
    }));
    for name in names {
        let key = |key: &'static str| Key::Service(name.clone(), key);
        let breaker = breaker(reader, key, known, &settings.breaker);
        let url = reader.one(&key("url"), service_url::parse);
        let timeout = reader
            .one(&key("timeout"), |text| duration::parse(text, &UP_TO_A_DAY))
            .unwrap_or(timeout);
        let body_limit = reader.one(&key("body_limit"), size::parse).unwrap_or(body_limit);
        let redirects = reader.one(&key("redirects"), whole(0..=20)).unwrap_or(0);
        let listed = connections.contains(&name);
        if !listed && reader.entry(&key("url")).is_none() {
            warn_of_no_effect(reader, &name);
            settings.circuits.insert(name, breaker);
            continue;
        }
        let url = match (url, reader.entry(&key("url")), &template) {
            (Some(url), ..) => url,
            (None, None, Some(template)) => {
                match service_url::from_template(template, &settings.environment, &name) {
                    Ok(url) => url,
                    Err(message) => {
                        let problem = SettingsProblem::new(key("url").variable(), message);
                        reader.report.error(problem);
                        continue;
                    }
                }
            }
            // What is wrong has been said.
            _ => continue,
        };
        let service =
            ServiceSettings { name: name.clone(), url, timeout, body_limit, redirects, breaker };
        settings.services.insert(name, service);
    }
}

/// The template of base URLs, `None` if it is wrong, which is said once and not for each service.
fn url_template(reader: &mut Reader<'_>, settings: &mut Settings) -> Option<Template> {
    let key = Key::General("service_url_template");
    if reader.entry(&key).is_none() {
        return Some(settings.service_url_template.clone());
    }
    let template = reader.one(&key, |text| {
        let template = Template::parse(text)?;
        let sample = ServiceName::parse("service").map_err(|e| e.to_string())?;
        let filled: Result<Url, String> =
            service_url::from_template(&template, &settings.environment, &sample);
        filled.map(|_| template)
    })?;
    settings.service_url_template = template.clone();
    Some(template)
}

/// Warns of a name that its callers may spell otherwise, and then share another circuit.
fn warn_of_spelling(reader: &mut Reader<'_>, settings: &Settings) {
    let Some(entry) = reader.entry(&Key::General("service_name")) else { return };
    let spelt = entry.scalar().unwrap_or_default();
    if let Some(message) = own_name::warning(settings, &spelt) {
        reader.report.warn(entry.problem(message));
    }
}

fn warn_of_no_effect(reader: &mut Reader<'_>, name: &ServiceName) {
    // Exclusions by name are about answers; errors of other calls are excluded in code.
    for key in ["timeout", "body_limit", "redirects", "breaker_exclude_exceptions"] {
        if let Some(entry) = reader.entry(&Key::Service(name.clone(), key)) {
            reader.report.warn(entry.problem(format!(
                "no effect: the service `{name}` cannot be called; list it in \
                 INFUSE_SERVICE_CONNECTIONS or set its URL"
            )));
        }
    }
}
