//! At most 25 commands a second for each circuit and process, whatever happens.

use std::time::Duration;

use infuse_storage::{Circuit, Outcome, Policy};
use tokio::time::{Instant, sleep};

use crate::support::{
    Down,
    in_step::InStep,
    scripted::{Gate, Scripted, VERBS, Verb},
};

const MILLI: Duration = Duration::from_millis(1);
const SECONDS: u32 = 20;

/// The most in any ten seconds, by the second: what comes at once is paid for later.
fn rate(script: &Scripted) -> f64 {
    let mut sent: Vec<Instant> = VERBS
        .into_iter()
        .filter(|verb| verb.is_about_circuits())
        .flat_map(|verb| script.asked(verb))
        .map(|asked| asked.at)
        .collect();
    sent.sort_unstable();
    let within = |from: usize| {
        let end = sent[from] + Duration::from_secs(10);
        sent[from..].iter().take_while(|at| **at < end).count()
    };
    (0..sent.len()).map(within).max().unwrap_or(0) as f64 / 10.0
}

/// Calls at a thousand a second, of which `failing` in ten fail.
async fn calls(circuits: &[Circuit], failing: u32) {
    let mut number = 0_u32;
    for _ in 0..SECONDS * 1_000 {
        for circuit in circuits {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let failed = (number >> 16) % 10 < failing;
            if let Ok(permit) = circuit.acquire(None).await {
                permit.settle(if failed { Outcome::Failure } else { Outcome::Success });
            }
        }
        sleep(MILLI).await;
    }
}

#[tokio::test(start_paused = true)]
async fn failures_at_any_rate() {
    for failing in [1, 5, 9, 10] {
        for (reset, rest) in [(15_000, 250), (1, 1)] {
            let fleet = InStep::new();
            let policy = Policy::builder().reset_timeout(reset * MILLI).build().unwrap();
            let mut all = Vec::new();
            for _ in 0..3 {
                let setup = |builder: infuse_storage::CircuitsBuilder| {
                    builder.trip_rest(rest * MILLI).trip_grace(rest * MILLI)
                };
                let (script, circuits) = fleet.scripted_with(setup).await;
                all.push((script, circuits.circuit("payments", policy.clone())));
            }
            let circuits: Vec<Circuit> = all.iter().map(|(_, circuit)| circuit.clone()).collect();
            calls(&circuits, failing).await;
            for (script, _) in &all {
                let rate = rate(script);
                assert!(rate <= 25.0, "{rate} a second, {failing} failing, reset {reset} ms");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_storage_of_which_each_first_attempt_fails() {
    let fleet = InStep::new();
    let (script, circuits) = fleet.scripted().await;
    let policy = Policy::builder().max_failure(60_000).build().unwrap();
    let circuit = circuits.circuit("payments", policy);
    let flaky: Vec<Gate> = (0..10_000).map(|number| [Gate::Error, Gate::Ok][number % 2]).collect();
    for verb in [Verb::Report, Verb::Clear, Verb::Trip] {
        script.next(verb, flaky.clone());
    }
    for _ in 0..SECONDS * 100 {
        drop(circuit.call(|| async { Err::<(), _>(Down) }).await);
        sleep(10 * MILLI).await;
    }
    assert!(circuit.snapshot().shared);
    assert!(rate(&script) <= 25.0, "{} a second", rate(&script));
    assert!(script.count(Verb::Report) > 100);
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_and_miss_all_the_time() {
    let fleet = InStep::new();
    let setup = |builder: infuse_storage::CircuitsBuilder| builder.sync_interval(10 * MILLI);
    let (script, circuits) = fleet.scripted_with(setup).await;
    let circuit = circuits.circuit("payments", Policy::default());
    for _ in 0..SECONDS * 100 {
        script.end_watches();
        drop(circuit.call(|| async { Ok::<_, Down>(()) }).await);
        sleep(10 * MILLI).await;
    }
    assert!(circuit.snapshot().shared);
    assert!(rate(&script) <= 125.0, "{} a second", rate(&script));
}
