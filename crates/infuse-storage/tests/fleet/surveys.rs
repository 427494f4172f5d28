//! Asking about every circuit at once.

use std::time::Duration;

use infuse_storage::{
    Circuits, Policy, Reach, State, StorageError, View,
    test_util::{Fleet, Gate, Verb},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::support::{SECOND, until};

const MILLI: Duration = Duration::from_millis(1);

async fn states(circuits: &Circuits) -> Vec<(String, State)> {
    let views = circuits.look().await.unwrap();
    views.iter().map(|(circuit, view)| (circuit.name().to_owned(), view.state)).collect()
}

/// Two processes, of which the second hears nothing.
async fn deaf() -> Fleet<Circuits> {
    let fleet = Fleet::of_circuits(2, |builder| builder.sync_interval(60 * SECOND)).await;
    for process in fleet.iter() {
        for name in ["payments", "orders"] {
            process.circuit(name, Policy::default());
        }
    }
    fleet.settle().await;
    fleet.deafen(1);
    fleet
}

#[tokio::test(start_paused = true)]
async fn it_says_what_the_storage_says_now_and_takes_it_in() {
    let fleet = deaf().await;
    let payments = fleet[0].get("payments").unwrap();
    assert_eq!(payments.open().await, Reach::Fleet);
    fleet.clock().advance(SECOND).await;
    let there = fleet[1].get("payments").unwrap();
    assert_eq!(there.state(), State::Closed);
    let expected = [("orders".to_owned(), State::Closed), ("payments".to_owned(), State::Open)];
    assert_eq!(states(&fleet[1]).await, expected);
    assert_eq!(there.state(), State::Open);
    assert_eq!(there.retry_after(), Some(14 * SECOND));
    // It tells of no calls, and costs one verb.
    let before = fleet[1].link().count(Verb::Look);
    let view: View = fleet[1].look().await.unwrap().remove(1).1;
    assert_eq!(view.generation, 1);
    assert_eq!(fleet[1].link().count(Verb::Look), before + 1);
    let nobody = Fleet::of_circuits(1, |builder| builder).await;
    assert!(nobody[0].look().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_again_and_again_burdens_nobody() {
    let fleet = deaf().await;
    for number in 0..48 {
        fleet[1].circuit(format!("{number}"), Policy::default());
    }
    sleep(SECOND).await;
    let before = fleet[1].link().count(Verb::Look);
    let start = Instant::now();
    // Fifty circuits: ten times a second.
    for _ in 0..31 {
        fleet[1].look().await.unwrap();
    }
    let took = start.elapsed();
    assert!(took >= 3 * SECOND && took <= 3 * SECOND + 60 * MILLI, "{took:?}");
    assert_eq!(fleet[1].link().count(Verb::Look) - before, 31);

    // What is to be told is not put off by that.
    let payments = fleet[1].get("payments").unwrap();
    for _ in 0..5 {
        payments.try_permit().unwrap().failure();
    }
    fleet.clock().advance(MILLI).await;
    assert_eq!(fleet[0].get("payments").unwrap().state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_together_get_the_answers_of_one_look() {
    let fleet = deaf().await;
    fleet[1].link().set(Verb::Look, Gate::AnswersLate(20 * MILLI));
    let before = fleet[1].link().count(Verb::Look);
    let first = tokio::spawn({
        let circuits = fleet[1].clone();
        async move { states(&circuits).await }
    });
    sleep(10 * MILLI).await;
    // Who asks from now on wants to know what is so later than the first.
    assert_eq!(fleet[0].get("orders").unwrap().open().await, Reach::Fleet);
    let mut asking = JoinSet::new();
    for _ in 0..20 {
        let circuits = fleet[1].clone();
        asking.spawn(async move { states(&circuits).await });
    }
    // One that goes harms nobody.
    drop(timeout(MILLI, fleet[1].look()).await);
    assert_eq!(first.await.unwrap()[0].1, State::Closed);
    let all = asking.join_all().await;
    assert!(all.iter().all(|states| states[0].1 == State::Open), "{all:?}");
    assert_eq!(fleet[1].link().count(Verb::Look) - before, 2);
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_while_it_looks_leaves_it_to_the_others() {
    let fleet = deaf().await;
    fleet[1].link().next(Verb::Look, [Gate::Never]);
    let circuits = fleet[1].clone();
    let leaving = tokio::spawn(async move { drop(circuits.look().await) });
    sleep(10 * MILLI).await;
    let circuits = fleet[1].clone();
    let other = tokio::spawn(async move { states(&circuits).await.len() });
    sleep(10 * MILLI).await;
    leaving.abort();
    assert_eq!(other.await.unwrap(), 2);
    assert!(fleet[1].health().shared);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_does_not_answer_is_lost_and_not_asked_again() {
    let fleet = deaf().await;
    fleet[1].link().next(Verb::Look, [Gate::Error]);
    assert_eq!(states(&fleet[1]).await.len(), 2);
    fleet.hang(1);
    let start = Instant::now();
    let (one, two) = tokio::join!(fleet[1].look(), fleet[1].look());
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert!(matches!(error, StorageError::TimedOut(_)), "{error:?}");
    }
    assert!(start.elapsed() <= 210 * MILLI);
    until("it is lost", || !fleet[1].health().shared).await;
    let before = fleet[1].link().count(Verb::Look);
    let error = fleet[1].look().await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
    assert_eq!(fleet[1].link().count(Verb::Look), before);
    fleet[0].shutdown().await;
    fleet[0].look().await.unwrap_err();
}
