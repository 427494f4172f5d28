//! Strangers beside rates, ramps, hold-offs and overrides, of which they know nothing.

use std::time::Duration;

use infuse_storage::{
    Cause, Look, Outcome, Settle, State, Storage, Trip, View,
    core::{Counts, Mode},
};

use super::{NOTHING, RESET, suspect};
use crate::support::{Fixture, LONG, ME, RATES, assert_view, night, token};

/// A circuit that has closed after a trial that failed, and lets a growing share through.
async fn ramping(circuit: &Fixture) -> View {
    let half_open = circuit.put(State::HalfOpen, 100).await;
    circuit.lease((&half_open).into(), 101).await;
    let mut settle =
        Settle::new(circuit.key.clone(), (&half_open).into(), token(101), Outcome::Failure);
    settle.open_time = Duration::ZERO;
    let opened = circuit.storage.settle(&[settle]).await.unwrap().remove(0);
    let half_open = circuit.lease((&opened).into(), 102).await.view;
    let mut settle =
        Settle::new(circuit.key.clone(), (&half_open).into(), token(102), Outcome::Success);
    settle.ramp = LONG;
    let view = circuit.storage.settle(&[settle]).await.unwrap().remove(0);
    assert_eq!((view.state, view.failed_trials, view.ramp.time), (State::Closed, 1, LONG));
    view
}

#[tokio::test]
async fn a_stranger_s_changes_end_a_ramp() {
    for (state, failed_trials) in [("open", 2), ("half-open", 1)] {
        let circuit = Fixture::new().await;
        let before = ramping(&circuit).await;
        circuit.set("state", state).await;
        let view = circuit.now().await;
        assert_eq!(view.generation, before.generation + 1);
        assert_eq!((view.ramp.time, view.failed_trials), (Duration::ZERO, failed_trials));
        circuit.set("state", "closed").await;
        let view = circuit.now().await;
        assert_eq!((view.ramp.time, view.failed_trials), (Duration::ZERO, 0));
    }
    // An opening out of a circuit that was closed for good is no trial of anybody's.
    let circuit = Fixture::new().await;
    circuit.put(State::Closed, 1).await;
    circuit.set("state", "open").await;
    assert_eq!(circuit.now().await.failed_trials, 0);
    // One anew is: theirs has failed.
    circuit.set("opened_at", "1700000000").await;
    circuit.now().await;
    circuit.set("opened_at", "1700000015").await;
    assert_eq!(circuit.now().await.failed_trials, 1);
}

#[tokio::test]
async fn a_stranger_s_changes_leave_the_override() {
    let circuit = Fixture::new().await;
    let before = circuit.override_by(1, Some(night())).await;
    for (number, state) in ["open", "half-open", "closed"].into_iter().enumerate() {
        circuit.set("state", state).await;
        let view = circuit.now().await;
        assert_eq!(view.generation, before.generation + number as u64 + 1);
        let overridden = view.overridden.unwrap();
        assert_eq!((overridden.mode, &*overridden.by), (Mode::Isolated, "ada"), "{state}");
    }
    // They know nothing of it: the state that they see is that below.
    assert_eq!(circuit.get("state").await.unwrap(), "closed");
}

#[tokio::test]
async fn an_override_leaves_a_stranger_s_failures() {
    let circuit = Fixture::new().await;
    circuit.put(State::Closed, 1).await;
    circuit.set("fail_counter", "3").await;
    assert_eq!(circuit.override_by(2, Some(night())).await.failures, 3);
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "3");
    // What was put there for a suspicion is taken away.
    circuit.set("fail_counter", "0").await;
    suspect(&circuit, 5).await;
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "1");
    let view = circuit.override_by(3, None).await;
    assert_eq!((view.failures, view.suspicion), (0, None));
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "0");
}

#[tokio::test]
async fn a_stranger_s_opening_waits_for_the_service_too() {
    let circuit = Fixture::with_clock().await;
    let view = circuit.put(State::Closed, 1).await;
    let mut report = circuit.report_of(&view, ME, 0);
    report.held_off = LONG;
    circuit.report(report).await;
    circuit.set("state", "open").await;
    let view = circuit.now().await;
    assert_view(&view, State::Open, 2);
    assert_eq!(view.time_left, LONG);
    // Their closing forgets it.
    circuit.set("state", "closed").await;
    circuit.now().await;
    circuit.set("state", "open").await;
    assert_eq!(circuit.now().await.time_left, RESET);
}

#[tokio::test]
async fn strangers_count_as_one_process() {
    let report = |circuit: &Fixture, view: &View, needed| {
        let mut report = circuit.report_of(view, ME, 4);
        report.thresholds.min_reporters = needed;
        report
    };
    let circuit = Fixture::new().await;
    circuit.set("fail_counter", "7").await;
    let view = circuit.now().await;
    assert_eq!(circuit.report(report(&circuit, &view, 3)).await.suspicion, None);
    assert!(circuit.report(report(&circuit, &view, 2)).await.suspicion.is_some());

    // For a trip, and for a rate.
    for (needed, state) in [(3, State::Closed), (2, State::Open)] {
        let circuit = Fixture::new().await;
        circuit.set("fail_counter", "7").await;
        let mut trip = Trip::new(circuit.key.clone(), NOTHING, ME, LONG);
        trip.thresholds.min_reporters = needed;
        assert_eq!(circuit.storage.trip(&[trip]).await.unwrap()[0].state, state);

        let circuit = Fixture::new().await;
        circuit.set("fail_counter", "7").await;
        let mut look = Look::new(circuit.key.clone(), NOTHING);
        look.thresholds.rates = Some(RATES);
        look.thresholds.min_reporters = needed;
        look.process = Some(ME);
        look.counts = Counts { calls: 10, failures: 9, slow: 0 };
        assert_eq!(circuit.storage.look(&[look]).await.unwrap()[0].state, state);
    }
}

#[tokio::test]
async fn what_opens_by_a_rate_is_seen_by_strangers() {
    let circuit = Fixture::new().await;
    let view = circuit.now().await;
    let view = circuit.tell(&view, ME, Counts { calls: 10, failures: 9, slow: 0 }).await;
    assert_eq!((view.state, view.cause), (State::Open, Cause::FailureRate));
    assert_eq!(circuit.get("state").await.unwrap(), "open");
    assert!(circuit.get("opened_at").await.is_some());
    assert_eq!(circuit.now().await.cause, Cause::FailureRate);
}
