//! What opened a circuit: beside strangers, in records of the version before, and when a clock goes
//! back.

use std::time::Duration;

use infuse_storage::{
    Cause, Command, Control, Fault, Note, Opening, Outcome, Settle, State, Storage, Trip, View,
};
use tracing::Level;

use crate::{
    events::Logged,
    support::{Fixture, LONG, ME, night, pushed, token},
};

const BAD: Fault = Fault::status(503);

fn ada() -> Note {
    Note::new().by("ada").because("a b: c\n")
}

async fn trip(circuit: &Fixture, view: &View, open_time: Duration) -> View {
    let mut trip = Trip::new(circuit.key.clone(), view.into(), ME, open_time);
    (trip.fault, trip.cause) = (Some(BAD), Cause::FailureRate);
    circuit.storage.trip(&[trip]).await.unwrap().remove(0)
}

async fn put(circuit: &Fixture, state: State, number: u64) -> View {
    let command = Command::Put { state, open_time: LONG, note: ada() };
    let command = [Control::new(circuit.key.clone(), token(number), command)];
    circuit.storage.control(&command).await.unwrap().remove(0)
}

#[track_caller]
fn opening(view: &View) -> Opening {
    Opening::clone(view.provenance.as_ref().unwrap())
}

#[tokio::test]
async fn what_strangers_do_is_nobody_s() {
    let circuit = Fixture::new().await;
    circuit.set("state", "open").await;
    let found = opening(&circuit.now().await);
    assert_eq!((found.cause, found.by, found.fault), (Cause::Adopted, None, None));
    // Their trial fails: it stays so.
    circuit.set("opened_at", "1700000000").await;
    circuit.now().await;
    circuit.set("opened_at", "1700000015").await;
    assert_eq!(circuit.now().await.failed_trials, 1);
    assert_eq!(opening(&circuit.now().await).cause, Cause::Adopted);
    circuit.set("state", "closed").await;
    assert_eq!(circuit.now().await.provenance, None);
}

#[tokio::test]
async fn a_stranger_s_trial_that_fails_leaves_what_opened_it() {
    let circuit = Fixture::new().await;
    let view = circuit.now().await;
    let opened = trip(&circuit, &view, LONG).await;
    assert_eq!(opening(&opened).fault, Some(BAD));
    circuit.set("state", "half-open").await;
    let half_open = circuit.now().await;
    assert_eq!((half_open.cause, opening(&half_open).cause), (Cause::Adopted, Cause::FailureRate));
    circuit.set("state", "open").await;
    circuit.set("opened_at", "1700000015").await;
    let found = opening(&circuit.now().await);
    // What went wrong with it they say to nobody.
    assert_eq!((found.cause, found.by, found.fault), (Cause::FailureRate, Some(ME), None));
    circuit.set("state", "closed").await;
    assert_eq!(circuit.now().await.provenance, None);
}

#[tokio::test]
async fn a_stranger_s_change_takes_the_note_away() {
    let circuit = Fixture::new().await;
    let view = put(&circuit, State::Closed, 1).await;
    assert_eq!(view.note.as_deref(), Some(&ada()));
    circuit.set("state", "open").await;
    let view = circuit.now().await;
    assert_eq!((view.note.as_ref(), opening(&view).note), (None, Note::new()));
}

#[tokio::test]
async fn of_a_record_of_the_version_before_is_known_what_it_says() {
    let circuit = Fixture::with_clock().await;
    let view = circuit.now().await;
    let opened = trip(&circuit, &view, Duration::from_secs(1)).await;
    circuit.command("HDEL", "record", &["opening", "note"]).await;
    circuit.set_clock(1_003_000_000).await;
    let (logged, _listening) = Logged::start();
    let found = opening(&circuit.now().await);
    assert_eq!((found.cause, found.by, found.fault), (Cause::FailureRate, Some(ME), None));
    assert_eq!(found.ago, Duration::from_secs(3));
    circuit.lease((&opened).into(), 1).await;
    circuit.command("HDEL", "record", &["opening", "note"]).await;
    let found = opening(&circuit.now().await);
    assert_eq!((found.cause, found.by), (Cause::Adopted, None));
    assert_eq!(found.ago, Duration::from_secs(3));
    assert_eq!(logged.at(Level::WARN).len(), 0);
}

#[tokio::test]
async fn what_the_version_before_left_behind_is_not_believed() {
    let circuit = Fixture::new().await;
    let view = put(&circuit, State::Open, 1).await;
    assert_eq!(opening(&view).note, ada());
    // It opens anew, and leaves what it does not know.
    let generation = (view.generation + 2).to_string();
    let words = ["generation", generation.as_str(), "cause", "failures"];
    circuit.command("HSET", "record", &words).await;
    let view = circuit.now().await;
    let found = opening(&view);
    assert_eq!((found.cause, found.by, found.note), (Cause::Failures, Some(ME), Note::new()));
    assert_eq!(view.note, None);
    // Or closes.
    let view = put(&circuit, State::Open, 2).await;
    let generation = (view.generation + 1).to_string();
    let words = ["generation", generation.as_str(), "state", "closed"];
    circuit.command("HSET", "record", &words).await;
    circuit.set("state", "closed").await;
    assert_eq!(circuit.now().await.provenance, None);
}

#[tokio::test]
async fn a_clock_that_goes_back_leaves_how_long_ago_it_was() {
    const NOW: u64 = 1_700_000_000_000_000;
    const BACK: u64 = NOW - 3_600_000_000;
    let circuit = Fixture::with_clock().await;
    circuit.set_clock(NOW).await;
    let view = circuit.now().await;
    let view = trip(&circuit, &view, LONG).await;
    circuit.set_clock(NOW + 5_000_000).await;
    // Something is written.
    circuit.override_by(1, Some(night())).await;
    circuit.set_clock(BACK).await;
    assert_eq!(opening(&circuit.now().await).ago, Duration::from_secs(5));
    circuit.set_clock(BACK + 2_000_000).await;
    let found = opening(&circuit.now().await);
    assert_eq!((found.ago, found.cause), (Duration::from_secs(7), Cause::FailureRate));
    assert_eq!(view.generation + 1, circuit.now().await.generation);
}

#[tokio::test]
async fn bytes_that_are_no_text_and_faults_that_are_unknown_harm_no_answer() {
    let circuit = Fixture::new().await;
    circuit.put(State::Open, 1).await;
    let words = ["opening", "manual:-:1:4294967295:%FF%00:%C3%28", "note", "%FF:"];
    circuit.command("HSET", "record", &words).await;
    let mut watch = circuit.storage.watch().await.unwrap();
    let view = circuit.override_by(2, None).await;
    assert_eq!((opening(&view).fault, &*opening(&view).note.by), (None, "\u{FFFD}\0"));
    assert_eq!(&*view.note.unwrap().by, "\u{FFFD}");
    let (_, told) = pushed(&mut *watch).await;
    assert_eq!(opening(&told).note, opening(&circuit.now().await).note);
}

#[tokio::test]
async fn the_longest_texts_and_times_can_be_read_again() {
    let circuit = Fixture::new().await;
    let long = "\u{1}".repeat(300);
    let note = Note::new().by(&long).because(&long);
    let command = Command::Put { state: State::HalfOpen, open_time: LONG, note: note.clone() };
    let command = [Control::new(circuit.key.clone(), token(1), command)];
    let view = circuit.storage.control(&command).await.unwrap().remove(0);
    circuit.lease((&view).into(), 2).await;
    let mut far = opening(&view);
    far.ago = Duration::MAX;
    let mut settle = Settle::new(circuit.key.clone(), (&view).into(), token(2), Outcome::Failure);
    settle.presented.generation += 9;
    settle.provenance = Some(far.into());
    circuit.storage.settle(&[settle]).await.unwrap();
    let (logged, _listening) = Logged::start();
    let found = opening(&circuit.now().await);
    assert_eq!(found.note, note);
    assert!(found.ago > Duration::from_secs(900_000_000), "{:?}", found.ago);
    assert_eq!(logged.at(Level::WARN).len(), 0);
}
