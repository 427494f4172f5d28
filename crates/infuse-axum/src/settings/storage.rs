//! Where circuits are kept.

use super::{
    KeyLayout, KnownNames, RedisMode, RedisSettings, Secret, Settings, StorageKind, addresses,
    contradictions::{self, About},
    duration::{self, UP_TO_A_MINUTE},
    features::Features,
    key::Key,
    problem::SettingsProblem,
    reader::{Reader, whole},
};

/// The settings that have no effect without Redis, apart from its address.
const OF_REDIS: [&str; 8] = [
    "redis_key_layout",
    "redis_key_namespace_template",
    "redis_mode",
    "redis_pool_size",
    "redis_sentinel_master",
    "redis_sentinel_password",
    "redis_sentinel_username",
    "redis_timeout",
];

pub(super) fn resolve(
    reader: &mut Reader<'_>,
    known: &KnownNames,
    features: Features,
    settings: &mut Settings,
) {
    let set_as = Key::General("storage");
    let storage = reader.one(&set_as, StorageKind::parse);
    let errors = reader.report.errors();
    let (urls, source) = addresses::read(reader);
    let address_is_wrong = reader.report.errors() > errors;
    settings.redis.urls = urls;
    let mode = reader.one_or(&Key::General("redis_mode"), RedisMode::default(), RedisMode::parse);
    settings.redis.mode = mode.unwrap_or_default();
    redis(reader, &mut settings.redis);
    let addressed = !settings.redis.urls.is_empty();
    let by_address = if addressed { StorageKind::Redis } else { StorageKind::Memory };
    settings.storage = storage.unwrap_or(by_address);
    // A storage of the application's own is used whatever these say. One that was set and is wrong
    // has an error of its own, after which nothing more is known.
    if known.has_storage() || (storage.is_none() && reader.entry(&set_as).is_some()) {
        return;
    }
    match settings.storage {
        StorageKind::Redis if !features.redis => {
            let (key, remedy) = match storage {
                Some(_) => (set_as, "Cargo.toml or set INFUSE_STORAGE=memory"),
                None => (source, "Cargo.toml, set INFUSE_STORAGE=memory or remove this address"),
            };
            let message = format!(
                "Redis needs the feature `redis` of infuse-axum, which this program was built \
                 without; turn it on in {remedy}"
            );
            report(reader, &key, &message);
        }
        StorageKind::Redis => {
            // An address that is wrong is one nevertheless.
            if !addressed && !address_is_wrong {
                report(reader, &set_as, "Redis needs an address; set INFUSE_REDIS_URL");
            }
            // What contradicts a mode that is wrong cannot be told.
            if mode.is_some() {
                contradictions(reader, features, &settings.redis, &source);
            }
        }
        // It is not known yet where circuits would be.
        StorageKind::Memory if address_is_wrong => {}
        StorageKind::Memory => warn_of_no_effect(reader, storage, addressed.then_some(source)),
    }
}

/// How Redis is used, once it is known where it is.
fn redis(reader: &mut Reader<'_>, redis: &mut RedisSettings) {
    let key = Key::General;
    let timeout = reader.one(&key("redis_timeout"), |text| duration::parse(text, &UP_TO_A_MINUTE));
    redis.timeout = timeout.unwrap_or(redis.timeout);
    let master = reader.one_or(&key("redis_sentinel_master"), None, |text| master(text).map(Some));
    // One that is wrong is one nevertheless.
    redis.sentinel_master = master.unwrap_or_else(|| Some(String::new()));
    redis.sentinel_username =
        reader.one(&key("redis_sentinel_username"), |name| Ok(name.to_owned()));
    redis.sentinel_password =
        reader.one(&key("redis_sentinel_password"), |password| Ok(Secret::new(password)));
    let size = reader.one(&key("redis_pool_size"), whole(1..=1_000));
    redis.pool_size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(redis.pool_size);
    redis.key_layout = reader.one(&key("redis_key_layout"), KeyLayout::parse).unwrap_or_default();
}

fn master(text: &str) -> Result<String, String> {
    match text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) => Err(format!("{c:?} is not allowed; use the name in `sentinel monitor`")),
        None => Ok(text.to_owned()),
    }
}

fn contradictions(
    reader: &mut Reader<'_>,
    features: Features,
    redis: &RedisSettings,
    source: &Key,
) {
    for (about, message) in contradictions::find(redis, features) {
        let key = match (about, source) {
            (About::Setting(name), _) => Key::General(name),
            (About::Database, Key::Cache(_)) => Key::Cache("database"),
            (About::Addresses | About::Database, _) => source.clone(),
        };
        report(reader, &key, &message);
    }
}

fn report(reader: &mut Reader<'_>, key: &Key, message: &str) {
    let problem = match reader.entry(key) {
        Some(entry) => entry.problem(message),
        None => SettingsProblem::new(key.variable(), message.to_owned()),
    };
    reader.report.error(problem);
}

/// Warns of settings of Redis where circuits are kept in memory.
fn warn_of_no_effect(reader: &mut Reader<'_>, storage: Option<StorageKind>, source: Option<Key>) {
    let message = match storage {
        Some(_) => "no effect with INFUSE_STORAGE=memory; remove one of the two",
        None => "no effect without an address of Redis; set INFUSE_REDIS_URL or remove this",
    };
    // An address of `none` says the same as INFUSE_STORAGE=memory, and is no source.
    for key in OF_REDIS.map(Key::General).into_iter().chain(source) {
        if let Some(entry) = reader.entry(&key) {
            reader.report.warn(entry.problem(message));
        }
    }
}

#[cfg(test)]
mod tests {
    use config::Config;

    use super::*;

    fn read(pairs: &[(&str, &str)], features: Features) -> Result<Settings, String> {
        let set = |config: config::ConfigBuilder<_>, (key, value): &(&str, &str)| {
            config.set_override(key, *value).unwrap()
        };
        let config = pairs.iter().fold(Config::builder(), set).build().unwrap();
        let read = Settings::read(&config, &KnownNames::default(), features);
        read.map(|(settings, _)| settings).map_err(|errors| errors.to_string())
    }

    const NONE: Features = Features { redis: false, tls: false };

    #[test]
    fn a_build_without_redis_names_the_feature() {
        let url = ("infuse.redis_url", "redis://:hunter2@cache,redis://two");
        let needs = "Redis needs the feature `redis` of infuse-axum, which this program was built \
                     without; turn it on in Cargo.toml";
        for (pairs, expected) in [
            (&[("infuse.storage", "redis")][..], "or set INFUSE_STORAGE=memory"),
            (&[("infuse.storage", "redis"), url], "or set INFUSE_STORAGE=memory"),
            (&[url], ", set INFUSE_STORAGE=memory or remove this address"),
            (
                &[("infuse.caches.infuse.host", "cache")],
                ", set INFUSE_STORAGE=memory or remove this address",
            ),
        ] {
            let said = read(pairs, NONE).unwrap_err();
            assert!(said.contains(needs) && said.ends_with(expected), "{said}");
            assert!(said.lines().count() == 1 && !said.contains("hunter2"), "{said}");
        }
        let memory = [("infuse.storage", "memory"), url];
        assert_eq!(read(&memory, NONE).unwrap().storage, StorageKind::Memory);
        assert_eq!(read(&[], NONE), Ok(Settings::default()));
    }

    #[test]
    fn a_build_without_tls_names_the_feature() {
        let without = Features { redis: true, tls: false };
        let said = read(&[("infuse.redis_url", "rediss://cache")], without).unwrap_err();
        assert!(said.contains("`rediss://` needs the feature `tls` of infuse-axum"), "{said}");
        let url = [("infuse.redis_url", "redis://cache")];
        assert_eq!(read(&url, without).unwrap().storage, StorageKind::Redis);
    }
}
