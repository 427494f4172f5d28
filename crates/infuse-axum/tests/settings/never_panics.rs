//! Whatever stands in a `Config`, reading it gives settings, or errors that fit on a line each.

use config::{Config, Value, ValueKind};
use infuse_axum::settings::{KnownNames, Settings, unseen_variables};
use proptest::{collection, prelude::*};

fn word() -> impl Strategy<Value = String> {
    let words = [
        "infuse",
        "INFUSE",
        "services",
        "service",
        "caches",
        "breaker",
        "max",
        "failure",
        "redis",
        "mode",
        "sentinel",
        "master",
        "password",
        "pool_size",
        "key_layout",
        "url",
        "timeout",
        "reset",
        "connections",
        "name",
        "storage",
        "environment",
        "trip",
        "rest",
        "host",
        "port",
        "exclude_exceptions",
        "listeners",
        "initial_circuit_state",
        "sync_interval",
        "redis_key_namespace_template",
        "service_url_template",
        "body_limit",
        "redirects",
        "config",
        "mode",
        "window",
        "window_calls",
        "minimum_calls",
        "failure_rate",
        "slow_call",
        "rate",
        "duration",
        "backoff",
        "jitter",
        "retry_after",
        "ramp",
        "split_local_origin",
        "abandoned_after",
        "min_reporters",
        "max_circuits",
        "payments",
        "user-service",
        "_",
        "__",
        ".",
        "..",
        "",
    ];
    prop_oneof![8 => prop::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

fn key() -> impl Strategy<Value = String> {
    let separator = prop::sample::select(&["_", "__", ".", ""][..]);
    let near = ("(infuse|INFUSE)?", collection::vec((separator, word()), 0..6)).prop_map(
        |(prefix, words)| {
            words.into_iter().fold(prefix, |key, (separator, word)| key + separator + &word)
        },
    );
    prop_oneof![3 => near, 1 => word()]
}

fn text() -> impl Strategy<Value = String> {
    let near = [
        "none",
        "none,a",
        "5",
        "0",
        "-1",
        "1e400",
        "99999999999999999999999",
        "15s",
        "0.5ms",
        "24h",
        "0.5",
        "50%",
        "-0%",
        "101%",
        ".5.%",
        "isolated",
        "true",
        "NaN",
        "half-open",
        "unchanged",
        "redis",
        "redis://:p@h",
        "rediss://u:p,q@h/1,redis://x",
        "cluster",
        "redis://a/1,redis://b?protocol=resp3#insecure",
        "redis://[",
        "http://[::1]:0",
        "http://u:p@h",
        "{env}{service_name}",
        "{{{",
        "{x}",
        "{\"infuse\": {\"HOST\": \"h\", \"PORT\": [1]}}",
        "[[[[",
        "a_b,a-b",
        "500-502",
        "502-500",
        "timeout,body",
        "tcp://x",
        "2MB",
        "",
    ];
    prop_oneof![3 => prop::sample::select(near.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,20}", 1 => ".{0,20}"]
}

fn value() -> impl Strategy<Value = Value> {
    let origin = prop::sample::select(&[Some("the environment"), Some("infuse.toml"), None][..]);
    let leaf = prop_oneof![
        6 => text().prop_map(ValueKind::String),
        1 => any::<i64>().prop_map(ValueKind::I64),
        1 => any::<u64>().prop_map(ValueKind::U64),
        1 => any::<i128>().prop_map(ValueKind::I128),
        1 => any::<u128>().prop_map(ValueKind::U128),
        1 => any::<f64>().prop_map(ValueKind::Float),
        1 => any::<bool>().prop_map(ValueKind::Boolean),
        1 => Just(ValueKind::Nil),
    ];
    let kind = leaf.prop_recursive(4, 24, 4, move |inner| {
        let inner = inner.prop_map(Value::from);
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(ValueKind::Array),
            collection::hash_map(word(), inner, 0..4).prop_map(ValueKind::Table),
        ]
    });
    (origin, kind).prop_map(|(origin, kind)| with_origin(kind, origin.map(str::to_owned).as_ref()))
}

fn with_origin(kind: ValueKind, origin: Option<&String>) -> Value {
    let kind = match kind {
        ValueKind::Array(items) => {
            ValueKind::Array(items.into_iter().map(|v| with_origin(v.kind, origin)).collect())
        }
        ValueKind::Table(table) => ValueKind::Table(
            table.into_iter().map(|(k, v)| (k, with_origin(v.kind, origin))).collect(),
        ),
        kind => kind,
    };
    Value::new(origin, kind)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn anything_in_a_config(entries in collection::hash_map(key(), value(), 0..8)) {
        let mut config = Config::default();
        config.cache = Value::new(None, ValueKind::Table(entries));
        let vars = [("INFUSE_REDIS_URL".into(), "x".into())];
        unseen_variables(&config, vars);
        match Settings::from_config(&config, &KnownNames::default()) {
            Ok((settings, warnings)) => {
                let _ = format!("{settings:?}");
                for warning in warnings {
                    prop_assert!(!warning.to_string().contains('\n'), "{}", warning);
                }
            }
            Err(errors) => {
                prop_assert!(!errors.problems().is_empty());
                for problem in errors.problems() {
                    prop_assert!(!problem.to_string().contains('\n'), "{}", problem);
                }
            }
        }
    }
}

#[test]
fn a_table_deeper_than_any_setting() {
    let mut value = Value::from("x");
    for _ in 0..500 {
        value = Value::from(config::Map::from([("infuse".to_owned(), value)]));
    }
    let mut config = Config::default();
    config.cache = value;
    let errors = Settings::from_config(&config, &KnownNames::default()).unwrap_err();
    assert_eq!(errors.problems().len(), 1);
}
