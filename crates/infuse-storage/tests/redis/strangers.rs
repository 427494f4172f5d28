//! Processes that know the plain keys only, replayed by plain commands.

mod newer;

use std::time::Duration;

use infuse_storage::{
    Cause, Clear, Command, Control, KeyLayout, Outcome, Presented, State, Storage, Suspicion, Trip,
    View,
};

use crate::support::{
    ENDINGS, Fixture, LONG, ME, OTHER, assert_left, assert_view, night, pushed, token,
};

const NOTHING: Presented = Presented::NOTHING;
/// The default reset timeout.
const RESET: Duration = Duration::from_secs(15);

/// Reports so many failures that, with those of strangers, there are five: enough.
async fn suspect(circuit: &Fixture, failures: u32) -> (View, Suspicion) {
    let view = circuit.now().await;
    let view = circuit.report(circuit.report_of(&view, ME, failures)).await;
    let suspicion = view.suspicion.unwrap();
    (view, suspicion)
}

#[tokio::test]
async fn a_stranger_s_changes_are_adopted_and_pushed() {
    for layout in [KeyLayout::Infuse, KeyLayout::Pybreaker] {
        let circuit = Fixture::with_layout(layout).await;
        let mut watch = circuit.storage.watch().await.unwrap();
        let mut generation = 0;
        for (name, state) in [
            ("open", State::Open),
            ("half-open", State::HalfOpen),
            ("open", State::Open),
            ("half-open", State::HalfOpen),
            ("closed", State::Closed),
            ("half-open", State::HalfOpen),
        ] {
            circuit.set("state", name).await;
            generation += 1;
            let view = circuit.now().await;
            assert_view(&view, state, generation);
            assert_eq!((view.cause, view.by), (Cause::Adopted, None));
            assert_left(view.time_left, if state == State::Open { RESET } else { Duration::ZERO });
            let (key, heard) = pushed(&mut *watch).await;
            assert_eq!(key, circuit.key);
            assert_view(&heard, state, generation);
            // Nothing more has happened.
            assert_view(&circuit.now().await, state, generation);
            for ending in ["state", "record"] {
                assert!(circuit.kept_for(ending).await > 0);
            }
        }
    }
}

#[tokio::test]
async fn the_time_of_a_stranger_s_opening_may_follow() {
    let circuit = Fixture::new().await;
    circuit.set("state", "open").await;
    assert_view(&circuit.now().await, State::Open, 1);
    circuit.set("opened_at", "1700000000").await;
    assert_view(&circuit.now().await, State::Open, 1);
    assert_view(&circuit.now().await, State::Open, 1);
    // Its trial has failed since.
    circuit.set("opened_at", "1700000015").await;
    assert_view(&circuit.now().await, State::Open, 2);
    assert_view(&circuit.now().await, State::Open, 2);
}

#[tokio::test]
async fn the_time_of_a_stranger_s_opening_may_be_there() {
    let circuit = Fixture::new().await;
    circuit.set("state", "open").await;
    circuit.set("opened_at", "1700000000").await;
    assert_view(&circuit.now().await, State::Open, 1);
    assert_eq!(circuit.get("opened_at").await.unwrap(), "1700000000", "theirs stays");
    circuit.set("opened_at", "1700000015").await;
    assert_view(&circuit.now().await, State::Open, 2);
    // The same over a circuit of ours that has opened and closed before.
    let closed = circuit.put(State::Closed, 1).await;
    assert_view(&closed, State::Closed, 3);
    circuit.set("state", "open").await;
    assert_view(&circuit.now().await, State::Open, 4);
    circuit.set("opened_at", "1700000030").await;
    assert_view(&circuit.now().await, State::Open, 4);
    circuit.set("opened_at", "1700000045").await;
    assert_view(&circuit.now().await, State::Open, 5);
}

#[tokio::test]
async fn only_of_an_open_circuit_another_time_is_another_opening() {
    let circuit = Fixture::new().await;
    for (number, state) in [State::Closed, State::HalfOpen].into_iter().enumerate() {
        let view = circuit.put(state, number as u64).await;
        circuit.set("opened_at", &format!("170000000{number}")).await;
        assert_view(&circuit.now().await, state, view.generation);
    }
}

#[tokio::test]
async fn a_time_that_never_followed_is_not_awaited_for_ever() {
    let circuit = Fixture::new().await;
    circuit.set("state", "open").await;
    assert_view(&circuit.now().await, State::Open, 1);
    circuit.put(State::Closed, 1).await;
    circuit.put(State::Open, 2).await;
    circuit.set("opened_at", "1700000000").await;
    assert_view(&circuit.now().await, State::Open, 4);
}

#[tokio::test]
async fn a_stranger_s_opening_runs_from_when_it_was_seen() {
    let circuit = Fixture::with_clock().await;
    circuit.set("state", "open").await;
    // By a clock of its own.
    circuit.set("opened_at", "5").await;
    let denied = circuit.lease(NOTHING, 1).await;
    assert!(!denied.granted);
    assert_view(&denied.view, State::Open, 1);
    assert_eq!((denied.view.time_left, denied.view.open_for), (RESET, Duration::ZERO));
    circuit.set_clock(1_000_000_000 + 14_999_999).await;
    assert!(!circuit.lease((&denied.view).into(), 2).await.granted);
    // Opened anew: it runs anew.
    circuit.set("opened_at", "20").await;
    assert_eq!(circuit.now().await.time_left, RESET);
    circuit.set_clock(1_000_000_000 + 29_999_999).await;
    let view = circuit.now().await;
    assert_view(&view, State::Open, 2);
    let granted = circuit.lease((&view).into(), 3).await;
    assert!(granted.granted);
    assert_view(&granted.view, State::HalfOpen, 3);
    assert_eq!(circuit.get("state").await.unwrap(), "half-open");
    // A verb with an open time of its own goes by that.
    circuit.set("state", "closed").await;
    circuit.now().await;
    circuit.set("state", "open").await;
    assert_eq!(circuit.trip(NOTHING, LONG).await.time_left, LONG);
}

#[tokio::test]
async fn a_command_that_sees_a_stranger_s_opening_first_knows_how_long_it_lasts() {
    let circuit = Fixture::with_clock().await;
    circuit.set("state", "open").await;
    let command = Command::Override(Some(night().into()));
    let mut control = Control::new(circuit.key.clone(), token(1), command);
    control.thresholds.reset_timeout = LONG;
    let view = circuit.storage.control(&[control]).await.unwrap().remove(0);
    assert_view(&view, State::Open, 2);
    assert_eq!(view.time_left, LONG);
}

#[tokio::test]
async fn what_a_stranger_wrote_comes_before_what_is_presented() {
    let circuit = Fixture::new().await;
    let closed = circuit.put(State::Closed, 1).await;
    circuit.set("state", "open").await;
    // So the trip is of an older generation, and does nothing.
    let view = circuit.trip((&closed).into(), LONG).await;
    assert_view(&view, State::Open, 2);
    assert_eq!(view.cause, Cause::Adopted);
    // A lost record and a stranger's opening: whichever is open longer.
    circuit.redis.command(&["FLUSHALL"]).await.unwrap();
    circuit.set("state", "open").await;
    let known = Presented { generation: 7, state: State::Open, time_left: LONG };
    let view = circuit.look(known).await;
    assert_view(&view, State::Open, 7);
    assert_left(view.time_left, LONG);
}

#[tokio::test]
async fn a_stranger_s_closed_circuit_or_failures_make_no_record() {
    let circuit = Fixture::new().await;
    circuit.set("state", "closed").await;
    circuit.set("fail_counter", "7").await;
    let view = circuit.now().await;
    assert_view(&view, State::Closed, 0);
    assert_eq!((view.failures, view.suspicion), (7, None));
    assert_eq!(circuit.size().await, 2);
    assert_eq!(circuit.kept_for("state").await, -1);
}

#[tokio::test]
async fn strangers_see_what_we_do() {
    for layout in [KeyLayout::Infuse, KeyLayout::Pybreaker] {
        let circuit = Fixture::with_layout(layout).await;
        let time = async || circuit.redis.command(&["TIME"]).await.unwrap().texts()[0].clone();
        let before: u64 = time().await.parse().unwrap();
        let open = circuit.trip(NOTHING, Duration::ZERO).await;
        let after: u64 = time().await.parse().unwrap();
        assert_eq!(circuit.get("state").await.unwrap(), "open");
        let opened_at = circuit.get("opened_at").await.unwrap();
        let seconds: u64 = opened_at.parse().unwrap();
        assert!((before..=after + 1).contains(&seconds));

        let half_open = circuit.lease((&open).into(), 1).await;
        assert_eq!(circuit.get("state").await.unwrap(), "half-open");
        assert_eq!(circuit.get("opened_at").await.unwrap(), opened_at);
        circuit.set("fail_counter", "9").await;
        circuit.settle((&half_open.view).into(), 1, Outcome::Success).await;
        assert_eq!(circuit.get("state").await.unwrap(), "closed");
        assert_eq!(circuit.get("fail_counter").await.unwrap(), "0");
        for ending in ["state", "fail_counter", "opened_at"] {
            assert_eq!(circuit.command("TYPE", ending, &[]).await.text(), Some("string"));
        }
        assert_view(&circuit.now().await, State::Closed, 3);
    }
}

#[tokio::test]
async fn the_time_of_our_opening_is_rounded_up() {
    let circuit = Fixture::with_clock().await;
    for (number, (clock, written)) in
        [(1_000_000_000, "1000"), (1_000_000_001, "1001"), (1_000_999_999, "1001")]
            .into_iter()
            .enumerate()
    {
        circuit.set_clock(clock).await;
        circuit.put(State::Open, number as u64).await;
        assert_eq!(circuit.get("opened_at").await.unwrap(), written);
    }
    // Of when it opened, not of when its record was lost and mended.
    circuit.set_clock(2_000_000_000).await;
    let known = Presented { generation: 9, state: State::Open, time_left: LONG };
    assert_view(&circuit.look(known).await, State::Open, 9);
    assert_eq!(circuit.get("opened_at").await.unwrap(), "1001");
    let big = 1_799_999_999_123_456;
    circuit.set_clock(big).await;
    circuit.put(State::Open, 9).await;
    assert_eq!(circuit.get("opened_at").await.unwrap(), "1800000000");
}

#[tokio::test]
async fn a_stranger_s_failures_are_added_when_judging() {
    let circuit = Fixture::new().await;
    circuit.set("fail_counter", "3").await;
    let view = circuit.now().await;
    let view = circuit.report(circuit.report_of(&view, ME, 1)).await;
    assert_eq!((view.failures, view.share, view.suspicion), (4, 1, None));
    let (view, _) = suspect(&circuit, 2).await;
    assert_eq!((view.failures, view.share), (5, 2));
    // Never counted into: they would open by it.
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "3");
    // One of their calls has succeeded.
    circuit.set("fail_counter", "0").await;
    let mut watch = circuit.storage.watch().await.unwrap();
    let view = circuit.now().await;
    assert_eq!((view.failures, view.suspicion, view.clears), (0, None, 1));
    assert!(view.rest > Duration::ZERO && view.rest <= Duration::from_millis(250));
    assert_eq!(pushed(&mut *watch).await.1.clears, 1);
}

#[tokio::test]
async fn a_suspicion_is_cleared_by_a_stranger_s_success() {
    for gone in [false, true] {
        let circuit = Fixture::new().await;
        suspect(&circuit, 5).await;
        assert_eq!(circuit.get("fail_counter").await.unwrap(), "1");
        let view = circuit.now().await;
        assert_eq!(view.failures, 5, "what we put there is no failure");
        match gone {
            true => drop(circuit.command("DEL", "fail_counter", &[]).await),
            false => circuit.set("fail_counter", "0").await,
        }
        let view = circuit.now().await;
        assert_eq!((view.failures, view.suspicion, view.clears), (0, None, 1));
        assert_eq!(circuit.get("fail_counter").await.unwrap(), "0");
        let late = circuit.report(circuit.report_of(&view, OTHER, 5)).await;
        assert_eq!(late.failures, 0, "it rests");
    }
}

#[tokio::test]
async fn what_was_put_into_a_stranger_s_counter_is_taken_back() {
    // When the suspicion lapses.
    let circuit = Fixture::with_clock().await;
    suspect(&circuit, 5).await;
    circuit.command("INCR", "fail_counter", &[]).await;
    circuit.set_clock(1_005_000_000).await;
    let view = circuit.now().await;
    assert_eq!((view.failures, view.suspicion), (4, None), "one is theirs, three are ours");
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "1");
    assert_eq!(circuit.now().await.failures, 4);

    // When it comes true.
    let circuit = Fixture::new().await;
    let (view, suspicion) = suspect(&circuit, 5).await;
    let mut trip = Trip::new(circuit.key.clone(), (&view).into(), ME, LONG);
    trip.suspicion = Some(suspicion.id);
    trip.grace = LONG;
    let view = circuit.storage.trip(&[trip]).await.unwrap().remove(0);
    assert_view(&view, State::Open, 1);
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "0");

    // When it is cleared.
    let circuit = Fixture::new().await;
    let (view, suspicion) = suspect(&circuit, 5).await;
    let clear = Clear::new(circuit.key.clone(), (&view).into(), ME, suspicion.id);
    circuit.storage.clear(&[clear]).await.unwrap();
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "0");

    // When a stranger opens.
    let circuit = Fixture::new().await;
    suspect(&circuit, 5).await;
    circuit.command("INCRBY", "fail_counter", &["5"]).await;
    circuit.set("state", "open").await;
    let view = circuit.now().await;
    assert_view(&view, State::Open, 1);
    assert_eq!((view.failures, view.suspicion), (0, None));
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "5");
    // Theirs, which they set to 0 when they close, after the state.
    circuit.set("state", "closed").await;
    assert_eq!(circuit.now().await.failures, 5);
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "5");
    circuit.set("fail_counter", "0").await;
    assert_eq!(circuit.now().await.failures, 0);
}

#[tokio::test]
async fn a_success_of_ours_takes_a_stranger_s_failures_away_too() {
    let circuit = Fixture::new().await;
    circuit.set("fail_counter", "2").await;
    let view = circuit.now().await;
    circuit.report(circuit.report_of(&view, OTHER, 1)).await;
    let mut report = circuit.report_of(&view, ME, 4);
    report.last_success = Some(Duration::ZERO);
    let view = circuit.report(report).await;
    assert_eq!((view.failures, view.suspicion, view.clears), (4, None, 1));
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "0");
    // A suspicion that was raised by the same report is not taken for cleared.
    circuit.set("fail_counter", "2").await;
    let mut report = circuit.report_of(&view, ME, 5);
    report.last_success = Some(Duration::ZERO);
    assert!(circuit.report(report).await.suspicion.is_some());
    assert_eq!(circuit.get("fail_counter").await.unwrap(), "1");
    assert!(circuit.now().await.suspicion.is_some());
}

#[tokio::test]
async fn what_strangers_need_is_written_again() {
    let circuit = Fixture::new().await;
    circuit.trip(NOTHING, LONG).await;
    let opened_at = circuit.get("opened_at").await;
    for ending in ["state", "opened_at"] {
        circuit.command("DEL", ending, &[]).await;
    }
    assert_view(&circuit.now().await, State::Open, 1);
    assert_eq!(circuit.get("state").await.unwrap(), "open");
    assert_eq!(circuit.get("opened_at").await, opened_at);
    assert_view(&circuit.now().await, State::Open, 1);
}

#[tokio::test]
async fn what_strangers_wrote_expires_with_the_rest() {
    let circuit = Fixture::new().await;
    let view = circuit.trip(NOTHING, LONG).await;
    circuit.set("fail_counter", "0").await;
    circuit.set("opened_at", "5").await;
    circuit.set("state", "closed").await;
    let view = circuit.look((&view).into()).await;
    circuit.report(circuit.report_of(&view, ME, 1)).await;
    for ending in ENDINGS {
        assert!(circuit.kept_for(ending).await > 86_000_000, "{ending}");
    }
}
