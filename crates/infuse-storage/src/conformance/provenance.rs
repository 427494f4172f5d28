use std::{sync::Arc, time::Duration};

use infuse_core::{Cause, Counts, Fault, FaultKind, Mode, Outcome, Override, State};

use super::{
    expect::{self, Verdict},
    pushes::{expect_next, watch},
    rates::{RATES, calls, telling},
    subject::{LONG, SHORT, Subject},
};
use crate::{
    Clear, Command, LeaseRequest, Look, Note, Opening, Presented, ProcessId, Rates, Report, Seed,
    Settle, SuspicionId, Trip, View,
};

const BAD: Fault = Fault::status(503);
const SLOW: Fault = Fault::new(FaultKind::Timeout);

/// It was opened so, so long ago or a little longer.
fn opened_by(view: &View, expected: &Opening) -> Verdict {
    let Some(found) = &view.provenance else {
        return Err("nobody knows what opened the circuit".to_owned());
    };
    expect::left_of("how long ago it opened", expected.ago, found.ago)?;
    let found = Opening { ago: expected.ago, ..Opening::clone(found) };
    expect::equal("what opened the circuit", &found, expected)
}

fn nothing(view: &View) -> Verdict {
    expect::equal("what opened the circuit", &view.provenance, &None)
}

fn said(view: &View, expected: Option<&Note>) -> Verdict {
    expect::equal("the note", view.note.as_deref(), expected)
}

fn ada() -> Note {
    Note::new().by("ada").because("their house: is on fire\n")
}

fn trip(circuit: &Subject<'_>, presented: Presented, fault: impl Into<Option<Fault>>) -> Trip {
    let mut trip = Trip::new(circuit.key.clone(), presented, circuit.me, SHORT);
    trip.fault = fault.into();
    trip
}

/// Opened by failures, for a short time.
async fn opened(circuit: &Subject<'_>) -> Verdict<(View, Opening)> {
    let view = circuit.trip_by(trip(circuit, Presented::NOTHING, BAD)).await?;
    let opening = Opening { fault: Some(BAD), ..Opening::new(Cause::Failures, circuit.me) };
    opened_by(&view, &opening)?;
    Ok((view, opening))
}

async fn put(circuit: &Subject<'_>, state: State, note: Note) -> Verdict<View> {
    let mut command = circuit.command(state);
    command.command = Command::Put { state, open_time: LONG, note };
    circuit.control(command).await
}

pub(super) async fn tripped(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let (view, opening) = opened(circuit).await?;
    said(&view, None)?;
    expect_next(circuit, &mut *watch, &view).await?;
    circuit.pass(SHORT).await;
    opened_by(&circuit.now().await?, &Opening { ago: SHORT, ..opening })
}

pub(super) async fn closed(circuit: &Subject<'_>) -> Verdict {
    nothing(&circuit.now().await?)?;
    let (view, _) = opened(circuit).await?;
    circuit.pass(SHORT).await;
    let (token, view) = circuit.begin_trial(&view).await?;
    let settle = circuit.settling((&view).into(), token, Outcome::Success);
    let view = circuit.settle(settle).await?;
    nothing(&view)?;
    let mut again = trip(circuit, (&view).into(), SLOW);
    again.cause = Cause::Rule;
    let opening = Opening { fault: Some(SLOW), ..Opening::new(Cause::Rule, circuit.me) };
    let view = circuit.trip_by(again).await?;
    opened_by(&view, &opening)?;
    expect::at_most("how long ago", view.provenance.map_or(LONG, |it| it.ago), LONG / 2)?;
    nothing(&circuit.put(State::Closed).await?)
}

pub(super) async fn trials(circuit: &Subject<'_>) -> Verdict {
    let (mut view, opening) = opened(circuit).await?;
    for (passed, fault) in [(1, Some(SLOW)), (2, None), (3, Some(Fault::status(500)))] {
        circuit.pass(SHORT).await;
        let opening = Opening { ago: passed * SHORT, ..opening.clone() };
        let before = view.provenance.as_ref().and_then(|it| it.fault);
        let mut request = circuit.request((&view).into());
        request.token.process = ProcessId::random();
        let token = request.token;
        let half_open = circuit.lease(request).await?.view;
        opened_by(&half_open, &Opening { fault: before, ..opening.clone() })?;
        let mut settle = circuit.settling((&half_open).into(), token, Outcome::Failure);
        (settle.fault, settle.open_time) = (fault, SHORT);
        view = circuit.settle(settle.clone()).await?;
        expect::view(&view, State::Open, 1 + 2 * u64::from(passed))?;
        opened_by(&view, &Opening { fault, ..opening })?;
        expect::unchanged(&circuit.settle(settle).await?, &view)?;
    }
    Ok(())
}

pub(super) async fn trip_of_half_open(circuit: &Subject<'_>) -> Verdict {
    let (view, opening) = opened(circuit).await?;
    circuit.pass(SHORT).await;
    let (_, view) = circuit.begin_trial(&view).await?;
    let mut again = trip(circuit, (&view).into(), SLOW);
    (again.process, again.cause) = (ProcessId::random(), Cause::TrialFailed);
    let view = circuit.trip_by(again).await?;
    expect::equal("who opened it last", view.by == opening.by, false)?;
    opened_by(&view, &Opening { ago: SHORT, fault: Some(SLOW), ..opening })
}

pub(super) async fn second(circuit: &Subject<'_>) -> Verdict {
    let (view, opening) = opened(circuit).await?;
    for presented in [Presented::NOTHING, Presented::from(&view)] {
        let mut second = trip(circuit, presented, SLOW);
        second.process = ProcessId::random();
        opened_by(&circuit.trip_by(second).await?, &opening)?;
    }
    // Nor does one that does not open, because more must have seen failures.
    let circuit = circuit.another();
    let mut alone = trip(&circuit, Presented::NOTHING, BAD);
    alone.thresholds.min_reporters = 2;
    nothing(&circuit.trip_by(alone).await?)
}

pub(super) async fn faults(circuit: &Subject<'_>) -> Verdict {
    let kinds = [
        FaultKind::Status,
        FaultKind::Timeout,
        FaultKind::Connect,
        FaultKind::Disconnect,
        FaultKind::Body,
        FaultKind::Error,
        FaultKind::Panic,
        FaultKind::Abandoned,
        FaultKind::Slow,
    ];
    let mut all: Vec<_> = kinds.map(|kind| Some(Fault::new(kind))).into();
    all.extend([None, Some(Fault::status(1)), Some(Fault::status(u16::MAX))]);
    for fault in all {
        let circuit = circuit.another();
        let view = circuit.trip_by(trip(&circuit, Presented::NOTHING, fault)).await?;
        let opening = Opening { fault, ..Opening::new(Cause::Failures, circuit.me) };
        opened_by(&view, &opening)?;
        opened_by(&circuit.now().await?, &opening)?;
    }
    Ok(())
}

pub(super) async fn rates(circuit: &Subject<'_>) -> Verdict {
    let slow_rates = Rates { failure_rate: None, slow_call_rate: Some(0.5), ..RATES };
    for (rates, counts, fault, opening) in [
        (RATES, calls(10, 9), Some(BAD), (Cause::FailureRate, Some(BAD))),
        (RATES, calls(10, 9), None, (Cause::FailureRate, None)),
        (
            slow_rates,
            Counts { slow: 9, ..calls(10, 1) },
            Some(BAD),
            (Cause::SlowCallRate, Some(Fault::new(FaultKind::Slow))),
        ),
    ] {
        let circuit = circuit.another();
        let mut look = telling(&circuit, circuit.me, rates, counts);
        look.fault = fault;
        let view = circuit.look_by(look).await?;
        let (cause, fault) = opening;
        opened_by(&view, &Opening { fault, ..Opening::new(cause, circuit.me) })?;
    }
    Ok(())
}

pub(super) async fn suspicion(circuit: &Subject<'_>) -> Verdict {
    circuit.report(Presented::NOTHING, ProcessId::random(), 3).await?;
    let view = circuit.report(Presented::NOTHING, circuit.me, 2).await?;
    let mut settle = trip(circuit, (&view).into(), SLOW);
    settle.suspicion = view.suspicion.map(|it| it.id);
    settle.grace = LONG;
    let opening = Opening { fault: Some(SLOW), ..Opening::new(Cause::Failures, circuit.me) };
    opened_by(&circuit.trip_by(settle).await?, &opening)
}

pub(super) async fn by_hand(circuit: &Subject<'_>) -> Verdict {
    let by_ada =
        |circuit: &Subject<'_>| Opening { note: ada(), ..Opening::new(Cause::Manual, circuit.me) };
    let mut watch = watch(circuit).await?;
    let view = put(circuit, State::Open, ada()).await?;
    opened_by(&view, &by_ada(circuit))?;
    said(&view, Some(&ada()))?;
    expect_next(circuit, &mut *watch, &view).await?;
    opened_by(&circuit.now().await?, &by_ada(circuit))?;

    // Out of any state, also of one that was opened otherwise.
    let circuit = circuit.another();
    opened(&circuit).await?;
    circuit.pass(SHORT).await;
    let view = put(&circuit, State::Open, ada()).await?;
    opened_by(&view, &by_ada(&circuit))?;
    expect::at_most("how long ago", view.provenance.map_or(LONG, |it| it.ago), LONG / 2)?;

    // With nothing to say.
    let view = put(&circuit, State::Open, Note::new()).await?;
    opened_by(&view, &Opening::new(Cause::Manual, circuit.me))?;
    said(&view, None)
}

pub(super) async fn half_open_by_hand(circuit: &Subject<'_>) -> Verdict {
    let (_, opening) = opened(circuit).await?;
    circuit.pass(SHORT).await;
    let view = put(circuit, State::HalfOpen, ada()).await?;
    opened_by(&view, &Opening { ago: SHORT, ..opening })?;
    said(&view, Some(&ada()))?;

    // Out of closed, it is what opened it.
    let circuit = circuit.another();
    let view = put(&circuit, State::HalfOpen, ada()).await?;
    opened_by(&view, &Opening { note: ada(), ..Opening::new(Cause::Manual, circuit.me) })
}

pub(super) async fn notes(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    for state in [State::Closed, State::Open, State::HalfOpen, State::Closed] {
        let view = put(circuit, state, ada()).await?;
        said(&view, Some(&ada()))?;
        expect_next(circuit, &mut *watch, &view).await?;
        said(&circuit.now().await?, Some(&ada()))?;
    }
    // Until somebody else changes the circuit.
    let known = circuit.now().await?;
    said(&circuit.trip((&known).into(), LONG).await?, None)?;
    let mut repeated = circuit.command(State::Closed);
    repeated.command = Command::Put { state: State::Closed, open_time: LONG, note: ada() };
    circuit.control(repeated.clone()).await?;
    let last = circuit.put(State::Closed).await?;
    said(&last, None)?;
    expect::unchanged(&circuit.control(repeated).await?, &last)
}

pub(super) async fn any_text(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    for text in ["", " ", "a b:c,d|e;f", "-", "\r\n\0", "%41%", "\"'\\", "\u{1F980} é"] {
        for note in [Note::new().by(text), Note::new().because(text), Note::new().by(text)] {
            let view = put(circuit, State::Open, note.clone()).await?;
            let opening = Opening::new(Cause::Manual, circuit.me);
            opened_by(&view, &Opening { note: note.clone(), ..opening })?;
            said(&view, (!note.is_empty()).then_some(&note))?;
            expect_next(circuit, &mut *watch, &view).await?;
            expect::unchanged(&circuit.now().await?, &view)?;
        }
    }
    // What is too long is cut.
    let mut long = Note::new();
    (long.by, long.reason) = ("x".repeat(10_000).into(), "é".repeat(10_000).into());
    let cut = Note::new().by(&long.by).because(&long.reason);
    let view = put(circuit, State::Open, long).await?;
    said(&view, Some(&cut))?;
    opened_by(&view, &Opening { note: cut, ..Opening::new(Cause::Manual, circuit.me) })
}

pub(super) async fn seeded(circuit: &Subject<'_>) -> Verdict {
    opened(circuit).await?;
    let view = circuit.seed(circuit.seeding(State::Open)).await?;
    opened_by(&view, &Opening::new(Cause::Seed, circuit.me))?;
    said(&view, None)?;
    nothing(&circuit.seed(circuit.seeding(State::Closed)).await?)
}

pub(super) async fn overrides(circuit: &Subject<'_>) -> Verdict {
    let before = put(circuit, State::Open, ada()).await?;
    circuit.pass(SHORT).await;
    let mut command = circuit.command(State::Closed);
    command.command = Command::Override(Some(Arc::new(Override::new(Mode::Observe).by("bob"))));
    let view = circuit.control(command).await?;
    expect::view(&view, State::Open, before.generation + 1)?;
    let opening = Opening { note: ada(), ..Opening::new(Cause::Manual, circuit.me) };
    opened_by(&view, &Opening { ago: SHORT, ..opening })?;
    said(&view, Some(&ada()))
}

/// Every verb, by one who knows the circuit of generation 7, and that.
async fn verb(
    circuit: &Subject<'_>,
    name: &str,
    state: State,
    known: Option<&Opening>,
) -> Verdict<View> {
    let time_left = if state == State::Open { LONG } else { Duration::ZERO };
    let presented = Presented { generation: 7, state, time_left };
    macro_rules! with {
        ($verb:expr) => {{
            let mut verb = $verb;
            verb.presented = presented;
            verb.provenance = known.cloned().map(Arc::new);
            verb
        }};
    }
    let key = || circuit.key.clone();
    let nothing = SuspicionId { generation: 0, raised_at: 0 };
    match name {
        "look" => circuit.look_by(with!(Look::new(key(), presented))).await,
        "report" => circuit.report_by(with!(Report::new(key(), presented, circuit.me, 1))).await,
        "trip" => circuit.trip_by(with!(Trip::new(key(), presented, circuit.me, LONG))).await,
        "clear" => {
            let clear = with!(Clear::new(key(), presented, circuit.me, nothing));
            let views = circuit.storage.clear(&[clear]).await;
            views.map(|views| views[0].clone()).map_err(|error| error.to_string())
        }
        "lease" => {
            let request = LeaseRequest::new(key(), presented, circuit.token(), LONG);
            Ok(circuit.lease(with!(request)).await?.view)
        }
        "settle" => {
            let settle = Settle::new(key(), presented, circuit.token(), Outcome::Failure);
            circuit.settle(with!(settle)).await
        }
        // As a repeat, which does no more than mend.
        "control" => {
            let command = circuit.command(State::HalfOpen);
            circuit.control(command.clone()).await?;
            circuit.control(with!(command)).await
        }
        _ => {
            let seed: Seed = circuit.seeding(State::HalfOpen);
            circuit.seed(seed.clone()).await?;
            circuit.seed(with!(seed)).await
        }
    }
}

const VERBS: [&str; 8] = ["look", "report", "trip", "clear", "lease", "settle", "control", "seed"];

/// The storage's clock is that old.
fn long_ago(by: ProcessId) -> Opening {
    let opening = Opening::new(Cause::SlowCallRate, by);
    Opening { ago: SHORT, fault: Some(SLOW), note: ada(), ..opening }
}

pub(super) async fn mended(circuit: &Subject<'_>) -> Verdict {
    circuit.pass(SHORT).await;
    for name in VERBS {
        for state in [State::Open, State::HalfOpen] {
            let circuit = circuit.another();
            let mut known = long_ago(circuit.me);
            let view = verb(&circuit, name, state, Some(&known)).await?;
            // A trip that is applied then opens again.
            if name == "trip" && state == State::HalfOpen {
                known.fault = None;
            } else {
                expect::view(&view, state, 7)?;
            }
            opened_by(&view, &known).map_err(|differs| format!("a {name}: {differs}"))?;
            opened_by(&circuit.now().await?, &known)?;
        }
    }
    // One that nobody opened that is known.
    let nobody = Opening { ago: SHORT, ..Opening::new(Cause::Adopted, None) };
    opened_by(&verb(circuit, "look", State::Open, Some(&nobody)).await?, &nobody)
}

pub(super) async fn mended_from_the_record(circuit: &Subject<'_>) -> Verdict {
    for (known, state) in
        [(State::Open, State::Open), (State::HalfOpen, State::Open), (State::Closed, State::Open)]
    {
        let circuit = circuit.another();
        let mut trip = trip(&circuit, Presented::NOTHING, BAD);
        trip.open_time = LONG;
        circuit.trip_by(trip).await?;
        circuit.pass(SHORT).await;
        let view = verb(&circuit, "look", known, None).await?;
        expect::equal("the state", view.state, state)?;
        let opening = Opening::new(Cause::Failures, circuit.me);
        opened_by(&view, &Opening { ago: SHORT, fault: Some(BAD), ..opening })?;
    }
    // But who knows more is right.
    opened(circuit).await?;
    let known = long_ago(ProcessId::random());
    opened_by(&verb(circuit, "look", State::Open, Some(&known)).await?, &known)
}

pub(super) async fn mended_to_closed(circuit: &Subject<'_>) -> Verdict {
    put(circuit, State::HalfOpen, ada()).await?;
    let known = long_ago(circuit.me);
    let view = verb(circuit, "look", State::Closed, Some(&known)).await?;
    expect::view(&view, State::Closed, 7)?;
    nothing(&view)?;
    said(&view, None)
}

pub(super) async fn mended_by_nobody(circuit: &Subject<'_>) -> Verdict {
    for state in [State::Open, State::HalfOpen] {
        let circuit = circuit.another();
        let view = verb(&circuit, "look", state, None).await?;
        opened_by(&view, &Opening::new(Cause::Adopted, None))?;
    }
    Ok(())
}

pub(super) async fn not_mended(circuit: &Subject<'_>) -> Verdict {
    circuit.pass(SHORT).await;
    for generation in [7, 8] {
        let circuit = circuit.another();
        let known = long_ago(circuit.me);
        let presented = Presented { generation, state: State::Open, time_left: LONG };
        let mut look = Look::new(circuit.key.clone(), presented);
        look.provenance = Some(Arc::new(known.clone()));
        opened_by(&circuit.look_by(look).await?, &known)?;
        let other = Opening::new(Cause::Rule, ProcessId::random());
        opened_by(&verb(&circuit, "look", State::Open, Some(&other)).await?, &known)?;
        opened_by(&verb(&circuit, "look", State::Open, None).await?, &known)?;
    }
    Ok(())
}
