use infuse_storage::Policy;
use infuse_test_servers::RedisServer;
use serde_json::json;

use crate::ctl::{Ctl, application, told};

#[tokio::test]
async fn it_shows_a_circuit_by_any_spelling_of_its_name() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    told(circuits.circuit("User_Service", Policy::default()).open().await);
    let ctl = Ctl::of(&redis).with("INFUSE_SERVICE_CONNECTIONS", "User_Service");
    for name in ["User_Service", "user-service", "USER-SERVICE"] {
        let shown = ctl.ok(&["show", name]).await;
        assert!(shown.starts_with("User_Service in development\n"), "{shown}");
        assert!(shown.contains("state       open for "), "{shown}");
        assert!(shown.contains("mode        enabled, by the settings read here"), "{shown}");
        assert!(shown.contains("opens for 15s by 5 failures in a row"), "{shown}");
        assert!(shown.contains("no running instance announces this circuit"), "{shown}");
        assert_eq!(ctl.run(&["show", name, "--exit-code"]).await.code, 4);
    }
    told(circuits.circuit("User_Service", Policy::default()).close().await);
    assert_eq!(ctl.run(&["show", "user-service", "--exit-code"]).await.code, 0);
}

#[tokio::test]
async fn it_shows_circuits_below_a_service_and_what_only_redis_knows() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    told(circuits.circuit("payments/Refunds", Policy::default()).half_open().await);
    told(circuits.circuit("database", Policy::default()).open().await);
    let ctl = Ctl::of(&redis);
    let shown = ctl.json(&["show", "Payments/Refunds"]).await;
    assert_eq!(shown["circuit"]["service"], "payments/Refunds");
    assert_eq!(shown["circuit"]["state"], "half-open");
    assert_eq!(shown["instances"], json!([]));
    assert_eq!(ctl.json(&["show", "database"]).await["circuit"]["state"], "open");
    // Below a service the case matters, as in applications.
    ctl.fails(3, &["show", "payments/refunds"]).await;
}

#[tokio::test]
async fn its_json_has_the_policy_that_settings_say() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis)
        .with("INFUSE_BREAKER_SLOW_CALL_RATE", "50%")
        .with("INFUSE_BREAKER_SLOW_CALL_DURATION", "2s")
        .with("INFUSE_SERVICES__PAYMENTS__BREAKER_RESET_TIMEOUT", "1500ms")
        .with("INFUSE_SERVICES__PAYMENTS__BREAKER_MODE", "observe");
    let shown = ctl.json(&["show", "payments"]).await;
    assert_eq!(
        shown["policy"],
        json!({
            "max_failure": 5,
            "failure_rate": null,
            "slow_call_rate": 0.5,
            "slow_call_duration": 2.0,
            "window": {"time": 10.0},
            "minimum_calls": 20,
            "reset_timeout": 1.5,
            "reset_backoff": 1.0,
            "max_reset_timeout": 300.0,
            "reset_jitter": 0.0,
            "success_threshold": 1,
            "half_open_max_calls": 1,
            "ramp": null,
            "mode": "observe",
        })
    );
    assert_eq!(shown["circuit"]["mode"], "observe");
}

#[tokio::test]
async fn nobody_knows_a_circuit_that_is_misspelt() {
    let redis = RedisServer::start().await;
    let said = Ctl::of(&redis).fails(3, &["show", "paiments"]).await;
    assert!(said.contains("there is no circuit \"paiments\""), "{said}");
    assert!(said.contains("there are: payments, users"), "{said}");
}
