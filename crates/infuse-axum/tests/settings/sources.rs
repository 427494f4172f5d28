//! The ways in which applications build their `Config`, and what stands in it beside ours.

use std::time::Duration;

use config::{Config, Environment, File, FileFormat};
use infuse_axum::settings::{Settings, unseen_variables};

use crate::{bad, config, from_both, from_env, from_file, good, lines, read, vars, warned};

const SET: [(&str, &str); 7] = [
    ("INFUSE_SERVICE_NAME", "orders"),
    ("INFUSE_SERVICE_CONNECTIONS", "user-service"),
    ("INFUSE_BREAKER_MAX_FAILURE", "3"),
    ("INFUSE_BREAKER_EXCLUDE_EXCEPTIONS", "503,timeout"),
    ("INFUSE_CACHES", r#"{"infuse": {"HOST": "cache", "PORT": 6379}}"#),
    ("INFUSE_SERVICES__PAYMENTS__URL", "http://127.0.0.1:81"),
    ("INFUSE_SERVICES__USER_SERVICE__BREAKER_RESET_TIMEOUT", "2.5"),
];

#[track_caller]
fn check(settings: &Settings) {
    assert_eq!(settings.service_name.as_ref().map(|name| name.as_str()), Some("orders"));
    assert_eq!(settings.breaker.max_failure, Some(3));
    assert_eq!(settings.breaker.exclude.len(), 2);
    assert_eq!(settings.redis.urls.len(), 1);
    assert_eq!(settings.services.len(), 2);
    assert_eq!(settings.service("payments").unwrap().url.as_str(), "http://127.0.0.1:81/");
    let users = settings.service("user-service").unwrap();
    assert_eq!(users.breaker.reset_timeout, Duration::from_millis(2_500));
}

#[test]
fn usual_environments_all_work() {
    let infuse = || Environment::with_prefix("INFUSE").keep_prefix(true);
    for environment in [
        Environment::default(),
        Environment::default().separator("__"),
        Environment::default().separator("_"),
        Environment::default().separator("."),
        Environment::default().try_parsing(true),
        Environment::default().try_parsing(true).list_separator(","),
        Environment::default().separator("__").try_parsing(true).list_separator(","),
        Environment::default().ignore_empty(true),
        infuse(),
        infuse().prefix_separator("_").separator("__"),
        infuse().separator("_"),
        infuse().separator("_").try_parsing(true).list_separator(","),
    ] {
        let config = config(environment.clone(), &SET);
        assert!(unseen_variables(&config, os_vars(&SET)).is_empty(), "{environment:?}");
        check(&good(read(config)));
    }
}

#[test]
fn a_prefix_with_two_underscores_is_read() {
    let environment = Environment::with_prefix("INFUSE").keep_prefix(true).separator("__");
    let settings = good(read(config(
        environment,
        &[
            ("INFUSE__BREAKER_MAX_FAILURE", "3"),
            ("INFUSE__SERVICES__PAYMENTS__URL", "http://127.0.0.1:81"),
        ],
    )));
    assert_eq!(settings.breaker.max_failure, Some(3));
    assert_eq!(settings.services.len(), 1);
}

#[test]
fn a_lost_prefix_is_a_warning_that_names_the_remedy() {
    let remedy = |variable| {
        format!(
            "(from the environment): not read, but looks like {variable} without its prefix; if \
             it is, add `.keep_prefix(true)` to the Environment of the Config"
        )
    };
    let set = [("INFUSE_BREAKER_MAX_FAILURE", "3"), ("INFUSE_REDIS_URL", "redis://a")];
    for environment in [
        Environment::with_prefix("INFUSE"),
        Environment::with_prefix("INFUSE").separator("_"),
        Environment::with_prefix("INFUSE").prefix_separator("_").separator("__"),
    ] {
        assert_eq!(
            warned(read(config(environment, &set))),
            [
                format!("breaker_max_failure {}", remedy("INFUSE_BREAKER_MAX_FAILURE")),
                format!("redis_url {}", remedy("INFUSE_REDIS_URL")),
            ]
        );
    }
    let service = [("INFUSE_SERVICES__PAYMENTS__URL", "http://a")];
    assert_eq!(
        warned(read(config(Environment::with_prefix("INFUSE"), &service))),
        [format!("services__payments__url {}", remedy("INFUSE_SERVICES__PAYMENTS__URL"))]
    );
    // Alone, such a name is taken for ours only where nothing else of ours is found.
    let common = [("INFUSE_REDIS_URL", "redis://a")];
    assert_eq!(warned(read(config(Environment::with_prefix("INFUSE"), &common))).len(), 1);
}

#[test]
fn an_applications_own_settings_are_left_alone() {
    let own = [
        ("PATH", "/bin"),
        ("REDIS_URL", "redis://own"),
        ("SERVICE_NAME", "own name"),
        ("ENVIRONMENT", "a:b"),
        ("STORAGE", "s3"),
        ("INFUSED_TEA", "green"),
    ];
    assert_eq!(good(from_env(&own)), Settings::default());

    let file = r#"
        redis_url = "redis://own"
        breaker_max_failure = "not ours here"
        services = ["one", "two"]
        infusex = { breaker_max_failure = "x" }
        [app]
        infuse_breaker_max_failure = "not ours here either"
        [infuse]
        breaker_max_failure = 3
    "#;
    let settings = good(from_both(file, &own));
    assert_eq!(settings.breaker.max_failure, Some(3));

    let app = Config::builder()
        .add_source(File::from_str("[infuse]\nbreaker_max_failure = 3", FileFormat::Toml))
        .add_source(Environment::with_prefix("APP").source(Some(vars(&[
            ("APP_REDIS_URL", "redis://own"),
            ("APP_ENVIRONMENT", "production"),
            ("APP_PORT", "80"),
        ]))))
        .build()
        .unwrap();
    assert_eq!(good(read(app)).environment, "development");
}

#[test]
fn the_environment_beats_everything_in_whatever_shape() {
    for file in [
        "infuse_breaker_max_failure = 9",
        "INFUSE_BREAKER_MAX_FAILURE = 9",
        "[infuse]\nbreaker_max_failure = 9",
        "[infuse.breaker]\nmax_failure = 9",
    ] {
        let settings = good(from_both(file, &[("INFUSE_BREAKER_MAX_FAILURE", "3")]));
        assert_eq!(settings.breaker.max_failure, Some(3), "{file}");
        assert_eq!(good(from_both(file, &[])).breaker.max_failure, Some(9), "{file}");
    }
    let file = "[infuse.services.User-Service]\nurl = 'http://file'\ntimeout = 9";
    let settings = good(from_both(file, &[("INFUSE_SERVICES__USER_SERVICE__TIMEOUT", "3")]));
    let service = settings.service("user-service").unwrap();
    assert_eq!((service.url.as_str(), service.timeout), ("http://file/", Duration::from_secs(3)));

    // Even what the application sets itself, and whatever was added last.
    let config = Config::builder()
        .add_source(Environment::default().source(Some(vars(&[("INFUSE_TRIP_REST", "3")]))))
        .add_source(File::from_str("infuse.trip_rest = 9", FileFormat::Toml))
        .set_override("infuse.trip-rest", 9)
        .unwrap();
    let settings = good(read(config.build().unwrap()));
    assert_eq!(settings.trip_rest, Duration::from_secs(3));
}

#[test]
fn two_spellings_in_one_rank() {
    let file = "infuse_trip_rest = '1s'\n[infuse]\ntrip_rest = 2";
    assert_eq!(
        bad(from_file(file)),
        "infuse.trip_rest = 2 (from the application's Config): `infuse_trip_rest` is the same \
         setting and has another value, \"1s\" (from the application's Config); keep one"
    );
    assert_eq!(
        bad(from_env(&[
            ("INFUSE_REDIS_URL", "redis://:hunter2@a"),
            ("INFUSE_REDIS__URL", "redis://:hunter3@a"),
        ])),
        "INFUSE_REDIS_URL = \"redis://:***@a\" (from the environment): `INFUSE_REDIS__URL` is \
         the same setting and has another value, \"redis://:***@a\" (from the environment); keep \
         one"
    );
    let same = "infuse_service_connections = 'a, b'\n[infuse]\nservice_connections = ['a', 'b']";
    assert_eq!(good(from_file(same)).services.len(), 2);
}

#[test]
fn tables_of_services_that_collide() {
    let file = "[infuse.services]\nUser_Service.timeout = 1\nuser-service.redirects = 2";
    assert_eq!(
        bad(from_file(&format!("{file}\n[infuse]\nservice_connections = ['user-service']"))),
        "infuse.services.User_Service (from the application's Config): `User_Service` and \
         `user-service` are one service, `user-service`: case, `-` and `_` do not distinguish \
         names; keep one table"
    );
    // The environment can spell it in one way only.
    good(from_both(
        "[infuse]\nservice_connections = 'User-Service'",
        &[
            ("INFUSE_SERVICES__USER_SERVICE__TIMEOUT", "1"),
            ("INFUSE_SERVICES__user_service__URL", "http://a"),
        ],
    ));
}

#[test]
fn empty_is_unset() {
    for environment in [
        Environment::default(),
        Environment::default().try_parsing(true).list_separator(","),
        Environment::default().separator("__"),
    ] {
        let empty: Vec<_> = SET.iter().map(|(name, _)| (*name, " ")).collect();
        assert_eq!(good(read(config(environment.clone(), &empty))), Settings::default());
        let empty: Vec<_> = SET.iter().map(|(name, _)| (*name, "")).collect();
        assert_eq!(good(read(config(environment, &empty))), Settings::default());
    }
    assert_eq!(good(from_env(&[("INFUSE_POTATO", "")])), Settings::default());
}

#[test]
fn none_is_the_empty_list() {
    let settings = good(from_both(
        "infuse.service_connections = ['a']\ninfuse.redis_url = 'redis://a'",
        &[("INFUSE_SERVICE_CONNECTIONS", "None"), ("INFUSE_REDIS_URL", "none")],
    ));
    assert!(settings.services.is_empty() && settings.redis.urls.is_empty());
}

#[test]
fn unknown_keys_in_a_file_are_errors() {
    for (file, message) in [
        (
            "infuse.breaker_max_faliure = 1",
            "infuse.breaker_max_faliure (from the application's Config): not a setting of Infuse; did you mean `infuse.breaker_max_failure`?",
        ),
        (
            "INFUSE_MAX_FAILURE = 1",
            "INFUSE_MAX_FAILURE (from the application's Config): not a setting of Infuse; did you mean `infuse.breaker_max_failure`?",
        ),
        (
            "infuse.potato = 'hunter2'",
            "infuse.potato (from the application's Config): not a setting of Infuse",
        ),
        (
            "infuse.redis_topology = 'cluster'",
            "infuse.redis_topology (from the application's Config): not a setting of Infuse",
        ),
        (
            "infuse.services.a.tiemout = 1",
            "infuse.services.a.tiemout (from the application's Config): not a setting of Infuse; did you mean `infuse.services.a.timeout`?",
        ),
        (
            "infuse.services.a = 'http://a'",
            "infuse.services.a (from the application's Config): a service is a table of settings; write `[infuse.services.a] url = …`",
        ),
        (
            "infuse.services = ['a']",
            "infuse.services (from the application's Config): not a setting of Infuse; list services in INFUSE_SERVICE_CONNECTIONS, or give each its own table, `[infuse.services.<name>]`",
        ),
        ("infuse = 1", "infuse (from the application's Config): not a table; write `[infuse]`"),
        (
            "infuse_config = 'a.toml'",
            "infuse_config (from the application's Config): only the environment can name the file to read",
        ),
        (
            "infuse.caches.infuse.password = 'hunter2'",
            "infuse.caches.infuse.password (from the application's Config): not a setting of Infuse; it reads HOST, PORT and DATABASE of the cache `infuse`, and INFUSE_REDIS_URL, which can have a password",
        ),
        (
            "infuse.services.'a b'.url = 'http://a'",
            "infuse.services.a b.url (from the application's Config): the name of a service cannot have ' '; use letters, digits, `-`, `_` and `.`",
        ),
        (
            "[infuse]\n'x\\ny' = 1\n",
            "infuse.x\\\\ny (from the application's Config): not a setting of Infuse",
        ),
    ] {
        assert_eq!(bad(from_file(file)), message);
    }
}

#[test]
fn unknown_variables_are_warnings() {
    for (variable, message) in [
        (
            "INFUSE_BREAKER_MAX_FAILURES",
            "not a setting of Infuse; did you mean `INFUSE_BREAKER_MAX_FAILURE`?",
        ),
        ("INFUSE_ENABLED", "not a setting of Infuse"),
        (
            "INFUSE_REDIS_PASSWORD",
            "not a setting of Infuse; it is part of `INFUSE_REDIS_URL`: \
             `redis://user:password@host:6379/0`, or `rediss://…` for TLS",
        ),
        (
            "INFUSE_SERVICES__A__TIMEUOT",
            "not a setting of Infuse; did you mean `INFUSE_SERVICES__A__TIMEOUT`?",
        ),
        (
            "INFUSE_SERVICES_A_URL",
            "not a setting of Infuse; did you mean `INFUSE_SERVICES__A__URL`, with two `_` around the name?",
        ),
        (
            "INFUSE_SERVICES",
            "not a setting of Infuse; list services in INFUSE_SERVICE_CONNECTIONS, or give each its own table, `[infuse.services.<name>]`",
        ),
        (
            "INFUSE_SERVICES__A",
            "a service is a table of settings; write `INFUSE_SERVICES__A__URL = …`",
        ),
    ] {
        let expected = format!("{variable} (from the environment): {message}");
        assert_eq!(warned(from_env(&[(variable, "hunter2")])), [expected]);
    }
    good(from_env(&[("INFUSE_CONFIG", "a.toml"), ("INFUSE", "1")]));
}

#[test]
fn what_kubernetes_injects_is_passed_over() {
    let links = [
        ("INFUSE_SERVICE_HOST", "10.0.0.1"),
        ("INFUSE_SERVICE_PORT", "6379"),
        ("INFUSE_SERVICE_PORT_HTTP", "80"),
        ("INFUSE_PORT", "tcp://10.0.0.1:6379"),
        ("INFUSE_PORT_6379_TCP", "tcp://10.0.0.1:6379"),
        ("INFUSE_PORT_6379_TCP_PROTO", "tcp"),
        ("INFUSE_PORT_6379_TCP_ADDR", "10.0.0.1"),
        ("INFUSE_REDIS_SERVICE_HOST", "10.0.0.1"),
        ("INFUSE_REDIS_PORT_6379_UDP", "udp://10.0.0.1:6379"),
    ];
    for environment in [
        Environment::default(),
        Environment::default().separator("__"),
        Environment::default().separator("_"),
        Environment::default().try_parsing(true),
    ] {
        assert_eq!(good(read(config(environment, &links))), Settings::default());
    }
}

fn os_vars(pairs: &[(&str, &str)]) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn variables_that_the_config_hides_are_found() {
    // `__` becomes the separator of the prefix too, so that nothing is read.
    let config = config(Environment::with_prefix("INFUSE").separator("__"), &SET);
    assert_eq!(good(read(config.clone())), Settings::default());
    let found = lines(&unseen_variables(&config, os_vars(&SET)));
    assert_eq!(found.len(), SET.len());
    assert_eq!(
        found[0],
        "INFUSE_BREAKER_EXCLUDE_EXCEPTIONS: set in the environment, but not in the Config that \
         Infuse was given; build it with `infuse_axum::load_config()`, or with \
         `Environment::with_prefix(\"INFUSE\").prefix_separator(\"_\").keep_prefix(true)`"
    );
    // What lost its prefix has a warning of its own, and others' variables are none of ours.
    let lost = crate::config(Environment::with_prefix("INFUSE"), &SET);
    assert!(unseen_variables(&lost, os_vars(&SET)).is_empty());
    let others = [("INFUSE_PORT", "tcp://a"), ("PATH", "/bin"), ("INFUSE_TRIP_REST", "")];
    assert!(unseen_variables(&Config::default(), os_vars(&others)).is_empty());
}
