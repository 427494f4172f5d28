//! What is to be seen. (That it has the shape that is described is tested where the shapes are.)

use infuse_axum::{Mode, Override};
use serde_json::Value;

use crate::{ADMIN, TOKENS, get, start, two};

fn find<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|item| item[key] == value);
    found.unwrap_or_else(|| panic!("no {value} in {list:#}"))
}

#[tokio::test]
async fn circuits_as_they_are() {
    let infuse = start(&[
        TOKENS[0],
        TOKENS[1],
        ("infuse_service_name", "orders"),
        ("infuse_environment", "prod"),
        ("infuse_instance_name", "web-7"),
        ("infuse_breaker_max_failure", "3"),
    ])
    .await;
    let payments = infuse.circuit("payments").unwrap();
    for _ in 0..2 {
        let _ = payments.open().await;
        let _ = payments.close().await;
    }
    let _ = payments.open().await;
    let all = get("/circuits").read().of(&infuse).await.json().await;
    assert_eq!((&all["service"], &all["environment"]), (&"orders".into(), &"prod".into()));
    assert_eq!((&all["instance"], &all["storage"]["kind"]), (&"web-7".into(), &"memory".into()));
    assert_eq!(all["process"].as_str().unwrap().len(), 16);
    let names: Vec<_> =
        all["circuits"].as_array().unwrap().iter().map(|it| &it["service"]).collect();
    assert_eq!(names, ["orders", "payments", "users"]);
    let shown = find(&all["circuits"], "service", "payments");
    assert_eq!((&shown["state"], &shown["max_failure"]), (&"open".into(), &3.into()));
    let history: Vec<_> = shown["history"].as_array().unwrap().iter().map(|it| &it["to"]).collect();
    assert_eq!(history, ["open", "closed", "open", "closed", "open"]);

    let one = get("/circuits/PAYMENTS").read().of(&infuse).await.json().await;
    assert_eq!(one["circuit"]["service"], "payments");
    assert_eq!(
        (&one["policy"]["max_failure"], &one["policy"]["mode"]),
        (&3.into(), &"enabled".into())
    );
    assert_eq!(one["policy"]["window"]["time"], 10.0);
    let events: Vec<_> = one["events"].as_array().unwrap().iter().map(|it| &it["to"]).collect();
    assert_eq!(events, ["open", "closed", "open", "closed", "open"]);
    assert_eq!(one["events"][0]["cause"], "manual");
}

#[tokio::test]
async fn the_mode_of_the_settings_below_an_override() {
    let infuse = start(&[TOKENS[1], ("infuse_services.users.breaker_mode", "observe")]).await;
    let users = infuse.circuit("users").unwrap();
    let _ = users.set_override(Some(Override::new(Mode::Isolated))).await;
    let one = get("/circuits/users").read().of(&infuse).await.json().await;
    assert_eq!(
        (&one["circuit"]["mode"], &one["policy"]["mode"]),
        (&"isolated".into(), &"observe".into())
    );
}

#[tokio::test]
async fn circuits_below_a_service_by_either_spelling() {
    let infuse = start(&TOKENS).await;
    let _ = infuse.client().service("payments").unwrap().circuit("refunds").unwrap();
    for path in ["/circuits/payments/refunds", "/circuits/payments%2Frefunds"] {
        let one = get(path).read().of(&infuse).await.json().await;
        assert_eq!(one["circuit"]["service"], "payments/refunds", "{path}");
    }
    for path in ["/circuits/payments/other", "/circuits/refunds", "/circuits/payments%252Frefunds"]
    {
        get(path).read().of(&infuse).await.refused(404).await;
    }
}

#[tokio::test]
async fn the_newest_events_of_all_or_of_one() {
    let infuse = start(&TOKENS).await;
    for name in ["payments", "users"] {
        let _ = infuse.circuit(name).unwrap().open().await;
    }
    let _ = infuse.circuit("payments").unwrap().close().await;
    let events = async |path: &str| {
        let all = get(path).read().of(&infuse).await.json().await;
        let all = all["events"].as_array().unwrap().clone();
        all.iter().map(|event| event["circuit"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(events("/history").await[..2], ["payments", "users"]);
    assert_eq!(events("/history?circuit=Users").await, ["users"]);
    assert_eq!(events("/history?limit=1").await, ["payments"]);
    for query in
        ["limit=0", "limit=1001", "limit=-1", "limit=x", "circuit=payments&circuit=users", "a=b"]
    {
        get(&format!("/history?{query}")).read().of(&infuse).await.refused(400).await;
    }
    get("/history?circuit=nobody").read().of(&infuse).await.refused(404).await;
}

#[tokio::test]
async fn this_process_and_what_it_thinks() {
    let (infuse, _other) = two(&[TOKENS[1], ("infuse_instance_name", "web-7")]).await;
    let _ = infuse.circuit("payments").unwrap().open().await;
    let all = get("/instances").read().of(&infuse).await.json().await;
    let own = &all["instances"][0];
    assert_eq!((&own["self"], &own["name"]), (&true.into(), &"web-7".into()));
    assert_eq!(own["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(find(&own["circuits"], "service", "payments")["state"], "open");
    assert_eq!(all["error"], Value::Null);
}

#[tokio::test]
async fn settings_and_where_they_come_from_without_secrets() {
    let infuse = start(&[
        TOKENS[0],
        TOKENS[1],
        ("infuse_redis_url", "redis://:hunter2@127.0.0.1:1"),
        ("infuse_storage", "memory"),
    ])
    .await;
    let answer = get("/config").read().of(&infuse).await.bytes().await;
    let text = String::from_utf8(answer.to_vec()).unwrap();
    assert!(!text.contains("hunter2") && !text.contains(ADMIN) && !text.contains(crate::READ));
    let all: Value = serde_json::from_str(&text).unwrap();
    let token = find(&all["settings"], "key", "INFUSE_ADMIN_TOKEN");
    assert_eq!(
        (&token["value"], &token["from"]),
        (&"***".into(), &"the application's Config".into())
    );
    let ramp = find(&all["settings"], "key", "INFUSE_BREAKER_RAMP");
    assert_eq!(ramp["from"], "default");
}

#[tokio::test]
async fn a_description_of_it_all() {
    let infuse = start(&TOKENS).await;
    let description = get("/openapi.json").read().of(&infuse).await.json().await;
    assert_eq!(description["openapi"], "3.1.0");
    let health = get("/health").read().of(&infuse).await.json().await;
    assert_eq!((&health["live"], &health["ready"]), (&true.into(), &true.into()));
}
