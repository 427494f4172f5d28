//! Every setting, right and wrong.

use std::time::Duration;

use infuse_axum::settings::{
    BreakerSettings, Exclusion, InitialState, KeyLayout, KnownNames, RedisMode, ServiceName,
    Settings, StorageKind,
};
use infuse_storage::State;

use crate::{bad, from_both, from_env, from_file, good, warned};

fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).unwrap()
}

#[test]
fn nothing_set_is_the_documented_defaults() {
    let settings = good(from_env(&[]));
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.service_name, None);
    assert_eq!(settings.environment, "development");
    assert_eq!((settings.initial_state, settings.initial_state_set), (InitialState::Closed, false));
    assert_eq!(settings.fallback_state, None);
    assert_eq!(settings.storage, StorageKind::Memory);
    assert!(settings.redis.urls.is_empty());
    assert_eq!(settings.redis.timeout, Duration::from_millis(100));
    assert_eq!(settings.redis.mode, RedisMode::Standalone);
    assert_eq!(settings.redis.key_layout, KeyLayout::Infuse);
    assert_eq!(settings.redis.pool_size, 4);
    assert_eq!(settings.redis.sentinel_master, None);
    assert_eq!(settings.redis.sentinel_username, None);
    assert_eq!(settings.redis.sentinel_password, None);
    assert_eq!(settings.sync_interval, Duration::from_secs(1));
    assert_eq!(settings.trip_grace, Duration::from_millis(50));
    assert_eq!(settings.trip_rest, Duration::from_millis(250));
    assert_eq!(settings.service_url_template.as_str(), "http://{service_name}:8000");
    assert_eq!(settings.namespace(&name("payments")), "development:payments");
    assert_eq!(settings.breaker.max_failure, Some(5));
    assert_eq!(settings.breaker.reset_timeout, Duration::from_secs(15));
    assert_eq!(settings.breaker.success_threshold, 1);
    assert_eq!(settings.breaker.half_open_max_calls, 1);
    assert!(settings.breaker.exclude.is_empty());
    let listeners: &[&str] = if cfg!(feature = "metrics") { &["metrics"] } else { &[] };
    assert_eq!(settings.breaker.listeners, listeners);
    let headers = ["traceparent", "tracestate", "baggage", "x-request-id"];
    assert_eq!(settings.propagate_headers, headers);
    assert!(settings.services.is_empty() && settings.circuits.is_empty());

    let services = good(from_env(&[("INFUSE_SERVICE_CONNECTIONS", "payments")])).services;
    let payments = &services["payments"];
    assert_eq!(payments.url.as_str(), "http://payments:8000/");
    assert_eq!(payments.timeout, Duration::from_secs(5));
    assert_eq!((payments.body_limit, payments.redirects), (None, 0));
    assert_eq!(payments.breaker, BreakerSettings::default());
}

#[test]
fn everything_set_in_the_environment() {
    let settings = good(from_env(&[
        ("INFUSE_SERVICE_NAME", "orders-api"),
        ("INFUSE_ENVIRONMENT", "production"),
        ("INFUSE_INITIAL_CIRCUIT_STATE", "Half_Open"),
        ("INFUSE_FALLBACK_CIRCUIT_STATE", "open"),
        ("INFUSE_STORAGE", "redis"),
        ("INFUSE_REDIS_URL", "rediss://u:pw@one:6380/1, rediss://u:pw@two/1"),
        ("INFUSE_REDIS_MODE", "Sentinel"),
        ("INFUSE_REDIS_SENTINEL_MASTER", "main"),
        ("INFUSE_REDIS_SENTINEL_USERNAME", "watcher"),
        ("INFUSE_REDIS_SENTINEL_PASSWORD", "0012"),
        ("INFUSE_REDIS_POOL_SIZE", "1000"),
        ("INFUSE_REDIS_KEY_LAYOUT", "pybreaker"),
        ("INFUSE_REDIS_TIMEOUT", "20ms"),
        ("INFUSE_REDIS_KEY_NAMESPACE_TEMPLATE", "{{{env}:{service_name}}}"),
        ("INFUSE_SYNC_INTERVAL", "0.5"),
        ("INFUSE_TRIP_GRACE", "10ms"),
        ("INFUSE_TRIP_REST", "1"),
        ("INFUSE_BREAKER_MAX_FAILURE", "65535"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "2m"),
        ("INFUSE_BREAKER_SUCCESS_THRESHOLD", "1023"),
        ("INFUSE_BREAKER_HALF_OPEN_MAX_CALLS", "3"),
        ("INFUSE_BREAKER_EXCLUDE_EXCEPTIONS", "503, 500-502,timeout,my_app::NotFound,503"),
        ("INFUSE_BREAKER_LISTENERS", "pager,audit"),
        ("INFUSE_SERVICE_CONNECTIONS", "Users, payments"),
        ("INFUSE_SERVICE_URL_TEMPLATE", "http://{service_name}.{env}.svc/api"),
        ("INFUSE_SERVICE_TIMEOUT", "1500ms"),
        ("INFUSE_SERVICE_BODY_LIMIT", "2MB"),
        ("INFUSE_SERVICES__PAYMENTS__URL", "http://10.0.0.7:81/base"),
        ("INFUSE_SERVICES__PAYMENTS__TIMEOUT", "1h"),
        ("INFUSE_SERVICES__PAYMENTS__BODY_LIMIT", "none"),
        ("INFUSE_SERVICES__PAYMENTS__REDIRECTS", "20"),
        ("INFUSE_SERVICES__PAYMENTS__BREAKER_MAX_FAILURE", "1"),
        ("INFUSE_SERVICES__PAYMENTS__BREAKER_EXCLUDE_EXCEPTIONS", "connect"),
        ("INFUSE_SERVICES__PAYMENTS__BREAKER_LISTENERS", "none"),
        ("INFUSE_SERVICES__LEDGER_DB__BREAKER_RESET_TIMEOUT", "3"),
    ]));
    assert_eq!(settings.service_name.as_ref().map(ServiceName::as_str), Some("orders-api"));
    assert_eq!(settings.environment, "production");
    assert_eq!(
        (settings.initial_state, settings.initial_state_set),
        (InitialState::HalfOpen, true)
    );
    assert_eq!(settings.fallback_state, Some(State::Open));
    assert_eq!(settings.storage, StorageKind::Redis);
    let redis = &settings.redis;
    let urls: Vec<_> = redis.urls.iter().map(|url| url.expose()).collect();
    assert_eq!(urls, ["rediss://u:pw@one:6380/1", "rediss://u:pw@two/1"]);
    assert_eq!((redis.mode, redis.key_layout), (RedisMode::Sentinel, KeyLayout::Pybreaker));
    assert_eq!(redis.sentinel_master.as_deref(), Some("main"));
    assert_eq!(redis.sentinel_username.as_deref(), Some("watcher"));
    assert_eq!(redis.sentinel_password.as_ref().map(|secret| secret.expose()), Some("0012"));
    assert_eq!(redis.pool_size, 1_000);
    assert_eq!(redis.timeout, Duration::from_millis(20));
    assert_eq!(settings.namespace(&name("payments")), "{production:payments}");
    assert_eq!(settings.sync_interval, Duration::from_millis(500));
    assert_eq!(settings.trip_grace, Duration::from_millis(10));
    assert_eq!(settings.trip_rest, Duration::from_secs(1));
    assert_eq!(settings.breaker.max_failure, Some(65_535));
    assert_eq!(settings.breaker.reset_timeout, Duration::from_secs(120));
    assert_eq!(settings.breaker.success_threshold, 1_023);
    assert_eq!(settings.breaker.half_open_max_calls, 3);
    assert_eq!(settings.breaker.listeners, ["pager", "audit"]);
    let exclude = [
        Exclusion::Status(503),
        Exclusion::StatusRange(500, 502),
        Exclusion::Timeout,
        Exclusion::Named("my_app::NotFound".to_owned()),
    ];
    assert_eq!(settings.breaker.exclude, exclude);

    let users = settings.service("USERS").unwrap();
    assert_eq!(users.name.as_str(), "Users");
    assert_eq!(users.url.as_str(), "http://users.production.svc/api");
    assert_eq!(users.timeout, Duration::from_millis(1_500));
    assert_eq!((users.body_limit, users.redirects), (Some(2_000_000), 0));
    assert_eq!(users.breaker, settings.breaker);

    let payments = settings.service("payments").unwrap();
    assert_eq!(payments.url.as_str(), "http://10.0.0.7:81/base");
    assert_eq!(payments.timeout, Duration::from_secs(3_600));
    assert_eq!((payments.body_limit, payments.redirects), (None, 20));
    assert_eq!(payments.breaker.max_failure, Some(1));
    assert_eq!(payments.breaker.exclude, [Exclusion::Connect], "replaces the general list");
    assert!(payments.breaker.listeners.is_empty(), "replaces the general list");
    assert_eq!(payments.breaker.success_threshold, 1_023, "as for all");

    assert!(settings.service("ledger-db").is_none());
    let ledger = settings.breaker_for(&name("LEDGER_DB"));
    assert_eq!(ledger.reset_timeout, Duration::from_secs(3));
    assert_eq!(ledger.max_failure, Some(65_535));
    assert_eq!(settings.breaker_for(&name("payments")), &payments.breaker);
    assert_eq!(settings.breaker_for(&name("else")), &settings.breaker);
}

#[test]
fn every_kind_of_value_is_read_from_a_file() {
    let settings = good(from_file(
        r#"
        [infuse]
        service_name = "orders"
        breaker_max_failure = 3
        breaker-reset-timeout = 0.25
        service_timeout = "2"
        service_connections = ["payments", "User_Service"]
        breaker_exclude_exceptions = [503, "500-502", "HTTP_STATUS"]
        breaker_listeners = "none"
        initial_circuit_state = ""

        [infuse.breaker]
        success_threshold = 2

        [infuse.services.payments]
        url = "http://127.0.0.1:9000"
        redirects = 3
        breaker_exclude_exceptions = []

        [infuse.services.user-service]
        breaker.max_failure = 7

        [infuse.services."my.svc"]
        breaker_max_failure = 8
        "#,
    ));
    assert_eq!(settings.breaker.max_failure, Some(3));
    assert_eq!(settings.breaker.reset_timeout, Duration::from_millis(250));
    assert_eq!(settings.breaker.success_threshold, 2);
    assert!(!settings.initial_state_set);
    let exclude = [Exclusion::Status(503), Exclusion::StatusRange(500, 502), Exclusion::HttpStatus];
    assert_eq!(settings.breaker.exclude, exclude);
    let payments = settings.service("payments").unwrap();
    assert_eq!((payments.redirects, payments.timeout), (3, Duration::from_secs(2)));
    assert!(payments.breaker.exclude.is_empty());
    let users = settings.service("user-service").unwrap();
    assert_eq!(users.name.as_str(), "User_Service");
    assert_eq!(users.url.as_str(), "http://user_service:8000/");
    assert_eq!(users.breaker.max_failure, Some(7));
    assert_eq!(settings.breaker_for(&name("my.svc")).max_failure, Some(8));
}

#[test]
fn one_wrong_value_each() {
    let whole = "not a whole number; use 1 to 65535";
    let duration =
        "not a duration; use seconds (`15`, `0.5`) or a unit (`1500ms`, `15s`, `2m`, `1h`)";
    let built_in = "built in: `http_status`, `server_error`, a status (`503`) or a range of them \
                    (`500-502`), `timeout`, `connect`, `body`; registered: `my_app::NotFound`";
    for (variable, value, message) in [
        ("BREAKER_MAX_FAILURE", "abc", whole.to_owned()),
        ("BREAKER_MAX_FAILURE", "2.7", whole.to_owned()),
        ("BREAKER_MAX_FAILURE", "true", whole.to_owned()),
        ("BREAKER_MAX_FAILURE", "0", "out of range; use 1 to 65535".to_owned()),
        ("BREAKER_MAX_FAILURE", "-5", "out of range; use 1 to 65535".to_owned()),
        ("BREAKER_MAX_FAILURE", "65536", "out of range; use 1 to 65535".to_owned()),
        ("BREAKER_MAX_FAILURE", "99999999999999999999", "out of range; use 1 to 65535".to_owned()),
        ("BREAKER_SUCCESS_THRESHOLD", "1024", "out of range; use 1 to 1023".to_owned()),
        ("BREAKER_HALF_OPEN_MAX_CALLS", "0", "out of range; use 1 to 1023".to_owned()),
        ("BREAKER_RESET_TIMEOUT", "soon", duration.to_owned()),
        ("BREAKER_RESET_TIMEOUT", "0", "must be greater than 0; use 1ms to 24h".to_owned()),
        ("BREAKER_RESET_TIMEOUT", "25h", "too long; use 1ms to 24h".to_owned()),
        ("BREAKER_RESET_TIMEOUT", "inf", duration.to_owned()),
        ("REDIS_TIMEOUT", "2m", "too long; use 1ms to 1m".to_owned()),
        ("REDIS_POOL_SIZE", "0", "out of range; use 1 to 1000".to_owned()),
        ("REDIS_POOL_SIZE", "1001", "out of range; use 1 to 1000".to_owned()),
        ("REDIS_POOL_SIZE", "many", "not a whole number; use 1 to 1000".to_owned()),
        (
            "REDIS_MODE",
            "single",
            "not a mode of Redis; use `standalone`, `sentinel` or `cluster`".to_owned(),
        ),
        (
            "REDIS_KEY_LAYOUT",
            "python",
            "not a layout of keys; use `infuse` or `pybreaker`".to_owned(),
        ),
        (
            "REDIS_SENTINEL_MASTER",
            "my master",
            "' ' is not allowed; use the name in `sentinel monitor`".to_owned(),
        ),
        ("SYNC_INTERVAL", "0.1ms", "too short; use 1ms to 1h".to_owned()),
        ("TRIP_GRACE", "-1", "must be greater than 0; use 1ms to 1m".to_owned()),
        ("TRIP_REST", "NaN", duration.to_owned()),
        ("SERVICE_TIMEOUT", "1 day", duration.to_owned()),
        (
            "SERVICE_BODY_LIMIT",
            "much",
            "not a number of bytes; use a whole number (`2000000`, `2MB`, `512KiB`) or `none`"
                .to_owned(),
        ),
        (
            "INITIAL_CIRCUIT_STATE",
            "ajar",
            "not a state to start in; use `closed`, `open`, `half-open` or `unchanged`".to_owned(),
        ),
        (
            "FALLBACK_CIRCUIT_STATE",
            "unchanged",
            "not a state of a circuit; use `closed`, `open`, `half-open`, or `none` for the last \
             one known"
                .to_owned(),
        ),
        ("STORAGE", "disk", "not a storage; use `memory` or `redis`".to_owned()),
        (
            "ENVIRONMENT",
            "a:b",
            "':' is not allowed; use letters, digits, `-`, `_` and `.`".to_owned(),
        ),
        (
            "SERVICE_NAME",
            "my service",
            "the name of a service cannot have ' '; use letters, digits, `-`, `_` and `.`"
                .to_owned(),
        ),
        ("SERVICE_CONNECTIONS", "..", "the name of a service needs a letter or a digit".to_owned()),
        (
            "SERVICE_CONNECTIONS",
            "a_b, c, A-B",
            "\"A-B\": the same service as `a_b`: case, `-` and `_` do not distinguish names; \
             remove one"
                .to_owned(),
        ),
        (
            "SERVICE_CONNECTIONS",
            "none, a",
            "`none` is the empty list; remove it or the rest".to_owned(),
        ),
        (
            "REDIS_KEY_NAMESPACE_TEMPLATE",
            "{env}:circuits",
            "all circuits would be one; use `{service_name}` in it".to_owned(),
        ),
        (
            "REDIS_KEY_NAMESPACE_TEMPLATE",
            "{environment}:{service_name}",
            "unknown placeholder `{environment}`; use `{service_name}` and `{env}`".to_owned(),
        ),
        (
            "SERVICE_URL_TEMPLATE",
            "{service_name}:8000",
            "neither http nor https; use `http://host:port/path` (for `service` it is \
             \"service:8000\")"
                .to_owned(),
        ),
        (
            "BREAKER_LISTENERS",
            "tracer",
            format!(
                "no listener has this name; built in: {}; registered: `audit`, `pager`",
                if cfg!(feature = "metrics") { "`metrics`, `tracing`" } else { "`tracing`" },
            ),
        ),
        (
            "BREAKER_EXCLUDE_EXCEPTIONS",
            "NotFound",
            format!("no exclusion has this name; {built_in}"),
        ),
        (
            "BREAKER_EXCLUDE_EXCEPTIONS",
            "timeout, 5xx",
            "\"5xx\": not a status; use 100 to 599, or a range such as `500-502`".to_owned(),
        ),
        ("SERVICES__A__REDIRECTS", "21", "out of range; use 0 to 20".to_owned()),
        (
            "SERVICES__A__URL",
            "ftp://a",
            "neither http nor https; use `http://host:port/path`".to_owned(),
        ),
        ("SERVICES__A__BREAKER_MAX_FAILURE", "x", whole.to_owned()),
        (
            "CACHES__INFUSE__HOST",
            "a/b",
            "not a host; use a name or an address, and INFUSE_REDIS_URL for a password".to_owned(),
        ),
    ] {
        let variable = format!("INFUSE_{variable}");
        let expected = format!("{variable} = {value:?} (from the environment): {message}");
        let list = ("INFUSE_SERVICE_CONNECTIONS", "a");
        let read = match variable.starts_with("INFUSE_SERVICES") {
            true => from_env(&[(&variable, value), list]),
            false => from_env(&[(&variable, value)]),
        };
        assert_eq!(bad(read), expected);
    }
}

#[test]
fn without_registered_names_the_error_says_so() {
    let config = config::Config::builder().set_default("infuse.breaker_listeners", "x").unwrap();
    let config = config.build().unwrap();
    let errors = Settings::from_config(&config, &KnownNames::default()).unwrap_err();
    let built_in = if cfg!(feature = "metrics") { "`metrics`, `tracing`" } else { "`tracing`" };
    let message = format!("no listener has this name; built in: {built_in}; none is registered");
    assert_eq!(
        errors.to_string(),
        format!("infuse.breaker_listeners = \"x\" (from the application's Config): {message}")
    );
    let problem = &errors.problems()[0];
    assert_eq!(problem.key(), "infuse.breaker_listeners");
    assert_eq!(problem.value(), Some("\"x\""));
    assert_eq!(problem.origin(), Some("the application's Config"));
    assert_eq!(problem.message(), message);
}

#[test]
fn wrong_kinds_in_a_file() {
    for (line, message) in [
        (
            "breaker_max_failure = 2.7",
            "2.7 (from the application's Config): not a whole number; use 1 to 65535",
        ),
        (
            "breaker_max_failure = -1",
            "-1 (from the application's Config): out of range; use 1 to 65535",
        ),
        ("breaker_max_failure = [5]", "[5] (from the application's Config): a list; use one value"),
        (
            "breaker_max_failure = true",
            "true (from the application's Config): not a whole number; use 1 to 65535",
        ),
    ] {
        let expected = format!("infuse.breaker_max_failure = {message}");
        assert_eq!(bad(from_file(&format!("[infuse]\n{line}"))), expected);
    }
    for value in ["nan", "inf", "1e300"] {
        let read = from_file(&format!("infuse.breaker_reset_timeout = {value}"));
        assert!(bad(read).starts_with("infuse.breaker_reset_timeout = "), "{value}");
    }
    assert_eq!(
        bad(from_file("infuse.service_connections = [['a']]")),
        "infuse.service_connections = [[…]] (from the application's Config): a list with more \
         than texts and numbers in it"
    );
    assert_eq!(
        bad(from_file("infuse.breaker_max_failure.x = 1")),
        "infuse.breaker_max_failure.x (from the application's Config): not a setting of Infuse; \
         did you mean `infuse.breaker_max_failure`?"
    );
}

#[test]
fn all_errors_come_at_once_and_in_order() {
    let errors = bad(from_both(
        "[infuse]\nsync_interval = 0\nbreaker_max_failures = 3\nservices.a.url = 'ftp://a'",
        &[("INFUSE_TRIP_REST", "x"), ("INFUSE_BREAKER_MAX_FAILURE", "0"), ("INFUSE_POTATO", "1")],
    ));
    assert_eq!(
        errors.lines().collect::<Vec<_>>(),
        [
            "INFUSE_BREAKER_MAX_FAILURE = \"0\" (from the environment): out of range; use 1 to 65535",
            "INFUSE_TRIP_REST = \"x\" (from the environment): not a duration; use seconds (`15`, \
             `0.5`) or a unit (`1500ms`, `15s`, `2m`, `1h`)",
            "infuse.breaker_max_failures (from the application's Config): not a setting of \
             Infuse; did you mean `infuse.breaker_max_failure`?",
            "infuse.services.a.url = \"ftp://a\" (from the application's Config): neither http \
             nor https; use `http://host:port/path`",
            "infuse.sync_interval = 0 (from the application's Config): must be greater than 0; \
             use 1ms to 1h",
        ]
    );
    let errors = from_env(&[("INFUSE_POTATO", "1"), ("INFUSE_STORAGE", "x")]).unwrap_err();
    assert_eq!(errors.warnings()[0].key(), "INFUSE_POTATO");
}

#[test]
fn a_template_is_wrong_once_and_a_name_can_be_wrong_for_it() {
    let read = from_env(&[
        ("INFUSE_SERVICE_URL_TEMPLATE", "http://u:hunter2@{service_name}"),
        ("INFUSE_SERVICE_CONNECTIONS", "a,b,c"),
    ]);
    assert_eq!(
        bad(read),
        "INFUSE_SERVICE_URL_TEMPLATE = \"http://***@{service_name}\" (from the environment): a \
         base URL cannot have a user or password; set the header `authorization` with \
         `on_request` of the builder (for `service` it is \"http://***@service\")"
    );
    assert_eq!(
        bad(from_env(&[("INFUSE_SERVICE_CONNECTIONS", "7")])),
        "INFUSE_SERVICES__7__URL: the name `7` becomes the address 0.0.0.7; set the URL of this \
         service"
    );
    good(from_env(&[
        ("INFUSE_SERVICE_CONNECTIONS", "7"),
        ("INFUSE_SERVICES__7__URL", "http://seven"),
    ]));
}

#[test]
fn settings_of_a_service_that_cannot_be_called_are_a_warning() {
    let read = from_env(&[
        ("INFUSE_SERVICES__PAYMNETS__TIMEOUT", "3"),
        ("INFUSE_SERVICES__PAYMNETS__BREAKER_MAX_FAILURE", "3"),
    ]);
    assert_eq!(
        warned(read),
        ["INFUSE_SERVICES__PAYMNETS__TIMEOUT = \"3\" (from the environment): no effect: the \
          service `paymnets` cannot be called; list it in INFUSE_SERVICE_CONNECTIONS or set its \
          URL"]
    );
}

#[test]
fn headers_to_take_along() {
    let settings =
        good(from_env(&[("INFUSE_PROPAGATE_HEADERS", "X-Request-Id, x-tenant,x-tenant")]));
    assert_eq!(settings.propagate_headers, ["x-request-id", "x-tenant"]);
    let settings = good(from_file("infuse.propagate_headers = \"none\""));
    assert!(settings.propagate_headers.is_empty());
    assert_eq!(
        bad(from_env(&[("INFUSE_PROPAGATE_HEADERS", "a b")])),
        "INFUSE_PROPAGATE_HEADERS = \"a b\" (from the environment): not the name of a header; use \
         names such as `x-request-id`"
    );
    for header in ["Host", "content-length", "transfer-encoding", "Connection"] {
        let error = bad(from_env(&[("INFUSE_PROPAGATE_HEADERS", header)]));
        assert!(error.contains("cannot be taken along"), "{error}");
    }
}

#[test]
fn built_in_listeners_need_no_registering() {
    let settings = good(from_env(&[("INFUSE_BREAKER_LISTENERS", "tracing")]));
    assert_eq!(settings.breaker.listeners, ["tracing"]);
    let metrics = from_env(&[("INFUSE_BREAKER_LISTENERS", "metrics")]);
    if cfg!(feature = "metrics") {
        assert_eq!(good(metrics).breaker.listeners, ["metrics"]);
    } else {
        let error = bad(metrics);
        assert!(error.contains("needs the feature `metrics` of infuse-axum"), "{error}");
    }
}
