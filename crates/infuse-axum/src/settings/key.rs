//! Which setting a key of a `Config` means.
//!
//! The ways in which an application builds its `Config` leave one variable of the environment in
//! many shapes: `INFUSE_REDIS_URL` may come as `infuse_redis_url`, or nested as
//! `infuse.redis.url` if `_` was the separator. So keys are compared with what separates their
//! words taken out.

use super::{ParseServiceNameError, ServiceName, redact::Secrecy};

/// Settings for the whole application.
pub(super) const GENERAL: [&str; 50] = [
    "admin_read_token",
    "admin_token",
    "breaker_abandoned_after",
    "breaker_exclude_exceptions",
    "breaker_failure_rate",
    "breaker_half_open_max_calls",
    "breaker_listeners",
    "breaker_max_failure",
    "breaker_max_reset_timeout",
    "breaker_max_retry_after",
    "breaker_minimum_calls",
    "breaker_mode",
    "breaker_ramp",
    "breaker_reset_backoff",
    "breaker_reset_jitter",
    "breaker_reset_timeout",
    "breaker_slow_call_duration",
    "breaker_slow_call_rate",
    "breaker_split_local_origin",
    "breaker_success_threshold",
    "breaker_window",
    "breaker_window_calls",
    "environment",
    "fallback_circuit_state",
    "initial_circuit_state",
    "instance_name",
    "propagate_headers",
    "ready_services",
    "redis_key_layout",
    "redis_key_namespace_template",
    "redis_mode",
    "redis_pool_size",
    "redis_sentinel_master",
    "redis_sentinel_password",
    "redis_sentinel_username",
    "redis_timeout",
    "redis_url",
    "retry_after_jitter",
    "service_body_limit",
    "service_connections",
    "service_max_circuits",
    "service_name",
    "service_timeout",
    "service_url_template",
    "storage",
    "sync_interval",
    "trip_grace",
    "trip_min_reporters",
    "trip_rest",
    // A table, or JSON; its fields are keys of their own. Last, see `LEAVES`.
    "caches",
];

/// Settings for one service.
pub(super) const PER_SERVICE: [&str; 27] = [
    "body_limit",
    "breaker_abandoned_after",
    "breaker_exclude_exceptions",
    "breaker_failure_rate",
    "breaker_half_open_max_calls",
    "breaker_listeners",
    "breaker_max_failure",
    "breaker_max_reset_timeout",
    "breaker_max_retry_after",
    "breaker_minimum_calls",
    "breaker_mode",
    "breaker_ramp",
    "breaker_reset_backoff",
    "breaker_reset_jitter",
    "breaker_reset_timeout",
    "breaker_slow_call_duration",
    "breaker_slow_call_rate",
    "breaker_split_local_origin",
    "breaker_success_threshold",
    "breaker_window",
    "breaker_window_calls",
    "max_circuits",
    "redirects",
    "retry_after_jitter",
    "timeout",
    "trip_min_reporters",
    "url",
];

/// Fields of `INFUSE_CACHES`.
pub(super) const CACHE: [&str; 3] = ["database", "host", "port"];

/// How many of [`GENERAL`] are plain values.
const LEAVES: usize = GENERAL.len() - 1;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    General(&'static str),
    Service(ServiceName, &'static str),
    Cache(&'static str),
}

impl Key {
    /// The variable of the environment that sets it.
    pub(super) fn variable(&self) -> String {
        match self {
            Key::General(name) => format!("INFUSE_{}", name.to_ascii_uppercase()),
            Key::Service(service, name) => {
                let service = service.key().replace('-', "_");
                format!("INFUSE_SERVICES__{service}__{name}").to_ascii_uppercase()
            }
            Key::Cache(name) => format!("INFUSE_CACHES__INFUSE__{}", name.to_ascii_uppercase()),
        }
    }

    pub(super) fn secrecy(&self) -> Secrecy {
        match self {
            Key::General("redis_url") => Secrecy::RedisUrl,
            Key::General("admin_read_token" | "admin_token" | "redis_sentinel_password") => {
                Secrecy::Hidden
            }
            _ => Secrecy::Open,
        }
    }
}

/// What a key turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A setting; and the service's name as spelt, where the key is in a table of that name.
    Key(Key, Option<String>),
    /// `INFUSE_CACHES` or the cache `infuse` in it: a table, or JSON that holds one.
    Caches,
    /// `INFUSE_CONFIG`, which names a file and can only stand in the environment.
    File,
    /// The prefix alone: `infuse`.
    Prefix,
    /// The table of services, or of one: something else stands there.
    Services(Option<String>),
    /// A setting of a service whose name is none.
    BadName(String, ParseServiceNameError),
    /// No setting.
    Unknown(Unknown),
}

/// What an unknown key is near to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// The part after `infuse`, words joined by `_`.
    pub(super) name: String,
    /// The service in whose table it stands.
    pub(super) service: Option<String>,
}

/// Whether a key at the root of a `Config` is one of Infuse's.
pub(super) fn is_ours(root: &str) -> bool {
    let root = root.to_ascii_lowercase();
    root.strip_prefix("infuse").is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '.']))
}

/// Finds the setting that the key at `path` means.
///
/// `exact` says that tables are what they seem. They are not in the environment, where a `.` in a
/// variable's name makes one.
pub(super) fn classify(path: &[String], exact: bool) -> Class {
    let text = flatten(path).to_lowercase();
    let Some(rest) = text.strip_prefix("infuse") else {
        return unknown(&text, None);
    };
    let name = squash(rest);
    if name.is_empty() {
        return Class::Prefix;
    }
    if let Some(name) = GENERAL[..LEAVES].iter().find(|known| **known == name) {
        return Class::Key(Key::General(name), None);
    }
    match name.as_str() {
        "config" => return Class::File,
        "caches" | "caches_infuse" => return Class::Caches,
        "services" => return Class::Services(None),
        _ => {}
    }
    if let Some(field) = name.strip_prefix("caches_infuse_") {
        return match CACHE.iter().find(|known| **known == field) {
            Some(field) => Class::Key(Key::Cache(field), None),
            None => unknown(&name, None),
        };
    }
    let tail = rest.trim_start_matches(['.', '_']).strip_prefix("services");
    match tail.filter(|tail| tail.starts_with('.') || tail.starts_with("__")) {
        Some(tail) => service(path, exact, tail, &name),
        None => unknown(&name, None),
    }
}

/// The key as one text. A key with `_` as the separator has been taken apart at every `_`, so that
/// two of them have left an empty part, which no other way of building a `Config` does.
pub(super) fn flatten(path: &[String]) -> String {
    let joined = path.join(".");
    match joined.contains("..") {
        true => joined.replace('.', "_"),
        false => joined,
    }
}

fn service(path: &[String], exact: bool, tail: &str, full: &str) -> Class {
    if exact && let Some(class) = service_table(path) {
        return class;
    }
    let tail = tail.trim_start_matches(['.', '_']);
    for (at, _) in tail.match_indices(['.', '_']) {
        let key = &tail[at..];
        let parts = key.starts_with('.') || key.starts_with("__");
        let known = PER_SERVICE.iter().find(|known| **known == squash(key));
        if let (true, Some(key)) = (parts && at > 0, known) {
            return named(&tail[..at], key, None);
        }
    }
    match tail.split_once("__").or_else(|| tail.split_once('.')) {
        Some((service, key)) => unknown(&squash(key), Some(service)),
        None if tail.is_empty() => unknown(full, None),
        None => Class::Services(Some(tail.to_owned())),
    }
}

/// Reads a key that stands in tables: `services`, the name, then the key.
fn service_table(path: &[String]) -> Option<Class> {
    let end = (1..path.len())
        .find(|&end| squash(&path[..end].join(".").to_lowercase()) == "infuse_services")?;
    let spelling = &path[end];
    let name = squash(&path[end + 1..].join(".").to_lowercase());
    if name.is_empty() {
        // `payments__url` in the table of services is not in one of its own.
        return (!spelling.contains("__")).then(|| Class::Services(Some(spelling.clone())));
    }
    Some(match PER_SERVICE.iter().find(|known| **known == name) {
        Some(key) => named(spelling, key, Some(spelling.clone())),
        None => unknown(&name, Some(spelling)),
    })
}

fn named(service: &str, key: &'static str, spelling: Option<String>) -> Class {
    match ServiceName::parse(service) {
        Ok(name) => Class::Key(Key::Service(name, key), spelling),
        Err(error) => Class::BadName(service.to_owned(), error),
    }
}

fn unknown(name: &str, service: Option<&str>) -> Class {
    Class::Unknown(Unknown { name: name.to_owned(), service: service.map(str::to_owned) })
}

/// Joins the words of a key by single `_`.
fn squash(key: &str) -> String {
    let words: Vec<_> = key.split(['.', '_', '-']).filter(|word| !word.is_empty()).collect();
    words.join("_")
}

/// Whether Kubernetes sets a variable such as this in every pod next to a Service whose name
/// begins with `infuse`: `INFUSE_SERVICE_HOST`, `INFUSE_PORT_6379_TCP`.
pub(super) fn is_service_link(unknown: &Unknown, value: &str) -> bool {
    let name = match &unknown.service {
        Some(service) => format!("{service}_{}", unknown.name),
        None => format!("_{}", unknown.name),
    };
    name.ends_with("_service_host")
        || name.contains("_port")
        || ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(key: &str, exact: bool) -> Class {
        let path: Vec<_> = key.split('/').map(str::to_owned).collect();
        classify(&path, exact)
    }

    fn general(name: &'static str) -> Class {
        Class::Key(Key::General(name), None)
    }

    fn of_service(service: &str, name: &'static str) -> Class {
        Class::Key(Key::Service(ServiceName::parse(service).unwrap(), name), None)
    }

    #[test]
    fn all_shapes_of_a_general_key() {
        for key in [
            "infuse_breaker_max_failure",
            "INFUSE_BREAKER_MAX_FAILURE",
            "infuse/breaker_max_failure",
            "Infuse/breaker-max-failure",
            "infuse/breaker/max_failure",
            "infuse/breaker/max/failure",
            "infuse__breaker_max_failure",
            "infuse_breaker/max_failure",
        ] {
            assert_eq!(class(key, true), general("breaker_max_failure"), "{key}");
            assert_eq!(class(key, false), general("breaker_max_failure"), "{key}");
        }
    }

    #[test]
    fn all_shapes_of_a_service_key() {
        for (key, service) in [
            ("infuse_services__payments__url", "payments"),
            ("infuse_services/payments/url", "payments"),
            ("infuse/services/payments/url", "payments"),
            ("infuse/services__payments__url", "payments"),
            ("infuse_services/payments__url", "payments"),
            ("infuse_services__user_service__url", "user-service"),
            // A `.` in the variable's name.
            ("infuse_services__my/svc__url", "my.svc"),
            // `_` as the separator.
            ("infuse.services..user.service..url", "user-service"),
        ] {
            assert_eq!(class(key, false), of_service(service, "url"), "{key}");
        }
        let key = "infuse_services__a__breaker__max_failure";
        assert_eq!(class(key, false), of_service("a", "breaker_max_failure"));
        let key = "infuse_services__breaker__timeout";
        assert_eq!(class(key, false), of_service("breaker", "timeout"));
    }

    #[test]
    fn a_table_keeps_the_spelling_and_the_dots_of_a_name() {
        let name = ServiceName::parse("my.svc").unwrap();
        for key in [
            "infuse/services/My.Svc/breaker_max_failure",
            "infuse/services/My.Svc/breaker/max_failure",
        ] {
            let expected = Key::Service(name.clone(), "breaker_max_failure");
            assert_eq!(class(key, true), Class::Key(expected, Some("My.Svc".to_owned())), "{key}");
        }
    }

    #[test]
    fn caches() {
        assert_eq!(class("infuse_caches", false), Class::Caches);
        assert_eq!(class("infuse/caches/infuse", true), Class::Caches);
        for key in ["infuse_caches__infuse__host", "INFUSE_CACHES/infuse/HOST"] {
            assert_eq!(class(key, true), Class::Key(Key::Cache("host"), None));
        }
    }

    #[test]
    fn what_is_no_setting() {
        let unknown = |name: &str, service: Option<&str>| {
            Class::Unknown(Unknown { name: name.to_owned(), service: service.map(str::to_owned) })
        };
        assert_eq!(class("infuse_brake", false), unknown("brake", None));
        assert_eq!(class("infuse", true), Class::Prefix);
        assert_eq!(class("infuse_services", true), Class::Services(None));
        assert_eq!(class("infuse/services/a", true), Class::Services(Some("a".to_owned())));
        assert_eq!(class("infuse_services__a", false), Class::Services(Some("a".to_owned())));
        assert_eq!(class("infuse_services__a__uri", false), unknown("uri", Some("a")));
        assert_eq!(class("infuse/services/a/uri", true), unknown("uri", Some("a")));
        assert_eq!(class("infuse_services_a_url", false), unknown("services_a_url", None));
        assert_eq!(
            class("infuse/services/a b/url", true),
            Class::BadName("a b".to_owned(), ParseServiceNameError::Character(' '))
        );
        assert!(!is_ours("infused_x"));
        assert!(is_ours("Infuse_x"));
    }

    #[test]
    fn every_variable_is_read_back() {
        let service = ServiceName::parse("user-service").unwrap();
        let keys = GENERAL[..LEAVES].iter().map(|name| Key::General(name));
        let keys = keys.chain(CACHE.iter().map(|name| Key::Cache(name)));
        let keys = keys.chain(PER_SERVICE.iter().map(|name| Key::Service(service.clone(), name)));
        for key in keys {
            assert_eq!(class(&key.variable(), false), Class::Key(key.clone(), None));
        }
    }
}
