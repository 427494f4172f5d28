use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use infuse_tests::{Answer, Double, Gateway, eventually};
use serde_json::Value;

use crate::{
    promql::{self, Selector},
    scrape::Scrape,
};

/// Labels that Prometheus adds to what it scrapes.
const ADDED: [&str; 2] = ["instance", "job"];

/// One expression of PromQL, and the texts in which its labels are shown.
#[derive(Debug)]
struct Query {
    expression: String,
    texts: Vec<String>,
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../operations").join(path)
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(file("grafana/infuse.json")).unwrap()).unwrap()
}

/// Everything in the dashboard that has an `expr`.
fn queries_of(value: &Value, found: &mut Vec<Query>) {
    match value {
        Value::Object(fields) => {
            if let Some(expression) = fields.get("expr") {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                let texts = ["legendFormat", "titleFormat", "textFormat"];
                let texts = texts.into_iter().filter_map(text).map(str::to_owned).collect();
                found.push(Query { expression: expression.as_str().unwrap().to_owned(), texts });
            }
            fields.values().for_each(|value| queries_of(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| queries_of(value, found)),
        _ => {}
    }
}

/// The alerts: each of an `alert`, an `expr` in one line, and texts.
fn alerts() -> Vec<Query> {
    let text = fs::read_to_string(file("prometheus/alerts.yml")).unwrap();
    let mut alerts: Vec<Query> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(expression) = line.strip_prefix("expr: ") {
            alerts.push(Query { expression: expression.to_owned(), texts: Vec::new() });
        } else if line.starts_with("summary: ") || line.starts_with("description: ") {
            alerts.last_mut().unwrap().texts.push(line.to_owned());
        }
    }
    assert_eq!(alerts.len(), text.matches("- alert: ").count());
    assert!(alerts.iter().all(|alert| alert.texts.len() == 2), "{alerts:#?}");
    alerts
}

/// A gateway at which everything has happened that is asked about.
async fn eventful() -> (Gateway, Double) {
    let service = Double::start(Answer::Echo).await;
    let gateway = Gateway::start(&[
        ("INFUSE_SERVICES__PAYMENTS__URL", &service.url()),
        ("INFUSE_SERVICES__USERS__URL", &service.url()),
        ("INFUSE_SERVICES__USERS__BREAKER_MODE", "observe"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "0.1"),
    ])
    .await;
    service.answer(Answer::Status(500));
    for _ in 0..6 {
        gateway.get("/call/payments/x").await;
        gateway.get("/call/users/x").await;
    }
    service.answer(Answer::Echo);
    let passes = async || gateway.get("/call/payments/x").await.status() == 200;
    eventually("a call passes", passes).await;
    gateway.until("payments", |circuit| circuit["state"] == "closed").await;
    (gateway, service)
}

/// What is wrong with a query, if the metrics are these.
fn wrong_with(query: &Query, scrape: &Scrape) -> Vec<String> {
    let mut wrong = Vec::new();
    let selectors = promql::selectors(&query.expression);
    if selectors.is_empty() {
        wrong.push("it asks for nothing of Infuse".to_owned());
    }
    let mut labels = BTreeMap::new();
    for Selector { metric, matchers } in &selectors {
        let Some(of_metric) = scrape.labels(metric) else {
            wrong.push(format!("there is no metric {metric}"));
            continue;
        };
        for (label, operator, value) in matchers {
            match of_metric.get(label) {
                None if ADDED.contains(&label.as_str()) => {}
                None => wrong.push(format!("{metric} has no label {label}")),
                Some(values) if !value.contains('$') => {
                    let wanted: BTreeSet<_> = value.split('|').map(str::to_owned).collect();
                    let one = operator.starts_with('=') || operator == "!=";
                    if one && !wanted.is_subset(values) {
                        wrong.push(format!("{label} of {metric} is never all of {value}"));
                    }
                }
                Some(_) => {}
            }
        }
        labels.extend(of_metric);
    }
    let kept = promql::kept(&query.expression);
    for label in &kept {
        if !labels.contains_key(label) && !ADDED.contains(&label.as_str()) {
            wrong.push(format!("it keeps {label}, which nothing has"));
        }
    }
    for label in query.texts.iter().flat_map(|text| promql::shown(text)) {
        let is_there = match kept.is_empty() {
            true => labels.contains_key(&label) || ADDED.contains(&label.as_str()),
            false => kept.contains(&label),
        };
        if !is_there {
            wrong.push(format!("a text shows {label}, which is not there any more"));
        }
    }
    wrong
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_what_there_is() {
    let (gateway, _service) = eventful().await;
    let scrape = Scrape::of(&gateway).await;
    let dashboard = dashboard();
    let mut queries = Vec::new();
    queries_of(&dashboard, &mut queries);
    assert!(queries.len() > 20, "{}", queries.len());
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            // `label_values(metric, label)`
            let query = variable["definition"].as_str().unwrap();
            let metric = promql::selectors(query).remove(0).metric;
            let label = query.rsplit_once(", ").unwrap().1.trim_end_matches(')');
            let labels = scrape.labels(&metric).unwrap_or_else(|| panic!("no {metric}"));
            assert!(labels.contains_key(label) || ADDED.contains(&label), "{query}");
        }
    }
    queries.extend(alerts());
    let wrong: Vec<_> = queries
        .iter()
        .map(|query| (&query.expression, wrong_with(query, &scrape)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    // All that is shown is asked about somewhere, but for what only some applications have.
    let asked: String = queries.iter().map(|query| query.expression.as_str()).collect();
    for metric in scrape.types().keys() {
        assert!(asked.contains(metric), "nobody asks for {metric}");
    }
}

#[tokio::test]
async fn every_metric_is_of_the_type_that_its_name_says() {
    let (gateway, _service) = eventful().await;
    let scrape = Scrape::of(&gateway).await;
    let types = scrape.types();
    for (name, kind) in &types {
        assert_eq!(*kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
    }
    assert_eq!(types["infuse_call_duration_seconds"], "histogram");
    assert_eq!(types.len(), 12, "{types:#?}");
    for kind in ["state", "mode"] {
        for service in ["payments", "users"] {
            let name = format!("infuse_circuit_{kind}");
            assert_eq!(scrape.sum(&name, &[("service", service)]), 1.0, "{name} of {service}");
        }
    }
}

#[test]
fn what_is_not_there_is_found() {
    let scrape = Scrape::default();
    let query = |expression: &str| Query { expression: expression.to_owned(), texts: Vec::new() };
    assert_eq!(wrong_with(&query("infuse_x"), &scrape), ["there is no metric infuse_x"]);
    assert_eq!(wrong_with(&query("up"), &scrape), ["it asks for nothing of Infuse"]);
}

#[test]
fn the_panels_of_the_dashboard_do_not_overlap() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel:#}");
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{panel:#}");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} overlaps another", panel["title"]);
            }
        }
    }
}
