use infuse_storage::{
    CircuitKey, Clock, Look, Policy, Presented, State, Storage, test_util::TestClock,
};

use crate::{RESET, SECOND, fail_times, fleet, payments};

#[tokio::test(start_paused = true)]
async fn a_process_that_is_killed_says_no_farewell_and_its_lease_is_held() {
    let (mut fleet, mut circuits) = fleet(2).await;
    fail_times(&circuits[0], 5);
    fleet.converges_to("payments", State::Open).await;
    fleet.clock().advance(RESET).await;
    let trial = circuits[0].acquire(None).await.unwrap();
    assert!(trial.is_trial());
    fleet.converges_to("payments", State::HalfOpen).await;

    fleet.kill(0);
    // What the test still holds of it says nothing any more.
    trial.success();
    circuits.remove(0);
    fleet.clock().advance(RESET - SECOND).await;
    assert_eq!(fleet.states("payments"), [State::HalfOpen]);
    assert_eq!((fleet.len(), fleet.iter().count()), (2, 1));
    circuits[0].acquire(None).await.unwrap_err();
    fleet.clock().advance(SECOND).await;
    assert!(circuits[0].acquire(None).await.unwrap().is_trial());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_takes_over_what_there_is() {
    let (mut fleet, circuits) = fleet(2).await;
    fail_times(&circuits[0], 5);
    fleet.settle().await;
    fleet.restart(1).await;
    assert_eq!(fleet.add().await, 2);
    for process in fleet.iter() {
        payments(process);
    }
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Open; 3]);
    assert_eq!(fleet[2].number(), 2);
    // What the test holds of the one of before is alone, as soon as it has asked in vain.
    fleet.clock().advance(2 * SECOND).await;
    assert!(circuits[0].snapshot().shared && !circuits[1].snapshot().shared);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_forgets_is_mended() {
    let (fleet, circuits) = fleet(3).await;
    fail_times(&circuits[0], 5);
    fleet.settle().await;
    let stored = async || {
        let look = [Look::new(CircuitKey::new("payments"), Presented::NOTHING)];
        fleet.storage().look(&look).await.unwrap()[0].generation
    };
    assert_eq!(stored().await, 1);
    fleet.forget();
    assert_eq!(stored().await, 0);
    fleet.clock().advance(3 * SECOND).await;
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Open; 3]);
    fleet.clock().advance(RESET).await;
    circuits[2].acquire(None).await.unwrap().success();
    fleet.converges_to("payments", State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_storage_each_is_alone_and_with_it_they_agree_again() {
    let (fleet, circuits) = fleet(3).await;
    fleet.cut_all();
    fail_times(&circuits[1], 5);
    fleet.clock().advance(SECOND).await;
    assert_eq!(fleet.states("payments"), [State::Closed, State::Open, State::Closed]);
    fleet.heal_all();
    fleet.clock().advance(2 * SECOND).await;
    assert!(circuits.iter().all(|circuit| circuit.snapshot().shared));
    // It tries by itself.
    circuits[1].acquire(None).await.unwrap().success();
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Closed; 3]);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_one_process_may_be_ahead() {
    let (fleet, circuits) = fleet(2).await;
    fail_times(&circuits[0], 5);
    fleet.converges_to("payments", State::Open).await;
    fleet[0].clock().set_forward(10 * SECOND);
    assert_eq!(fleet[0].clock().now() - fleet.clock().now(), 10 * SECOND);
    assert!(circuits[0].retry_after().unwrap() <= RESET - 10 * SECOND);
    assert!(circuits[1].retry_after().unwrap() > RESET - SECOND);
    // The storage's clock decides when there is a trial.
    fleet[0].clock().set_forward(5 * SECOND);
    circuits[0].acquire(None).await.unwrap_err();
    fleet.clock().advance(RESET).await;
    assert!(circuits[0].acquire(None).await.unwrap().is_trial());
}

#[tokio::test(start_paused = true)]
async fn each_process_is_set_up_by_its_seat() {
    let clock = TestClock::new();
    clock.advance(SECOND).await;
    let fleet = infuse_storage::test_util::Fleet::start_with(clock, 3, |seat| {
        let failures = 1 + u32::try_from(seat.number()).unwrap();
        async move {
            let circuits = seat.circuits().start().unwrap();
            circuits.circuit("payments", Policy::builder().max_failure(failures).build().unwrap());
            circuits
        }
    })
    .await;
    for (number, process) in fleet.iter().enumerate() {
        let policy = process.get("payments").unwrap().policy();
        assert_eq!(policy.max_failure() as usize, 1 + number);
    }
    assert_eq!(fleet.clock().now(), SECOND);
}
