//! Modes that someone puts on for the whole fleet.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_storage::{
    Breaker, Circuit, Interest, Listener, Mode, ModeChange, Outcome, Override, Policy, Reach,
    Reason, State,
};
use tokio::time::sleep;
use tracing::Level;

use crate::support::{
    RESET, SECOND,
    events::{Heard, Logged},
    fail, fail_times,
    in_step::InStep,
    ready, rejected, succeed, until, until_both,
};

const MILLI: Duration = Duration::from_millis(1);

fn isolated(time: Duration) -> Override {
    Override::new(Mode::Isolated).lasting(time).by("ada").because("their database is being moved")
}

async fn many(fleet: &InStep, number: usize) -> Vec<Circuit> {
    let mut circuits = Vec::new();
    for _ in 0..number {
        circuits.push(fleet.join().await.circuit("payments", Policy::default()));
    }
    sleep(100 * MILLI).await;
    circuits
}

async fn until_mode(circuit: &Circuit, mode: Mode) {
    until(format_args!("it is {mode}"), || circuit.mode() == mode).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_set_in_one_holds_in_all_and_ends_by_itself() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 4).await;
    assert_eq!(circuits[0].set_override(Some(isolated(60 * SECOND))).await, Reach::Fleet);
    sleep(10 * MILLI).await;
    for circuit in &circuits {
        assert_eq!(circuit.mode(), Mode::Isolated);
        let over = circuit.overridden().unwrap();
        assert_eq!((&*over.by, &*over.reason), ("ada", "their database is being moved"));
        let left = over.left.unwrap();
        assert!(left > 59 * SECOND && left <= 60 * SECOND, "{left:?}");
        let rejected = rejected(circuit).await;
        assert_eq!(rejected.reason(), Reason::Isolated);
        assert_eq!(circuit.state(), State::Closed);
    }
    // One that joins later has it too, with what is left of it.
    sleep(30 * SECOND).await;
    let late = fleet.join().await.circuit("payments", Policy::default());
    until_mode(&late, Mode::Isolated).await;
    let left = late.overridden().unwrap().left.unwrap();
    assert!(left > 29 * SECOND && left <= 30 * SECOND, "{left:?}");
    sleep(29 * SECOND).await;
    rejected(&late).await;
    sleep(SECOND).await;
    for circuit in circuits.iter().chain([&late]) {
        assert_eq!((circuit.mode(), circuit.overridden()), (Mode::Enabled, None));
        succeed(circuit).await;
    }
    assert_eq!(fleet.stored().await.overridden, None);
}

/// Writes down which modes came to hold, and uses its circuit on the way, as anyone may.
#[derive(Clone)]
struct Modes {
    circuit: Circuit,
    heard: Arc<Mutex<Vec<(Mode, Mode)>>>,
}

impl Listener for Modes {
    fn mode_change(&self, _: &Breaker, change: &ModeChange) {
        assert_eq!(self.circuit.snapshot().mode, change.to);
        self.heard.lock().unwrap().push((change.from, change.to));
    }

    fn interest(&self) -> Interest {
        Interest::Changes
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_in_all_hear_of_it_once_and_of_its_end() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 3).await;
    let modes = |circuit: &Circuit| Modes { circuit: circuit.clone(), heard: Arc::default() };
    let heard: Vec<Modes> = circuits.iter().map(modes).collect();
    for modes in &heard {
        modes.circuit.add_listener(modes.clone());
    }
    let take = || -> Vec<Vec<(Mode, Mode)>> {
        heard.iter().map(|modes| std::mem::take(&mut *modes.heard.lock().unwrap())).collect()
    };
    assert_eq!(circuits[0].set_override(Some(isolated(60 * SECOND))).await, Reach::Fleet);
    // Looks bring it again and again.
    sleep(50 * SECOND).await;
    assert_eq!(take(), vec![vec![(Mode::Enabled, Mode::Isolated)]; 3]);
    sleep(15 * SECOND).await;
    for circuit in &circuits {
        succeed(circuit).await;
    }
    assert_eq!(take(), vec![vec![(Mode::Isolated, Mode::Enabled)]; 3]);
    assert_eq!(circuits[1].set_override(Some(Override::new(Mode::Observe))).await, Reach::Fleet);
    until_mode(&circuits[2], Mode::Observe).await;
    assert_eq!(circuits[2].set_override(None).await, Reach::Fleet);
    until_mode(&circuits[0], Mode::Enabled).await;
    sleep(SECOND).await;
    let there_and_back = vec![(Mode::Enabled, Mode::Observe), (Mode::Observe, Mode::Enabled)];
    assert_eq!(take(), vec![there_and_back; 3]);
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_away_in_all() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 3).await;
    assert_eq!(circuits[0].set_override(Some(Override::new(Mode::Isolated))).await, Reach::Fleet);
    until_mode(&circuits[2], Mode::Isolated).await;
    assert_eq!(circuits[1].overridden().unwrap().left, None);
    assert_eq!(circuits[1].set_override(None).await, Reach::Fleet);
    for circuit in &circuits {
        until_mode(circuit, Mode::Enabled).await;
        succeed(circuit).await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_replaces_it() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 2).await;
    assert_eq!(circuits[0].set_override(Some(isolated(60 * SECOND))).await, Reach::Fleet);
    until_mode(&circuits[1], Mode::Isolated).await;
    let longer = isolated(600 * SECOND);
    assert_eq!(circuits[1].set_override(Some(longer)).await, Reach::Fleet);
    sleep(120 * SECOND).await;
    assert_eq!((circuits[0].mode(), circuits[1].mode()), (Mode::Isolated, Mode::Isolated));
    let disabled = Override::new(Mode::Disabled).lasting(60 * SECOND);
    assert_eq!(circuits[1].set_override(Some(disabled)).await, Reach::Fleet);
    until_mode(&circuits[0], Mode::Disabled).await;
}

#[tokio::test(start_paused = true)]
async fn it_survives_a_storage_that_forgets_everything() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 3).await;
    assert_eq!(circuits[0].set_override(Some(isolated(60 * SECOND))).await, Reach::Fleet);
    until_mode(&circuits[2], Mode::Isolated).await;
    sleep(10 * SECOND).await;
    fleet.memory.forget_all();
    assert_eq!(fleet.stored().await.overridden, None);
    // At the next look of anybody, though no call is made.
    sleep(1_200 * MILLI).await;
    let late = fleet.join().await.circuit("payments", Policy::default());
    until_mode(&late, Mode::Isolated).await;
    for _ in 0..48 {
        for circuit in circuits.iter().chain([&late]) {
            rejected(circuit).await;
        }
        sleep(SECOND).await;
    }
    sleep(2 * SECOND).await;
    for circuit in circuits.iter().chain([&late]) {
        assert_eq!(circuit.mode(), Mode::Enabled);
    }
}

#[tokio::test(start_paused = true)]
async fn every_verb_brings_it_back() {
    for verb in ["look", "report", "trip", "clear", "lease", "settle", "control", "seed"] {
        let fleet = InStep::new();
        let app = fleet.join().await;
        let here = app.circuit("payments", Policy::default());
        let there = many(&fleet, 2).await;
        let observe = Override::new(Mode::Observe).lasting(600 * SECOND).by("ada");
        let due = matches!(verb, "lease" | "settle");
        if due {
            assert_eq!(here.open().await, Reach::Fleet);
        }
        assert_eq!(there[0].set_override(Some(observe)).await, Reach::Fleet);
        until_mode(&here, Mode::Observe).await;
        let mut trial = None;
        if due {
            sleep(RESET).await;
        }
        if verb == "settle" {
            trial = here.acquire(None).await.ok();
            sleep(10 * MILLI).await;
        }
        if verb == "clear" {
            fail_times(&there[0], 3).await;
            sleep(60 * MILLI).await;
            fail_times(&there[1], 2).await;
            until("it is suspect", || here.snapshot().suspect).await;
        }
        fleet.memory.forget_all();
        match verb {
            "look" | "clear" => succeed(&here).await,
            "report" => fail(&here).await,
            "trip" => {
                for _ in 0..5 {
                    here.try_permit().unwrap().failure();
                }
            }
            "lease" => drop(here.acquire(None).await.unwrap()),
            "settle" => trial.unwrap().success(),
            "control" => assert_eq!(here.open().await, Reach::Fleet),
            _ => assert_eq!(app.seed(&here, State::Open).await, Reach::Fleet),
        }
        let within = match verb {
            "look" => 1_200,
            // Before the suspicion is settled, which would do it too.
            "clear" => 40,
            _ => 10,
        };
        sleep(within * MILLI).await;
        let stored = fleet.stored().await.overridden;
        let stored = stored.unwrap_or_else(|| panic!("{verb} did not bring it back"));
        assert_eq!((stored.mode, &*stored.by), (Mode::Observe, "ada"), "{verb}");
        assert!(stored.left.unwrap() > 550 * SECOND, "{verb}");
        assert_eq!(there[0].mode(), Mode::Observe, "{verb}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_mode_of_the_settings_holds_here_and_below_an_override() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 2).await;
    circuits[0].set_mode(Mode::Disabled);
    assert_eq!((circuits[0].mode(), circuits[1].mode()), (Mode::Disabled, Mode::Enabled));
    assert_eq!(circuits[1].set_override(Some(isolated(10 * SECOND))).await, Reach::Fleet);
    until_mode(&circuits[0], Mode::Isolated).await;
    sleep(11 * SECOND).await;
    assert_eq!((circuits[0].mode(), circuits[1].mode()), (Mode::Disabled, Mode::Enabled));
}

#[tokio::test(start_paused = true)]
async fn the_state_and_its_times_stay() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 2).await;
    fail_times(&circuits[0], 5).await;
    until_both(&circuits[0], &circuits[1], State::Open).await;
    sleep(5 * SECOND).await;
    let heard = Heard::default();
    circuits[1].add_listener(heard.clone());
    assert_eq!(circuits[0].set_override(Some(isolated(60 * SECOND))).await, Reach::Fleet);
    until_both(&circuits[0], &circuits[1], State::Open).await;
    let left = circuits[1].retry_after().unwrap();
    assert!(left > 9 * SECOND && left <= 10 * SECOND, "{left:?}");
    assert_eq!(heard.changes(), [""; 0]);
    assert_eq!(circuits[0].set_override(None).await, Reach::Fleet);
    sleep(10 * SECOND).await;
    let permit = circuits[1].acquire(None).await.unwrap();
    assert!(permit.is_trial());
    permit.settle(Outcome::Success);
    until_both(&circuits[0], &circuits[1], State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_said_once_in_each_process_with_who_why_and_for_how_long() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 2).await;
    let (logged, _guard) = Logged::start();
    assert_eq!(circuits[0].set_override(Some(isolated(30 * SECOND))).await, Reach::Fleet);
    for _ in 0..20 {
        let _permit = circuits[1].try_permit();
        sleep(SECOND).await;
    }
    let said = "circuit payments is isolated for 30s by ada: their database is being moved";
    assert_eq!(logged.count(said), 2, "{logged:?}");
    assert_eq!(logged.at(Level::INFO).len(), 2, "{logged:?}");
    for _ in 0..20 {
        succeed_or_not(&circuits).await;
        sleep(SECOND).await;
    }
    assert_eq!(logged.count("circuit payments is enabled again: its override has ended"), 2);
    assert_eq!(circuits[0].set_override(Some(Override::new(Mode::Disabled))).await, Reach::Fleet);
    assert_eq!(circuits[0].set_override(None).await, Reach::Fleet);
    sleep(10 * MILLI).await;
    assert_eq!(logged.count("circuit payments is disabled"), 2);
    assert_eq!(logged.count("its override was taken away"), 2);
    assert_eq!(logged.at(Level::INFO).len(), 8, "{logged:?}");
    circuits[0].set_mode(Mode::Observe);
    circuits[0].set_mode(Mode::Observe);
    assert_eq!(logged.count("circuit payments is observe"), 1);
}

async fn succeed_or_not(circuits: &[Circuit]) {
    for circuit in circuits {
        drop(circuit.try_permit());
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_fleet_that_observes_everything_passes_and_trials_are_made() {
    let fleet = InStep::new();
    let heard = Heard::default();
    let builder = fleet.builder_on(Arc::new(fleet.memory.clone()));
    let one = ready(builder.listener(Arc::new(heard.clone()))).await;
    let one = one.circuit("payments", Policy::default());
    let two = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    assert_eq!(one.set_override(Some(Override::new(Mode::Observe))).await, Reach::Fleet);
    until_mode(&two, Mode::Observe).await;
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    for circuit in [&one, &two] {
        // Counted as nothing.
        fail(circuit).await;
        succeed(circuit).await;
        drop(circuit.try_permit().unwrap());
        assert_eq!(circuit.snapshot().would_have_rejected, 3);
    }
    assert_eq!(fleet.stored().await.generation, 2);
    sleep(RESET).await;
    // A trial is due. Who cannot wait for its lease passes, as do all others when one has it.
    let permit = one.try_permit().unwrap();
    assert!(!permit.is_trial());
    permit.failure();
    let trial = two.acquire(None).await.unwrap();
    assert!(trial.is_trial());
    for circuit in [&one, &two, &one, &two] {
        let permit = circuit.acquire(None).await.unwrap();
        assert!(!permit.is_trial());
        permit.failure();
        let permit = circuit.try_permit().unwrap();
        assert!(!permit.is_trial());
        permit.success();
    }
    assert_eq!(two.state(), State::HalfOpen);
    trial.success();
    until_both(&one, &two, State::Closed).await;
    succeed(&one).await;
}
