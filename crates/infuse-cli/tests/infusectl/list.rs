use infuse_storage::{Policy, Reach};
use infuse_test_servers::RedisServer;
use serde_json::json;

use crate::ctl::{Ctl, application, told};

#[tokio::test]
async fn it_lists_what_is_configured_and_writes_nothing() {
    let redis = RedisServer::start().await;
    // Were the application's own circuit seeded, there would be keys.
    let ctl = Ctl::of(&redis).with("INFUSE_SERVICE_NAME", "orders");
    let listed = ctl.ok(&["list"]).await;
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines[0].starts_with("CIRCUIT   STATE   RETRY IN  MODE     FAILURES"), "{listed}");
    for (line, name) in lines[1..].iter().zip(["orders", "payments", "users"]) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, [name, "closed", "–", "enabled", "0/5", "–"], "{listed}");
    }
    assert_eq!(lines.len(), 4, "{listed}");
    ctl.ok(&["show", "payments"]).await;
    assert_eq!(redis.keys("*").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn it_says_that_there_is_nothing() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis).without("INFUSE_SERVICE_CONNECTIONS");
    let listed = ctl.ok(&["list"]).await;
    assert!(listed.starts_with("no circuits in the environment development"), "{listed}");
    let listed = ctl.json(&["list"]).await;
    assert_eq!(listed["circuits"], json!([]));
    assert_eq!(listed["environment"], "development");
}

#[tokio::test]
async fn it_lists_what_applications_have_done() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    assert_eq!(circuits.circuit("payments", Policy::default()).open().await, Reach::Fleet);
    // Names of listeners and exclusions are in the code of applications.
    let ctl = Ctl::of(&redis).with("INFUSE_BREAKER_LISTENERS", "pager");
    let ctl = ctl.with("INFUSE_BREAKER_EXCLUDE_EXCEPTIONS", "legacy");
    let listed = ctl.ok(&["list"]).await;
    let line: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(line[..2], ["payments", "open"], "{listed}");
    assert_eq!(line[3..5], ["enabled", "–"], "{listed}");
    assert_eq!(ctl.run(&["list", "--exit-code"]).await.code, 4);
    assert_eq!(ctl.run(&["list", "--json", "--exit-code"]).await.code, 4);
    told(circuits.circuit("payments", Policy::default()).close().await);
    assert_eq!(ctl.run(&["list", "--exit-code"]).await.code, 0);
}

#[tokio::test]
async fn its_json_has_the_shapes_of_the_admin_routes() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    let policy = Policy::builder().reset_timeout(std::time::Duration::from_secs(3_600));
    told(circuits.circuit("payments", policy.build().unwrap()).open().await);
    let ctl = Ctl::of(&redis).with("INFUSE_BREAKER_FAILURE_RATE", "0.5");
    let mut listed = ctl.json(&["list"]).await;

    let now = listed["now"].take().as_f64().unwrap();
    assert!(now > 1_700_000_000.0, "{now}");
    let open = &mut listed["circuits"][0];
    let opened_at = open["opened_at"].take().as_f64().unwrap();
    assert!((now - 60.0..=now + 1.0).contains(&opened_at), "{opened_at} {now}");
    let left = open["retry_after"].take().as_f64().unwrap();
    assert!((3_500.0..=3_600.0).contains(&left), "{left}");
    // What it says of who opened it is tested where commands are.
    open["tripped"].take();
    open["by_name"].take();
    for circuit in listed["circuits"].as_array_mut().unwrap() {
        let age = circuit["view_age"].take().as_f64().unwrap();
        assert!((0.0..60.0).contains(&age), "{age}");
    }

    let circuit = json!({
        "service": "payments",
        "state": "open",
        "fail_counter": 0,
        "success_counter": 0,
        "generation": 1,
        "opened_at": null,
        "retry_after": null,
        "trials": 0,
        "shared": true,
        "view_age": null,
        "suspect": false,
        "fleet_failures": 0,
        "failed_trials": 0,
        "mode": "enabled",
        "override": null,
        "would_have_rejected": 0,
        "ramp": null,
        "window": {
            "window": {"time": 10.0},
            "counts": {"calls": 0, "failures": 0, "slow": 0},
            "failure_rate": {"calls": 0, "minimum": 20},
            "slow_call_rate": null,
        },
        "fleet_window": null,
        "tripped": null,
        "by_name": null,
        "max_failure": 5,
        "totals": null,
        "history": [],
    });
    let mut closed = circuit.clone();
    closed["service"] = json!("users");
    closed["state"] = json!("closed");
    closed["generation"] = json!(0);
    // What a window serializes to is for others to test.
    for listed in listed["circuits"].as_array_mut().unwrap() {
        assert!(listed["window"].is_object(), "{listed:#}");
        listed["window"] = circuit["window"].clone();
    }
    let expected = json!({
        "now": null,
        "service": null,
        "environment": "development",
        "circuits": [circuit, closed],
    });
    assert_eq!(listed, expected, "{listed:#}");
}

#[tokio::test]
async fn there_are_as_many_circuits_as_one_likes() {
    let redis = RedisServer::start().await;
    let names: Vec<_> = (0..1_200).map(|number| format!("service-{number:04}")).collect();
    let ctl = Ctl::of(&redis).with("INFUSE_SERVICE_CONNECTIONS", &names.join(","));
    let circuits = ctl.json(&["list"]).await;
    let circuits = circuits["circuits"].as_array().unwrap();
    assert_eq!(circuits.len(), 1_200);
    assert!(circuits.iter().all(|circuit| circuit["view_age"].is_number()));
}

#[tokio::test]
async fn a_circuit_that_is_isolated_is_as_bad_as_one_that_is_open() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    for (command, code) in [("observe", 0), ("isolate", 4)] {
        ctl.ok(&[command, "payments", "--reason", "x"]).await;
        for args in [&["list"][..], &["list", "--json"], &["show", "payments"]] {
            let done = ctl.run(&[args, &["--exit-code"]].concat()).await;
            assert_eq!(done.code, code, "{command} {args:?}: {}", done.stdout);
            assert_eq!(ctl.run(args).await.code, 0);
        }
        assert_eq!(ctl.run(&["show", "users", "--exit-code"]).await.code, 0);
    }
    // It needs no reason, since nothing keeps it.
    ctl.ok(&["clear-override", "payments"]).await;
    assert_eq!(ctl.run(&["list", "--exit-code"]).await.code, 0);
}
