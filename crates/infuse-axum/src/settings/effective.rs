//! All settings as they hold, for a person to read.

use serde::Serialize;

use super::{
    ServiceName, Settings,
    changes::{self, Shown, list, of_all, of_breaker, of_service, shown, time, unset},
    key::Key,
    origins::Origins,
};

/// What of the settings comes from the application's code.
const CODE: &str = "the application's code";

/// A setting as it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EffectiveSetting {
    /// As a variable of the environment, wherever it was set.
    pub(crate) key: String,
    /// As it could be written; `***` for a secret, `None` if there is none.
    pub(crate) value: Option<String>,
    /// Where it was set: `default`, `the environment`, the name of a file, `the application's
    /// Config` or `the application's code`.
    pub(crate) from: String,
}

/// Those for all; then for each service and circuit its URL and what was set for it alone.
///
/// `own_storage` says that the application brought the storage, so that the settings of one are of
/// no account.
pub(crate) fn effective(
    settings: &Settings,
    origins: &Origins,
    own_storage: bool,
) -> Vec<EffectiveSetting> {
    let mut all: Vec<_> = general(settings)
        .into_iter()
        .map(|(name, value)| one(origins, Key::General(name), value))
        .collect();
    for setting in &mut all {
        match setting.key.as_str() {
            // Nowhere set, but there: the builder named the application.
            "INFUSE_SERVICE_NAME" if setting.value.is_some() && setting.from == "default" => {
                setting.from = CODE.to_owned();
            }
            "INFUSE_STORAGE" if own_storage => {
                setting.value = None;
                setting.from = CODE.to_owned();
            }
            // Its other spelling.
            "INFUSE_REDIS_URL" if setting.from == "default" => {
                if let Some(origin) = origins.get(&Key::Cache("host")) {
                    setting.from = origin.to_owned();
                }
            }
            _ => {}
        }
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    for (name, service) in &settings.services {
        let mut values = vec![("url", service.url.to_string())];
        values.extend(of_service(service));
        values.push(("redirects", service.redirects.to_string()));
        values.extend(of_circuit(&service.breaker));
        of_one(&mut all, origins, name, values);
    }
    for (name, breaker) in &settings.circuits {
        of_one(&mut all, origins, name, of_circuit(breaker));
    }
    all
}

fn of_one(all: &mut Vec<EffectiveSetting>, origins: &Origins, name: &ServiceName, values: Shown) {
    for (setting, value) in values {
        let key = Key::Service(name.clone(), setting);
        if origins.get(&key).is_some() {
            all.push(one(origins, key, value));
        } else if setting == "url" {
            // By the template, which somebody may have set.
            let template = one(origins, Key::General("service_url_template"), value);
            all.push(EffectiveSetting { key: key.variable(), ..template });
        }
    }
}

fn one(origins: &Origins, key: Key, value: String) -> EffectiveSetting {
    EffectiveSetting {
        value: (value != "unset").then_some(value),
        from: origins.get(&key).unwrap_or("default").to_owned(),
        key: key.variable(),
    }
}

fn of_circuit(breaker: &super::BreakerSettings) -> Shown {
    let mut values = of_breaker(breaker);
    values.extend(changes::fixed_of(breaker));
    values
}

fn general(settings: &Settings) -> Shown {
    let mut values = of_all(settings);
    values.extend(changes::fixed_of(&settings.breaker));
    values.extend([
        ("admin_read_token", changes::hidden(&settings.admin_read_token)),
        ("admin_token", changes::hidden(&settings.admin_token)),
        ("environment", settings.environment.clone()),
        ("fallback_circuit_state", shown(settings.fallback_state.as_ref())),
        ("initial_circuit_state", settings.initial_state.to_string()),
        ("instance_name", settings.instance_name.clone()),
        ("propagate_headers", list(&settings.propagate_headers)),
        ("ready_services", list(&settings.ready_services)),
        ("redis_key_namespace_template", settings.namespace_template.to_string()),
        ("service_connections", list(&settings.connections)),
        ("service_name", unset(settings.service_name.as_ref())),
        ("service_url_template", settings.service_url_template.to_string()),
        ("storage", settings.storage.to_string()),
        ("sync_interval", time(&settings.sync_interval)),
        ("trip_grace", time(&settings.trip_grace)),
        ("trip_rest", time(&settings.trip_rest)),
    ]);
    let redis = &settings.redis;
    values.extend([
        ("redis_key_layout", redis.key_layout.to_string()),
        ("redis_mode", redis.mode.to_string()),
        ("redis_pool_size", redis.pool_size.to_string()),
        ("redis_sentinel_master", unset(redis.sentinel_master.as_ref())),
        ("redis_sentinel_password", changes::hidden(&redis.sentinel_password)),
        ("redis_sentinel_username", unset(redis.sentinel_username.as_ref())),
        ("redis_timeout", time(&redis.timeout)),
        (
            "redis_url",
            // Without passwords.
            unset((!redis.urls.is_empty()).then(|| list(&redis.urls))),
        ),
    ]);
    values
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use config::{Config, File, FileFormat};

    use super::*;
    use crate::settings::{
        KnownNames,
        key::{GENERAL, PER_SERVICE},
    };

    fn read(file: &str) -> (Settings, Origins) {
        let config = Config::builder().add_source(File::from_str(file, FileFormat::Toml));
        let config = config.set_override("infuse_trip_rest", "1s").unwrap().build().unwrap();
        let (settings, _) = Settings::from_config(&config, &KnownNames::default()).unwrap();
        (settings, Origins::of(&config))
    }

    fn find(all: &[EffectiveSetting], key: &str) -> (Option<String>, String) {
        let found = all.iter().find(|setting| setting.key == key);
        let found = found.unwrap_or_else(|| panic!("no {key}"));
        (found.value.clone(), found.from.clone())
    }

    #[test]
    fn every_setting_is_shown_once() {
        let (settings, origins) = read("");
        let all = effective(&settings, &origins, false);
        let keys: BTreeSet<_> = all.iter().map(|setting| setting.key.clone()).collect();
        assert_eq!(keys.len(), all.len());
        // Shown as an address of Redis.
        for name in GENERAL.into_iter().filter(|name| *name != "caches") {
            let key = Key::General(name).variable();
            assert!(keys.contains(&key), "{key}");
        }
        assert!(all.iter().all(|setting| setting.from != CODE));
    }

    #[test]
    fn every_setting_of_one_service_is_shown_where_it_was_set() {
        let (settings, origins) = read("[infuse]\nservice_connections = 'payments'");
        let service = settings.service("payments").unwrap();
        let mut values = vec![("url", String::new()), ("redirects", String::new())];
        values.extend(of_service(service));
        values.extend(of_circuit(&service.breaker));
        let shown: BTreeSet<_> = values.iter().map(|(name, _)| *name).collect();
        assert_eq!(shown, BTreeSet::from(PER_SERVICE));
        let all = effective(&settings, &origins, false);
        let own: Vec<_> =
            all.iter().filter(|setting| setting.key.contains("SERVICES__")).cloned().collect();
        let url = "http://payments:8000/".to_owned();
        let key = "INFUSE_SERVICES__PAYMENTS__URL".to_owned();
        let url = EffectiveSetting { key, value: Some(url), from: "default".to_owned() };
        assert_eq!(own, [url]);
    }

    #[test]
    fn each_says_where_it_comes_from_and_no_secret() {
        let (settings, origins) = read(
            "[infuse]\nadmin_token = 'abcdefghijklmnopqrst'\nbreaker_max_failure = 3\n\
             redis_url = 'redis://:hunter2@cache'\n\
             [infuse.services.payments]\nurl = 'http://p'\nbreaker_max_failure = 2\n\
             [infuse.services.disk]\nbreaker_ramp = 5",
        );
        let mut settings = settings;
        settings.service_name = Some(ServiceName::parse("orders").unwrap());
        let all = effective(&settings, &origins, false);
        let config = "the application's Config";
        for (key, value, from) in [
            ("INFUSE_ADMIN_TOKEN", Some("***"), config),
            ("INFUSE_ADMIN_READ_TOKEN", None, "default"),
            ("INFUSE_BREAKER_MAX_FAILURE", Some("3"), config),
            ("INFUSE_BREAKER_RESET_TIMEOUT", Some("15s"), "default"),
            ("INFUSE_SERVICE_NAME", Some("orders"), CODE),
            ("INFUSE_STORAGE", Some("redis"), "default"),
            ("INFUSE_SERVICES__PAYMENTS__BREAKER_MAX_FAILURE", Some("2"), config),
            ("INFUSE_SERVICES__DISK__BREAKER_RAMP", Some("5s"), config),
        ] {
            assert_eq!(find(&all, key), (value.map(str::to_owned), from.to_owned()), "{key}");
        }
        let text = format!("{all:?}");
        assert!(!text.contains("hunter2") && !text.contains("abcdef"), "{text}");
        assert_eq!(find(&effective(&settings, &origins, true), "INFUSE_STORAGE").1, CODE);
    }
}
