//! What is kept and for how long, what is lost, and what is sent.

use std::time::Duration;

use infuse_storage::{
    CircuitKey, Control, KeyLayout, LeaseRequest, Look, Outcome, Presented, RedisStorage, Report,
    Seed, Settle, State, Storage, Trip,
};
use infuse_test_servers::RedisServer;

use crate::support::{
    ENDINGS, Fixture, LONG, ME, OTHER, assert_left, assert_view, config, pushed, token,
};

const NOTHING: Presented = Presented::NOTHING;
const HOUR: i64 = 60 * 60 * 1_000;
const DAY: i64 = 24 * HOUR;

/// Not much less than a day.
fn is_a_day(kept: i64) -> bool {
    kept <= DAY && kept > DAY - 60_000
}

#[tokio::test]
async fn looking_makes_nothing_and_writes_nothing() {
    let circuit = Fixture::new().await;
    let looks: Vec<_> = (0..120)
        .map(|at| {
            let mut look = Look::new(CircuitKey::new(at.to_string()), NOTHING);
            look.last_success = Some(Duration::ZERO);
            look
        })
        .collect();
    circuit.storage.look(&looks).await.unwrap();
    assert_eq!(circuit.size().await, 0);

    let view = circuit.trip(NOTHING, LONG).await;
    circuit.redis.reset_stats().await.unwrap();
    circuit.look((&view).into()).await;
    circuit.now().await;
    let stats = circuit.redis.commandstats().await.unwrap();
    for command in ["set", "hset", "hdel", "del", "pexpire", "publish"] {
        assert_eq!(stats.get(command), None, "{stats:?}");
    }
}

#[tokio::test]
async fn a_repeated_report_writes_nothing() {
    let circuit = Fixture::new().await;
    let view = circuit.now().await;
    let report = circuit.report_of(&view, ME, 2);
    circuit.report(report.clone()).await;
    circuit.redis.reset_stats().await.unwrap();
    circuit.report(report).await;
    let stats = circuit.redis.commandstats().await.unwrap();
    assert_eq!((stats.get("hset"), stats.get("set")), (None, None), "{stats:?}");
}

#[tokio::test]
async fn a_batch_is_one_command() {
    let circuit = Fixture::new().await;
    let look = |at: usize| Look::new(CircuitKey::new(at.to_string()), NOTHING);
    let looks: Vec<_> = (0..51).map(look).collect();
    // Connected, and the script is known.
    circuit.storage.look(&looks[..1]).await.unwrap();
    for (circuits, commands) in [(1, 1), (50, 1), (51, 2)] {
        circuit.redis.reset_stats().await.unwrap();
        circuit.storage.look(&looks[..circuits]).await.unwrap();
        let stats = circuit.redis.commandstats().await.unwrap();
        assert_eq!(stats.get("evalsha"), Some(&commands), "{stats:?}");
        assert_eq!(stats.get("eval"), None, "{stats:?}");
    }
}

#[tokio::test]
async fn all_keys_are_kept_for_a_day() {
    let circuit = Fixture::new().await;
    let view = circuit.put(State::Open, 1).await;
    let view = circuit.lease((&view).into(), 2).await.view;
    let closed = circuit.put(State::Closed, 3).await;
    circuit.report(circuit.report_of(&closed, ME, 1)).await;
    assert!(view.generation < closed.generation);
    for ending in ENDINGS {
        assert!(is_a_day(circuit.kept_for(ending).await), "{ending}");
    }

    // A look refreshes what is kept for less than 23 hours.
    let keep = async |millis: i64| {
        for ending in ENDINGS {
            circuit.command("PEXPIRE", ending, &[&millis.to_string()]).await;
        }
    };
    keep(23 * HOUR + 60_000).await;
    circuit.now().await;
    for ending in ENDINGS {
        assert!(circuit.kept_for(ending).await <= 23 * HOUR + 60_000, "{ending}");
    }
    keep(23 * HOUR - 1).await;
    circuit.now().await;
    for ending in ENDINGS {
        assert!(is_a_day(circuit.kept_for(ending).await), "{ending}");
    }
    // What was made to be kept for ever, too.
    circuit.command("PERSIST", "record", &[]).await;
    circuit.now().await;
    assert!(is_a_day(circuit.kept_for("record").await));

    // And a write does in any case.
    keep(23 * HOUR + 60_000).await;
    circuit.report(circuit.report_of(&closed, ME, 2)).await;
    for ending in ENDINGS {
        assert!(is_a_day(circuit.kept_for(ending).await), "{ending}");
    }
}

#[tokio::test]
async fn a_record_that_says_nothing_any_more_is_not_kept() {
    let circuit = Fixture::new().await;
    let view = circuit.now().await;
    let view = circuit.report(circuit.report_of(&view, ME, 4)).await;
    assert_eq!(circuit.command("EXISTS", "record", &[]).await.int(), Some(1));
    circuit.report(circuit.report_of(&view, ME, 0)).await;
    assert_eq!(circuit.command("EXISTS", "record", &[]).await.int(), Some(0));
    assert!(is_a_day(circuit.kept_for("state").await));
    assert_view(&circuit.now().await, State::Closed, 0);
}

#[tokio::test]
async fn every_verb_works_after_the_scripts_are_flushed() {
    let circuit = Fixture::new().await;
    let flush = async || {
        circuit.redis.command(&["SCRIPT", "FLUSH"]).await.unwrap();
    };
    flush().await;
    assert_view(&circuit.now().await, State::Closed, 0);
    flush().await;
    let view = circuit.report(Report::new(circuit.key.clone(), NOTHING, OTHER, 1)).await;
    assert_eq!(view.failures, 1);
    flush().await;
    let view = circuit.trip(NOTHING, Duration::ZERO).await;
    assert_view(&view, State::Open, 1);
    flush().await;
    let view = circuit.lease((&view).into(), 1).await.view;
    assert_view(&view, State::HalfOpen, 2);
    flush().await;
    let view = circuit.settle((&view).into(), 1, Outcome::Success).await;
    assert_view(&view, State::Closed, 3);
    flush().await;
    assert_view(&circuit.put(State::Open, 2).await, State::Open, 4);
    flush().await;
    circuit.storage.probe().await.unwrap();
    // In the midst of a batch of several runs.
    flush().await;
    let looks = vec![Look::new(circuit.key.clone(), NOTHING); 120];
    let views = circuit.storage.look(&looks).await.unwrap();
    assert_eq!(views.len(), 120);
    views.iter().for_each(|view| assert_view(view, State::Open, 4));
}

#[tokio::test]
async fn a_probe_writes_and_leaves_nothing() {
    for (layout, name) in
        [(KeyLayout::Infuse, "infuse:probe"), (KeyLayout::Pybreaker, "infuse:pybreaker:probe")]
    {
        let circuit = Fixture::with_layout(layout).await;
        circuit.storage.probe().await.unwrap();
        let kept = circuit.redis.command(&["PTTL", name]).await.unwrap().int().unwrap();
        assert!((1..=1_000).contains(&kept), "{kept}");
        // Whatever is there.
        circuit.redis.command(&["DEL", name]).await.unwrap();
        circuit.redis.command(&["SADD", name, "member"]).await.unwrap();
        circuit.storage.probe().await.unwrap();
        assert_eq!(circuit.size().await, 1);
    }
}

#[tokio::test]
async fn what_is_lost_is_mended_by_what_is_presented() {
    let circuit = Fixture::new().await;
    for state in [State::Open, State::HalfOpen, State::Closed] {
        circuit.put(state, state as u64 + 10).await;
        let known = circuit.now().await;
        circuit.redis.command(&["FLUSHALL"]).await.unwrap();
        let view = circuit.look((&known).into()).await;
        assert_view(&view, state, known.generation);
        assert_left(view.time_left, if state == State::Open { LONG } else { Duration::ZERO });
        assert_eq!(circuit.get("state").await.as_deref(), Some(state.as_str()));
        // Only the record is lost: evicted, say.
        circuit.command("DEL", "record", &[]).await;
        let view = circuit.look((&known).into()).await;
        assert_eq!(view.state, state);
        assert!(view.generation >= known.generation);
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_prolongs_nothing() {
    const NOW: u64 = 1_700_000_000_000_000;
    const HOUR: u64 = 3_600_000_000;
    let circuit = Fixture::with_clock().await;
    circuit.set_clock(NOW).await;
    let open = circuit.trip(NOTHING, LONG).await;
    circuit.set_clock(NOW - HOUR).await;
    let view = circuit.look((&open).into()).await;
    assert_view(&view, State::Open, 1);
    assert_eq!((view.time_left, view.open_for), (LONG, Duration::ZERO));
    circuit.set_clock(NOW - HOUR + 60_000_000).await;
    assert!(circuit.lease((&open).into(), 1).await.granted);

    circuit.set_clock(NOW - 2 * HOUR).await;
    let view = circuit.now().await;
    assert_view(&view, State::HalfOpen, 2);
    assert_eq!(view.time_left, LONG);
    circuit.set_clock(NOW - 2 * HOUR + 60_000_000).await;
    assert_eq!(circuit.now().await.time_left, Duration::ZERO);

    let closed = circuit.put(State::Closed, 2).await;
    let view = circuit.report(circuit.report_of(&closed, ME, 5)).await;
    assert!(view.suspicion.is_some());
    circuit.set_clock(NOW - 3 * HOUR).await;
    assert!(circuit.now().await.suspicion.is_some());
    circuit.set_clock(NOW - 3 * HOUR + 5_000_000).await;
    assert_eq!(circuit.now().await.suspicion, None, "it has lapsed");
}

#[tokio::test]
async fn what_is_compared_with_a_clock_that_went_back_went_back_too() {
    const NOW: u64 = 1_700_000_000_000_000;
    const BACK: u64 = NOW - 3_600_000_000;
    // When the first failure was counted: a success is later than that.
    let circuit = Fixture::with_clock().await;
    circuit.set_clock(NOW).await;
    let view = circuit.now().await;
    let view = circuit.report(circuit.report_of(&view, ME, 1)).await;
    circuit.set_clock(BACK).await;
    circuit.now().await;
    circuit.set_clock(BACK + 10_000).await;
    let mut look = Look::new(circuit.key.clone(), (&view).into());
    look.last_success = Some(Duration::from_millis(5));
    let view = circuit.storage.look(&[look]).await.unwrap().remove(0);
    assert_eq!((view.failures, view.clears), (0, 1));

    // How long the count rests.
    circuit.set_clock(NOW).await;
    let view = circuit.report(circuit.report_of(&view, ME, 5)).await;
    circuit.set("fail_counter", "0").await;
    let rests = circuit.look((&view).into()).await;
    assert_eq!(rests.rest, Duration::from_millis(250));
    circuit.set_clock(BACK).await;
    assert_eq!(circuit.now().await.rest, Duration::from_millis(250));
    circuit.set_clock(BACK + 250_000).await;
    assert_eq!(circuit.now().await.rest, Duration::ZERO);

    // When it changed: ten seconds ago, and a process that started five seconds ago seeds it.
    circuit.set_clock(NOW).await;
    circuit.put(State::Open, 1).await;
    circuit.set_clock(BACK).await;
    circuit.now().await;
    circuit.set_clock(BACK + 10_000_000).await;
    let mut seed = Seed::new(circuit.key.clone(), token(2), State::Closed, LONG);
    seed.late_by = Some(Duration::from_secs(5));
    assert_view(&circuit.storage.seed(&[seed]).await.unwrap()[0], State::Closed, 2);
}

#[tokio::test]
async fn numbers_of_any_size_do_no_harm() {
    let circuit = Fixture::new().await;
    let far = Duration::MAX;
    let mut watch = circuit.storage.watch().await.unwrap();
    let open = circuit.trip(NOTHING, far).await;
    assert_view(&open, State::Open, 1);
    assert!(open.time_left > Duration::from_secs(30 * 365 * 24 * 60 * 60));
    let newest = Presented { generation: u64::MAX, state: State::Open, time_left: far };
    let view = circuit.look(newest).await;
    assert_eq!(view.state, State::Open);
    let generation = view.generation;
    assert_eq!(circuit.trip(newest, far).await.generation, generation);
    let closed = circuit.put(State::Closed, u64::MAX).await;
    assert_view(&closed, State::Closed, generation);
    assert_view(&circuit.put(State::Closed, u64::MAX).await, State::Closed, generation);

    let mut report = circuit.report_of(&closed, ME, u32::MAX);
    report.clears = u64::MAX;
    report.thresholds.max_failure = u32::MAX;
    (report.rest, report.lapse) = (far, far);
    report.thresholds.reset_timeout = far;
    let view = circuit.report(report.clone()).await;
    assert_eq!((view.failures, view.share), (u32::MAX, u32::MAX));
    report.process = OTHER;
    assert_eq!(circuit.report(report).await.failures, u32::MAX);

    let half_open = circuit.put(State::HalfOpen, 0).await;
    let mut request =
        LeaseRequest::new(circuit.key.clone(), (&half_open).into(), token(u64::MAX), far);
    request.max_calls = u32::MAX;
    assert!(circuit.storage.lease(&[request]).await.unwrap()[0].granted);
    let outcome = Outcome::Success;
    let mut settle =
        Settle::new(circuit.key.clone(), (&half_open).into(), token(u64::MAX), outcome);
    settle.success_threshold = u32::MAX;
    assert_eq!(circuit.storage.settle(&[settle]).await.unwrap()[0].successes, 1);
    // And all of it was pushed: the opening, the mending, the closing, the suspicion, the
    // half-opening, the success.
    let mut last = pushed(&mut *watch).await.1;
    for _ in 0..5 {
        last = pushed(&mut *watch).await.1;
    }
    assert_eq!(last.successes, 1);
}

#[tokio::test]
async fn a_namespace_may_hold_anything() {
    for layout in [KeyLayout::Infuse, KeyLayout::Pybreaker] {
        let circuit = Fixture::with_layout(layout).await;
        let mut watch = circuit.storage.watch().await.unwrap();
        for (number, name) in
            ["", " ", "a b", "a:record", "{a}", "\r\n\0", "\"'\\", "%s%0", "\u{1F980}", "1 2 3"]
                .into_iter()
                .enumerate()
        {
            let key = CircuitKey::new(name);
            let open = [Trip::new(key.clone(), NOTHING, ME, LONG)];
            circuit.storage.trip(&open).await.unwrap();
            let (heard, view) = pushed(&mut *watch).await;
            assert_eq!(heard, key);
            assert_view(&view, State::Open, 1);
            let look = [Look::new(key, NOTHING)];
            assert_view(&circuit.storage.look(&look).await.unwrap()[0], State::Open, 1);
            assert_eq!(circuit.size().await, (number as i64 + 1) * 3);
        }
    }
}

#[tokio::test]
async fn databases_and_layouts_are_apart() {
    let redis = RedisServer::start().await;
    let storage = |database, layout| {
        let mut config = config(&redis);
        config.urls = vec![redis.url_db(database)];
        config.key_layout = layout;
        RedisStorage::new(config).unwrap()
    };
    let all = [
        storage(0, KeyLayout::Infuse),
        storage(3, KeyLayout::Infuse),
        storage(0, KeyLayout::Pybreaker),
    ];
    let mut watches = Vec::new();
    for storage in &all {
        watches.push(storage.watch().await.unwrap());
    }
    // Each hears of its own circuit only: so of the state that only it has.
    let key = CircuitKey::new("payments");
    let states = [State::Open, State::HalfOpen, State::Closed];
    for (storage, state) in all.iter().zip(states) {
        let command = Control::put(key.clone(), token(1), state, LONG);
        assert_view(&storage.control(&[command]).await.unwrap()[0], state, 1);
    }
    for (watch, state) in watches.iter_mut().zip(states) {
        assert_view(&pushed(&mut **watch).await.1, state, 1);
    }
    for (storage, state) in all.iter().zip(states) {
        let look = Look::new(key.clone(), NOTHING);
        assert_view(&storage.look(&[look]).await.unwrap()[0], state, 1);
    }
}

/// As the version before tells of a change, and as none does.
const OLDER: &str = "1 9 open 0 0 0 0 0 - - - - 0 adopted - infuse:test:payments";
const NEWER: &str = "3 9 open 0 0 0 0 0 - - - - 0 adopted - 0 0 0 - infuse:test:payments";

#[tokio::test]
async fn what_others_publish_is_ignored() {
    let circuit = Fixture::new().await;
    let mut watch = circuit.storage.watch().await.unwrap();
    for message in ["", "rubbish", "2", "2 1 open", OLDER, NEWER] {
        let words = ["PUBLISH", "infuse:events:0", message];
        let heard = circuit.redis.command(&words).await.unwrap();
        assert_eq!(heard.int(), Some(1), "somebody listens");
    }
    circuit.redis.command(&[&b"PUBLISH"[..], b"infuse:events:0", b"1 \xff"]).await.unwrap();
    let open = circuit.put(State::Open, 1).await;
    assert_view(&pushed(&mut *watch).await.1, State::Open, open.generation);
}

/// A connection to a server that is gone is not taken again.
#[tokio::test]
async fn the_next_verb_after_one_that_failed_has_a_new_connection() {
    let circuit = Fixture::new().await;
    let look = [Look::new(circuit.key.clone(), NOTHING)];
    for _ in 0..3 {
        circuit.now().await;
        circuit.storage.instances("test").await.unwrap();
        circuit.redis.kill();
        circuit.redis.restart().await;
        circuit.storage.look(&look).await.unwrap_err();
        circuit.storage.look(&look).await.unwrap();
        circuit.redis.kill();
        circuit.redis.restart().await;
        circuit.storage.instances("test").await.unwrap_err();
        circuit.storage.instances("test").await.unwrap();
    }
}
