use std::time::Duration;

use infuse_storage::{
    Reach, State,
    test_util::{Gate, Verb},
};
use tokio::time::{Instant, sleep};

use crate::{MILLI, RESET, SECOND, fail_times, fleet};

#[tokio::test(start_paused = true)]
async fn a_link_that_is_cut_refuses_at_once_and_one_that_hangs_does_not_answer() {
    for hangs in [false, true] {
        let (fleet, circuits) = fleet(2).await;
        if hangs {
            fleet.hang(1)
        } else {
            fleet.cut(1)
        }
        assert!(fleet[0].link().is_up() && !fleet[1].link().is_up());
        let asked = Instant::now();
        assert_eq!(circuits[1].open().await, Reach::Local);
        // Twice the storage's timeout.
        assert_eq!(asked.elapsed(), if hangs { 200 * MILLI } else { Duration::ZERO });
        assert_eq!(fleet.states("payments"), [State::Closed, State::Open]);
        assert!(!circuits[1].snapshot().shared && circuits[0].snapshot().shared);

        fleet.heal(1);
        fleet.settle().await;
        assert!(circuits[1].snapshot().shared);
        // Open here and closed there is tried.
        assert_eq!(fleet.states("payments"), [State::Closed, State::HalfOpen]);
        circuits[1].acquire(None).await.unwrap().success();
        fleet.converges_to("payments", State::Closed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_cut_off_knows_that_pushing_ended_and_whoever_hangs_does_not() {
    for hangs in [false, true] {
        let (fleet, _circuits) = fleet(1).await;
        let watches = fleet[0].link().count(Verb::Watch);
        if hangs {
            fleet.hang(0)
        } else {
            fleet.cut(0)
        }
        fleet.clock().let_happen().await;
        // So soon that nothing else was asked for.
        fleet.heal(0);
        fleet.clock().advance(2 * SECOND).await;
        assert_eq!(fleet[0].link().count(Verb::Watch) - watches, usize::from(!hangs));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_pushed_over_a_broken_link_also_what_was_under_way() {
    let (fleet, circuits) = fleet(2).await;
    fleet.slow(1, 20 * MILLI);
    assert_eq!(circuits[0].open().await, Reach::Fleet);
    sleep(10 * MILLI).await;
    fleet.hang(1);
    sleep(30 * MILLI).await;
    assert_eq!(fleet.states("payments"), [State::Open, State::Closed]);
    fleet.heal(1);
    // It was idle, and does not know that anything was lost.
    sleep(SECOND).await;
    assert_eq!(fleet.states("payments"), [State::Open, State::Closed]);
    fail_times(&circuits[1], 1);
    fleet.converges_to("payments", State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_link_delays_verbs_and_pushes_by_so_much_each() {
    let (fleet, circuits) = fleet(2).await;
    fleet.slow(1, 20 * MILLI);
    let asked = Instant::now();
    assert_eq!(circuits[1].close().await, Reach::Fleet);
    assert_eq!(asked.elapsed(), 20 * MILLI);
    // Several that are under way at once do not wait for each other.
    for state in [State::Open, State::HalfOpen, State::Open] {
        let reach = match state {
            State::HalfOpen => circuits[0].half_open().await,
            _ => circuits[0].open().await,
        };
        assert_eq!(reach, Reach::Fleet);
        sleep(MILLI).await;
    }
    let pushed = Instant::now();
    fleet.converges_to("payments", State::Open).await;
    sleep(20 * MILLI - pushed.elapsed()).await;
    assert_eq!(circuits[1].snapshot().generation, circuits[0].snapshot().generation);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_deaf_finds_changes_by_looking() {
    let (fleet, circuits) = fleet(2).await;
    fleet.deafen(1);
    assert!(fleet[1].link().is_up());
    fail_times(&circuits[0], 5);
    // In use, so that it looks at the next poll.
    circuits[1].try_permit().unwrap().success();
    sleep(50 * MILLI).await;
    assert_eq!(fleet.states("payments"), [State::Open, State::Closed]);
    let took = fleet.converges_to("payments", State::Open).await;
    assert!(took < 1_200 * MILLI, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn each_verb_has_its_gate_and_the_log_says_what_passed_it() {
    let (fleet, circuits) = fleet(1).await;
    let link = fleet[0].link();
    let before = link.count_all();
    link.next(Verb::Trip, [Gate::LosesAnswer]);
    fail_times(&circuits[0], 5);
    fleet.settle().await;
    // Once more, since it was not answered; and opened once.
    assert_eq!((link.count(Verb::Trip), circuits[0].snapshot().generation), (2, 1));
    let log = link.log();
    assert_eq!(log.iter().filter(|asked| asked.verb == Verb::Trip).count(), 2);
    assert!(link.count_all() >= before + 2);
    assert!(link.asked(Verb::Trip)[0].what.contains("payments"));

    link.set(Verb::Lease, Gate::Never);
    assert_eq!(link.gate(Verb::Lease), Gate::Never);
    fleet.clock().advance(RESET).await;
    circuits[0].acquire(None).await.unwrap_err();
    assert_eq!(link.count(Verb::Lease), 1);
}
