use std::time::Duration;

use infuse_core::{Cause, State};

use super::{
    expect::{self, Verdict},
    pushes::{expect_next, watch},
    subject::{LONG, SHORT, Subject},
};
use crate::{Clear, Look, Presented, ProcessId, Report, Suspicion, SuspicionId, Trip, View};

const NOTHING: Presented = Presented::NOTHING;
/// More than this circuit tolerates: the default policy does with five.
const MAX: u32 = 5;

fn suspicion(view: &View) -> Verdict<Suspicion> {
    view.suspicion.ok_or_else(|| format!("the circuit is not suspect: {view:?}"))
}

fn unsuspected(view: &View) -> Verdict {
    expect::equal("the suspicion", view.suspicion, None)
}

fn report(circuit: &Subject<'_>, process: ProcessId, failures: u32) -> Report {
    let mut report = Report::new(circuit.key.clone(), NOTHING, process, failures);
    report.rest = LONG;
    report.lapse = LONG;
    report
}

/// Another process with two failures, and this one with so many that it is enough.
async fn suspect_by(circuit: &Subject<'_>, raising: Report) -> Verdict<(View, SuspicionId)> {
    circuit.report_by(report(circuit, ProcessId::random(), 2)).await?;
    let view = circuit.report_by(raising).await?;
    let id = suspicion(&view)?.id;
    Ok((view, id))
}

async fn suspect(circuit: &Subject<'_>) -> Verdict<(View, SuspicionId)> {
    suspect_by(circuit, report(circuit, circuit.me, 3)).await
}

fn settling(circuit: &Subject<'_>, id: SuspicionId) -> Trip {
    let mut trip = Trip::new(circuit.key.clone(), NOTHING, circuit.me, LONG);
    trip.suspicion = Some(id);
    trip.grace = LONG;
    trip
}

pub(super) async fn raised(circuit: &Subject<'_>) -> Verdict {
    unsuspected(&circuit.report_by(report(circuit, ProcessId::random(), 2)).await?)?;
    unsuspected(&circuit.report_by(report(circuit, circuit.me, 2)).await?)?;
    circuit.pass(SHORT).await;
    let view = circuit.report_by(report(circuit, circuit.me, 3)).await?;
    expect::view(&view, State::Closed, 0)?;
    expect::equal("the failures", (view.failures, view.share), (MAX, 3))?;
    let suspicion = suspicion(&view)?;
    expect::equal("who raised it", suspicion.by, circuit.me)?;
    expect::equal("its generation", suspicion.id.generation, 0)?;
    if suspicion.first_failure < SHORT {
        return Err(format!("the first failure is {:?} old", suspicion.first_failure));
    }
    expect::unchanged(&circuit.now().await?, &view)?;

    // More failures make no other suspicion.
    let again = circuit.report_by(report(circuit, ProcessId::random(), 4)).await?;
    expect::equal("the suspicion's id", again.suspicion.map(|it| it.id), Some(suspicion.id))
}

pub(super) async fn own_share(circuit: &Subject<'_>) -> Verdict {
    let view = circuit.report_by(report(circuit, circuit.me, MAX)).await?;
    suspicion(&view)?;
    expect::view(&view, State::Closed, 0)
}

pub(super) async fn senders_threshold(circuit: &Subject<'_>) -> Verdict {
    circuit.report_by(report(circuit, ProcessId::random(), 4)).await?;
    let mut patient = report(circuit, circuit.me, 4);
    patient.thresholds.max_failure = 9;
    unsuspected(&circuit.report_by(patient.clone()).await?)?;
    patient.failures = 5;
    suspicion(&circuit.report_by(patient).await?).map(|_| ())
}

pub(super) async fn comes_true(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let view = circuit.trip_by(settling(circuit, id)).await?;
    expect::view(&view, State::Open, 1)?;
    expect::equal("the cause", view.cause, Cause::Failures)?;
    expect::equal("who did it", view.by, Some(circuit.me))?;
    expect::left_of("the time left", view.time_left, LONG)?;
    expect::equal("the failures", view.failures, 0)?;
    unsuspected(&view)
}

pub(super) async fn comes_true_once(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let first = circuit.trip_by(settling(circuit, id)).await?;
    expect::unchanged(&circuit.trip_by(settling(circuit, id)).await?, &first)
}

pub(super) async fn cleared(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let view = circuit.clear(NOTHING, id).await?;
    expect::view(&view, State::Closed, 0)?;
    unsuspected(&view)?;
    expect::equal("the failures", view.failures, 0)?;
    expect::equal("the clears", view.clears, 1)?;
    expect::left_of("the rest", view.rest, LONG)?;
    expect::unchanged(&circuit.now().await?, &view)
}

pub(super) async fn cleared_once(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let first = circuit.clear(NOTHING, id).await?;
    expect::unchanged(&circuit.clear(NOTHING, id).await?, &first)
}

/// A circuit that is suspect anew, and the id of the suspicion before.
async fn suspect_again(circuit: &Subject<'_>) -> Verdict<(View, SuspicionId)> {
    let mut short = report(circuit, circuit.me, 3);
    short.rest = SHORT;
    let (_, cleared) = suspect_by(circuit, short).await?;
    circuit.clear(NOTHING, cleared).await?;
    circuit.pass(SHORT).await;
    let mut again = report(circuit, circuit.me, MAX);
    again.clears = 1;
    let view = circuit.report_by(again).await?;
    if suspicion(&view)?.id <= cleared {
        return Err(format!("the second suspicion is {:?}", view.suspicion));
    }
    Ok((view, cleared))
}

pub(super) async fn cleared_other(circuit: &Subject<'_>) -> Verdict {
    let (view, cleared) = suspect_again(circuit).await?;
    expect::unchanged(&circuit.clear(NOTHING, cleared).await?, &view)
}

pub(super) async fn settled_other(circuit: &Subject<'_>) -> Verdict {
    let (view, cleared) = suspect_again(circuit).await?;
    expect::unchanged(&circuit.trip_by(settling(circuit, cleared)).await?, &view)
}

pub(super) async fn cleared_then_settled(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let cleared = circuit.clear(NOTHING, id).await?;
    expect::unchanged(&circuit.trip_by(settling(circuit, id)).await?, &cleared)
}

pub(super) async fn rests(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    circuit.clear(NOTHING, id).await?;
    let mut next = report(circuit, circuit.me, MAX);
    next.clears = 1;
    let view = circuit.report_by(next.clone()).await?;
    expect::equal("the failures while it rests", view.failures, 0)?;
    unsuspected(&view)?;

    let circuit = circuit.another();
    let mut short = report(&circuit, circuit.me, 3);
    short.rest = SHORT;
    let (_, id) = suspect_by(&circuit, short).await?;
    circuit.clear(NOTHING, id).await?;
    circuit.pass(SHORT).await;
    next.key = circuit.key.clone();
    let view = circuit.report_by(next).await?;
    expect::equal("the failures afterwards", view.failures, MAX)
}

pub(super) async fn refuted_by_look(circuit: &Subject<'_>) -> Verdict {
    suspect(circuit).await?;
    circuit.pass(SHORT).await;
    let mut look = Look::new(circuit.key.clone(), NOTHING);
    look.last_success = Some(Duration::ZERO);
    let view = circuit.look_by(look).await?;
    unsuspected(&view)?;
    expect::equal("the failures", view.failures, 0)?;
    expect::equal("the clears", view.clears, 1)?;
    expect::left_of("the rest", view.rest, LONG)
}

pub(super) async fn stale_clears(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let mut short = report(circuit, circuit.me, 3);
    short.rest = SHORT;
    circuit.clear(NOTHING, id).await?;

    let circuit = circuit.another();
    short.key = circuit.key.clone();
    let (_, id) = suspect_by(&circuit, short).await?;
    circuit.clear(NOTHING, id).await?;
    circuit.pass(SHORT).await;
    let view = circuit.report_by(report(&circuit, circuit.me, 4)).await?;
    expect::equal("the failures and the share", (view.failures, view.share), (1, 1))?;
    let mut next = report(&circuit, circuit.me, 2);
    next.clears = 1;
    let view = circuit.report_by(next).await?;
    expect::equal("the failures and the share", (view.failures, view.share), (2, 2))
}

pub(super) async fn repeated_report(circuit: &Subject<'_>) -> Verdict {
    circuit.report_by(report(circuit, ProcessId::random(), 3)).await?;
    circuit.pass(SHORT).await;
    let mut refuting = report(circuit, circuit.me, 2);
    refuting.last_success = Some(Duration::ZERO);
    let first = circuit.report_by(refuting.clone()).await?;
    expect::equal("the failures and the share", (first.failures, first.share), (2, 2))?;
    // As it was sent, but later: the success is older now than the failures that count.
    circuit.pass(SHORT).await;
    refuting.last_success = Some(LONG);
    expect::unchanged(&circuit.report_by(refuting).await?, &first)
}

pub(super) async fn refuting_counts(circuit: &Subject<'_>) -> Verdict {
    circuit.report_by(report(circuit, ProcessId::random(), 3)).await?;
    circuit.pass(SHORT).await;
    let mut look = Look::new(circuit.key.clone(), NOTHING);
    look.last_success = Some(Duration::ZERO);
    let view = circuit.look_by(look).await?;
    expect::equal("the clears", view.clears, 1)?;
    expect::equal("the rest", view.rest, Duration::ZERO)
}

pub(super) async fn taken_back(circuit: &Subject<'_>) -> Verdict {
    let raised = circuit.report_by(report(circuit, circuit.me, MAX)).await?;
    let id = suspicion(&raised)?.id;
    let view = circuit.report_by(report(circuit, circuit.me, 0)).await?;
    unsuspected(&view)?;
    expect::equal("the failures", view.failures, 0)?;
    expect::view(&circuit.trip_by(settling(circuit, id)).await?, State::Closed, 0)
}

pub(super) async fn fallen(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let view = circuit.report_by(report(circuit, circuit.me, 2)).await?;
    unsuspected(&view)?;
    // What is left counts.
    let left = (view.failures, view.clears, view.rest);
    expect::equal("the failures, clears and rest", left, (4, 0, Duration::ZERO))?;
    expect::unchanged(&circuit.trip_by(settling(circuit, id)).await?, &view)?;
    suspicion(&circuit.report_by(report(circuit, circuit.me, 3)).await?).map(|_| ())
}

pub(super) async fn own_run(circuit: &Subject<'_>) -> Verdict {
    suspect(circuit).await?;
    expect::view(&circuit.opened(LONG).await?, State::Open, 1)
}

pub(super) async fn late(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    circuit.pass(SHORT).await;
    let mut trip = settling(circuit, id);
    trip.grace = SHORT / 4;
    let view = circuit.trip_by(trip.clone()).await?;
    expect::view(&view, State::Closed, 0)?;
    expect::equal("the failures", view.failures, MAX)?;
    let renewed = suspicion(&view)?;
    if renewed.id <= id {
        return Err(format!("the suspicion {id:?} was renewed as {:?}", renewed.id));
    }
    expect::equal("who raised it", renewed.by, circuit.me)?;
    // A repeat is about the one that was renewed.
    expect::unchanged(&circuit.trip_by(trip).await?, &view)?;
    expect::view(&circuit.trip_by(settling(circuit, renewed.id)).await?, State::Open, 1)
}

pub(super) async fn late_too_often(circuit: &Subject<'_>) -> Verdict {
    let (mut view, _) = suspect(circuit).await?;
    for _ in 0..3 {
        let mut trip = settling(circuit, suspicion(&view)?.id);
        trip.grace = Duration::ZERO;
        circuit.pass(SHORT / 4).await;
        view = circuit.trip_by(trip).await?;
        expect::equal("the failures", view.failures, MAX)?;
    }
    let mut trip = settling(circuit, suspicion(&view)?.id);
    trip.grace = Duration::ZERO;
    circuit.pass(SHORT / 4).await;
    let view = circuit.trip_by(trip).await?;
    unsuspected(&view)?;
    expect::view(&view, State::Closed, 0)?;
    expect::equal("the failures", view.failures, MAX - 1)
}

pub(super) async fn lapses(circuit: &Subject<'_>) -> Verdict {
    let mut raising = report(circuit, circuit.me, 3);
    raising.lapse = SHORT;
    let (_, id) = suspect_by(circuit, raising).await?;
    circuit.pass(SHORT).await;
    let view = circuit.now().await?;
    unsuspected(&view)?;
    expect::equal("the failures", view.failures, MAX - 1)?;
    expect::equal("the clears", view.clears, 0)?;
    expect::unchanged(&circuit.trip_by(settling(circuit, id)).await?, &view)?;
    // One more is enough again.
    suspicion(&circuit.report_by(report(circuit, ProcessId::random(), 1)).await?).map(|_| ())
}

pub(super) async fn ended_by_a_change(circuit: &Subject<'_>) -> Verdict {
    let (_, id) = suspect(circuit).await?;
    let view = circuit.put(State::Closed).await?;
    unsuspected(&view)?;
    expect::equal("the failures", view.failures, 0)?;
    let mut trip = settling(circuit, id);
    trip.presented = Presented::from(&view);
    expect::unchanged(&circuit.trip_by(trip).await?, &view)?;

    let circuit = circuit.another();
    let (_, id) = suspect(&circuit).await?;
    circuit.clear(NOTHING, id).await?;
    let view = circuit.put(State::Closed).await?;
    expect::equal("the clears", view.clears, 0)?;
    expect::equal("the rest", view.rest, Duration::ZERO)
}

pub(super) async fn thresholds(circuit: &Subject<'_>) -> Verdict {
    circuit.now().await?;
    expect::equal("the thresholds", circuit.now().await?.thresholds, None)?;
    let mut one = report(circuit, circuit.me, 1);
    one.thresholds.max_failure = 7;
    one.thresholds.reset_timeout = SHORT;
    let view = circuit.report_by(one.clone()).await?;
    expect::equal("the thresholds", view.thresholds, Some(one.thresholds))?;
    let mut trip = Trip::new(circuit.key.clone(), NOTHING, circuit.me, LONG);
    trip.thresholds.half_open_max_calls = 2;
    trip.thresholds.success_threshold = 3;
    let expected = Some(trip.thresholds);
    expect::equal("the thresholds", circuit.trip_by(trip).await?.thresholds, expected)?;
    expect::equal("the thresholds", circuit.put(State::Closed).await?.thresholds, expected)
}

pub(super) async fn older(circuit: &Subject<'_>) -> Verdict {
    let known = Presented::from(&circuit.put(State::Closed).await?);
    let mut raising = report(circuit, circuit.me, MAX);
    raising.presented = known;
    let view = circuit.report_by(raising).await?;
    let id = suspicion(&view)?.id;
    expect::equal("its generation", id.generation, 1)?;
    expect::unchanged(&circuit.clear(NOTHING, id).await?, &view)?;
    unsuspected(&circuit.clear(known, id).await?)
}

pub(super) async fn pushed(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    circuit.report_by(report(circuit, ProcessId::random(), 2)).await?;
    let raised = circuit.report_by(report(circuit, circuit.me, 3)).await?;
    expect_next(circuit, &mut *watch, &raised).await?;

    let mut trip = settling(circuit, suspicion(&raised)?.id);
    trip.grace = Duration::ZERO;
    circuit.pass(SHORT / 4).await;
    let renewed = circuit.trip_by(trip).await?;
    expect_next(circuit, &mut *watch, &renewed).await?;

    let clear = Clear::new(circuit.key.clone(), NOTHING, circuit.me, suspicion(&renewed)?.id);
    let repeated = circuit.storage.clear(&[clear.clone(), clear]).await;
    let cleared = repeated.map_err(|error| error.to_string())?;
    expect_next(circuit, &mut *watch, &cleared[0]).await?;
    let closed = circuit.put(State::Closed).await?;
    expect_next(circuit, &mut *watch, &closed).await
}
