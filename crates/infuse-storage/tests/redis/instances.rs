//! What participants say of themselves, in Redis.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_storage::{
    Announcement, Circuits, KeyLayout, Policy, ProcessId, Storage, StorageError, StorageEvent,
};
use infuse_test_servers::{RedisServer, Reply};
use tokio::time::sleep;

use crate::support::{Fixture, LONG, ME, OTHER};

const KEY: &str = "infuse:instances:test";
const SECOND: u64 = 1_000_000;
/// What the clock says at first.
const START: u64 = 1_000_000_000;

/// Says something for ten seconds.
async fn say(fixture: &Fixture, process: ProcessId, text: &str) {
    let said = Announcement::new("test", process, text, Duration::from_secs(10));
    fixture.storage.announce(&said).await.unwrap();
}

async fn said(fixture: &Fixture) -> Vec<(u64, Duration, String)> {
    let all = fixture.storage.instances("test").await.unwrap();
    let mut all: Vec<_> =
        all.iter().map(|it| (it.process.as_u64(), it.heard_ago, it.text.to_string())).collect();
    all.sort();
    all
}

async fn command(redis: &RedisServer, words: &[&str]) -> Reply {
    redis.command(words).await.unwrap()
}

/// Those who may be there.
async fn ids(fixture: &Fixture) -> String {
    let ids = command(&fixture.redis, &["HGET", KEY, "ids"]).await;
    ids.text().unwrap_or_default().to_owned()
}

async fn fields(fixture: &Fixture) -> i64 {
    command(&fixture.redis, &["HLEN", KEY]).await.int().unwrap()
}

#[tokio::test]
async fn it_stands_in_one_hash_a_group_that_goes_with_the_last() {
    for (layout, key) in
        [(KeyLayout::Infuse, KEY), (KeyLayout::Pybreaker, "test:pybreaker:instances")]
    {
        let fixture = Fixture::with_layout(layout).await;
        say(&fixture, ME, "me").await;
        say(&fixture, OTHER, "other").await;
        assert_eq!(fixture.size().await, 1);
        let ttl = command(&fixture.redis, &["PTTL", key]).await.int().unwrap();
        assert!((1..=10_000).contains(&ttl), "{ttl}");
        // It is kept for as long as whatever is said for longest.
        let long = Announcement::new("test", ME, "me", LONG);
        fixture.storage.announce(&long).await.unwrap();
        say(&fixture, OTHER, "other").await;
        let ttl = command(&fixture.redis, &["PTTL", key]).await.int().unwrap();
        assert!((10_001..=60_000).contains(&ttl), "{ttl}");
        for process in [ME, OTHER] {
            fixture.storage.withdraw("test", process).await.unwrap();
        }
        assert!(said(&fixture).await.is_empty());
        // But for those who may be there, and when that was last seen to.
        let left = command(&fixture.redis, &["HKEYS", key]).await.texts();
        assert!(left.iter().all(|field| ["ids", "swept"].contains(&&**field)), "{left:?}");
    }
}

#[tokio::test]
async fn what_has_ended_is_dropped_by_who_speaks_next_at_intervals() {
    let fixture = Fixture::with_clock().await;
    for number in 0..100 {
        fixture.set_clock(START + number * SECOND).await;
        say(&fixture, ProcessId::from_u64(number), "short-lived").await;
        // Ten that live, and at most ten more.
        assert!(fields(&fixture).await <= 2 * 20 + 2);
        let alive = said(&fixture).await;
        assert_eq!(alive.len() as u64, 10.min(number + 1));
        assert_eq!(alive.last().unwrap(), &(number, Duration::ZERO, "short-lived".to_owned()));
        assert!(alive[0].1 < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn asking_writes_nothing() {
    let fixture = Fixture::with_clock().await;
    assert!(said(&fixture).await.is_empty());
    say(&fixture, ME, "me").await;
    fixture.set_clock(START + 11 * SECOND).await;
    let before = fields(&fixture).await;
    assert!(said(&fixture).await.is_empty());
    assert_eq!(fields(&fixture).await, before);
}

#[tokio::test]
async fn a_clock_that_goes_back_keeps_nobody_alive_for_long() {
    let fixture = Fixture::with_clock().await;
    say(&fixture, ME, "me").await;
    say(&fixture, OTHER, "other").await;
    // By a little: it was heard just now.
    fixture.set_clock(START - SECOND).await;
    assert_eq!(said(&fixture).await[0].1, Duration::ZERO);
    fixture.set_clock(START - 10 * SECOND).await;
    assert!(said(&fixture).await.is_empty());
    // And it is dropped.
    say(&fixture, ME, "me again").await;
    assert_eq!(fields(&fixture).await, 4);
    assert_eq!(said(&fixture).await, [(ME.as_u64(), Duration::ZERO, "me again".to_owned())]);
    assert_eq!(ids(&fixture).await, format!("{ME} "));
}

#[tokio::test]
async fn rubbish_is_nobody_and_is_dropped() {
    let fixture = Fixture::with_clock().await;
    say(&fixture, ME, "me").await;
    let long = "9".repeat(17);
    for (field, value) in [
        ("", "1000000000:10000000:nobody"),
        ("00000000000000ff", "no times"),
        ("00000000000000fe", "1000000000:"),
        ("00000000000000fd", "1e9:10000000:"),
        ("00000000000000fc", "1000000000:-1:"),
        ("00000000000000fb", &format!("1000000000:{long}:")),
        ("00000000000000fa", "1000000000:nan:"),
        ("00000000000000F0", "1000000000:10000000:large letters"),
        ("00000000000000f", "1000000000:10000000:too short"),
    ] {
        command(&fixture.redis, &["HSET", KEY, field, value]).await;
    }
    assert_eq!(said(&fixture).await, [(ME.as_u64(), Duration::ZERO, "me".to_owned())]);
    fixture.set_clock(START + 10 * SECOND).await;
    // Also in what is ours alone. What is said again is there all the same.
    for (field, value) in [
        ("swept", "rubbish"),
        ("swept", ""),
        ("swept", &*long),
        ("swept", "nan"),
        ("swept", "1e9"),
        ("ids", "rubbish"),
        ("ids", ""),
        ("ids", &ids(&fixture).await.repeat(3)),
        ("ids", "0 1 2 00000000000000ff"),
        (&format!("t{ME}"), "rubbish"),
        (&format!("t{ME}"), ""),
    ] {
        command(&fixture.redis, &["HSET", KEY, field, value]).await;
        for _ in 0..2 {
            say(&fixture, ME, "me").await;
            let all = said(&fixture).await;
            assert_eq!(all, [(ME.as_u64(), Duration::ZERO, "me".to_owned())], "{field} {value}");
        }
        let now = 1_000_000_000 + 10 * SECOND;
        command(&fixture.redis, &["HSET", KEY, "swept", &(now - 10 * SECOND).to_string()]).await;
        say(&fixture, ME, "me").await;
        assert_eq!(ids(&fixture).await, format!("{ME} "), "{field} {value}");
    }
}

#[tokio::test]
async fn who_speaks_often_is_known_once() {
    let fixture = Fixture::with_clock().await;
    for number in 0..50 {
        fixture.set_clock(START + number * SECOND).await;
        for process in [ME, OTHER] {
            say(&fixture, process, "here").await;
        }
        assert_eq!(ids(&fixture).await, format!("{ME} {OTHER} "));
        assert_eq!(fields(&fixture).await, 2 * 2 + 2);
    }
    // Also one that was silent for a while, when that is found.
    fixture.set_clock(START + 59 * SECOND + SECOND / 2).await;
    say(&fixture, ME, "here").await;
    assert_eq!(ids(&fixture).await, format!("{ME} "));
    say(&fixture, OTHER, "here").await;
    assert_eq!(ids(&fixture).await, format!("{ME} {OTHER} "));
}

#[tokio::test]
async fn a_key_of_another_type_is_replaced() {
    let fixture = Fixture::new().await;
    command(&fixture.redis, &["SET", KEY, "rubbish"]).await;
    assert!(said(&fixture).await.is_empty());
    fixture.storage.withdraw("test", ME).await.unwrap();
    say(&fixture, ME, "me").await;
    assert_eq!(said(&fixture).await.len(), 1);
}

#[tokio::test]
async fn a_text_that_is_too_long_is_not_even_sent() {
    let fixture = Fixture::new().await;
    let long = "x".repeat(Announcement::MOST_TEXT + 1);
    let said = Announcement::new("test", ME, long, LONG);
    let error = fixture.storage.announce(&said).await.unwrap_err();
    assert!(matches!(error, StorageError::TooLong { bytes: 262_145, most: 262_144 }), "{error}");
    assert_eq!(fixture.size().await, 0);
}

#[tokio::test]
async fn what_is_lost_is_said_again_and_a_loss_names_no_address() {
    let fixture = Fixture::new().await;
    let heard: Arc<Mutex<Vec<StorageEvent>>> = Arc::default();
    let listener = Arc::clone(&heard);
    let circuits = Circuits::builder()
        .storage(fixture.storage())
        .timeout(Duration::from_secs(30))
        .sync_interval(Duration::from_millis(20))
        .storage_listener(move |event| listener.lock().unwrap().push(event.clone()))
        .start()
        .unwrap();
    assert!(circuits.ready().await);
    circuits.announce("test", Duration::from_millis(50), |_| "here".to_owned());
    let is_heard = async |expected: bool| {
        for _ in 0..5_000 {
            if circuits.instances("test").await.is_ok_and(|all| !all.is_empty()) == expected {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
        panic!("it is not {expected} that it is heard: {:?}", circuits.health());
    };
    is_heard(true).await;
    command(&fixture.redis, &["FLUSHALL"]).await;
    is_heard(true).await;

    fixture.redis.kill();
    circuits.circuit("payments", Policy::default());
    is_heard(false).await;
    fixture.redis.restart().await;
    is_heard(true).await;
    let events = heard.lock().unwrap().clone();
    let [StorageEvent::Lost(why), StorageEvent::Back] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert!(why.starts_with("the storage is unavailable: "), "{why}");
    assert!(
        !why.contains(&fixture.redis.port().to_string()) && !why.contains("127.0.0.1"),
        "{why}"
    );
    circuits.shutdown().await;
    assert!(fixture.storage.instances("test").await.unwrap().is_empty());
}
