//! From values to [`Settings`].

use std::collections::BTreeSet;

use infuse_storage::State;
use url::Url;

use super::{
    InitialState, KnownNames, ServiceName, ServiceSettings, Settings, Template,
    breaker_reader::{self, Circuit},
    duration::{self, UP_TO_A_DAY, UP_TO_A_MINUTE, UP_TO_AN_HOUR},
    features::Features,
    key::Key,
    no_effect, operating, own_name,
    problem::SettingsProblem,
    propagated,
    reader::{Reader, whole},
    service_url, size, storage,
};

/// Circuits below one service at most.
const MOST_CIRCUITS: u32 = 10_000;

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
    let headers = reader.many(&key("propagate_headers"), propagated::parse);
    set(&mut settings.propagate_headers, headers);
    let general = breaker_reader::read(reader, known, None, &Circuit::default());
    settings.breaker = general.breaker.clone();
    services(reader, known, &general, &connections, &mut settings);
    settings.connections = connections;
    operating::resolve(reader, &mut settings);
    no_effect::warn(reader, &settings, known);
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

fn services(
    reader: &mut Reader<'_>,
    known: &KnownNames,
    general: &Circuit,
    connections: &[ServiceName],
    settings: &mut Settings,
) {
    let key = Key::General;
    let a_day = |text: &str| duration::parse(text, &UP_TO_A_DAY);
    let template = url_template(reader, settings);
    set(&mut settings.service_timeout, reader.one(&key("service_timeout"), a_day));
    set(&mut settings.service_body_limit, reader.one(&key("service_body_limit"), size::parse));
    let max_circuits = reader.one(&key("service_max_circuits"), whole(0..=MOST_CIRCUITS));
    set(&mut settings.service_max_circuits, max_circuits);

    // Names in the connections' spelling go first, so that it is theirs which stays.
    let mut names: BTreeSet<ServiceName> = connections.iter().cloned().collect();
    names.extend(reader.values.keys().filter_map(|key| match key {
        Key::Service(name, _) => Some(name.clone()),
        _ => None,
    }));
    for name in names {
        let key = |key: &'static str| Key::Service(name.clone(), key);
        let breaker = breaker_reader::read(reader, known, Some(&name), general).breaker;
        let url = reader.one(&key("url"), service_url::parse);
        let timeout = reader.one(&key("timeout"), a_day).unwrap_or(settings.service_timeout);
        let body_limit = reader.one(&key("body_limit"), size::parse);
        let body_limit = body_limit.unwrap_or(settings.service_body_limit);
        let max_circuits = reader.one(&key("max_circuits"), whole(0..=MOST_CIRCUITS));
        let max_circuits = max_circuits.unwrap_or(settings.service_max_circuits);
        let redirects = reader.one(&key("redirects"), whole(0..=20)).unwrap_or(0);
        let listed = connections.contains(&name);
        if !listed && reader.entry(&key("url")).is_none() {
            no_effect::warn_of_uncalled(reader, &name);
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
        let service = ServiceSettings {
            name: name.clone(),
            url,
            timeout,
            body_limit,
            redirects,
            max_circuits,
            breaker,
        };
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
