//! The settings of Redis: its address, what is there, and what contradicts what.

use config::{Config, Environment};
use infuse_axum::{
    RedisConfig, RedisStorage,
    settings::{KnownNames, Settings, StorageKind},
};
use proptest::{collection, prelude::*};

use crate::{bad, config, from_both, from_env, from_file, good, read, warned};

const URL: (&str, &str) = ("INFUSE_REDIS_URL", "redis://user:hunter2@cache");

#[test]
fn an_address_is_enough() {
    for pairs in [
        &[URL][..],
        &[URL, ("INFUSE_STORAGE", "redis")],
        &[("INFUSE_CACHES__INFUSE__HOST", "cache")],
        &[("INFUSE_STORAGE", "Redis"), ("INFUSE_CACHES__INFUSE__HOST", "cache")],
    ] {
        assert_eq!(good(from_env(pairs)).storage, StorageKind::Redis, "{pairs:?}");
    }
    assert_eq!(good(from_env(&[("INFUSE_REDIS_URL", "none")])).storage, StorageKind::Memory);
}

#[test]
fn redis_needs_an_address() {
    let needs = "INFUSE_STORAGE = \"redis\" (from the environment): Redis needs an address; set \
                 INFUSE_REDIS_URL";
    let redis = ("INFUSE_STORAGE", "redis");
    assert_eq!(bad(from_env(&[redis])), needs);
    assert_eq!(bad(from_env(&[redis, ("INFUSE_REDIS_URL", "none")])), needs);
    // One that is wrong is one.
    let said = bad(from_env(&[redis, ("INFUSE_REDIS_URL", "cache:6379")]));
    assert!(said.starts_with("INFUSE_REDIS_URL = ") && said.lines().count() == 1, "{said}");
    // What else is wrong is said beside it.
    let said = bad(from_env(&[redis, ("INFUSE_REDIS_POOL_SIZE", "0")]));
    assert!(said.ends_with(needs) && said.lines().count() == 2, "{said}");
}

#[test]
fn every_kind_of_value_is_read_from_a_file() {
    let settings = good(from_file(
        r#"
        [infuse.redis]
        url = ["redis://:pw@one/3", "redis://:pw@two/3"]
        mode = "sentinel"
        pool_size = 2
        key-layout = "PYBREAKER"

        [infuse.redis.sentinel]
        master = "main"
        password = 12
        "#,
    ));
    assert_eq!(settings.redis.urls.len(), 2);
    assert_eq!(settings.redis.pool_size, 2);
    assert_eq!(settings.redis.key_layout.as_str(), "pybreaker");
    assert_eq!(settings.redis.sentinel_master.as_deref(), Some("main"));
    assert_eq!(settings.redis.sentinel_password.unwrap().expose(), "12");
}

#[test]
fn a_password_may_have_commas_and_spaces_in_it() {
    let pairs = [
        URL,
        ("INFUSE_REDIS_MODE", "sentinel"),
        ("INFUSE_REDIS_SENTINEL_MASTER", "main"),
        ("INFUSE_REDIS_SENTINEL_PASSWORD", "a, b,,c "),
    ];
    for environment in [
        Environment::default(),
        Environment::default().separator("_"),
        Environment::default().try_parsing(true).list_separator(","),
        Environment::with_prefix("INFUSE").prefix_separator("_").keep_prefix(true),
    ] {
        let settings = good(read(config(environment, &pairs)));
        assert_eq!(settings.redis.sentinel_password.unwrap().expose(), "a, b,,c");
    }
}

#[test]
fn contradictions_say_what_to_change() {
    let sentinel = ("INFUSE_REDIS_MODE", "sentinel");
    let master = ("INFUSE_REDIS_SENTINEL_MASTER", "main");
    let cluster = ("INFUSE_REDIS_MODE", "cluster");
    let two = ("INFUSE_REDIS_URL", "redis://:hunter2@one, redis://:hunter2@two");
    for (pairs, message) in [
        (
            &[two][..],
            "INFUSE_REDIS_URL = \"redis://:***@one, redis://:***@two\" (from the environment): \
             several addresses of one server; set INFUSE_REDIS_MODE to `sentinel` or `cluster`, \
             or keep one",
        ),
        (
            &[("INFUSE_REDIS_URL", "redis://:hunter2@one, redis://:hunter3@two"), cluster],
            "INFUSE_REDIS_URL = \"redis://:***@one, redis://:***@two\" (from the environment): \
             users, passwords or databases differ; give all addresses the same, since they lead \
             to the same data",
        ),
        (
            &[("INFUSE_REDIS_URL", "redis://one, rediss://two"), cluster],
            "INFUSE_REDIS_URL = \"redis://one, rediss://two\" (from the environment): `redis://` \
             and `rediss://` are mixed; use one of them for all addresses",
        ),
        (
            &[("INFUSE_REDIS_URL", "redis://one/1"), cluster],
            "INFUSE_REDIS_URL = \"redis://one/1\" (from the environment): a cluster has the \
             database 0 alone; use that or leave it out",
        ),
        (
            &[
                ("INFUSE_CACHES__INFUSE__HOST", "one"),
                ("INFUSE_CACHES__INFUSE__DATABASE", "1"),
                cluster,
            ],
            "INFUSE_CACHES__INFUSE__DATABASE = \"1\" (from the environment): a cluster has the \
             database 0 alone; use that or leave it out",
        ),
        (
            &[URL, sentinel],
            "INFUSE_REDIS_SENTINEL_MASTER: not set, but INFUSE_REDIS_MODE is `sentinel`; set it \
             to the name that the sentinels have for the master",
        ),
        (
            &[URL, master],
            "INFUSE_REDIS_SENTINEL_MASTER = \"main\" (from the environment): INFUSE_REDIS_MODE is \
             `standalone`; set it to `sentinel` or remove this",
        ),
        (
            &[URL, cluster, ("INFUSE_REDIS_SENTINEL_PASSWORD", "hunter3")],
            "INFUSE_REDIS_SENTINEL_PASSWORD = (not shown) (from the environment): \
             INFUSE_REDIS_MODE is `cluster`; set it to `sentinel` or remove this",
        ),
        (
            &[URL, sentinel, master, ("INFUSE_REDIS_SENTINEL_USERNAME", "watcher")],
            "INFUSE_REDIS_SENTINEL_USERNAME = \"watcher\" (from the environment): a user without \
             a password; set INFUSE_REDIS_SENTINEL_PASSWORD too",
        ),
        // A name that is wrong is not missing too.
        (
            &[URL, sentinel, ("INFUSE_REDIS_SENTINEL_MASTER", "my main")],
            "INFUSE_REDIS_SENTINEL_MASTER = \"my main\" (from the environment): ' ' is not \
             allowed; use the name in `sentinel monitor`",
        ),
        // What would contradict a mode that is wrong is not known.
        (
            &[two, master, ("INFUSE_REDIS_MODE", "sentinels")],
            "INFUSE_REDIS_MODE = \"sentinels\" (from the environment): not a mode of Redis; use \
             `standalone`, `sentinel` or `cluster`",
        ),
    ] {
        assert_eq!(bad(from_env(pairs)), message);
    }
    good(from_env(&[two, cluster]));
    good(from_env(&[two, sentinel, master]));
}

#[test]
fn without_redis_its_settings_are_warned_of() {
    let memory = ("INFUSE_STORAGE", "memory");
    let mode = ("INFUSE_REDIS_MODE", "cluster");
    let master = ("INFUSE_REDIS_SENTINEL_MASTER", "main");
    assert_eq!(
        warned(from_env(&[memory, URL, mode, master])),
        [
            "INFUSE_REDIS_MODE = \"cluster\" (from the environment): no effect with \
             INFUSE_STORAGE=memory; remove one of the two",
            "INFUSE_REDIS_SENTINEL_MASTER = \"main\" (from the environment): no effect with \
             INFUSE_STORAGE=memory; remove one of the two",
            "INFUSE_REDIS_URL = \"redis://user:***@cache\" (from the environment): no effect with \
             INFUSE_STORAGE=memory; remove one of the two",
        ]
    );
    let cache = ("INFUSE_CACHES__INFUSE__HOST", "cache");
    assert_eq!(
        warned(from_env(&[memory, cache])),
        ["INFUSE_CACHES__INFUSE__HOST = \"cache\" (from the environment): no effect with \
             INFUSE_STORAGE=memory; remove one of the two"]
    );
    for (variable, value) in [
        ("KEY_LAYOUT", "infuse"),
        ("KEY_NAMESPACE_TEMPLATE", "{service_name}"),
        ("MODE", "standalone"),
        ("POOL_SIZE", "4"),
        ("SENTINEL_MASTER", "main"),
        ("SENTINEL_USERNAME", "watcher"),
        ("SENTINEL_PASSWORD", "hunter2"),
        ("TIMEOUT", "1"),
    ] {
        let variable = format!("INFUSE_REDIS_{variable}");
        let warnings = warned(from_env(&[(&variable, value)]));
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
        assert!(warnings[0].starts_with(&variable), "{warnings:#?}");
        let remedy = "no effect without an address of Redis; set INFUSE_REDIS_URL or remove this";
        assert!(warnings[0].ends_with(remedy), "{warnings:#?}");
        assert!(!warnings[0].contains("hunter2"), "{warnings:#?}");
    }
    // What says the same twice.
    good(from_env(&[memory, ("INFUSE_REDIS_URL", "none")]));
}

#[test]
fn a_storage_of_the_applications_own_is_not_judged_by_them() {
    let config = config(
        Environment::default(),
        &[
            ("INFUSE_REDIS_URL", "redis://one, redis://two"),
            ("INFUSE_SERVICE_NAME", "user_service"),
            ("INFUSE_REDIS_TIMEOUT", "1"),
        ],
    );
    let known = KnownNames::default().with_storage();
    let (settings, warnings) = Settings::from_config(&config, &known).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(settings.redis.urls.len(), 2);
    Settings::from_config(&Config::default(), &known).unwrap();
}

#[test]
fn a_name_that_callers_may_spell_otherwise_is_warned_of() {
    let name = ("INFUSE_SERVICE_NAME", "user_service");
    assert_eq!(
        warned(from_env(&[URL, name])),
        ["INFUSE_SERVICE_NAME = \"user_service\" (from the environment): the circuit that is set \
          at start is `user-service` (in Redis `development:user-service`), and not that of \
          callers who list `user_service`; if they do, list it in INFUSE_SERVICE_CONNECTIONS here \
          too"]
    );
    assert_eq!(warned(from_env(&[URL, ("INFUSE_SERVICE_NAME", "Users")])).len(), 1);
    // A URL makes it callable and spells nothing.
    let url = ("INFUSE_SERVICES__USER_SERVICE__URL", "http://users");
    assert_eq!(warned(from_env(&[URL, name, url])).len(), 1);
    for pairs in [
        // Nobody else sees it.
        &[name][..],
        // Nothing is set at start.
        &[URL, name, ("INFUSE_INITIAL_CIRCUIT_STATE", "unchanged")],
        // It is spelt as the key.
        &[URL, ("INFUSE_SERVICE_NAME", "user-service")],
        // It is listed as its callers list it, whatever it is called here.
        &[URL, name, ("INFUSE_SERVICE_CONNECTIONS", "user_service")],
        &[URL, name, ("INFUSE_SERVICE_CONNECTIONS", "User-Service")],
        &[URL, name, ("INFUSE_SERVICE_CONNECTIONS", "user-service")],
    ] {
        let settings = good(from_env(pairs));
        let listed = pairs.iter().find(|(variable, _)| *variable == "INFUSE_SERVICE_CONNECTIONS");
        let expected = listed.map_or("user-service", |(_, listed)| listed);
        assert_eq!(settings.service_name.unwrap().as_str(), expected);
    }
}

#[test]
fn the_address_of_redis() {
    let json = r#"{"infuse": {"HOST": "cache", "PORT": 6380, "DATABASE": 15}}"#;
    for (pairs, file, url) in [
        (&[("INFUSE_CACHES", json)][..], "", "redis://cache:6380/15"),
        (&[("INFUSE_CACHES__INFUSE", r#"{"host": "cache"}"#)], "", "redis://cache:6379/0"),
        (&[("INFUSE_CACHES__INFUSE__HOST", "::1")], "", "redis://[::1]:6379/0"),
        (&[], "INFUSE_CACHES = {infuse = {HOST = 'cache', PORT = 1}}", "redis://cache:1/0"),
        (&[], "[infuse.caches.infuse]\nhost = 'cache'", "redis://cache:6379/0"),
        // The environment beats the file, field by field and whole.
        (
            &[("INFUSE_CACHES__INFUSE__PORT", "7")],
            "infuse.caches.infuse = {host = 'cache', port = 1}",
            "redis://cache:7/0",
        ),
        (
            &[("INFUSE_REDIS_URL", "redis://env")],
            "infuse.caches.infuse.host = 'file'",
            "redis://env",
        ),
        (
            &[("INFUSE_CACHES__INFUSE__HOST", "env")],
            "infuse.redis_url = 'redis://file'",
            "redis://env:6379/0",
        ),
        (&[("INFUSE_REDIS__URL", "redis://env")], "", "redis://env"),
        // The same address twice.
        (
            &[
                ("INFUSE_REDIS_URL", "redis://u:pw@cache/15"),
                ("INFUSE_CACHES__INFUSE__HOST", "cache"),
                ("INFUSE_CACHES__INFUSE__DATABASE", "15"),
            ],
            "",
            "redis://u:pw@cache/15",
        ),
        (&[], "infuse.redis_url = ['redis://:a,b@one']", "redis://:a,b@one"),
    ] {
        let settings = good(from_both(file, pairs));
        assert_eq!(settings.storage, StorageKind::Redis);
        let urls: Vec<_> = settings.redis.urls.iter().map(|url| url.expose()).collect();
        assert_eq!(urls, [url], "{pairs:?} {file}");
    }
}

#[test]
fn wrong_addresses_of_redis() {
    let example = "use `{\"infuse\": {\"HOST\": \"localhost\", \"PORT\": 6379, \"DATABASE\": 0}}`";
    for (pairs, message) in [
        (
            &[("INFUSE_CACHES", "{\"infuse\": {\"HOST\": \"hunter2\"")][..],
            format!(
                "INFUSE_CACHES = (not shown) (from the environment): not JSON (line 1, column 29); {example}"
            ),
        ),
        (
            &[("INFUSE_CACHES", "[1]")],
            format!(
                "INFUSE_CACHES = (not shown) (from the environment): not a table of caches; {example}"
            ),
        ),
        (
            &[("INFUSE_CACHES__INFUSE__PORT", "6379")],
            "INFUSE_CACHES__INFUSE__HOST: not set, but `INFUSE_CACHES__INFUSE__PORT` is; set it \
             too"
            .to_owned(),
        ),
        (
            &[("INFUSE_REDIS_URL", "redis://a:1"), ("INFUSE_CACHES__INFUSE__HOST", "b")],
            "INFUSE_REDIS_URL = \"redis://a:1\" (from the environment): \
             `INFUSE_CACHES__INFUSE__HOST` gives another address, \"redis://b:6379/0\" (from the \
             environment); keep one"
                .to_owned(),
        ),
        (
            &[("INFUSE_REDIS_URL", "http://u:hunter2@a")],
            "INFUSE_REDIS_URL = \"http://u:***@a\" (from the environment): not a URL of Redis; \
             use `redis://host:6379/0` or `rediss://…`"
                .to_owned(),
        ),
        (
            &[("INFUSE_REDIS_URL", "redis://a, redis://:hunter/2@b")],
            "INFUSE_REDIS_URL = \"redis://a, redis://***\" (from the environment): \
             \"redis://***\": not a URL (empty host); in a password write `%40` for `@`, \
             `%2F` for `/`, `%3F` for `?` and `%23` for `#`"
                .to_owned(),
        ),
        (
            &[("INFUSE_REDIS_URL", "rediss://u:hunter2@a/1?protocol=resp3")],
            "INFUSE_REDIS_URL = \"rediss://u:***@a/1\" (from the environment): Infuse speaks \
             RESP2 alone; remove `?protocol=…`"
                .to_owned(),
        ),
        // A password in the wrong place is none to show.
        (
            &[("INFUSE_REDIS_URL", "redis://hunter2@a")],
            "INFUSE_REDIS_URL = \"redis://***@a\" (from the environment): no password in it, but \
             a user; use `redis://user:password@host` or `redis://:password@host`"
                .to_owned(),
        ),
    ] {
        assert_eq!(bad(from_env(pairs)), message);
    }
}

#[test]
fn no_secret_is_in_debug() {
    let settings = good(from_env(&[
        URL,
        ("INFUSE_REDIS_MODE", "sentinel"),
        ("INFUSE_REDIS_SENTINEL_MASTER", "main"),
        ("INFUSE_REDIS_SENTINEL_PASSWORD", "hunter3"),
    ]));
    let debug = format!("{settings:?}");
    assert!(debug.contains("redis://user:***@cache") && !debug.contains("hunter"), "{debug}");
}

/// Mostly what is usual, so that one odd part in an address is found for itself.
fn part(
    usual: &'static [&'static str],
    odd: &'static [&'static str],
) -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => prop::sample::select(usual), 1 => prop::sample::select(odd)]
}

fn url() -> impl Strategy<Value = String> {
    (
        part(&["redis://", "rediss://"], &["redis:", "valkey://", "redis+unix://"]),
        part(&["", ":pw@", "u:pw@"], &["u@", ":@", ":%ff@", ":%25%zz@", "u:p/w@", "@"]),
        part(&["a", "b", "127.0.0.1"], &["", "[::1]", "[::]", "0.0.0.0", "a%20b", "%ff", "ä"]),
        part(&["", ":1"], &[":0", ":65536", ":"]),
        part(&["", "/0", "/1"], &["/", "/x", "//2", "/3/", "/-1", "/4294967296", "/%31"]),
        part(&[""], &["?", "?protocol=resp3", "?protocol=2", "#insecure", "#", "?db=1"]),
    )
        .prop_map(|(scheme, login, host, port, path, rest)| {
            [scheme, login, host, port, path, rest].concat()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_settings_let_through_the_storage_takes(
        urls in collection::vec(url(), 1..3),
        (mode, master) in prop::sample::select(&[
            ("", ""), ("cluster", ""), ("sentinel", "main"), ("sentinel", ""), ("cluster", "main"),
        ][..]),
        password in part(&[""], &["pw"]),
    ) {
        let urls = urls.join(",");
        let read = from_env(&[
            ("INFUSE_REDIS_URL", &urls),
            ("INFUSE_REDIS_MODE", mode),
            ("INFUSE_REDIS_SENTINEL_MASTER", master),
            ("INFUSE_REDIS_SENTINEL_PASSWORD", password),
        ]);
        if let Ok((settings, _)) = read {
            prop_assert_eq!(settings.storage, StorageKind::Redis);
            let storage = RedisStorage::new(RedisConfig::from(&settings.redis));
            prop_assert!(storage.is_ok(), "{}: {:?}", urls, storage.err());
        }
    }
}
