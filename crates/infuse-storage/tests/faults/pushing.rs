use infuse_storage::{CircuitKey, Control, Policy, ProcessId, Reach, State, Storage, Token};
use tokio::time::sleep;

use crate::{
    Faulty,
    support::{
        Down, RESET, SECOND, fail_times, let_happen,
        scripted::{Gate, Verb},
        until, until_both,
    },
};

#[tokio::test(start_paused = true)]
async fn a_storage_that_cannot_be_watched_is_looked_at() {
    for gate in [Gate::Error, Gate::Never] {
        let faulty = Faulty::new().await;
        faulty.script.set(Verb::Watch, gate);
        faulty.script.end_watches();
        sleep(5 * SECOND).await;
        assert!(!faulty.is_lost());
        // In use, so looked at each second.
        fail_times(&faulty.there, 5).await;
        for _ in 0..15 {
            drop(faulty.here.call(|| async { Ok::<_, Down>(()) }).await);
            faulty.fleet.clock.advance(SECOND / 10);
            sleep(SECOND / 10).await;
        }
        until_both(&faulty.here, &faulty.there, State::Open).await;
        // What happens here is told at once.
        faulty.fleet.clock.advance(RESET);
        crate::support::try_once(&faulty.here, infuse_storage::Outcome::Success).await;
        let_happen().await;
        until_both(&faulty.here, &faulty.there, State::Closed).await;
        assert!(!faulty.circuits.ready().await);
        // It is watched again when that is possible.
        faulty.script.set(Verb::Watch, Gate::Ok);
        sleep(7 * SECOND).await;
        assert!(faulty.circuits.ready().await);
        assert_eq!(faulty.there.open().await, Reach::Fleet);
        let_happen().await;
        assert_eq!(faulty.here.state(), State::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn what_changed_while_nothing_was_pushed_is_found_on_subscribing() {
    let faulty = Faulty::new().await;
    faulty.script.set(Verb::Watch, Gate::Error);
    faulty.script.end_watches();
    sleep(5 * SECOND).await;
    // It is idle here: nobody would look for a minute.
    fail_times(&faulty.there, 5).await;
    sleep(2 * SECOND).await;
    assert_eq!(faulty.here.state(), State::Closed);
    faulty.script.set(Verb::Watch, Gate::Ok);
    sleep(3 * SECOND / 2).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_missed_events_looks_at_everything() {
    let faulty = Faulty::new().await;
    sleep(3 * SECOND).await;
    let process = ProcessId::random();
    let command = |circuit: &str, number, state| {
        let token = Token { process, number };
        [Control::put(CircuitKey::new(circuit), token, state, RESET)]
    };
    // More than a watcher may be behind, the one that matters first.
    let storage = &faulty.fleet.memory;
    storage.control(&command("payments", 1, State::Open)).await.unwrap();
    for number in 2..3_000 {
        storage.control(&command("orders", number, State::Closed)).await.unwrap();
    }
    let_happen().await;
    assert_eq!(faulty.here.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_storage_whose_watches_end_at_once_is_not_asked_in_a_loop() {
    let faulty = Faulty::new().await;
    let before = faulty.script.count(Verb::Watch);
    for _ in 0..100 {
        faulty.script.end_watches();
        sleep(SECOND / 10).await;
    }
    let attempts = faulty.script.count(Verb::Watch) - before;
    assert!((5..=12).contains(&attempts), "{attempts} attempts in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn a_slow_storage_delays_no_push() {
    let faulty = Faulty::new().await;
    for verb in [Verb::Report, Verb::Look, Verb::Trip] {
        faulty.script.set(verb, Gate::Slow(SECOND / 11));
    }
    for _ in 0..4 {
        crate::support::fail(&faulty.here).await;
    }
    // A report is under way.
    sleep(SECOND / 50).await;
    fail_times(&faulty.there, 5).await;
    sleep(SECOND / 1_000).await;
    assert_eq!(faulty.here.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn pushes_are_not_heeded_while_the_storage_is_lost() {
    let faulty = Faulty::new().await;
    for verb in crate::support::scripted::VERBS {
        if verb != Verb::Watch {
            faulty.script.set(verb, Gate::Error);
        }
    }
    faulty.circuits.circuit("orders", Policy::default());
    until("the storage is lost", || faulty.is_lost()).await;
    fail_times(&faulty.there, 5).await;
    sleep(3 * SECOND).await;
    assert_eq!(faulty.here.state(), State::Closed);
    faulty.script.set_all(Gate::Ok);
    sleep(3 * SECOND / 2).await;
    until_both(&faulty.here, &faulty.there, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn a_push_that_comes_while_it_returns_is_not_missed() {
    let faulty = Faulty::new().await;
    faulty.script.set(Verb::Report, Gate::Error);
    faulty.script.set(Verb::Probe, Gate::Error);
    crate::support::fail(&faulty.here).await;
    until("the storage is lost", || faulty.is_lost()).await;
    // The first look is answered with what was so before the change.
    faulty.script.set_all(Gate::Ok);
    faulty.script.next(Verb::Look, [Gate::AnswersLate(SECOND / 20)]);
    let looks = faulty.script.count(Verb::Look);
    until("it is looked at", || faulty.script.count(Verb::Look) > looks).await;
    assert!(faulty.is_lost());
    fail_times(&faulty.there, 5).await;
    sleep(SECOND / 5).await;
    assert!(!faulty.is_lost());
    assert_eq!(faulty.here.state(), State::Open);
}
