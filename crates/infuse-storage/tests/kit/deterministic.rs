//! The same run, in the same order.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_storage::{
    Breaker, Clock, Listener, Mode, Override, Policy, State, StateChange, Window,
    test_util::{Fleet, Seat, TestClock, Verb},
};
use tokio::time::Instant;

use crate::{MILLI, RESET, SECOND};

/// What happened, in order.
#[derive(Debug, Clone, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

/// Notes the changes of one process.
#[derive(Debug)]
struct Noting(Trace, usize, TestClock);

impl Listener for Noting {
    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        let (name, now) = (breaker.name(), self.2.now());
        let remote = if change.remote { "heard" } else { "made" };
        self.0.note(format!(
            "{now:?} {} {name} {}->{} {remote} {}",
            self.1,
            change.from,
            change.to,
            change.cause.as_str()
        ));
    }
}

const CIRCUITS: [&str; 4] = ["payments", "orders", "users", "stock"];

/// Two go by failures in a row alone, two by all else that there is.
fn policy(name: &str) -> Policy {
    let usual = Policy::builder();
    let policy = match name {
        "orders" | "stock" => usual
            .no_max_failure()
            .failure_rate(0.4)
            .minimum_calls(8)
            .window(Window::Time(2 * SECOND))
            .reset_timeout(SECOND)
            .reset_backoff(1.5)
            .reset_jitter(0.7)
            .ramp(SECOND),
        _ => usual,
    };
    policy.build().unwrap()
}

/// A fleet through all that there is: scattered failures, suspicions, a partition, a death, a flush,
/// open times by the dice, recoveries by degrees and an override.
async fn run(seed: u64) -> Vec<String> {
    let trace = Trace::default();
    let noting = trace.clone();
    let clock = TestClock::seeded(seed);
    let mut fleet = Fleet::start_with(clock, 6, move |seat| {
        let listener = Noting(noting.clone(), seat.number(), seat.clock());
        async move {
            let circuits = seat.circuits().listener(Arc::new(listener)).start().unwrap();
            circuits.ready().await;
            for name in CIRCUITS {
                circuits.circuit(name, policy(name));
            }
            circuits
        }
    })
    .await;
    for step in 0..400_usize {
        for process in fleet.iter() {
            for (number, name) in CIRCUITS.into_iter().enumerate() {
                let circuit = process.get(name).unwrap();
                let turn = step * 7 + process.number() * 3 + number * 5;
                let permit = if turn.is_multiple_of(11) {
                    circuit.acquire(None).await
                } else {
                    circuit.try_permit()
                };
                let Ok(permit) = permit else { continue };
                // Each fails for a while in its turn, and a little all the time.
                let fails = (step / 40 + number).is_multiple_of(4) || turn.is_multiple_of(17);
                if fails { permit.failure() } else { permit.success() }
            }
        }
        match step {
            50 => fleet.hang(1),
            70 => {
                let observed = Override::new(Mode::Observe).lasting(3 * SECOND);
                let _ = fleet[2].get("users").unwrap().set_override(Some(observed)).await;
            }
            90 => fleet.slow(2, 30 * MILLI),
            120 => fleet.forget(),
            150 => fleet.kill(5),
            180 => fleet.heal(1),
            200 => fleet.cut_all(),
            240 => fleet.heal_all(),
            260 => fleet.restart(5).await,
            _ => {}
        }
        fleet.clock().advance(if step % 60 == 59 { RESET } else { 37 * MILLI }).await;
    }
    fleet.clock().advance(SECOND).await;
    for process in fleet.iter() {
        for asked in process.link().log() {
            let at = asked.at - fleet[0].link().log()[0].at;
            trace.note(format!("{at:?} {} {:?} {}", process.number(), asked.verb, asked.circuits));
        }
    }
    trace.note(fleet.describe());
    let states = CIRCUITS.map(|name| fleet.states(name));
    assert!(states.iter().flatten().any(|state| *state != State::Open));
    let tripped = trace.0.lock().unwrap().iter().any(|line| line.contains("failure-rate"));
    assert!(tripped, "the rate has opened nothing");
    let lines = trace.0.lock().unwrap();
    lines.clone()
}

/// Each run in a runtime of its own, as two runs of a test are.
fn in_a_runtime(seed: u64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(run(seed))
}

#[test]
fn two_runs_are_the_same_and_another_seed_is_another_run() {
    let first = in_a_runtime(0);
    assert!(first.iter().filter(|line| line.contains("->")).count() > 50, "{first:#?}");
    for round in 0..20 {
        let again = in_a_runtime(0);
        let differs = first.iter().zip(&again).position(|(one, other)| one != other);
        if let Some(at) = differs {
            panic!(
                "round {round} differs at {at}:\n{:#?}\n{:#?}",
                &first[at.saturating_sub(3)..at + 3],
                &again[at.saturating_sub(3)..at + 3]
            );
        }
        assert_eq!(first.len(), again.len());
    }
    assert_ne!(first, in_a_runtime(1));
}

/// When a process of this seed has looked, for a minute.
fn looks(seed: u64) -> Vec<Duration> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let clock = TestClock::seeded(seed);
        let start = |seat: Seat| async move { seat.circuits().start().unwrap() };
        let fleet = Fleet::start_with(clock, 1, start).await;
        let circuit = fleet[0].circuit("payments", Policy::default());
        let started = Instant::now();
        for _ in 0..60 {
            circuit.try_permit().unwrap().success();
            fleet.clock().advance(SECOND).await;
        }
        fleet[0].link().asked(Verb::Look).iter().map(|asked| asked.at - started).collect()
    })
}

#[test]
fn the_moments_of_polls_follow_from_the_seed() {
    let first = looks(0);
    assert!((50..=70).contains(&first.len()), "{first:?}");
    assert_eq!(looks(0), first);
    assert_ne!(looks(1), first);
}
