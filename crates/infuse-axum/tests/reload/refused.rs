//! A reload that cannot be done whole is not done at all.

use std::sync::Arc;

use infuse_axum::{MemoryStorage, ReloadError};

use crate::Bench;

#[tokio::test]
async fn wrong_settings_change_nothing_and_are_told_all_at_once() {
    let bench = Bench::new(&[]).await;
    let before = bench.infuse.settings();
    let error = bench
        .reload(&[
            ("infuse_breaker_max_failure", "2"),
            ("infuse_breaker_ramp", "soon"),
            ("infuse_services.payments.timeout", "0"),
            ("infuse_services.other.breaker_slow_call_rate", "0.5"),
        ])
        .unwrap_err();
    let ReloadError::Settings(errors) = &error else { panic!("{error}") };
    let keys: Vec<_> = errors.problems().iter().map(|problem| problem.key()).collect();
    assert_eq!(
        keys,
        [
            "infuse_breaker_ramp",
            "infuse_services.other.breaker_slow_call_rate",
            "infuse_services.payments.timeout",
        ]
    );
    assert_eq!(error.to_string(), format!("{error:?}"));
    assert_eq!(error.to_string().lines().count(), 3);
    assert!(Arc::ptr_eq(&before, &bench.infuse.settings()));
    assert_eq!(bench.circuit().policy().max_failure(), 5);
}

#[tokio::test]
async fn what_holds_until_the_process_starts_anew_is_listed() {
    let bench = Bench::new(&[
        ("infuse_service_name", "orders"),
        ("infuse_storage", "memory"),
        ("infuse_services.other.url", "http://10.0.0.1"),
    ])
    .await;
    let before = bench.infuse.settings();
    let error = bench
        .reload(&[
            ("infuse_breaker_max_failure", "2"),
            ("infuse_service_name", "sales"),
            ("infuse_environment", "production"),
            ("infuse_sync_interval", "2"),
            ("infuse_propagate_headers", "x-request-id"),
            ("infuse_redis_timeout", "50ms"),
            ("infuse_fallback_circuit_state", "open"),
            ("infuse_initial_circuit_state", "half-open"),
            ("infuse_service_url_template", "http://{service_name}"),
            ("infuse_services.other.url", "http://10.0.0.2"),
            ("infuse_services.payments.redirects", "2"),
            ("infuse_services.users.url", "http://10.0.0.3"),
        ])
        .unwrap_err();
    let ReloadError::Fixed(changes) = &error else { panic!("{error}") };
    let told: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "INFUSE_SERVICE_NAME: orders -> sales",
            "INFUSE_ENVIRONMENT: development -> production",
            "INFUSE_INITIAL_CIRCUIT_STATE: closed -> half-open",
            "INFUSE_FALLBACK_CIRCUIT_STATE: none -> open",
            "INFUSE_SYNC_INTERVAL: 1s -> 2s",
            "INFUSE_PROPAGATE_HEADERS: traceparent, tracestate, baggage, x-request-id -> x-request-id",
            "INFUSE_REDIS_TIMEOUT: 100ms -> 50ms",
            "INFUSE_SERVICE_URL_TEMPLATE: http://{service_name}:8000 -> http://{service_name}",
            "INFUSE_SERVICES__OTHER__URL: http://10.0.0.1/ -> http://10.0.0.2/",
            "INFUSE_SERVICES__PAYMENTS__REDIRECTS: 0 -> 2",
            "INFUSE_SERVICES__USERS__URL: no service -> http://10.0.0.3/",
        ]
    );
    let text = error.to_string();
    assert!(text.starts_with("nothing was changed, because"), "{text}");
    assert!(text.lines().skip(1).eq(told.iter().map(String::as_str)), "{text}");
    assert!(Arc::ptr_eq(&before, &bench.infuse.settings()));
    assert_eq!(bench.circuit().policy().max_failure(), 5);
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn secrets_are_not_shown() {
    let redis = |password: &str| format!("redis://:{password}@127.0.0.1:1/0");
    let bench = Bench::new(&[("infuse_redis_url", &redis("hunter2"))]).await;
    let error = bench.reload(&[("infuse_redis_url", &redis("hunter3"))]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("INFUSE_REDIS_URL: redis://"), "{text}");
    assert!(text.contains("(another)") && !text.contains("hunter"), "{text}");
}

#[tokio::test]
async fn with_a_storage_of_its_own_the_settings_of_one_are_of_no_account() {
    let bench = Bench::built(&[], |builder| builder.storage(MemoryStorage::new())).await;
    let told = bench.reloaded(&[
        ("infuse_storage", "redis"),
        ("infuse_redis_url", "redis://elsewhere"),
        ("infuse_breaker_max_failure", "2"),
    ]);
    assert_eq!(told, ["INFUSE_BREAKER_MAX_FAILURE: 5 -> 2"]);
}

#[tokio::test]
async fn a_service_that_is_gone_or_another_name_in_the_builder() {
    let bench = Bench::built(&[], |builder| builder.service_name("orders")).await;
    // The name in the builder is still the application's, unless the settings have another.
    assert!(bench.reload(&[]).unwrap().is_empty());
    let error = bench.reload(&[("infuse_service_name", "sales")]).unwrap_err();
    assert!(error.to_string().contains("INFUSE_SERVICE_NAME: orders -> sales"), "{error}");
    let error = bench.reload(&[("infuse_service_connections", "payments")]).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("INFUSE_SERVICES__OTHER__URL: http://other:8000/ -> no service"),
        "{error}"
    );
    let error = bench.reload(&[("infuse_service_connections", "Payments,other")]).unwrap_err();
    let ReloadError::Fixed(changes) = &error else { panic!("{error}") };
    let told: Vec<_> = changes.iter().map(|it| (it.key(), it.service(), it.to())).collect();
    assert_eq!(told, [("INFUSE_SERVICE_CONNECTIONS", Some("payments"), "Payments")]);
}
