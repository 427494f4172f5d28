//! Processes that go by different thresholds are told so.

use std::time::Duration;

use infuse_storage::{Policy, Window};
use tokio::time::sleep;
use tracing::Level;

use crate::support::{SECOND, events::Logged, fail, in_step::InStep, succeed};

fn policy(max_failure: u32) -> Policy {
    Policy::builder().max_failure(max_failure).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn thresholds_that_differ_are_said_once_and_again_after_a_change() {
    let fleet = InStep::new();
    let one = fleet.join().await.circuit("payments", policy(7));
    let two = fleet.join().await.circuit("payments", policy(8));
    sleep(SECOND / 10).await;
    let (logged, _guard) = Logged::start();
    fail(&one).await;
    for _ in 0..5 {
        succeed(&two).await;
        sleep(SECOND).await;
    }
    assert_eq!(logged.count("different thresholds"), 1, "{logged:?}");
    let line = &logged.at(Level::WARN)[0];
    assert!(line.contains("max_failure: 8") && line.contains("max_failure: 7"), "{line}");

    two.set_policy(policy(9));
    for _ in 0..5 {
        succeed(&two).await;
        sleep(SECOND).await;
    }
    assert_eq!(logged.count("different thresholds"), 2);
    // To the same: there is nothing to say.
    two.set_policy(policy(7));
    for _ in 0..5 {
        succeed(&two).await;
        sleep(SECOND).await;
    }
    assert_eq!(logged.count("different thresholds"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_this_process_itself_went_by_before_is_no_difference() {
    let fleet = InStep::new();
    let one = fleet.join().await.circuit("payments", policy(7));
    sleep(SECOND / 10).await;
    let (logged, _guard) = Logged::start();
    fail(&one).await;
    sleep(Duration::from_millis(100)).await;
    one.set_policy(policy(8));
    for _ in 0..5 {
        succeed(&one).await;
        sleep(SECOND).await;
    }
    assert_eq!(logged.count("different thresholds"), 0, "{logged:?}");
}

#[tokio::test(start_paused = true)]
async fn rates_and_how_many_must_have_seen_failures_are_compared_too() {
    let by_half = || Policy::builder().failure_rate(0.5);
    for (here, there) in [
        (by_half(), by_half().window(Window::Calls(100))),
        (by_half(), by_half().minimum_calls(30)),
        (by_half(), Policy::builder().failure_rate(0.6)),
        (by_half(), Policy::builder()),
        (by_half(), by_half().min_reporters(2)),
        (by_half(), by_half()),
    ] {
        let (here, there) = (here.build().unwrap(), there.build().unwrap());
        let expected = usize::from(here != there);
        let fleet = InStep::new();
        let one = fleet.join().await.circuit("payments", here);
        let two = fleet.join().await.circuit("payments", there);
        sleep(SECOND / 10).await;
        let (logged, _guard) = Logged::start();
        fail(&one).await;
        for _ in 0..5 {
            succeed(&two).await;
            sleep(SECOND).await;
        }
        let said = logged.count("different thresholds");
        assert_eq!(said, expected, "{:?} {:?} {logged:?}", one.policy(), two.policy());
    }
}
