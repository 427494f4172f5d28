//! What running instances announce.

use std::time::Duration;

use infuse_storage::{Circuits, Policy};
use infuse_test_servers::RedisServer;
use serde_json::json;

use crate::ctl::{Ctl, application, eventually, told};

#[tokio::test]
async fn circuits_that_only_instances_know_are_listed_and_controlled() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    let search = circuits.circuit("Search_Index", Policy::default());
    circuits.announce("development", Duration::from_millis(100), |_| {
        json!({
            "name": "orders-1",
            "service": "orders",
            "version": "1.2",
            "circuits": [
                {"service": "Search_Index", "state": "closed", "mode": "enabled", "generation": 0},
                {"service": "../x\u{1b}[2J", "state": "open"},
            ],
        })
        .to_string()
    });
    // One that says what nobody understands.
    let other = application(&redis);
    other.announce("development", Duration::from_millis(100), |_| "{\u{1b}".to_owned());
    let ctl = Ctl::of(&redis).without("INFUSE_SERVICE_CONNECTIONS");
    eventually("it is heard", async || ctl.ok(&["list"]).await.contains("Search_Index")).await;
    let listed = ctl.json(&["list"]).await;
    assert_eq!(listed["circuits"].as_array().unwrap().len(), 1, "{listed:#}");
    ctl.ok(&["isolate", "search-index", "--reason", "x"]).await;
    eventually("it is isolated", async || search.try_permit().is_err()).await;
    told(search.open().await);
    let shown = ctl.ok(&["show", "search-index"]).await;
    assert!(shown.starts_with("Search_Index in development\n  state       open"), "{shown}");
    assert!(shown.contains("orders-1  closed"), "{shown}");
    let shown = ctl.json(&["show", "search-index"]).await;
    let instances = shown["instances"].as_array().unwrap();
    let orders = instances.iter().find(|it| it["name"] == "orders-1").unwrap();
    assert_eq!(
        (&orders["version"], &orders["circuit"]["state"]),
        (&json!("1.2"), &json!("closed"))
    );
    assert!(orders["heard_ago"].is_number());
    // Nobody who looks announces itself.
    assert_eq!(instances.len(), 2, "{shown:#}");
}

/// Announces `payments` with this mode, as the settings of an application say it.
fn announce(circuits: &Circuits, mode: &'static str) {
    circuits.announce("development", Duration::from_secs(5), move |_| {
        json!({"name": mode, "circuits": [{"service": "payments", "mode": mode}]}).to_string()
    });
}

#[tokio::test]
async fn the_mode_is_that_of_the_applications_and_not_of_the_settings_read_here() {
    let redis = RedisServer::start().await;
    let (one, other) = (application(&redis), application(&redis));
    let ctl = Ctl::of(&redis).with("INFUSE_BREAKER_MODE", "disabled");
    let is = async |mode: &str| {
        let circuits = &ctl.json(&["list"]).await["circuits"];
        assert_eq!(circuits[1]["mode"], "disabled", "nobody says anything of users");
        circuits[0]["mode"] == mode
    };
    assert!(is("disabled").await);
    announce(&one, "isolated");
    eventually("one is heard", async || is("isolated").await).await;
    let listed = ctl.ok(&["list"]).await;
    let line: Vec<_> = listed.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(line[..4], ["payments", "closed", "–", "isolated"], "{listed}");
    assert_eq!(ctl.run(&["show", "payments", "--exit-code"]).await.code, 4);
    announce(&other, "observe");
    eventually("both are heard", async || is("mixed").await).await;
    let shown = ctl.ok(&["show", "payments"]).await;
    assert!(shown.contains("mixed: instances announce different modes"), "{shown}");
    // Not every call is rejected.
    assert_eq!(ctl.run(&["show", "payments", "--exit-code"]).await.code, 0);
    let opened = ctl.json(&["open", "payments", "--reason", "x"]).await;
    assert_eq!(opened["circuit"]["mode"], "mixed", "{opened:#}");
    // What is put above the settings holds at once, and is gone at once.
    let put = ctl.ok(&["enable", "payments", "--reason", "x"]).await;
    assert!(put.ends_with(", enabled by ada: x\n"), "{put}");
    assert!(is("enabled").await);
    let cleared = ctl.json(&["clear-override", "payments"]).await;
    assert_eq!(cleared["circuit"]["mode"], "disabled", "{cleared:#}");
}
