//! Keys that hold what no circuit is.

use std::time::Duration;

use infuse_storage::{Look, Outcome, Presented, Report, State, Storage, View, core::Mode};
use tracing::Level;

use crate::{
    events::Logged,
    support::{ENDINGS, Fixture, LONG, ME, OTHER, assert_left, assert_view, night},
};

const RUBBISH: [&str; 9] = [
    "abc",
    "nan",
    "-1",
    "1e400",
    "0x10",
    "1.5",
    "99999999999999999",
    "99999999999999999999",
    "\u{1F980}",
];

/// Fields that records of the version before do not have.
const NEWER: [&str; 12] = [
    "newer_of",
    "newer_cause",
    "limits",
    "failed_trials",
    "ramp",
    "held_until",
    "buckets",
    "reporters",
    "suspect_reporters",
    "override",
    "opening",
    "note",
];

/// Brings a circuit into a state, from closed on; what is known of it then.
async fn bring(circuit: &Fixture, state: State) -> View {
    circuit.redis.command(&["FLUSHALL"]).await.unwrap();
    let mut view = circuit.put(State::Closed, 1).await;
    if state == State::Closed {
        return circuit.report(circuit.report_of(&view, OTHER, 2)).await;
    }
    let open_time = if state == State::Open { LONG } else { Duration::ZERO };
    view = circuit.trip((&view).into(), open_time).await;
    if state == State::HalfOpen {
        view = circuit.lease((&view).into(), 1).await.view;
    }
    assert_eq!(view.state, state);
    view
}

/// Looks, as one who knows, at a circuit with rubbish: it must be as it was, and be told once.
async fn mended(circuit: &Fixture, known: &View, rubbish: &str) -> View {
    let (logged, _listening) = Logged::start();
    let view = circuit.look(known.into()).await;
    assert_eq!((view.state, view.generation), (known.state, known.generation), "{rubbish}");
    // While half-open it is that of a lease, if the record still knows of one.
    let lost = view.time_left == Duration::ZERO;
    if !(lost && view.state == State::HalfOpen) {
        assert_left(view.time_left, known.time_left);
    }
    assert_eq!(logged.at(Level::WARN).len(), 1, "{rubbish}");
    assert_eq!(circuit.get("state").await.as_deref(), Some(known.state.as_str()), "{rubbish}");
    let again = circuit.look((&view).into()).await;
    assert_eq!((again.state, again.generation), (known.state, known.generation), "{rubbish}");
    assert_eq!(logged.at(Level::WARN).len(), 1, "{rubbish}");
    view
}

const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

#[tokio::test]
async fn a_key_of_another_type_is_mended() {
    let circuit = Fixture::new().await;
    for state in STATES {
        for ending in ENDINGS {
            for (command, words) in
                [("SET", &["text"][..]), ("RPUSH", &["item"]), ("HSET", &["field", "value"])]
            {
                let is_hash = ["record", "shares"].contains(&ending);
                if is_hash == (command == "HSET") || (command == "SET" && !is_hash) {
                    continue;
                }
                let known = bring(&circuit, state).await;
                let opened_at = circuit.get("opened_at").await;
                circuit.command("DEL", ending, &[]).await;
                circuit.command(command, ending, words).await;
                mended(&circuit, &known, &format!("{command} {ending} while {state}")).await;
                assert_eq!(circuit.get("state").await.as_deref(), Some(state.as_str()));
                if state != State::Closed {
                    let found = circuit.get("opened_at").await.unwrap().parse::<u64>().unwrap();
                    // A record that is lost has forgotten when it opened.
                    assert!(found.abs_diff(opened_at.unwrap().parse().unwrap()) <= 10);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_plain_key_with_rubbish_is_mended() {
    let circuit = Fixture::new().await;
    for state in STATES {
        for ending in ["state", "fail_counter", "opened_at"] {
            for value in RUBBISH.into_iter().chain([""]) {
                let known = bring(&circuit, state).await;
                let before = circuit.get(ending).await;
                circuit.set(ending, value).await;
                mended(&circuit, &known, &format!("{ending} {value:?} while {state}")).await;
                let after = circuit.get(ending).await;
                if let ("state" | "opened_at", Some(before)) = (ending, before) {
                    assert_eq!(after.as_deref(), Some(before.as_str()), "{ending} {value:?}");
                }
                if ending == "fail_counter" {
                    assert_eq!(after.as_deref(), Some("0"), "{value:?} while {state}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_record_with_rubbish_is_mended_by_what_is_presented() {
    let circuit = Fixture::new().await;
    bring(&circuit, State::HalfOpen).await;
    let fields = circuit.command("HKEYS", "record", &[]).await.texts();
    assert!(fields.len() > 25, "{fields:?}");
    assert!(NEWER.iter().all(|newer| fields.iter().any(|field| field == newer)), "{fields:?}");
    for state in STATES {
        for field in &fields {
            for value in RUBBISH {
                let known = bring(&circuit, state).await;
                circuit.command("HSET", "record", &[field, value]).await;
                let what = format!("{field} {value:?} while {state}");
                let view = mended(&circuit, &known, &what).await;
                // Nothing of it is left.
                assert_eq!((view.failures, view.thresholds, view.by), (0, None, None), "{what}");
            }
            // A field that is gone.
            let known = bring(&circuit, state).await;
            circuit.command("HDEL", "record", &[field]).await;
            if NEWER.contains(&field.as_str()) {
                let (logged, _listening) = Logged::start();
                assert_eq!(circuit.look((&known).into()).await.generation, known.generation);
                assert_eq!(logged.at(Level::WARN).len(), 0, "no {field} while {state}");
            } else {
                mended(&circuit, &known, &format!("no {field} while {state}")).await;
            }
        }
    }
}

/// What is nearly right in the fields that hold more than a number.
#[tokio::test]
async fn a_field_that_is_nearly_right_is_rubbish() {
    let circuit = Fixture::new().await;
    let many = |word: &str, count| vec![word; count].join(" ");
    let long = format!("isolated:-:{}:", "a".repeat(769));
    let (long_note, long_opening) =
        (format!("{}:", "a".repeat(769)), format!("failures:-:1:0::{}", "a".repeat(769)));
    let buckets = many("1:1:1:1", 25);
    let reporters = many("000000000000000a:1:", 17);
    for (field, value) in [
        ("ramp", "1"),
        ("ramp", "1:2:3"),
        ("ramp", "1:99999999999999999"),
        ("buckets", "1:2:3"),
        ("buckets", "1:2:3:4:5"),
        ("buckets", "1:2:3:4294967296"),
        ("buckets", "1:2:3:4 x"),
        ("buckets", "1:2:3:4:5:6:7:8"),
        ("buckets", "1:2:3:4  5:6:7:8"),
        ("buckets", " 1:2:3:4"),
        ("buckets", buckets.as_str()),
        ("reporters", "a:1:1"),
        ("reporters", "000000000000000A:1:1"),
        ("reporters", "000000000000000a:1"),
        ("reporters", "000000000000000a:1:1:000000000000000a:1:1"),
        ("reporters", "000000000000000a:1:1 x"),
        ("reporters", "000000000000000a:99999999999999999:"),
        ("reporters", reporters.as_str()),
        ("override", "isolated"),
        ("override", "off:-:a:b"),
        ("override", "isolated::a:b"),
        ("override", "isolated:-1:a:b"),
        ("override", "isolated:-:a:b:c"),
        ("override", "isolated:-:a b:c"),
        ("override", "isolated:-:a:%zz"),
        ("override", "isolated:-:a:%2"),
        ("override", long.as_str()),
        ("limits", "5:1:1:1:"),
        ("limits", "5:1:1:1:1:x1:1:-:-"),
        ("limits", "5:1:1:1:1:t1:1:2e0:-"),
        ("limits", "5:1:1:1:1:t1:1:nan:-"),
        ("limits", "5:1:1:1:1:t1:1:-"),
        ("limits", "5:1:1:1:1:c4294967296:1:-:-"),
        ("newer_cause", "manual"),
        ("opening", "failures"),
        ("opening", "failures:-:1:0:a"),
        ("opening", "failures:-:1:0:a:b:c"),
        ("opening", "failure:-:1:0:a:b"),
        ("opening", "failures::1:0:a:b"),
        ("opening", "failures:000000000000000A:1:0:a:b"),
        ("opening", "failures:-:-1:0:a:b"),
        ("opening", "failures:-:1:4294967296:a:b"),
        ("opening", "failures:-:1:0:a b:c"),
        ("opening", "failures:-:1:0:%zz:b"),
        ("opening", long_opening.as_str()),
        ("note", "a"),
        ("note", "a:b:c"),
        ("note", "a b:c"),
        ("note", "a:%2"),
        ("note", long_note.as_str()),
    ] {
        let known = bring(&circuit, State::Closed).await;
        circuit.command("HSET", "record", &[field, value]).await;
        mended(&circuit, &known, &format!("{field} {value}")).await;
    }
}

/// Who puts what is no text where a text is encoded, does not make the storage one that answers
/// nonsense.
#[tokio::test]
async fn bytes_that_are_no_text_harm_no_answer() {
    let circuit = Fixture::new().await;
    bring(&circuit, State::Closed).await;
    circuit.command("HSET", "record", &["override", "isolated:-:%FF%00:%C3%28"]).await;
    let overridden = circuit.now().await.overridden.unwrap();
    assert_eq!((overridden.mode, &*overridden.by), (Mode::Isolated, "\u{FFFD}\0"));
}

#[tokio::test]
async fn a_bad_record_s_override_is_mended_by_one_who_knows_it() {
    let circuit = Fixture::new().await;
    let known = circuit.override_by(1, Some(night())).await;
    circuit.command("HSET", "record", &["override", "rubbish"]).await;
    let mut look = Look::new(circuit.key.clone(), (&known).into());
    look.overridden = known.overridden.clone();
    let view = circuit.storage.look(&[look]).await.unwrap().remove(0);
    assert_eq!(view.generation, known.generation);
    let (found, before) = (view.overridden.unwrap(), known.overridden.unwrap());
    assert_eq!((found.mode, &found.by, &found.reason), (before.mode, &before.by, &before.reason));
    assert_left(found.left.unwrap(), before.left.unwrap());
}

#[tokio::test]
async fn shares_with_rubbish_are_dropped() {
    let circuit = Fixture::new().await;
    for (field, value) in RUBBISH
        .into_iter()
        .map(|value| ("000000000000000c", value))
        .chain(RUBBISH.map(|field| (field, "1")))
        .chain([("000000000000000C", "1")])
    {
        let known = bring(&circuit, State::Closed).await;
        circuit.command("HSET", "shares", &[field, value]).await;
        let what = format!("{field}: {value}");
        let view = mended(&circuit, &known, &what).await;
        assert_eq!(view.failures, 0, "{what}");
        // The verb is applied after mending.
        circuit.command("HSET", "shares", &[field, value]).await;
        let view = circuit.report(circuit.report_of(&view, ME, 3)).await;
        assert_eq!((view.failures, view.share), (3, 3), "{what}");
        assert_eq!(circuit.now().await.failures, 3, "{what}");
    }
}

#[tokio::test]
async fn with_the_shares_goes_when_the_first_failed() {
    let circuit = Fixture::with_clock().await;
    let view = circuit.now().await;
    circuit.report(circuit.report_of(&view, OTHER, 1)).await;
    circuit.command("HSET", "shares", &["rubbish", "1"]).await;
    circuit.set_clock(1_000_010_000).await;
    circuit.report(circuit.report_of(&view, ME, 1)).await;
    // Since the failure that is lost, but before the one that counts.
    let mut look = Look::new(circuit.key.clone(), Presented::NOTHING);
    look.last_success = Some(Duration::from_millis(5));
    let view = circuit.storage.look(&[look]).await.unwrap().remove(0);
    assert_eq!((view.failures, view.clears), (1, 0));
}

#[tokio::test]
async fn rubbish_is_no_success_of_a_stranger_s() {
    let circuit = Fixture::new().await;
    let view = circuit.now().await;
    circuit.report(circuit.report_of(&view, ME, 5)).await;
    for _ in 0..2 {
        circuit.set("fail_counter", "abc").await;
        let view = circuit.now().await;
        assert!(view.suspicion.is_some());
        assert_eq!(view.failures, 5);
        assert_eq!(circuit.get("fail_counter").await.unwrap(), "1");
        assert_eq!(circuit.now().await.failures, 5, "what we put there is no failure");
    }
    circuit.set("fail_counter", "0").await;
    assert_eq!(circuit.now().await.suspicion, None);
}

#[tokio::test]
async fn without_a_record_rubbish_is_only_deleted() {
    let circuit = Fixture::new().await;
    for ending in ENDINGS {
        circuit.command("RPUSH", ending, &["item"]).await;
    }
    let (logged, _listening) = Logged::start();
    assert_view(&circuit.now().await, State::Closed, 0);
    assert_eq!(logged.at(Level::WARN).len(), 1, "one line for one circuit");
    assert_eq!(circuit.size().await, 0);
    // A hash of something else is no record.
    circuit.command("HSET", "record", &["colour", "blue"]).await;
    circuit.command("HSET", "shares", &["000000000000000c", "4"]).await;
    assert_view(&circuit.now().await, State::Closed, 0);
    let view = circuit.trip(Presented::NOTHING, LONG).await;
    assert_view(&view, State::Open, 1);
    assert_eq!(view.failures, 0);
    assert_eq!(circuit.command("EXISTS", "shares", &[]).await.int(), Some(0));
}

#[tokio::test]
async fn one_who_knows_nothing_takes_what_is_left_of_a_bad_record() {
    let circuit = Fixture::new().await;
    let open = circuit.trip(Presented::NOTHING, LONG).await;
    circuit.command("HSET", "record", &["generation", "abc"]).await;
    let view = circuit.now().await;
    assert_view(&view, State::Open, 1);
    // And one who knows more mends it: the later end holds.
    let view = circuit.look(Presented { generation: 5, ..(&open).into() }).await;
    assert_view(&view, State::Open, 5);
    assert_left(view.time_left, LONG);
}

#[tokio::test]
async fn a_bad_record_prolongs_no_opening() {
    let circuit = Fixture::with_clock().await;
    // Shorter than what a stranger's opening lasts.
    let open = circuit.trip(Presented::NOTHING, Duration::from_secs(5)).await;
    circuit.command("HSET", "record", &["generation", "abc"]).await;
    let view = circuit.look((&open).into()).await;
    assert_view(&view, State::Open, 1);
    assert_eq!(view.time_left, Duration::from_secs(5));
}

#[tokio::test]
async fn every_verb_is_applied_after_mending() {
    let circuit = Fixture::new().await;
    let spoil = async || {
        for ending in ENDINGS {
            circuit.command("DEL", ending, &[]).await;
            circuit.command("ZADD", ending, &["1", "member"]).await;
        }
    };
    let closed = Presented { generation: 7, ..Presented::NOTHING };
    let half_open = Presented { state: State::HalfOpen, ..closed };
    spoil().await;
    let report = Report::new(circuit.key.clone(), closed, ME, 4);
    assert_eq!(circuit.report(report).await.failures, 4);
    spoil().await;
    assert_view(&circuit.trip(closed, LONG).await, State::Open, 8);
    spoil().await;
    let lease = circuit.lease(half_open, 1).await;
    assert!(lease.granted);
    assert_view(&lease.view, State::HalfOpen, 7);
    spoil().await;
    let settled = circuit.settle(half_open, 1, Outcome::Success).await;
    assert_view(&settled, State::HalfOpen, 7);
    spoil().await;
    assert_view(&circuit.put(State::Open, 2).await, State::Open, 1);
}

#[tokio::test]
async fn rubbish_in_one_circuit_fails_no_other() {
    let circuit = Fixture::new().await;
    let known = bring(&circuit, State::Open).await;
    let keys = ["a", "test:payments", "b", "c"].map(infuse_storage::CircuitKey::new);
    for (name, ending) in [("a", "state"), ("b", "record"), ("c", "shares")] {
        let key = format!("infuse:{name}:{ending}");
        circuit.redis.command(&["SADD", key.as_str(), "member"]).await.unwrap();
    }
    let (logged, _listening) = Logged::start();
    let looks = keys.map(|key| Look::new(key, Presented::NOTHING));
    let views = circuit.storage.look(&looks).await.unwrap();
    assert_view(&views[1], State::Open, known.generation);
    for other in [0, 2, 3] {
        assert_view(&views[other], State::Closed, 0);
    }
    assert_eq!(logged.at(Level::WARN).len(), 3);
}
