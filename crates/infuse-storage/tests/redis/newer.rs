//! What is newer than the version before: its records are read, it reads ours, nothing grows without
//! bound, and a clock that went back prolongs nothing of it.

use std::time::Duration;

use infuse_storage::{
    Cause, CircuitKey, Look, Outcome, Presented, ProcessId, Settle, State, Storage, Thresholds,
    Trip, View,
    core::{Counts, Ramp},
};
use tracing::Level;

use crate::{
    events::Logged,
    support::{Fixture, LONG, ME, OTHER, RATES, assert_view, night, token},
};

const NOTHING: Presented = Presented::NOTHING;
/// Fields of a record that the version before knows.
const OLDER: [&str; 21] = [
    "generation",
    "state",
    "cause",
    "by",
    "opened_at",
    "open_until",
    "changed_at",
    "written_at",
    "successes",
    "leases",
    "max_calls",
    "first_failure",
    "clears",
    "rest_until",
    "suspected",
    "last_raised",
    "thresholds",
    "commands",
    "seen_opened_at",
    "awaits_opened_at",
    "lifted",
];

fn calls(calls: u64, failures: u64) -> Counts {
    Counts { calls, failures, slow: 0 }
}

/// A circuit with something in every newer field.
async fn full(circuit: &Fixture) -> View {
    let half_open = circuit.put(State::HalfOpen, 1).await;
    circuit.lease((&half_open).into(), 2).await;
    let settle = |view: &View, number, outcome| {
        let mut settle = Settle::new(circuit.key.clone(), view.into(), token(number), outcome);
        (settle.open_time, settle.ramp) = (Duration::ZERO, LONG);
        [settle]
    };
    let failed = settle(&half_open, 2, Outcome::Failure);
    let opened = circuit.storage.settle(&failed).await.unwrap().remove(0);
    let half_open = circuit.lease((&opened).into(), 3).await.view;
    let succeeded = settle(&half_open, 3, Outcome::Success);
    circuit.storage.settle(&succeeded).await.unwrap();
    let view = circuit.override_by(4, Some(night())).await;
    let mut report = circuit.report_of(&view, ME, 1);
    report.held_off = LONG;
    report.thresholds = Thresholds { min_reporters: 2, rates: Some(RATES), ..report.thresholds };
    circuit.report(report).await;
    circuit.tell(&view, ME, calls(4, 1)).await
}

async fn strip(circuit: &Fixture) {
    for field in circuit.command("HKEYS", "record", &[]).await.texts() {
        if !OLDER.contains(&field.as_str()) {
            circuit.command("HDEL", "record", &[&field]).await;
        }
    }
}

#[tokio::test]
async fn a_record_of_the_version_before_is_read() {
    let circuit = Fixture::new().await;
    let known = full(&circuit).await;
    assert_eq!(known.counts, calls(4, 1));
    strip(&circuit).await;
    let (logged, _listening) = Logged::start();
    let view = circuit.tell(&known, OTHER, Counts::NONE).await;
    assert_eq!(logged.at(Level::WARN).len(), 0);
    assert_view(&view, State::Closed, known.generation);
    // What it has not is not there; the rest is.
    assert_eq!((view.failures, view.failed_trials, view.ramp), (1, 0, Ramp::default()));
    assert_eq!((&view.overridden, view.counts), (&None, Counts::NONE));
    let thresholds = view.thresholds.unwrap();
    assert_eq!((thresholds.min_reporters, thresholds.rates), (1, None));
    // And it is written on as ours.
    let view = circuit.tell(&view, OTHER, calls(2, 1)).await;
    assert_eq!(view.counts, calls(2, 1));
    assert_eq!(circuit.now().await.failures, 1);
    // A suspicion of theirs stands.
    let view = circuit.report(circuit.report_of(&view, OTHER, 4)).await;
    let id = view.suspicion.unwrap().id;
    strip(&circuit).await;
    assert_eq!(circuit.now().await.suspicion.unwrap().id, id);
}

/// What scripts of the version before check in every field.
#[tokio::test]
async fn the_version_before_reads_our_records() {
    let circuit = Fixture::new().await;
    full(&circuit).await;
    let thresholds = circuit.command("HGET", "record", &["thresholds"]).await;
    assert_eq!(thresholds.text(), Some("5:15000000:1:1"));
    assert_eq!(circuit.now().await.thresholds.unwrap().rates, Some(RATES));
    for cause in [Cause::FailureRate, Cause::SlowCallRate, Cause::Rule] {
        let circuit = Fixture::new().await;
        let mut trip = Trip::new(circuit.key.clone(), NOTHING, ME, LONG);
        trip.cause = cause;
        assert_eq!(circuit.storage.trip(&[trip]).await.unwrap()[0].cause, cause);
        assert_eq!(circuit.now().await.cause, cause);
        let written = circuit.command("HGET", "record", &["cause"]).await;
        assert_eq!(written.text(), Some("failures"));
    }
    let fields = circuit.command("HKEYS", "record", &[]).await.texts();
    for older in OLDER {
        assert!(fields.iter().any(|field| field == older), "{older}");
    }
}

#[tokio::test]
async fn what_the_version_before_left_behind_is_not_believed() {
    let circuit = Fixture::new().await;
    let known = full(&circuit).await;
    // It makes another generation, and knows nothing of the rest.
    let generation = (known.generation + 1).to_string();
    circuit.command("HSET", "record", &["generation", &generation]).await;
    let view = circuit.tell(&known, ME, Counts::NONE).await;
    assert_eq!(view.generation, known.generation + 1);
    assert_eq!((view.failed_trials, view.ramp, view.counts), (0, Ramp::default(), Counts::NONE));
    // But an override is of no generation.
    assert_eq!(view.overridden.as_ref().unwrap().by, known.overridden.unwrap().by);
    let opened = circuit.trip((&view).into(), Duration::ZERO).await;
    assert_eq!(opened.time_left, Duration::ZERO, "nor is it open for what was asked for before");
    // It opens by failures one after another, and we had opened by a rate.
    let mut trip = Trip::new(circuit.key.clone(), (&opened).into(), ME, LONG);
    trip.cause = Cause::FailureRate;
    let closed = circuit.put(State::Closed, 9).await;
    trip.presented = (&closed).into();
    let opened = circuit.storage.trip(&[trip]).await.unwrap().remove(0);
    assert_eq!(opened.cause, Cause::FailureRate);
    let generation = (opened.generation + 1).to_string();
    circuit.command("HSET", "record", &["generation", &generation]).await;
    assert_eq!(circuit.now().await.cause, Cause::Failures);
    // Thresholds of another process, that says less of them.
    let closed = circuit.put(State::Closed, 10).await;
    let mut report = circuit.report_of(&closed, ME, 1);
    report.thresholds.min_reporters = 2;
    circuit.report(report).await;
    circuit.command("HSET", "record", &["thresholds", "7:1000000:1:1"]).await;
    let thresholds = circuit.now().await.thresholds.unwrap();
    assert_eq!((thresholds.max_failure, thresholds.min_reporters), (7, 1));
}

#[tokio::test]
async fn telling_of_calls_costs_a_write_and_telling_of_none_costs_nothing() {
    let circuit = Fixture::new().await;
    let view = circuit.now().await;
    let view = circuit.tell(&view, ME, calls(3, 1)).await;
    circuit.redis.reset_stats().await.unwrap();
    assert_eq!(circuit.tell(&view, ME, Counts::NONE).await.counts, calls(3, 1));
    let stats = circuit.redis.commandstats().await.unwrap();
    for command in ["set", "hset", "hdel", "del", "pexpire", "publish"] {
        assert_eq!(stats.get(command), None, "{stats:?}");
    }
    circuit.redis.reset_stats().await.unwrap();
    circuit.tell(&view, ME, calls(1, 0)).await;
    let stats = circuit.redis.commandstats().await.unwrap();
    let written = ["hset", "set", "publish"].map(|command| stats.get(command).copied());
    assert_eq!(written, [Some(1), None, None], "{stats:?}");
}

#[tokio::test]
async fn a_record_stays_small_however_many_tell_of_calls() {
    let circuit = Fixture::with_clock().await;
    let view = circuit.now().await;
    for number in 0..200_u64 {
        circuit.set_clock(1_000_000_000 + number * 1_000_000).await;
        circuit.tell(&view, ProcessId::from_u64(number), calls(3, 1)).await;
    }
    let field = async |name| {
        let value = circuit.command("HGET", "record", &[name]).await;
        value.text().unwrap().to_owned()
    };
    assert_eq!(field("buckets").await.split(' ').count(), 24);
    assert_eq!(field("reporters").await.split(' ').count(), 16);
    let text = circuit.command("HGETALL", "record", &[]).await.texts();
    let size: usize = text.iter().map(String::len).sum();
    assert!(size < 4_096, "{size} bytes");
    assert_eq!(circuit.command("EXISTS", "shares", &[]).await.int(), Some(0));
}

#[tokio::test]
async fn many_circuits_in_one_look_take_a_bounded_time() {
    let circuit = Fixture::new().await;
    let keys: Vec<_> = (0..50).map(|at| CircuitKey::new(format!("c{at}"))).collect();
    let look = |key: &CircuitKey, number| {
        let mut look = Look::new(key.clone(), NOTHING);
        look.thresholds.rates = Some(RATES);
        look.thresholds.min_reporters = 100;
        look.process = Some(ProcessId::from_u64(number));
        look.counts = calls(3, u64::from(number < 15));
        look
    };
    for number in 0..30 {
        let looks: Vec<_> = keys.iter().map(|key| look(key, number)).collect();
        let views = circuit.storage.look(&looks).await.unwrap();
        views.iter().for_each(|view| assert_view(view, State::Closed, 0));
    }
    circuit.redis.reset_stats().await.unwrap();
    let looks: Vec<_> = keys.iter().map(|key| look(key, 40)).collect();
    circuit.storage.look(&looks).await.unwrap();
    let info = circuit.redis.command(&["INFO", "commandstats"]).await.unwrap();
    let info = info.text().unwrap().to_owned();
    let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
    let micros = line.split("usec=").nth(1).unwrap().split(',').next().unwrap();
    let micros: u64 = micros.parse().unwrap();
    println!("50 circuits that are told of calls: {micros} microseconds");
    assert!(micros < 500_000, "{micros}");
}

#[tokio::test]
async fn a_clock_that_goes_back_prolongs_nothing_newer() {
    const NOW: u64 = 1_700_000_000_000_000;
    const BACK: u64 = NOW - 3_600_000_000;
    let circuit = Fixture::with_clock().await;
    circuit.set_clock(NOW).await;
    let known = full(&circuit).await;
    circuit.set_clock(BACK).await;
    let view = circuit.tell(&known, ME, Counts::NONE).await;
    assert_eq!((view.ramp.left, view.counts), (LONG, calls(4, 1)));
    assert_eq!(view.overridden.unwrap().left, Some(LONG));
    // Ten seconds later the window is over, the others in a minute.
    circuit.set_clock(BACK + 10_000_000).await;
    let view = circuit.tell(&known, ME, Counts::NONE).await;
    assert_eq!((view.ramp.left, view.counts), (LONG - RATES_TIME, Counts::NONE));
    circuit.set_clock(BACK + 60_000_000).await;
    let view = circuit.now().await;
    assert_eq!((view.ramp, &view.overridden, view.failed_trials), (Ramp::default(), &None, 0));
    let opened = circuit.trip((&view).into(), Duration::ZERO).await;
    assert_eq!(opened.time_left, Duration::ZERO);
}

#[tokio::test]
async fn who_saw_failures_before_a_clock_went_back_is_forgotten_in_time() {
    const NOW: u64 = 1_700_000_000_000_000;
    const BACK: u64 = NOW - 3_600_000_000;
    for (passes, state) in [(5_000_000, State::Open), (10_000_000, State::Closed)] {
        let circuit = Fixture::with_clock().await;
        circuit.set_clock(NOW).await;
        let view = circuit.put(State::Closed, 1).await;
        circuit.tell(&view, ME, calls(2, 1)).await;
        circuit.set_clock(BACK).await;
        circuit.tell(&view, OTHER, calls(1, 0)).await;
        circuit.set_clock(BACK + passes).await;
        let mut trip = Trip::new(circuit.key.clone(), (&view).into(), OTHER, LONG);
        trip.thresholds.rates = Some(RATES);
        trip.thresholds.min_reporters = 2;
        assert_eq!(circuit.storage.trip(&[trip]).await.unwrap()[0].state, state);
    }
}

const RATES_TIME: Duration = Duration::from_secs(10);

#[tokio::test]
async fn numbers_of_any_size_do_no_harm_in_newer_fields() {
    let circuit = Fixture::new().await;
    let far = Duration::MAX;
    let view = circuit.override_by(1, Some(night().lasting(far))).await;
    assert!(view.overridden.as_ref().unwrap().left.unwrap() > Duration::from_secs(900_000_000));
    let mut look = Look::new(circuit.key.clone(), (&view).into());
    look.overridden = view.overridden.clone();
    look.thresholds.min_reporters = u32::MAX;
    look.thresholds.rates = Some(infuse_storage::Rates {
        window: infuse_storage::core::Window::Time(far),
        minimum_calls: u32::MAX,
        failure_rate: Some(f64::MIN_POSITIVE),
        slow_call_rate: Some(f64::NAN),
    });
    look.process = Some(ME);
    look.counts = Counts { calls: u64::MAX, failures: u64::MAX, slow: u64::MAX };
    look.open_time = far;
    for _ in 0..3 {
        let view = circuit.storage.look(std::slice::from_ref(&look)).await.unwrap().remove(0);
        assert_eq!((view.state, view.counts.calls), (State::Closed, u64::from(u32::MAX)));
    }
    let mut report = circuit.report_of(&view, ME, 1);
    report.held_off = far;
    report.thresholds = look.thresholds;
    circuit.report(report).await;
    let (logged, _listening) = Logged::start();
    assert_view(&circuit.now().await, State::Closed, view.generation);
    let open = circuit.trip((&view).into(), Duration::ZERO).await;
    assert!(open.time_left > Duration::from_secs(900_000_000));
    assert_view(&circuit.now().await, State::Open, open.generation);
    assert_eq!(logged.at(Level::WARN).len(), 0, "it can be read again");
}
