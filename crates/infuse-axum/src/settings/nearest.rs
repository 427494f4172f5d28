//! What somebody may have meant who spelt a setting in a way that there is none of.

use super::key::{GENERAL, PER_SERVICE, Unknown};

/// Settings of Infuse for Python, or of other hands, that have another name here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("breaker_backoff", "breaker_reset_backoff"),
    ("breaker_jitter", "breaker_reset_jitter"),
    ("breaker_min_reporters", "trip_min_reporters"),
    ("cache", "caches"),
    ("env", "environment"),
    ("initial_state", "initial_circuit_state"),
    ("fallback_state", "fallback_circuit_state"),
    ("redis_sentinel_user", "redis_sentinel_username"),
];

/// What other programs have settings of their own for, and Infuse has in the address of Redis.
const IN_THE_URL: [&str; 10] = [
    "redis_database",
    "redis_db",
    "redis_host",
    "redis_password",
    "redis_port",
    "redis_ssl",
    "redis_tls",
    "redis_user",
    "redis_username",
    "password",
];

/// What to say about an unknown key, and how a setting is spelt.
///
/// `spell` writes the name of a setting, of a service or of none, as it would stand in the place
/// where the unknown key was found.
pub(super) fn remedy(unknown: &Unknown, spell: impl Fn(Option<&str>, &str) -> String) -> String {
    let service = unknown.service.as_deref();
    let name = unknown.name.as_str();
    if let (None, Some(rest)) = (service, name.strip_prefix("services_")) {
        let split =
            |key: &&&str| rest.strip_suffix(**key)?.strip_suffix('_').filter(|s| !s.is_empty());
        if let Some(key) =
            PER_SERVICE.iter().filter(|key| split(key).is_some()).max_by_key(|key| key.len())
        {
            let service = split(&key).unwrap_or_default();
            let variable = format!("INFUSE_SERVICES__{service}__{key}").to_ascii_uppercase();
            return format!(
                "not a setting of Infuse; did you mean `{variable}`, with two `_` around the name?"
            );
        }
    }
    if name.starts_with("caches_") {
        return "not a setting of Infuse; it reads HOST, PORT and DATABASE of the cache `infuse`, and \
                INFUSE_REDIS_URL, which can have a password"
            .to_owned();
    }
    if service.is_none() && IN_THE_URL.contains(&name) {
        return format!(
            "not a setting of Infuse; it is part of `{}`: `redis://user:password@host:6379/0`, or \
             `rediss://…` for TLS",
            spell(None, "redis_url")
        );
    }
    let known = if service.is_some() { &PER_SERVICE[..] } else { &GENERAL };
    let found = ELSEWHERE
        .iter()
        .find(|(other, ours)| *other == name && known.contains(ours))
        .map(|(_, ours)| *ours)
        .or_else(|| nearest(name, known));
    match (found, service) {
        (Some(found), _) => {
            format!("not a setting of Infuse; did you mean `{}`?", spell(service, found))
        }
        (None, None) => "not a setting of Infuse".to_owned(),
        (None, Some(_)) => format!(
            "not a setting of a service; there are {}",
            PER_SERVICE.map(|name| format!("`{name}`")).join(", ")
        ),
    }
}

fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    // A name that lacks its first words, or has words too many before it.
    let part =
        |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('_'));
    let by_part = known.iter().filter(|known| part(known, name) || part(name, known));
    if let Some(found) = by_part.min_by_key(|known| known.len().abs_diff(name.len())) {
        return Some(found);
    }
    // Nothing that long is near to anything, and the distance is quadratic.
    if name.len() > 64 {
        return None;
    }
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), *known))
        .min()
        .filter(|(distance, known)| *distance <= (known.len().min(name.len()) / 3).max(1))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy_of(service: Option<&str>, name: &str) -> String {
        let unknown = Unknown { name: name.to_owned(), service: service.map(str::to_owned) };
        remedy(&unknown, |service, name| match service {
            Some(service) => format!("{service}.{name}"),
            None => name.to_owned(),
        })
    }

    #[test]
    fn near() {
        for (name, meant) in [
            ("breaker_max_failures", "breaker_max_failure"),
            ("breaker_max_faliure", "breaker_max_failure"),
            ("max_failure", "breaker_max_failure"),
            ("reset_timeout", "breaker_reset_timeout"),
            ("initial_state", "initial_circuit_state"),
            ("service_connection", "service_connections"),
            ("storge", "storage"),
            ("env", "environment"),
            ("cache", "caches"),
            ("sentinel_master", "redis_sentinel_master"),
            ("redis_sentinel_user", "redis_sentinel_username"),
            ("pool_size", "redis_pool_size"),
            ("key_layout", "redis_key_layout"),
            ("redis_mod", "redis_mode"),
            ("failure_rate", "breaker_failure_rate"),
            ("breaker_slow_calls_rate", "breaker_slow_call_rate"),
            ("breaker_backoff", "breaker_reset_backoff"),
            ("backoff", "breaker_reset_backoff"),
            ("min_reporters", "trip_min_reporters"),
            ("max_circuits", "service_max_circuits"),
            ("breaker_min_reporters", "trip_min_reporters"),
        ] {
            let expected = format!("not a setting of Infuse; did you mean `{meant}`?");
            assert_eq!(remedy_of(None, name), expected, "{name}");
        }
        for (name, meant) in [
            ("tiemout", "timeout"),
            ("service_timeout", "timeout"),
            ("uri", "url"),
            ("service_max_circuits", "max_circuits"),
            ("breaker_min_reporters", "trip_min_reporters"),
        ] {
            let expected = format!("not a setting of Infuse; did you mean `a.{meant}`?");
            assert_eq!(remedy_of(Some("a"), name), expected, "{name}");
        }
        assert_eq!(
            remedy_of(None, "services_my_app_url"),
            "not a setting of Infuse; did you mean `INFUSE_SERVICES__MY_APP__URL`, with two `_` around \
             the name?"
        );
    }

    #[test]
    fn parts_of_the_address() {
        for name in IN_THE_URL {
            assert_eq!(
                remedy_of(None, name),
                "not a setting of Infuse; it is part of `redis_url`: \
                 `redis://user:password@host:6379/0`, or `rediss://…` for TLS"
            );
        }
        assert!(remedy_of(Some("a"), "password").starts_with("not a setting of a service"));
    }

    #[test]
    fn far() {
        assert_eq!(remedy_of(None, "potato"), "not a setting of Infuse");
        assert_eq!(
            remedy_of(None, &"breaker_max_failure".repeat(10_000)),
            "not a setting of Infuse"
        );
        let said = remedy_of(Some("a"), "potato");
        let begin =
            "not a setting of a service; there are `body_limit`, `breaker_abandoned_after`, ";
        assert!(said.starts_with(begin), "{said}");
        assert!(said.ends_with(", `timeout`, `trip_min_reporters`, `url`"), "{said}");
        assert_eq!(said.matches('`').count(), 2 * PER_SERVICE.len());
    }
}
