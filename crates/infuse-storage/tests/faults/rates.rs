//! Calls that the storage is told of once, or never.

use std::time::Duration;

use infuse_storage::{Policy, State, Window, core::Counts};
use tokio::time::sleep;

use crate::{
    Faulty,
    support::{
        SECOND, fail,
        scripted::{Gate, Verb},
        succeed, until,
    },
};

fn half_of(minimum: u32) -> Policy {
    let window = Window::Time(Duration::from_secs(600));
    let policy = Policy::builder().no_max_failure().failure_rate(0.5).window(window);
    policy.minimum_calls(minimum).build().unwrap()
}

async fn faulty(minimum: u32) -> Faulty {
    let faulty = Faulty::with(half_of(minimum), |builder| builder).await;
    sleep(2 * SECOND).await;
    faulty
}

async fn seen(faulty: &Faulty) -> Counts {
    succeed(&faulty.there).await;
    sleep(2 * SECOND).await;
    faulty.there.snapshot().fleet_window.unwrap().counts
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_repeated_tells_of_them_once() {
    for (gate, counted) in [(Gate::LosesAnswer, 4), (Gate::Error, 0)] {
        let faulty = faulty(1_000).await;
        for _ in 0..4 {
            fail(&faulty.here).await;
        }
        faulty.script.next(Verb::Look, [gate]);
        let looks = faulty.script.count(Verb::Look);
        sleep(3 * SECOND).await;
        assert!(faulty.script.count(Verb::Look) >= looks + 2);
        assert!(!faulty.is_lost());
        let seen = seen(&faulty).await;
        assert_eq!((seen.calls, seen.failures), (counted + 1, counted), "{gate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_while_it_was_lost_is_told_nobody() {
    let faulty = faulty(10).await;
    faulty.script.set_all(Gate::Error);
    for _ in 0..6 {
        fail(&faulty.here).await;
    }
    until("the storage is lost", || faulty.is_lost()).await;
    for _ in 0..3 {
        fail(&faulty.here).await;
    }
    sleep(2 * SECOND).await;
    faulty.script.set_all(Gate::Ok);
    until("the storage is found", || !faulty.is_lost()).await;
    // Its own window, too: no success brings to light what failed then.
    for _ in 0..5 {
        succeed_or_not(&faulty).await;
    }
    assert_eq!((faulty.here.state(), faulty.there.state()), (State::Closed, State::Closed));
    let seen = seen(&faulty).await;
    assert_eq!(seen, Counts { calls: 6, failures: 0, slow: 0 });
    // What comes now is.
    fail(&faulty.here).await;
    sleep(2 * SECOND).await;
    assert_eq!(self::seen(&faulty).await.failures, 1);
}

async fn succeed_or_not(faulty: &Faulty) {
    succeed(&faulty.here).await;
    sleep(SECOND).await;
}
