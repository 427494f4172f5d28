//! How sharing goes, as it is shown.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_storage::{
    Circuits, CircuitsBuilder, Health, MemoryStorage, Policy, Reach, StorageEvent,
    test_util::{Gate, Link, TestClock, Verb},
};
use tokio::{runtime::Handle, time::sleep};

use crate::support::{SECOND, fail_times, let_happen, ready, until};

const MILLI: Duration = Duration::from_millis(1);

/// Circuits over a link, and what their listener heard.
struct Watched {
    link: Link,
    circuits: Circuits,
    heard: Arc<Mutex<Vec<StorageEvent>>>,
}

impl Watched {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(setup: impl FnOnce(CircuitsBuilder) -> CircuitsBuilder) -> Self {
        let clock = TestClock::new();
        let link = Link::new(MemoryStorage::with_clock(clock.clone()));
        let heard: Arc<Mutex<Vec<StorageEvent>>> = Arc::default();
        let listener = Arc::clone(&heard);
        let builder = setup(Circuits::builder().storage(Arc::new(link.clone())).clock(clock))
            .storage_listener(move |event| listener.lock().unwrap().push(event.clone()));
        let circuits = ready(builder).await;
        Self { link, circuits, heard }
    }

    fn health(&self) -> Health {
        self.circuits.health()
    }

    /// Loses the storage, at this moment.
    async fn lose(&self, gate: Gate) {
        self.link.set_all(gate);
        let circuit = self.circuits.circuit("lost", Policy::default());
        assert_eq!(circuit.close().await, Reach::Local);
    }

    fn heard(&self) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let show = |event: &StorageEvent| match event {
            StorageEvent::Lost(why) => format!("lost: {why}"),
            other => format!("{other:?}"),
        };
        heard.iter().map(show).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn as_long_as_all_is_well_so_it_says() {
    let watched = Watched::new().await;
    watched.circuits.circuit("payments", Policy::default());
    sleep(10 * SECOND).await;
    let health = watched.health();
    assert!(health.shared && health.pushed, "{health:?}");
    assert_eq!((health.lost_for, health.losses, health.lag), (None, 0, Duration::ZERO));
    assert_eq!(health.commands as usize, watched.link.count_all());
    assert_eq!(health.failed_commands, 0);
    assert!(watched.heard().is_empty());
    assert_eq!(watched.circuits.process(), watched.circuits.clone().process());
    assert_ne!(watched.circuits.process(), Watched::new().await.circuits.process());
}

#[tokio::test(start_paused = true)]
async fn each_loss_and_each_return_is_told_once_and_in_order() {
    let watched = Watched::new().await;
    for losses in 1..=3 {
        watched.lose(Gate::Error).await;
        let health = watched.health();
        assert!(!health.shared && !health.pushed, "{health:?}");
        assert_eq!((health.lost_for, health.losses), (Some(Duration::ZERO), losses));
        sleep(7 * SECOND).await;
        // More that fails is no other loss.
        watched.circuits.circuit(format!("new {losses}"), Policy::default());
        assert_eq!(watched.circuits.get("lost").unwrap().open().await, Reach::Local);
        assert_eq!(watched.health().losses, losses);
        assert_eq!(watched.health().lost_for, Some(7 * SECOND));
        watched.link.heal();
        until("it is back", || watched.health().shared).await;
        let_happen().await;
        let health = watched.health();
        assert_eq!((health.lost_for, health.pushed), (None, true));
        assert_eq!(watched.heard(), ["lost: the storage is unavailable", "Back"]);
    }
    watched.lose(Gate::Never).await;
    let_happen().await;
    assert_eq!(watched.heard(), ["lost: the storage did not answer within 100ms"]);
}

#[tokio::test(start_paused = true)]
async fn verbs_that_are_over_are_counted_each_once() {
    let watched = Watched::new().await;
    let circuit = watched.circuits.circuit("payments", Policy::default());
    let_happen().await;
    let sent = || watched.link.count_all() as u64;
    let before = watched.health();
    assert_eq!(before.commands, sent());

    watched.link.next(Verb::Control, [Gate::Error]);
    assert_eq!(circuit.close().await, Reach::Fleet);
    let health = watched.health();
    assert_eq!((health.commands, health.failed_commands), (before.commands + 2, 1));

    // Of one that is under way nobody knows yet.
    watched.link.next(Verb::Control, [Gate::Slow(50 * MILLI), Gate::Never]);
    let asking = tokio::spawn({
        let circuit = circuit.clone();
        async move { circuit.close().await }
    });
    sleep(20 * MILLI).await;
    assert_eq!(watched.health().commands, sent() - 1);
    assert_eq!(asking.await.unwrap(), Reach::Fleet);
    assert_eq!(watched.health().failed_commands, 1);
    // Nobody waits for it any more.
    assert_eq!(circuit.close().await, Reach::Fleet);
    let health = watched.health();
    assert_eq!((health.commands, health.failed_commands), (sent(), 2));

    // Also those that look, probe and listen.
    watched.lose(Gate::Error).await;
    sleep(10 * SECOND).await;
    watched.link.heal();
    until("it is back", || watched.health().shared).await;
    let_happen().await;
    let health = watched.health();
    assert_eq!(health.commands, sent());
    assert!(health.failed_commands > 10, "{health:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_harms_nobody() {
    let watched =
        Watched::with(|builder| builder.storage_listener(|_| panic!("the test's listener"))).await;
    watched.lose(Gate::Error).await;
    watched.link.heal();
    until("it is back", || watched.health().shared).await;
    let_happen().await;
    assert_eq!(watched.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn changes_that_are_not_pushed_are_said_not_to_be() {
    let watched = Watched::new().await;
    watched.link.set(Verb::Watch, Gate::Error);
    watched.link.end_watches();
    let_happen().await;
    let health = watched.health();
    assert!(health.shared && !health.pushed, "{health:?}");
    watched.link.set(Verb::Watch, Gate::Ok);
    sleep(2 * SECOND).await;
    assert!(watched.health().pushed);
}

#[tokio::test(start_paused = true)]
async fn the_lag_is_what_the_oldest_that_is_to_be_told_has_waited() {
    let watched = Watched::new().await;
    let circuit = watched.circuits.circuit("payments", Policy::default());
    let other = watched.circuits.circuit("orders", Policy::default());
    let_happen().await;
    watched.link.set(Verb::Trip, Gate::Slow(60 * MILLI));
    fail_times(&circuit, 5).await;
    sleep(20 * MILLI).await;
    // On its way.
    let lag = watched.health().lag;
    assert!(lag >= 19 * MILLI && lag <= 21 * MILLI, "{lag:?}");
    // What comes later waits for less.
    fail_times(&other, 1).await;
    sleep(20 * MILLI).await;
    let lag = watched.health().lag;
    assert!(lag >= 39 * MILLI && lag <= 41 * MILLI, "{lag:?}");
    sleep(30 * MILLI).await;
    assert_eq!(watched.health().lag, Duration::ZERO);
    // A look that is wanted is nothing that is to be told.
    watched.link.set(Verb::Look, Gate::Slow(90 * MILLI));
    watched.circuits.circuit("refunds", Policy::default());
    sleep(20 * MILLI).await;
    assert_eq!(watched.health().lag, Duration::ZERO);
    sleep(SECOND).await;

    // While it is lost nothing is to be told.
    watched.lose(Gate::Error).await;
    fail_times(&other, 3).await;
    sleep(SECOND).await;
    assert_eq!(watched.health().lag, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_put_off_goes_on_waiting() {
    let watched = Watched::new().await;
    let circuit = watched.circuits.circuit("payments", Policy::default());
    let_happen().await;
    fail_times(&circuit, 1).await;
    sleep(5 * MILLI).await;
    assert_eq!(watched.health().lag, Duration::ZERO);
    // The next report is 50 ms after the last. Other circuits' turns come in between.
    fail_times(&circuit, 1).await;
    for step in 1..=8 {
        let other = watched.circuits.circuit(format!("other {step}"), Policy::default());
        fail_times(&other, 1).await;
        sleep(5 * MILLI).await;
        let lag = watched.health().lag;
        let waited = step * 5 * MILLI;
        assert!(lag + MILLI >= waited && lag <= waited + 5 * MILLI, "{step}: {lag:?}");
    }
    sleep(20 * MILLI).await;
    assert_eq!(watched.health().lag, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn after_shutdown_nothing_is_shared_and_nothing_is_left() {
    let before = Handle::current().metrics().num_alive_tasks();
    let watched = Watched::new().await;
    watched.lose(Gate::Error).await;
    watched.circuits.shutdown().await;
    let health = watched.health();
    assert!(!health.shared && !health.pushed, "{health:?}");
    assert_eq!((health.lost_for, health.losses, health.lag), (None, 1, Duration::ZERO));
    let_happen().await;
    assert_eq!(watched.heard(), ["lost: the storage is unavailable"]);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_panics_is_lost_for_good() {
    let watched = Watched::new().await;
    let circuit = watched.circuits.circuit("payments", Policy::default());
    let_happen().await;
    watched.link.set(Verb::Trip, Gate::Panics);
    fail_times(&circuit, 5).await;
    until("it is not shared any more", || !watched.health().shared).await;
    watched.link.heal();
    sleep(SECOND).await;
    let health = watched.health();
    assert!(!health.shared && health.losses == 1, "{health:?}");
    assert!(health.lost_for.is_some_and(|lost_for| lost_for >= SECOND), "{health:?}");
    assert_eq!(watched.heard(), ["lost: the storage panicked"]);
}

#[tokio::test(start_paused = true)]
async fn an_announcement_that_panics_ends_sharing_too() {
    let watched = Watched::new().await;
    watched.link.set(Verb::Announce, Gate::Panics);
    watched.circuits.announce("production", SECOND, |_| String::new());
    until("it is not shared any more", || !watched.health().shared).await;
    let before = watched.link.count_all();
    sleep(10 * SECOND).await;
    watched.circuits.shutdown().await;
    assert_eq!(watched.link.count_all(), before);
}

#[tokio::test(start_paused = true)]
async fn a_lost_storage_that_panics_is_no_other_loss() {
    let watched = Watched::new().await;
    watched.lose(Gate::Error).await;
    watched.link.set(Verb::Probe, Gate::Panics);
    sleep(5 * SECOND).await;
    watched.circuits.shutdown().await;
    let health = watched.health();
    assert_eq!((health.losses, health.lost_for), (1, Some(5 * SECOND)));
    assert_eq!(watched.heard(), ["lost: the storage is unavailable"]);
}
