//! JSON, in the shapes of the admin routes. Times are in seconds.

use infuse_axum::{Policy, Window};
use infuse_storage::{CircuitSnapshot, Mode};
use serde_json::{Value, json};

use crate::{
    announced::{self, Announced},
    mode::FleetMode,
    time, words,
};

/// A circuit. What only a process knows that makes calls is null, or empty; the mode is that of the
/// fleet, which may be `mixed`.
pub(crate) fn circuit(
    snapshot: &CircuitSnapshot,
    mode: FleetMode,
    instances: &[Announced],
) -> Value {
    let by = snapshot.tripped.as_ref().and_then(|trip| trip.by);
    let mut circuit = serde_json::to_value(snapshot).unwrap_or_default();
    circuit["by_name"] = json!(by.and_then(|by| announced::name_of(by, instances)));
    circuit["mode"] = json!(mode.as_str());
    circuit["totals"] = Value::Null;
    circuit["history"] = json!([]);
    circuit
}

/// What a circuit goes by.
pub(crate) fn policy(policy: &Policy, mode: Mode) -> Value {
    json!({
        "max_failure": words::max_failure(policy),
        "failure_rate": policy.failure_rate(),
        "slow_call_rate": policy.slow_call_rate(),
        "slow_call_duration": policy.slow_call_duration().map(time::seconds),
        "window": match policy.window() {
            Window::Calls(calls) => json!({"calls": calls}),
            Window::Time(window) => json!({"time": time::seconds(window)}),
        },
        "minimum_calls": policy.minimum_calls(),
        "reset_timeout": time::seconds(policy.reset_timeout()),
        "reset_backoff": policy.reset_backoff(),
        "max_reset_timeout": time::seconds(policy.max_reset_timeout()),
        "reset_jitter": policy.reset_jitter(),
        "success_threshold": policy.success_threshold(),
        "half_open_max_calls": policy.half_open_max_calls(),
        "ramp": policy.ramp().map(time::seconds),
        "mode": mode,
    })
}

/// An instance, with what it says of one circuit alone.
pub(crate) fn instance(instance: &Announced, name: &str) -> Value {
    json!({
        "process": instance.process.to_string(),
        "name": instance.name(),
        "service": instance.member("service"),
        "version": instance.member("version"),
        "started_at": instance.member("started_at"),
        "heard_ago": time::seconds(instance.heard_ago),
        "circuit": instance.circuit(name),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use infuse_storage::ProcessId;

    use super::*;
    use crate::testing::snapshot;

    #[tokio::test]
    async fn a_circuit_has_what_the_admin_routes_say_of_it() {
        let snapshot = snapshot().await;
        let circuit = circuit(&snapshot, FleetMode::of(&snapshot, &[]), &[]);
        for (member, value) in [
            ("service", json!("payments")),
            ("state", json!("closed")),
            ("mode", json!("enabled")),
            ("override", Value::Null),
            ("tripped", Value::Null),
            ("by_name", Value::Null),
            ("max_failure", json!(5)),
            ("totals", Value::Null),
            ("history", json!([])),
        ] {
            assert_eq!(circuit.get(member), Some(&value), "{member} in {circuit:#}");
        }
    }

    #[test]
    fn a_policy_has_its_times_in_seconds() {
        let window = Window::Calls(30);
        let it = Policy::builder().no_max_failure().failure_rate(0.5).window(window);
        let it = it.ramp(Duration::from_millis(1_500)).build().unwrap();
        let it = policy(&it, Mode::Observe);
        assert_eq!(it["max_failure"], Value::Null);
        assert_eq!(it["window"], json!({"calls": 30}));
        assert_eq!((&it["ramp"], &it["reset_timeout"]), (&json!(1.5), &json!(15.0)));
        assert_eq!(it["mode"], "observe");
        assert_eq!(policy(&Policy::default(), Mode::Enabled)["window"], json!({"time": 10.0}));
    }

    #[test]
    fn an_instance_says_only_what_is_asked() {
        let text = r#"{"name": "orders-1", "version": "1.2", "circuits":
            [{"service": "payments", "state": "open"}, {"service": "users", "state": "closed"}]}"#;
        let it = Announced::new(ProcessId::from_u64(7), Duration::from_millis(1_500), text);
        let it = instance(&it, "payments");
        assert_eq!(it["circuit"], json!({"service": "payments", "state": "open"}));
        assert_eq!((&it["name"], &it["heard_ago"]), (&json!("orders-1"), &json!(1.5)));
    }
}
