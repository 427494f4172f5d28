use std::{sync::Arc, time::Duration};

use infuse_storage::{Circuit, Policy, State};
use tokio::time::{Instant, sleep};

use crate::support::{
    Fleet, SECOND, fail_times, let_happen, ready,
    scripted::{Asked, Scripted, Verb},
    succeed, until_both, until_state,
};

/// Most circuits that were looked at in any second.
fn most_in_a_second(looks: &[Asked]) -> usize {
    let mut most = 0;
    for (at, first) in looks.iter().enumerate() {
        let within = looks[at..].iter().take_while(|look| look.at - first.at < SECOND);
        most = most.max(within.map(|look| look.circuits).sum());
    }
    most
}

#[tokio::test(start_paused = true)]
async fn no_more_than_five_hundred_looks_a_second() {
    let fleet = Fleet::new();
    let scripted = Scripted::new(fleet.memory.clone());
    let circuits = ready(fleet.builder_on(Arc::new(scripted.clone()))).await;
    let all: Vec<Circuit> = (0..10_000)
        .map(|number| circuits.circuit(format!("service-{number}"), Policy::default()))
        .collect();

    // Each is looked at once, and at once if there were no others.
    let start = Instant::now();
    while scripted.asked(Verb::Look).iter().map(|look| look.circuits).sum::<usize>() < 10_000 {
        assert!(start.elapsed() < 25 * SECOND, "10,000 looks take longer than 500 a second");
        sleep(SECOND).await;
    }
    let looks = scripted.asked(Verb::Look);
    assert!(most_in_a_second(&looks) <= 500, "{} in a second", most_in_a_second(&looks));
    assert!(looks.len() <= 1_000, "{} batches", looks.len());

    // All are used: the rounds take longer, and none is left out.
    let other = fleet.join().await;
    scripted.lose_events(true);
    fail_times(&other.circuit("service-9999", Policy::default()), 5).await;
    let start = Instant::now();
    while all[9_999].state() == State::Closed {
        assert!(start.elapsed() < 60 * SECOND, "a change is not found in a minute");
        for circuit in &all {
            succeed_or_not(circuit).await;
        }
        fleet.clock.advance(SECOND / 10);
        sleep(SECOND).await;
    }
    let looks = scripted.asked(Verb::Look);
    assert!(most_in_a_second(&looks) <= 500, "{} in a second", most_in_a_second(&looks));
}

async fn succeed_or_not(circuit: &Circuit) {
    drop(circuit.call(|| async { Ok::<_, crate::support::Down>(()) }).await);
}

#[tokio::test(start_paused = true)]
async fn looks_find_what_pushing_lost() {
    let fleet = Fleet::new();
    let scripted = Scripted::new(fleet.memory.clone());
    let deaf = ready(fleet.builder_on(Arc::new(scripted.clone()))).await;
    let deaf = deaf.circuit("payments", Policy::default());
    let other = fleet.join().await.circuit("payments", Policy::default());
    let_happen().await;
    scripted.lose_events(true);
    fail_times(&other, 5).await;
    until_state(&other, State::Open).await;
    let_happen().await;
    assert_eq!(deaf.state(), State::Closed);
    succeed(&deaf).await;
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(deaf.state(), State::Open);
    until_both(&deaf, &other, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_circuit_is_looked_at_once_a_minute() {
    let fleet = Fleet::new();
    let scripted = Scripted::new(fleet.memory.clone());
    let circuits = ready(fleet.builder_on(Arc::new(scripted.clone()))).await;
    circuits.circuit("payments", Policy::default());
    let_happen().await;
    let before = scripted.count(Verb::Look);
    sleep(Duration::from_secs(50)).await;
    assert_eq!(scripted.count(Verb::Look), before);
    sleep(Duration::from_secs(12)).await;
    assert_eq!(scripted.count(Verb::Look), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_not_closed_is_looked_at_each_second() {
    let fleet = Fleet::new();
    let scripted = Scripted::new(fleet.memory.clone());
    let circuits = ready(fleet.builder_on(Arc::new(scripted.clone()))).await;
    let circuit = circuits.circuit("payments", Policy::default());
    fail_times(&circuit, 5).await;
    let_happen().await;
    let before = scripted.count(Verb::Look);
    sleep(Duration::from_secs(10)).await;
    let looks = scripted.count(Verb::Look) - before;
    assert!((9..=11).contains(&looks), "{looks} looks in ten seconds");
}
