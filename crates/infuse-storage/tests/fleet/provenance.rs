//! What opened a circuit, who changed it last, and why: in every process.

use std::{convert::Infallible, sync::Arc, time::Duration};

use infuse_storage::{
    Cause, Circuit, Fault, FaultKind, Note, Outcome, Override, Policy, Provenance, Reach, State,
    Storage, Verdict, Window, core::Mode, test_util::Gate,
};
use tokio::time::sleep;
use tracing::Level;

use crate::support::{
    Fleet, RESET, SECOND, events::Logged, fail_times, in_step::InStep, let_happen, ready, succeed,
    try_once, until, until_both, until_state,
};

const MILLI: Duration = Duration::from_millis(1);
const BAD: Fault = Fault::status(503);

/// Calls that are answered with a status.
async fn answer(circuit: &Circuit, status: u16, times: u32) {
    let judge =
        |_: &Result<(), Infallible>| Verdict::from(Outcome::Failure).fault(Fault::status(status));
    for _ in 0..times {
        circuit.call_with(|| async { Ok(()) }, judge).await.unwrap();
    }
}

/// A trial that is answered with a status.
async fn try_and_get(circuit: &Circuit, status: u16) {
    let permit = circuit.acquire(None).await.unwrap();
    assert!(permit.is_trial());
    permit.settle(Verdict::from(Outcome::Failure).fault(Fault::status(status)));
}

fn ada() -> Note {
    Note::new().by("ada").because("their house is on fire")
}

fn parts(it: &Provenance) -> (Cause, Option<Fault>, &str, &str) {
    (it.cause, it.fault, &it.note.by, &it.note.reason)
}

#[track_caller]
fn provenance(circuit: &Circuit) -> Provenance {
    circuit.provenance().expect("nobody knows what opened the circuit")
}

#[tokio::test(start_paused = true)]
async fn an_own_trip_is_known_at_once_and_elsewhere_a_moment_later() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    assert_eq!((one.provenance(), one.last_change()), (None, None));
    fleet.clock.advance(SECOND);
    for _ in 0..5 {
        let permit = one.try_permit().unwrap();
        permit.settle(Verdict::from(Outcome::Failure).fault(BAD));
    }
    // Nothing was told yet.
    assert_eq!(two.state(), State::Closed);
    let here = provenance(&one);
    assert_eq!(parts(&here), (Cause::Failures, Some(BAD), "", ""));
    assert_eq!(here.at, one.opened_at().unwrap());
    assert!(here.by.is_some());
    assert_eq!(one.snapshot().tripped.as_ref(), Some(&here));
    assert_eq!(one.last_change().as_ref(), Some(&here));

    until_both(&one, &two, State::Open).await;
    assert_eq!((provenance(&one), provenance(&two)), (here.clone(), here.clone()));
    assert_eq!(two.snapshot().tripped.as_ref(), Some(&here));
    assert_eq!(two.last_change(), Some(here.clone()));
    // Also in one that joins later.
    fleet.clock.advance(5 * SECOND);
    let late = fleet.join().await.circuit("payments", Policy::default());
    until_state(&late, State::Open).await;
    assert_eq!(provenance(&late), here);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_fails_renews_what_went_wrong_and_a_close_forgets() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    answer(&one, 503, 5).await;
    until_both(&one, &two, State::Open).await;
    let first = provenance(&one);
    for status in [500, 502] {
        fleet.clock.advance(RESET);
        try_and_get(&two, status).await;
        // There at once.
        let mut renewed = first.clone();
        renewed.fault = Some(Fault::status(status));
        assert_eq!(provenance(&two), renewed);
        let last = two.last_change().unwrap();
        assert_eq!(parts(&last), (Cause::TrialFailed, Some(Fault::status(status)), "", ""));
        assert_ne!(last.by, first.by);
        until_both(&one, &two, State::Open).await;
        assert_eq!((provenance(&one), provenance(&two)), (renewed.clone(), renewed));
        assert_eq!(one.last_change().unwrap().by, last.by);
    }
    fleet.clock.advance(RESET);
    let permit = one.acquire(None).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    assert_eq!(provenance(&two).cause, Cause::Failures);
    permit.success();
    until_both(&one, &two, State::Closed).await;
    assert_eq!((one.provenance(), two.provenance()), (None, None));
    assert_eq!(two.snapshot().tripped, None);
    let last = two.last_change().unwrap();
    assert_eq!((parts(&last), last.by), ((Cause::TrialSucceeded, None, "", ""), first.by));
    // Anew.
    fail_times(&two, 5).await;
    until_both(&one, &two, State::Open).await;
    let second = provenance(&one);
    assert_eq!(second.fault, Some(Fault::new(FaultKind::Error)));
    assert_ne!(second.by, first.by);
}

#[tokio::test(start_paused = true)]
async fn when_it_was_does_not_waver() {
    let fleet = InStep::new();
    let (link, here) = fleet.scripted().await;
    let here = here.circuit("payments", Policy::default());
    let there = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    // It hears of it late, and looks tell it better.
    link.slow(30 * MILLI);
    fail_times(&there, 5).await;
    until_both(&here, &there, State::Open).await;
    let (before, before_there) = (provenance(&here), provenance(&there));
    assert!(before.at > before_there.at);
    link.heal();
    for _ in 0..10 {
        sleep(SECOND).await;
        assert_eq!((provenance(&here), provenance(&there)), (before.clone(), before_there.clone()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_several_saw_together_has_the_fault_of_who_settles_it() {
    let fleet = InStep::new();
    let one = fleet.join().await.circuit("payments", Policy::default());
    let two = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    answer(&one, 500, 3).await;
    sleep(100 * MILLI).await;
    answer(&two, 502, 2).await;
    until_both(&one, &two, State::Open).await;
    assert_eq!(parts(&provenance(&one)).1, Some(Fault::status(502)));
    assert_eq!(provenance(&one).by, provenance(&two).by);
}

#[tokio::test(start_paused = true)]
async fn what_a_rate_opened_has_the_last_fault() {
    let fleet = InStep::new();
    let policy = || {
        let rates = Policy::builder().max_failure(1_000).failure_rate(0.5).minimum_calls(10);
        rates.window(Window::Time(60 * SECOND)).build().unwrap()
    };
    let one = fleet.join().await.circuit("payments", policy());
    let two = fleet.join().await.circuit("payments", policy());
    sleep(100 * MILLI).await;
    for circuit in [&one, &two] {
        answer(circuit, 500, 4).await;
        answer(circuit, 504, 1).await;
        succeed(circuit).await;
    }
    until_both(&one, &two, State::Open).await;
    let (cause, fault, ..) = parts(&provenance(&one)).to_owned();
    assert_eq!((cause, fault), (Cause::FailureRate, Some(Fault::status(504))));
}

#[tokio::test(start_paused = true)]
async fn who_does_it_by_hand_and_why_is_known_everywhere() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    answer(&one, 503, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(SECOND);
    let told = (Cause::Manual, None, "ada", "their house is on fire");
    // Whatever it was before.
    assert_eq!(one.open_with(ada()).await, Reach::Fleet);
    let opened = provenance(&one);
    assert_eq!((parts(&opened), Some(opened.at)), (told, one.opened_at()));
    let_happen().await;
    assert_eq!(provenance(&two), opened);
    // Half-open it is still what it was opened by.
    let bob = || Note::new().by("bob").because("to see");
    assert_eq!(two.half_open_with(bob()).await, Reach::Fleet);
    until_both(&one, &two, State::HalfOpen).await;
    for circuit in [&one, &two] {
        assert_eq!(provenance(circuit), opened);
        assert_eq!(parts(&circuit.last_change().unwrap()), (Cause::Manual, None, "bob", "to see"));
    }
    assert_eq!(one.close_with(ada()).await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    for circuit in [&one, &two] {
        assert_eq!(circuit.provenance(), None);
        assert_eq!(parts(&circuit.last_change().unwrap()), told);
    }
    assert_eq!(one.half_open_with(bob()).await, Reach::Fleet);
    until_both(&one, &two, State::HalfOpen).await;
    assert_eq!(parts(&provenance(&two)), (Cause::Manual, None, "bob", "to see"));
    assert_eq!(one.reset_with(ada()).await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    assert_eq!(parts(&two.last_change().unwrap()), told);
    // Without a word.
    assert_eq!(one.open().await, Reach::Fleet);
    until_both(&one, &two, State::Open).await;
    assert_eq!(parts(&provenance(&two)), (Cause::Manual, None, "", ""));
}

#[tokio::test(start_paused = true)]
async fn an_override_is_no_change_of_the_state() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    assert_eq!(one.open_with(ada()).await, Reach::Fleet);
    until_both(&one, &two, State::Open).await;
    let before = (provenance(&two), two.last_change());
    fleet.clock.advance(SECOND);
    let over = Override::new(Mode::Isolated).by("bob");
    assert_eq!(one.set_override(Some(over)).await, Reach::Fleet);
    until("it is isolated", || two.mode() == Mode::Isolated).await;
    assert_eq!((provenance(&two), two.last_change()), before);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_forgot_everything_is_told_again() {
    for by_hand in [false, true] {
        let fleet = InStep::new();
        let one = fleet.join().await.circuit("payments", Policy::default());
        let two = fleet.join().await.circuit("payments", Policy::default());
        sleep(10 * SECOND).await;
        match by_hand {
            true => assert_eq!(one.open_with(ada()).await, Reach::Fleet),
            false => answer(&one, 503, 5).await,
        }
        until_both(&one, &two, State::Open).await;
        let before = provenance(&one);
        sleep(3 * SECOND).await;
        fleet.memory.forget_all();
        sleep(2 * SECOND).await;
        let stored = fleet.stored().await.provenance.unwrap();
        assert_eq!((stored.cause, stored.by), (before.cause, before.by));
        assert_eq!((stored.fault, &stored.note), (before.fault, &before.note));
        assert!(stored.ago > 4 * SECOND && stored.ago < 6 * SECOND, "{:?}", stored.ago);
        let late = fleet.join().await.circuit("payments", Policy::default());
        until_state(&late, State::Open).await;
        for circuit in [&one, &two] {
            assert_eq!(provenance(circuit), before);
        }
        assert_eq!(parts(&provenance(&late)), parts(&before));
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_storage_it_holds_here() {
    let fleet = InStep::new();
    let (link, app) = fleet.scripted().await;
    let here = app.circuit("payments", Policy::default());
    let there = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    answer(&there, 503, 5).await;
    until_both(&here, &there, State::Open).await;
    let opener = provenance(&there).by;
    link.set_all(Gate::Error);
    until("the storage is lost", || !here.snapshot().shared).await;
    // Its own trial fails.
    sleep(RESET).await;
    try_and_get(&here, 500).await;
    let known = provenance(&here);
    assert_eq!((parts(&known).1, known.by), (Some(Fault::status(500)), opener));
    let me = here.last_change().unwrap().by;
    assert!(me.is_some() && me != opener);
    // Open already, and by a seed now, and by hand.
    assert_eq!(app.seed(&here, State::Open).await, Reach::Local);
    let known = provenance(&here);
    assert_eq!((parts(&known), known.by), ((Cause::Seed, None, "", ""), me));
    let (logged, _listening) = Logged::start();
    assert_eq!(here.open_with(ada()).await, Reach::Local);
    let told = (Cause::Manual, None, "ada", "their house is on fire");
    assert_eq!((parts(&provenance(&here)), provenance(&here).by), (told, me));
    let said = "circuit payments stays open for 15s (manual) by ada: their house is on fire";
    assert_eq!(logged.count(said), 1, "{logged:?}");
    assert_eq!(here.close_with(ada()).await, Reach::Local);
    assert_eq!((here.provenance(), parts(&here.last_change().unwrap())), (None, told));
    let said = "circuit payments is closed (manual) by ada: their house is on fire";
    assert_eq!(logged.count(said), 1, "{logged:?}");
    // By its own failures it is nobody's word.
    answer(&here, 504, 5).await;
    let known = provenance(&here);
    assert_eq!(
        (parts(&known), known.by),
        ((Cause::Failures, Some(Fault::status(504)), "", ""), me)
    );
}

#[tokio::test(start_paused = true)]
async fn a_fallback_is_what_opened_it() {
    let fleet = InStep::new();
    let (link, here) = fleet.scripted_with(|builder| builder.fallback(Some(State::Open))).await;
    let here = here.circuit("payments", Policy::default());
    let there = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    assert_eq!(there.open_with(ada()).await, Reach::Fleet);
    until_both(&here, &there, State::Open).await;
    link.set_all(Gate::Error);
    until("the storage is lost", || !here.snapshot().shared).await;
    let known = provenance(&here);
    assert_eq!(parts(&known), (Cause::Fallback, None, "", ""));
    assert_ne!(known.by, provenance(&there).by);
    link.set_all(Gate::Ok);
    until("the storage is back", || here.snapshot().shared).await;
    sleep(SECOND).await;
    assert_eq!(parts(&provenance(&here)), parts(&provenance(&there)));
}

#[tokio::test(start_paused = true)]
async fn each_change_is_logged_once_in_each_process_with_where_what_who_and_why() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    let (logged, _listening) = Logged::start();
    answer(&one, 503, 5).await;
    until_both(&one, &two, State::Open).await;
    let process = provenance(&one).by.unwrap();
    assert_eq!(logged.count("circuit payments is open (failures, status 503)"), 1, "{logged:?}");
    let elsewhere =
        format!("circuit payments is open (failures, status 503, in process {process})");
    assert_eq!(logged.count(&elsewhere), 1, "{logged:?}");
    fleet.clock.advance(RESET);
    let permit = one.acquire(None).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    permit.settle(Verdict::from(Outcome::Failure).fault(Fault::new(FaultKind::Timeout)));
    until_both(&one, &two, State::Open).await;
    assert_eq!(logged.count("circuit payments is half-open (trial-started)"), 1);
    assert_eq!(logged.count("circuit payments is open (trial-failed, timeout)"), 1);
    let elsewhere =
        format!("circuit payments is open (trial-failed, timeout, in process {process})");
    assert_eq!(logged.count(&elsewhere), 1, "{logged:?}");
    let before = logged.at(Level::INFO).len();
    let note = Note::new().by("ada").because("moving\nhouse\x1b[1m");
    assert_eq!(two.close_with(note).await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    assert_eq!(logged.count("circuit payments is closed (manual) by ada: moving house [1m"), 1);
    let there = two.last_change().unwrap().by.unwrap();
    let elsewhere =
        format!("circuit payments is closed (manual, in process {there}) by ada: moving house [1m");
    assert_eq!(logged.count(&elsewhere), 1, "{logged:?}");
    assert_eq!(logged.at(Level::INFO).len(), before + 2, "{logged:?}");
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_that_is_opened_by_hand_is_logged_once_in_each_process() {
    let fleet = InStep::new();
    let (link, one) = fleet.scripted().await;
    let one = one.circuit("payments", Policy::default());
    let two = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    let (logged, _listening) = Logged::start();
    answer(&one, 503, 5).await;
    until_both(&one, &two, State::Open).await;
    assert_eq!(logged.count("stays open"), 0, "{logged:?}");

    let hour = 3_600 * SECOND;
    assert_eq!(two.open_for(hour, ada()).await, Reach::Fleet);
    until("both know", || [&one, &two].iter().all(|it| provenance(it).note == ada())).await;
    let by = provenance(&one).by.unwrap();
    let said = ["manual", &format!("manual, in process {by}")].map(|how| {
        format!("circuit payments stays open for 3600s ({how}) by ada: their house is on fire")
    });
    let each = |logged: &Logged| said.each_ref().map(|said| logged.count(said));
    assert_eq!(each(&logged), [1, 1], "{logged:?}");

    // Neither a mode, nor a storage that comes back, is an opening.
    let night = Override::new(Mode::Isolated).by("bob");
    assert_eq!(one.set_override(Some(night)).await, Reach::Fleet);
    assert_eq!(two.set_override(None).await, Reach::Fleet);
    until("both are told", || one.mode() == Mode::Enabled && two.mode() == Mode::Enabled).await;
    link.set_all(Gate::Error);
    until("the storage is lost", || !one.snapshot().shared).await;
    link.set_all(Gate::Ok);
    until("the storage is back", || one.snapshot().shared).await;
    sleep(10 * SECOND).await;
    assert_eq!(logged.count("stays open"), 2, "{logged:?}");

    // The same once more is.
    assert_eq!(one.open_for(hour, ada()).await, Reach::Fleet);
    sleep(SECOND).await;
    assert_eq!(logged.count("stays open for 3600s"), 4, "{logged:?}");
    // And it opens a circuit that is closed as it ever did.
    assert_eq!(one.close_with(ada()).await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    assert_eq!(one.open_with(ada()).await, Reach::Fleet);
    until_both(&one, &two, State::Open).await;
    assert_eq!(logged.count("stays open"), 4, "{logged:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listener_finds_who_and_why() {
    use std::sync::Mutex;

    use infuse_storage::{Breaker, Circuits, Listener, StateChange};

    #[derive(Default)]
    struct Asks(Mutex<Option<Circuits>>, Mutex<Vec<(State, Cause, String, bool)>>);

    impl Listener for Asks {
        fn state_change(&self, breaker: &Breaker, change: &StateChange) {
            let circuits = self.0.lock().unwrap().clone().unwrap();
            let circuit = circuits.get(breaker.name()).unwrap();
            let last = circuit.last_change().unwrap();
            assert_eq!((last.cause, last.fault), (change.cause, change.fault));
            let tripped = circuit.provenance().is_some();
            self.1.lock().unwrap().push((change.to, last.cause, last.note.by.to_string(), tripped));
        }
    }

    let fleet = Fleet::new();
    let asks = Arc::new(Asks::default());
    let listener: Arc<dyn Listener> = Arc::clone(&asks) as _;
    let circuits = ready(fleet.builder().listener(listener)).await;
    *asks.0.lock().unwrap() = Some(circuits.clone());
    let one = circuits.circuit("payments", Policy::default());
    let two = fleet.join().await.circuit("payments", Policy::default());
    answer(&one, 503, 5).await;
    until_both(&one, &two, State::Open).await;
    assert_eq!(two.close_with(ada()).await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    assert_eq!(one.open_with(ada()).await, Reach::Fleet);
    fleet.clock.advance(RESET);
    try_once(&one, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
    let heard = asks.1.lock().unwrap().clone();
    let heard: Vec<_> = heard.iter().map(|it| (it.0, it.1, &*it.2, it.3)).collect();
    let expected = [
        (State::Open, Cause::Failures, "", true),
        (State::Closed, Cause::Manual, "ada", false),
        (State::Open, Cause::Manual, "ada", true),
        (State::HalfOpen, Cause::TrialStarted, "", true),
        (State::Closed, Cause::TrialSucceeded, "", false),
    ];
    assert_eq!(heard, expected);
    // Else they hold each other.
    *asks.0.lock().unwrap() = None;
}

#[tokio::test(start_paused = true)]
async fn another_program_s_opening_is_nobody_s() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    // As if one knew a circuit that the storage has lost, and no more of it.
    let known = infuse_storage::Presented { generation: 7, state: State::Open, time_left: RESET };
    let look = infuse_storage::Look::new(infuse_storage::CircuitKey::new("payments"), known);
    fleet.memory.look(&[look]).await.unwrap();
    until_both(&one, &two, State::Open).await;
    let found = provenance(&one);
    assert_eq!((parts(&found), found.by), ((Cause::Adopted, None, "", ""), None));
    assert_eq!(one.opened_at(), Some(found.at));
}
