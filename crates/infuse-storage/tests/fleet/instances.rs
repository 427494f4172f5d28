//! What participants say of themselves, and are told of each other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use infuse_storage::{
    Announcement, Circuits, Instance, Policy, Storage, StorageError,
    test_util::{Fleet, Gate, Link, TestClock, Verb},
};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tracing::Level;

use crate::support::{
    SECOND, events::Logged, fail_times, in_step::InStep, let_happen, ready, until,
};

const MILLI: Duration = Duration::from_millis(1);
const EVERY: Duration = Duration::from_secs(5);
const GROUP: &str = "production";

fn said(instances: &[Instance]) -> Vec<&str> {
    instances.iter().map(|instance| &*instance.text).collect()
}

async fn here(circuits: &Circuits) -> Vec<Instance> {
    circuits.instances(GROUP).await.unwrap()
}

/// Says each time another number, from 0.
fn number() -> impl Fn(&Circuits) -> String + Send + Sync {
    let numbers = AtomicU64::new(0);
    move |_: &Circuits| numbers.fetch_add(1, Relaxed).to_string()
}

#[tokio::test(start_paused = true)]
async fn each_says_what_it_is_and_all_hear_of_it() {
    let fleet = Fleet::of_circuits(3, |builder| builder).await;
    assert!(here(&fleet[0]).await.is_empty());
    for process in fleet.iter() {
        let name = format!("number {}", process.number());
        process.announce(GROUP, EVERY, move |circuits| {
            format!("{name} has {} circuits", circuits.all().len())
        });
    }
    fleet[1].circuit("payments", Policy::default());
    fleet.clock().advance(MILLI).await;
    let instances = here(&fleet[2]).await;
    let mut expected: Vec<_> = (0..3)
        .map(|it| (fleet[it].process(), format!("number {it} has {} circuits", it % 2)))
        .collect();
    expected.sort_unstable();
    let found: Vec<_> = instances.iter().map(|it| (it.process, it.text.to_string())).collect();
    assert_eq!(found, expected);
    assert!(instances.iter().all(|instance| instance.heard_ago == MILLI), "{instances:?}");
    assert!(fleet[0].instances("elsewhere").await.unwrap().is_empty());

    // What changes is heard of by the next.
    fleet[0].circuit("payments", Policy::default());
    fleet[0].circuit("orders", Policy::default());
    fleet.clock().advance(EVERY * 11 / 10).await;
    let instances = here(&fleet[2]).await;
    assert!(said(&instances).contains(&"number 0 has 2 circuits"), "{instances:?}");
    assert!(instances.iter().all(|it| it.heard_ago < EVERY), "{instances:?}");
}

#[tokio::test(start_paused = true)]
async fn it_is_said_never_more_often_than_every_so_often() {
    let fleet = Fleet::of_circuits(1, |builder| builder).await;
    fleet[0].announce(GROUP, EVERY, number());
    fleet.clock().advance(100 * EVERY).await;
    let asked = fleet[0].link().asked(Verb::Announce);
    assert!((91..=100).contains(&asked.len()), "{}", asked.len());
    let apart = asked.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(apart.clone().all(|it| it >= EVERY && it <= EVERY * 11 / 10 + 2 * MILLI));
    assert!(apart.clone().any(|it| it > EVERY * 21 / 20), "processes would speak together");
    assert!(asked[0].what.contains("lasting: 15s"), "{:?}", asked[0]);
}

#[tokio::test(start_paused = true)]
async fn there_is_a_shortest_and_a_longest_time_between_two() {
    for (every, asked, lasting) in
        [(Duration::ZERO, 91..=101, "30ms"), (Duration::MAX, 1..=1, "259200s")]
    {
        let fleet = Fleet::of_circuits(1, |builder| builder).await;
        fleet[0].announce(GROUP, every, number());
        fleet.clock().advance(SECOND).await;
        let all = fleet[0].link().asked(Verb::Announce);
        assert!(asked.contains(&all.len()), "{}", all.len());
        assert!(all[0].what.contains(&format!("lasting: {lasting}")), "{:?}", all[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_more_is_forgotten() {
    let mut fleet = Fleet::of_circuits(2, |builder| builder).await;
    fleet.iter().for_each(|process| process.announce(GROUP, EVERY, number()));
    fleet.clock().advance(MILLI).await;
    fleet.kill(0);
    fleet.clock().advance(3 * EVERY - 2 * MILLI).await;
    assert_eq!(here(&fleet[1]).await.len(), 2);
    fleet.clock().advance(2 * MILLI).await;
    let instances = here(&fleet[1]).await;
    assert_eq!(instances.len(), 1);
    assert_eq!(instances[0].process, fleet[1].process());
}

#[tokio::test(start_paused = true)]
async fn shutdown_takes_it_back_however_late_the_last_was_heard() {
    for late in [false, true] {
        let fleet = Fleet::of_circuits(2, |builder| builder).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        fleet.iter().for_each(|process| process.announce(GROUP, EVERY, number()));
        fleet.iter().for_each(|process| process.announce("others", EVERY, number()));
        fleet.clock().advance(MILLI).await;
        if late {
            fleet[0].link().set(Verb::Announce, Gate::Slow(50 * MILLI));
            until("it is said again", || fleet[0].link().count(Verb::Announce) == 3).await;
        }
        fleet[0].shutdown().await;
        assert_eq!(here(&fleet[1]).await.len(), 1);
        assert_eq!(fleet[1].instances("others").await.unwrap().len(), 1);
        assert_eq!(fleet[0].link().count(Verb::Withdraw), 2);
        let link = fleet[0].link();
        let (before, withdrawn) = (link.count_all(), link.asked(Verb::Withdraw));
        assert!(withdrawn.iter().any(|asked| asked.what.contains(GROUP)), "{withdrawn:?}");
        // Nothing more comes, and nothing can be begun.
        fleet[0].announce(GROUP, EVERY, number());
        fleet.clock().advance(10 * EVERY).await;
        assert_eq!(link.count_all(), before);
        fleet[1].shutdown().await;
        let_happen().await;
        assert!(Handle::current().metrics().num_alive_tasks() < tasks);
        let error = fleet[0].instances(GROUP).await.unwrap_err();
        assert!(error.to_string().contains("unavailable"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_keeps_nothing_alive() {
    let in_step = InStep::new();
    let before = Handle::current().metrics().num_alive_tasks();
    let circuits = in_step.join().await;
    circuits.announce(GROUP, EVERY, |circuits| circuits.process().to_string());
    let_happen().await;
    assert_eq!(in_step.memory.instances(GROUP).await.unwrap().len(), 1);
    drop(circuits);
    let_happen().await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn said_again_to_the_same_group_it_is_replaced_at_once() {
    let fleet = Fleet::of_circuits(1, |builder| builder).await;
    fleet[0].announce(GROUP, EVERY, |_| "one".to_owned());
    fleet.clock().advance(MILLI).await;
    fleet[0].announce(GROUP, 2 * EVERY, |_| "two".to_owned());
    fleet.clock().advance(MILLI).await;
    assert_eq!(said(&here(&fleet[0]).await), ["two"]);
    let before = fleet[0].link().count(Verb::Announce);
    fleet.clock().advance(EVERY * 3 / 2).await;
    assert_eq!(fleet[0].link().count(Verb::Announce), before);
    fleet.clock().advance(EVERY).await;
    assert_eq!(fleet[0].link().count(Verb::Announce), before + 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_is_no_loss_and_is_made_again() {
    for gate in [Gate::Error, Gate::Never, Gate::LosesAnswer] {
        let (logged, _guard) = Logged::start();
        let fleet = Fleet::of_circuits(1, |builder| builder).await;
        fleet[0].circuit("payments", Policy::default());
        fleet[0].link().set(Verb::Announce, gate);
        fleet[0].announce(GROUP, EVERY, number());
        fleet.clock().advance(3 * EVERY).await;
        assert!(fleet[0].health().shared);
        assert!(
            logged.at(Level::WARN).is_empty() && logged.at(Level::INFO).is_empty(),
            "{logged:?}"
        );
        assert_eq!(here(&fleet[0]).await.is_empty(), gate != Gate::LosesAnswer);
        fleet[0].link().set(Verb::Announce, Gate::Ok);
        fleet.clock().advance(EVERY * 12 / 10).await;
        assert_eq!(here(&fleet[0]).await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_storage_is_lost_nothing_is_said_and_soon_after_it_is_back_it_is() {
    let fleet = Fleet::of_circuits(2, |builder| builder).await;
    let minute = Duration::from_secs(60);
    fleet[0].announce(GROUP, minute, number());
    fleet.clock().advance(MILLI).await;
    fleet.cut(0);
    fleet[0].circuit("payments", Policy::default());
    until("it is lost", || !fleet[0].health().shared).await;
    let asked = Instant::now();
    let lost = fleet[0].instances(GROUP).await.unwrap_err();
    assert!(matches!(lost, StorageError::Unavailable(_)), "{lost}");
    assert_eq!(fleet[0].link().count(Verb::Instances), 0);
    assert_eq!(asked.elapsed(), Duration::ZERO);
    let before = fleet[0].link().count(Verb::Announce);
    fleet.clock().advance(10 * minute).await;
    assert_eq!(fleet[0].link().count(Verb::Announce), before);
    assert!(here(&fleet[1]).await.is_empty());
    fleet.heal(0);
    // A poll finds it, and the next look at that says it.
    fleet.clock().advance(3 * SECOND).await;
    assert_eq!(here(&fleet[1]).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_a_storage_that_is_lost_is_not_asked() {
    let fleet = Fleet::of_circuits(1, |builder| builder).await;
    fleet[0].announce(GROUP, EVERY, number());
    fleet.clock().advance(MILLI).await;
    fleet.hang(0);
    fleet[0].circuit("payments", Policy::default());
    until("it is lost", || !fleet[0].health().shared).await;
    // Until nothing is under way.
    sleep(SECOND / 2).await;
    fleet[0].shutdown().await;
    assert_eq!(fleet[0].link().count(Verb::Withdraw), 0);
}

#[tokio::test(start_paused = true)]
async fn what_circuits_have_to_tell_goes_first() {
    let clock = TestClock::new();
    let link = Link::new(infuse_storage::MemoryStorage::with_clock(clock.clone()));
    let builder = Circuits::builder().storage(Arc::new(link.clone())).clock(clock);
    let circuits = ready(builder).await;
    let circuit = circuits.circuit("payments", Policy::default());
    let_happen().await;
    link.set(Verb::Trip, Gate::Slow(30 * MILLI));
    fail_times(&circuit, 5).await;
    circuits.announce(GROUP, EVERY, number());
    sleep(20 * MILLI).await;
    assert_eq!((link.count(Verb::Trip), link.count(Verb::Announce)), (1, 0));
    sleep(20 * MILLI).await;
    assert_eq!(link.count(Verb::Announce), 1);

    // But it is said all the same if there is no end to that.
    link.set(Verb::Report, Gate::Slow(90 * MILLI));
    let busy = circuits.circuit("orders", Policy::default());
    let before = link.count(Verb::Announce);
    let deadline = Instant::now() + EVERY * 12 / 10;
    while Instant::now() < deadline {
        busy.try_permit().unwrap().failure();
        busy.try_permit().unwrap().success();
        sleep(MILLI).await;
    }
    assert_eq!(link.count(Verb::Announce), before + 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_said_is_logged_once_and_harms_nobody() {
    let (logged, _guard) = Logged::start();
    let fleet = Fleet::of_circuits(1, |builder| builder).await;
    fleet[0].announce(GROUP, EVERY, |_| "x".repeat(Announcement::MOST_TEXT + 1));
    fleet[0].announce("others", EVERY, |_| panic!("the test's"));
    fleet.clock().advance(10 * EVERY).await;
    assert_eq!(fleet[0].link().count(Verb::Announce), 0);
    assert_eq!(logged.at(Level::WARN).len(), 2, "{logged:?}");
    fleet[0].announce("others", EVERY, number());
    fleet.clock().advance(MILLI).await;
    assert_eq!(fleet[0].instances("others").await.unwrap().len(), 1);
    fleet[0].announce(GROUP, EVERY, |_| "x".repeat(Announcement::MOST_TEXT));
    fleet.clock().advance(MILLI).await;
    assert_eq!(here(&fleet[0]).await[0].text.len(), Announcement::MOST_TEXT);
}

#[tokio::test(start_paused = true)]
async fn asking_is_tried_twice_and_is_no_loss() {
    let fleet = Fleet::of_circuits(1, |builder| builder).await;
    fleet[0].announce(GROUP, EVERY, number());
    fleet.clock().advance(MILLI).await;
    fleet[0].link().next(Verb::Instances, [Gate::Error]);
    assert_eq!(here(&fleet[0]).await.len(), 1);
    fleet[0].link().set(Verb::Instances, Gate::Never);
    let asked = Instant::now();
    let error = fleet[0].instances(GROUP).await.unwrap_err();
    assert!(matches!(error, StorageError::TimedOut(_)), "{error}");
    assert_eq!(asked.elapsed(), 200 * MILLI);
    assert!(fleet[0].health().shared);
}
