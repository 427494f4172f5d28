//! Checks `openapi.json` against what is really answered.

use std::{collections::BTreeSet, time::Duration};

use infuse_storage::{
    Cause, Fault, FaultKind, StorageEvent, View,
    core::{Mode, Override},
};
use serde_json::{Value, json};

use super::{Event, Overridden, SharedCircuit, event::Noted};
use crate::{
    Infuse,
    admin::{
        control::Action,
        router::tests::{TOKEN, infuse, json, send},
    },
};

/// The description, as far as it is used: `$ref`, `type`, `enum`, `oneOf`, `items`, `properties`.
struct Description(Value);

impl Description {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("../openapi.json")).unwrap())
    }

    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(path) => self.0.pointer(path.strip_prefix('#').unwrap()).unwrap(),
            None => schema,
        }
    }

    /// Why a value is not of a schema.
    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.resolve(schema);
        if let Some(any) = schema["oneOf"].as_array() {
            let results: Vec<_> = any.iter().map(|schema| self.check(schema, value)).collect();
            return match results.iter().filter(|result| result.is_ok()).count() {
                1 => Ok(()),
                n => Err(format!("{value} is {n} of {any:?}: {results:?}")),
            };
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            one => vec![one.clone()],
        };
        let is = |name: &Value| match name.as_str().unwrap() {
            "null" => value.is_null(),
            "string" => value.is_string(),
            "number" => value.is_number(),
            "integer" => value.is_u64() || value.is_i64(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other}"),
        };
        if !types.iter().any(is) {
            return Err(format!("{value} is none of {types:?}"));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            return Err(format!("{value} is none of {allowed:?}"));
        }
        if let Some(items) = value.as_array() {
            return items.iter().try_for_each(|item| self.check(&schema["items"], item));
        }
        let Some(fields) = value.as_object() else { return Ok(()) };
        let known = schema["properties"].as_object().unwrap();
        for (name, value) in fields {
            let schema = known.get(name).ok_or_else(|| format!("{name} is not described"))?;
            self.check(schema, value).map_err(|why| format!("{name}: {why}"))?;
        }
        let required = schema["required"].as_array().unwrap();
        match required.iter().find(|name| !fields.contains_key(name.as_str().unwrap())) {
            Some(missing) => Err(format!("{missing} is missing")),
            None => Ok(()),
        }
    }

    #[track_caller]
    fn assert(&self, schema: &str, value: &impl serde::Serialize) {
        let value = serde_json::to_value(value).unwrap();
        let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
        if let Err(why) = self.check(&schema, &value) {
            panic!("{why}: {value:#}");
        }
    }

    /// The schema of what a route answers with this status, `None` if it is not JSON.
    fn answer(&self, path: &str, method: &str, status: u16) -> Option<&Value> {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let answer = self.resolve(&operation["responses"][status.to_string()]);
        assert!(answer.is_object(), "{method} {path} is not said to answer {status}");
        answer["content"]
            .as_object()?
            .iter()
            .find(|(kind, _)| kind.ends_with("json"))?
            .1
            .get("schema")
    }

    /// Asks, and checks the answer.
    async fn ask(
        &self,
        infuse: &Infuse,
        method: &str,
        route: &str,
        path: &str,
        body: &str,
    ) -> Value {
        let response = send(infuse, method, path, body).await;
        let status = response.status().as_u16();
        let answer = json(response).await;
        let schema = self.answer(route, method, status).unwrap();
        if let Err(why) = self.check(schema, &answer) {
            panic!("{method} {path}: {why}: {answer:#}");
        }
        answer
    }
}

const ONE: &str = "/circuits/{name}";
const BELOW: &str = "/circuits/{name}/{part}";
const DEEP: &str = "/circuits/{name}/{below}/{action}";

#[tokio::test]
async fn every_answer_is_as_described() {
    let description = Description::read();
    let infuse = infuse(&[
        ("infuse_service_name", "orders"),
        ("infuse_ready_services", "payments"),
        ("infuse_breaker_failure_rate", "0.5"),
        ("infuse_breaker_minimum_calls", "1"),
        ("infuse_breaker_ramp", "60"),
        ("infuse_breaker_listeners", "none"),
    ])
    .await;
    let _ = infuse.client().service("payments").unwrap().circuit("refunds").unwrap();
    let payments = infuse.circuit("payments").unwrap();
    let order = json!({"reason": "x", "by": "ada", "for": "10m"});
    description.assert("Order", &order);
    let plain = json!({"reason": "x"}).to_string();
    for (action, known) in Action::ALL {
        for path in ["", "/circuits", "/history", "/instances", "/config", "/health"] {
            if !path.is_empty() {
                description.ask(&infuse, "GET", path, path, "").await;
            }
        }
        description.ask(&infuse, "GET", ONE, "/circuits/payments", "").await;
        description.ask(&infuse, "GET", BELOW, "/circuits/payments/refunds", "").await;
        let body = match known {
            Action::Override(_) => order.to_string(),
            _ => plain.clone(),
        };
        let path = format!("/circuits/payments/{action}");
        description.ask(&infuse, "POST", BELOW, &path, &body).await;
        let path = format!("/circuits/payments/refunds/{action}");
        description.ask(&infuse, "POST", DEEP, &path, &body).await;
        // A call, so that there is something in the window.
        let _ = payments.call(|| async { Err::<(), _>(std::fmt::Error) }).await;
    }
    infuse.operated().feed.storage(&StorageEvent::Lost("gone".into()));
    infuse.operated().feed.storage(&StorageEvent::Back);
    let history = description.ask(&infuse, "GET", "/history", "/history?limit=1000", "").await;
    assert!(history["events"].as_array().unwrap().len() > 4, "{history:#}");
}

#[tokio::test]
async fn every_refusal_is_as_described() {
    let description = Description::read();
    let infuse = infuse(&[]).await;
    let big = format!("{{\"reason\": \"{}\"}}", "x".repeat(17_000));
    for (method, route, path, body, status) in [
        ("GET", ONE, "/circuits/nobody", "", 404),
        ("GET", ONE, "/circuits/%ff", "", 404),
        ("GET", BELOW, "/circuits/payments/nobody", "", 404),
        ("GET", "/history", "/history?limit=0", "", 400),
        ("GET", "/history", "/history?circuit=nobody", "", 404),
        ("GET", "/events", "/events?circuits=payments", "", 400),
        ("GET", "/events", "/events?circuit=nobody", "", 404),
        ("POST", BELOW, "/circuits/payments/delete", "{}", 404),
        ("POST", BELOW, "/circuits/nobody/open", "{}", 404),
        ("POST", BELOW, "/circuits/payments/open", "{}", 400),
        ("POST", BELOW, "/circuits/payments/open", &big, 413),
    ] {
        let answer = description.ask(&infuse, method, route, path, body).await;
        assert_eq!(answer["status"], status, "{method} {path}");
    }
    infuse.close_events();
    assert_eq!(description.ask(&infuse, "GET", "/events", "/events", "").await["status"], 503);
}

#[test]
fn what_seldom_is_is_described_too() {
    let description = Description::read();
    let over = Override::new(Mode::Isolated).by("ada").because("x");
    description.assert("Override", &Overridden::new(&over));
    let lasting = over.lasting(Duration::from_secs(5));
    description.assert("Override", &Overridden::new(&lasting));
    description.assert("SharedCircuit", &SharedCircuit::new("payments", &View::new()));
    for kind in [
        FaultKind::Status,
        FaultKind::Timeout,
        FaultKind::Connect,
        FaultKind::Disconnect,
        FaultKind::Body,
        FaultKind::Error,
        FaultKind::Panic,
        FaultKind::Abandoned,
        FaultKind::Slow,
    ] {
        description.assert("Fault", &Fault::new(kind));
    }
    for cause in [
        Cause::Failures,
        Cause::FailureRate,
        Cause::SlowCallRate,
        Cause::Rule,
        Cause::TrialStarted,
        Cause::TrialFailed,
        Cause::TrialSucceeded,
        Cause::Manual,
        Cause::Seed,
        Cause::Fallback,
        Cause::Adopted,
    ] {
        description.assert("Cause", &cause);
    }
    let full = Event {
        kind: "state",
        circuit: Some("payments".to_owned()),
        from: Some("closed"),
        to: "open",
        cause: Some(Cause::Manual),
        by: Some("00000000000000ab".to_owned()),
        by_name: Some("web-7".to_owned()),
        fault: Some(Fault::status(503)),
        note: Some(Noted { by: "ada".to_owned(), reason: "x".to_owned() }),
        r#override: Some(Overridden::new(&lasting)),
        detail: Some("gone".to_owned()),
        ..Event::default()
    };
    description.assert("Event", &full);
}

#[test]
fn nothing_is_described_in_vain() {
    let description = Description::read();
    assert_eq!(description.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    let text = description.0.to_string();
    for (kind, all) in description.0["components"].as_object().unwrap() {
        for name in all.as_object().unwrap().keys().filter(|_| kind != "securitySchemes") {
            assert!(text.contains(&format!("\"#/components/{kind}/{name}\"")), "{kind}/{name}");
        }
    }
    let known: BTreeSet<_> = Action::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    let paths = &description.0["paths"];
    for action in [
        &paths[BELOW]["post"]["parameters"][0]["schema"]["enum"],
        &paths[DEEP]["parameters"][2]["schema"]["enum"],
    ] {
        let action: Vec<String> = serde_json::from_value(action.clone()).unwrap();
        assert_eq!(action.into_iter().collect::<BTreeSet<_>>(), known);
    }
    assert!(!text.contains(TOKEN));
}
