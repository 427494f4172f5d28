use infuse_storage::{Policy, State};

use crate::{MILLI, RESET, SECOND, fail_times, fleet};

#[tokio::test(start_paused = true)]
async fn settling_waits_for_what_is_not_told_yet() {
    let (fleet, circuits) = fleet(3).await;
    // Reports are 50 ms apart, a suspicion has 50 ms of grace: nothing of it is to be seen yet.
    fail_times(&circuits[0], 1);
    fleet.clock().let_happen().await;
    fail_times(&circuits[0], 2);
    fail_times(&circuits[1], 2);
    let took = fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Open; 3]);
    assert!((200 * MILLI..300 * MILLI).contains(&took), "{took:?}");
    // At rest it takes as long as it looks for.
    assert_eq!(fleet.settle().await, 100 * MILLI);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_is_not_waited_for_and_not_believed() {
    let (fleet, circuits) = fleet(3).await;
    fleet.cut(2);
    fail_times(&circuits[0], 5);
    fleet.converges_to("payments", State::Open).await;
    assert_eq!(fleet.states("payments"), [State::Open, State::Open, State::Closed]);
    fleet.settle().await;
}

#[tokio::test(start_paused = true)]
async fn who_thinks_what_is_said_when_they_do_not_agree() {
    let (mut fleet, circuits) = fleet(4).await;
    fail_times(&circuits[0], 5);
    fleet.deafen(1);
    fleet.hang(2);
    fleet.kill(3);
    fail_times(&circuits[2], 2);
    let error = fleet.try_converges_to("payments", State::Open, 300 * MILLI).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "that \"payments\" is open everywhere did not come about within 300ms:\n\
         circuit \"payments\"\n\
         \x20 process 0: open, generation 1, 14.7s left, 5 failures, 0 in the fleet\n\
         \x20 process 1: closed, generation 0\n\
         \x20 process 2: closed, generation 0, 2 failures, 0 in the fleet, cut off, decides alone\n\
         \x20 process 3: killed\n"
    );
    let error = fleet.try_settle(200 * MILLI).await.unwrap_err();
    assert!(error.to_string().starts_with("agreement at rest did not come about within 200ms"));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "process 1: closed, generation 0")]
async fn what_does_not_come_about_in_ten_seconds_fails_the_test() {
    let (fleet, _circuits) = fleet(2).await;
    fleet.converges_to("payments", State::Open).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "process 1 was killed")]
async fn one_that_was_killed_is_not_used() {
    let (mut fleet, _circuits) = fleet(2).await;
    fleet.kill(1);
    fleet.cut(1);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a process has no circuit \"orders\"; there are\ncircuit \"orders\"")]
async fn a_circuit_that_one_has_not_has_no_states() {
    let (fleet, _circuits) = fleet(2).await;
    fleet[0].circuit("orders", Policy::default());
    fleet.clock().advance(RESET - SECOND).await;
    fleet.states("orders");
}
