//! What a snapshot looks like when it is serialized.

use infuse_storage::{Mode, Note, Override, Policy, Reach, Window};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{RESET, SECOND, fail, fail_times, in_step::InStep, succeed, try_once};

fn has(snapshot: &Value, expected: Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(snapshot.get(key), Some(value), "{key} of {snapshot:#}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_few_circuits_have_is_null() {
    let fleet = InStep::new();
    let circuit = fleet.join().await.circuit("payments", Policy::default());
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    let expected = json!({
        "service": "payments", "state": "closed", "mode": "enabled", "override": null,
        "ramp": null, "failed_trials": 0, "would_have_rejected": 0, "window": null,
        "fleet_window": null, "tripped": null, "generation": 0, "fail_counter": 0, "retry_after": null,
    });
    has(&shown, expected);
    assert!(shown.get("overridden").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_opened_it_is_an_object() {
    let fleet = InStep::new();
    let circuit = fleet.join().await.circuit("payments", Policy::default());
    sleep(SECOND / 10).await;
    fail_times(&circuit, 5).await;
    let known = circuit.provenance().unwrap();
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    let tripped = &shown["tripped"];
    let expected = json!({
        "cause": "failures", "by": known.by.unwrap().to_string(),
        "fault": {"kind": "error", "status": null}, "note": {"by": "", "reason": ""},
    });
    has(tripped, expected);
    assert_eq!(tripped["by"].as_str().unwrap().len(), 16);
    assert_eq!(tripped["at"], shown["opened_at"]);
    let note = Note::new().by("ada").because("to find out");
    assert_eq!(circuit.open_with(note).await, Reach::Fleet);
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    let note = json!({"by": "ada", "reason": "to find out"});
    has(&shown["tripped"], json!({"cause": "manual", "fault": null, "note": note}));
}

#[tokio::test(start_paused = true)]
async fn windows_overrides_and_ramps_are_objects() {
    let fleet = InStep::new();
    let policy = Policy::builder()
        .failure_rate(0.5)
        .window(Window::Time(30 * SECOND))
        .minimum_calls(4)
        .ramp(60 * SECOND)
        .slow_call_duration(SECOND)
        .slow_call_rate(0.9);
    let circuit = fleet.join().await.circuit("payments", policy.build().unwrap());
    sleep(SECOND / 10).await;
    for _ in 0..3 {
        succeed(&circuit).await;
    }
    fail(&circuit).await;
    sleep(2 * SECOND).await;
    succeed(&circuit).await;
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    let rates = |failures: f64| {
        json!({
            "failure_rate": {"rate": failures, "threshold": 0.5},
            "slow_call_rate": {"rate": 0.0, "threshold": 0.9},
        })
    };
    let counts = |calls: u64| json!({"calls": calls, "failures": 1, "slow": 0});
    has(&shown["window"], json!({"window": {"seconds": 30.0}, "counts": counts(5)}));
    has(&shown["window"], rates(0.2));
    // As of the last look.
    has(&shown["fleet_window"], json!({"counts": counts(4)}));
    has(&shown["fleet_window"], rates(0.25));

    let over = Override::new(Mode::Observe).by("ada").because("to find out");
    assert_eq!(circuit.set_override(Some(over.clone())).await, Reach::Fleet);
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    let expected = json!({"mode": "observe", "by": "ada", "reason": "to find out", "left": null});
    has(&shown, json!({"mode": "observe", "override": expected}));
    let over = over.lasting(90 * SECOND);
    assert_eq!(circuit.set_override(Some(over)).await, Reach::Fleet);
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    assert_eq!(shown["override"]["left"], 90.0);
    assert_eq!(circuit.set_override(None).await, Reach::Fleet);

    succeed(&circuit).await;
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    let few = json!({"calls": 1, "minimum": 4});
    assert_eq!(shown["window"]["failure_rate"], few);

    fail_times(&circuit, 3).await;
    sleep(RESET).await;
    try_once(&circuit, infuse_storage::Outcome::Success).await;
    sleep(SECOND).await;
    let shown = serde_json::to_value(circuit.snapshot()).unwrap();
    has(&shown, json!({"state": "closed", "ramp": {"time": 60.0, "left": 59.0}}));
}
