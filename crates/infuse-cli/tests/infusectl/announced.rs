//! What running instances announce.

use std::time::Duration;

use infuse_storage::Policy;
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
