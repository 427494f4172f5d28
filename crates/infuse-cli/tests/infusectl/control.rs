use infuse_storage::{Circuit, Mode, Policy, State};
use infuse_test_servers::RedisServer;
use serde_json::json;

use crate::ctl::{Ctl, application, eventually};

async fn becomes(circuit: &Circuit, state: State, mode: Mode) {
    eventually(&format!("{state} and {mode}"), async || {
        (circuit.state(), circuit.mode()) == (state, mode)
    })
    .await;
}

#[tokio::test]
async fn each_command_reaches_the_applications() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    let payments = circuits.circuit("payments", Policy::default());
    let ctl = Ctl::of(&redis);
    for (command, state, mode) in [
        ("open", State::Open, Mode::Enabled),
        ("half-open", State::HalfOpen, Mode::Enabled),
        ("isolate", State::HalfOpen, Mode::Isolated),
        ("close", State::Closed, Mode::Isolated),
        ("observe", State::Closed, Mode::Observe),
        ("disable", State::Closed, Mode::Disabled),
        ("open", State::Open, Mode::Disabled),
        ("reset", State::Closed, Mode::Disabled),
        ("enable", State::Closed, Mode::Enabled),
        ("clear-override", State::Closed, Mode::Enabled),
    ] {
        let said = ctl.ok(&[command, "payments", "--reason", "moving house"]).await;
        assert!(said.starts_with(&format!("payments in development: {state}")), "{said}");
        becomes(&payments, state, mode).await;
        if ["isolate", "observe", "disable", "enable"].contains(&command) {
            assert!(said.ends_with(&format!("{mode} by ada: moving house\n")), "{said}");
            let over = payments.overridden().unwrap();
            assert_eq!((&*over.by, &*over.reason, over.left), ("ada", "moving house", None));
        }
    }
    eventually("it is taken away", async || payments.overridden().is_none()).await;
}

#[tokio::test]
async fn an_override_ends_by_itself() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    let payments = circuits.circuit("payments", Policy::default());
    let ctl = Ctl::of(&redis);
    let args = ["isolate", "payments", "--reason", "x", "--by", "bob", "--for", "2s"];
    let said = ctl.json(&args).await;
    assert_eq!(said["reach"], "fleet");
    let over = &said["circuit"]["override"];
    assert_eq!(
        (&over["mode"], &over["by"], &over["reason"]),
        (&json!("isolated"), &json!("bob"), &json!("x"))
    );
    let left = over["left"].as_f64().unwrap();
    assert!(left > 0.0 && left <= 2.0, "{left}");
    becomes(&payments, State::Closed, Mode::Isolated).await;
    assert!(payments.try_permit().is_err());
    becomes(&payments, State::Closed, Mode::Enabled).await;
    assert!(payments.try_permit().is_ok());
}

#[tokio::test]
async fn a_circuit_is_opened_for_a_time() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    let payments = circuits.circuit("payments", Policy::default());
    let ctl = Ctl::of(&redis);
    let said = ctl.ok(&["open", "payments", "--reason", "moving house", "--for", "2h"]).await;
    assert!(said.starts_with("payments in development: open (2h)"), "{said}");
    becomes(&payments, State::Open, Mode::Enabled).await;
    assert!(payments.retry_after().unwrap().as_secs() > 7_000);
    let said = ctl.fails(2, &["open", "payments", "--reason", "x", "--for", "0s"]).await;
    assert!(said.contains("--for: "), "{said}");
}

/// What a person said stands where others look for it.
#[tokio::test]
async fn whoever_opens_a_circuit_is_shown() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    ctl.ok(&["open", "payments", "--reason", "moving house"]).await;
    let tripped = &ctl.json(&["show", "payments"]).await["circuit"]["tripped"];
    assert_eq!(tripped["cause"], "manual");
    assert_eq!(tripped["note"], json!({"by": "ada", "reason": "moving house"}));
    let listed = ctl.ok(&["list"]).await;
    assert!(listed.contains("manual by ada: moving house"), "{listed}");
}

#[tokio::test]
async fn a_circuit_that_nobody_knows_is_made_only_by_force() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    let open = ["open", "paiments", "--reason", "x"];
    let said = ctl.fails(3, &open).await;
    assert!(said.contains("there are: payments, users") && said.contains("--force"), "{said}");
    assert_eq!(redis.keys("*").await.unwrap(), Vec::<String>::new());
    ctl.ok(&[&open[..], &["--force"]].concat()).await;
    assert!(redis.keys("*paiments*").await.unwrap().len() > 1);
    // Now it is known.
    ctl.ok(&["close", "Paiments", "--reason", "x"]).await;
}

#[tokio::test]
async fn who_says_so_is_whoever_is_logged_in() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    let payments = circuits.circuit("payments", Policy::default());
    for (name, value, by) in [
        ("LOGNAME", "eve", "eve"),
        ("LOGNAME", "eve\u{1b}[2J", "infusectl"),
        ("OTHER", "", "infusectl"),
    ] {
        let ctl = Ctl::of(&redis).without("USER").with(name, value);
        ctl.ok(&["isolate", "payments", "--reason", "x"]).await;
        eventually(by, async || payments.overridden().is_some_and(|it| &*it.by == by)).await;
    }
}

#[tokio::test]
async fn a_command_goes_to_the_environment_and_the_keys_that_are_set() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    ctl.file(
        "fleet.toml",
        "[infuse]\nenvironment = \"production\"\nredis_key_layout = \"pybreaker\"\n",
    );
    let args = ["open", "payments", "--reason", "x", "--config", "fleet.toml"];
    let said = ctl.ok(&args).await;
    assert!(said.starts_with("payments in production: open (15s)"), "{said}");
    let state = redis.get("production:payments:pybreaker:state").await.unwrap();
    assert_eq!(state.as_deref(), Some("open"));
    // It stands above INFUSE_CONFIG.
    let ctl = ctl.with("INFUSE_CONFIG", "none.toml");
    ctl.ok(&["show", "payments", "--config", "fleet.toml"]).await;
    let said = ctl.fails(2, &["list"]).await;
    assert!(said.contains("none.toml, the file that INFUSE_CONFIG names"), "{said}");
}

#[tokio::test]
async fn a_storage_that_takes_no_writes_confirms_nothing() {
    let redis = RedisServer::start().await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    let ctl = Ctl::of(&redis);
    for command in ["open", "isolate"] {
        let said = ctl.fails(1, &[command, "payments", "--reason", "x"]).await;
        assert!(said.contains("did not confirm it"), "{said}");
    }
    // Looking works.
    ctl.ok(&["show", "payments"]).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    assert_eq!(redis.keys("*payments*").await.unwrap(), Vec::<String>::new());
}
