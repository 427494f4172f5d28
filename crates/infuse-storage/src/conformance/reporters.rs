use std::time::Duration;

use infuse_core::{Cause, Counts, State, Window};

use super::{
    expect::{self, Verdict},
    rates::{RATES, calls, telling},
    subject::{LONG, SHORT, Subject},
};
use crate::{Look, Presented, ProcessId, Rates, Report, Trip, View};

const NOTHING: Presented = Presented::NOTHING;

/// By one for whom so many processes must have seen failures.
fn report(circuit: &Subject<'_>, process: ProcessId, failures: u32, needed: u32) -> Report {
    let mut report = Report::new(circuit.key.clone(), NOTHING, process, failures);
    report.thresholds.min_reporters = needed;
    report.lapse = LONG;
    report
}

fn trip(circuit: &Subject<'_>, process: ProcessId, needed: u32) -> Trip {
    let mut trip = Trip::new(circuit.key.clone(), NOTHING, process, LONG);
    trip.thresholds.min_reporters = needed;
    trip
}

fn look(circuit: &Subject<'_>, process: ProcessId, counts: Counts, needed: u32) -> Look {
    let mut look = telling(circuit, process, RATES, counts);
    look.thresholds.min_reporters = needed;
    look
}

fn suspect(view: &View, expected: bool) -> Verdict {
    expect::equal("whether it is suspect", view.suspicion.is_some(), expected)
}

fn stays_closed(view: &View) -> Verdict {
    expect::view(view, State::Closed, 0)
}

pub(super) async fn suspicion(circuit: &Subject<'_>) -> Verdict {
    let (two, three) = (ProcessId::random(), ProcessId::random());
    suspect(&circuit.report_by(report(circuit, circuit.me, 9, 3)).await?, false)?;
    suspect(&circuit.report_by(report(circuit, two, 9, 3)).await?, false)?;
    suspect(&circuit.report_by(report(circuit, three, 1, 3)).await?, true)?;
    // It ends when too few are left, though failures enough are.
    suspect(&circuit.report_by(report(circuit, three, 0, 3)).await?, false)?;
    // Of whom it takes, the sender says.
    suspect(&circuit.report_by(report(circuit, two, 9, 2)).await?, true)
}

pub(super) async fn comes_true(circuit: &Subject<'_>) -> Verdict {
    circuit.report_by(report(circuit, ProcessId::random(), 4, 2)).await?;
    let view = circuit.report_by(report(circuit, circuit.me, 4, 2)).await?;
    let id = view.suspicion.ok_or("it is not suspect")?.id;
    let mut trip = trip(circuit, circuit.me, 9);
    trip.suspicion = Some(id);
    trip.grace = LONG;
    expect::view(&circuit.trip_by(trip).await?, State::Open, 1)
}

pub(super) async fn alone(circuit: &Subject<'_>) -> Verdict {
    let mut lonely = trip(circuit, circuit.me, 2);
    lonely.failures = 7;
    let view = circuit.trip_by(lonely.clone()).await?;
    stays_closed(&view)?;
    expect::equal("the failures", view.failures, 7)?;
    suspect(&view, false)?;
    let told = view.thresholds.map(|it| it.min_reporters);
    expect::equal("how many it takes", told, Some(2))?;
    expect::unchanged(&circuit.trip_by(lonely).await?, &view)?;
    // Its failures count with those of another.
    suspect(&circuit.report_by(report(circuit, ProcessId::random(), 1, 2)).await?, true)
}

pub(super) async fn with_another(circuit: &Subject<'_>) -> Verdict {
    circuit.report_by(report(circuit, ProcessId::random(), 1, 2)).await?;
    expect::view(&circuit.trip_by(trip(circuit, circuit.me, 2)).await?, State::Open, 1)?;

    // Two who tripped, of whom each alone is too few.
    let circuit = circuit.another();
    stays_closed(&circuit.trip_by(trip(&circuit, ProcessId::random(), 2)).await?)?;
    let view = circuit.trip_by(trip(&circuit, circuit.me, 2)).await?;
    expect::view(&view, State::Open, 1)?;
    expect::equal("who did it", view.by, Some(circuit.me))
}

pub(super) async fn once_each(circuit: &Subject<'_>) -> Verdict {
    circuit.report_by(report(circuit, circuit.me, 4, 2)).await?;
    circuit.look_by(look(circuit, circuit.me, calls(4, 4), 2)).await?;
    let mut trip = trip(circuit, circuit.me, 2);
    trip.thresholds.rates = Some(RATES);
    stays_closed(&circuit.trip_by(trip).await?)
}

pub(super) async fn of_half_open(circuit: &Subject<'_>) -> Verdict {
    let half_open = circuit.put(State::HalfOpen).await?;
    let mut trip = trip(circuit, circuit.me, 9);
    trip.presented = Presented::from(&half_open);
    expect::view(&circuit.trip_by(trip).await?, State::Open, 2)
}

pub(super) async fn older(circuit: &Subject<'_>) -> Verdict {
    let closed = circuit.put(State::Closed).await?;
    expect::unchanged(&circuit.trip_by(trip(circuit, circuit.me, 2)).await?, &closed)
}

pub(super) async fn newer(circuit: &Subject<'_>) -> Verdict {
    let mut trip = trip(circuit, circuit.me, 2);
    trip.presented.generation = 7;
    let view = circuit.trip_by(trip).await?;
    expect::view(&view, State::Closed, 7)?;
    expect::equal("the failures", view.failures, 5)
}

pub(super) async fn resting(circuit: &Subject<'_>) -> Verdict {
    let mut raising = report(circuit, ProcessId::random(), 5, 1);
    raising.rest = LONG;
    let raised = circuit.report_by(raising).await?;
    let id = raised.suspicion.ok_or("it is not suspect")?.id;
    circuit.clear(NOTHING, id).await?;
    let view = circuit.trip_by(trip(circuit, circuit.me, 2)).await?;
    stays_closed(&view)?;
    expect::equal("the failures while it rests", view.failures, 0)
}

pub(super) async fn told_by_looks(circuit: &Subject<'_>) -> Verdict {
    circuit.look_by(look(circuit, ProcessId::random(), calls(3, 1), 2)).await?;
    let mut own = trip(circuit, circuit.me, 2);
    own.cause = Cause::FailureRate;
    // One who goes by no rate knows no window.
    stays_closed(&circuit.trip_by(own.clone()).await?)?;
    own.thresholds.rates = Some(RATES);
    let view = circuit.trip_by(own).await?;
    expect::view(&view, State::Open, 1)?;
    expect::equal("the cause", view.cause, Cause::FailureRate)?;

    // Whose calls succeed has seen none.
    let circuit = circuit.another();
    circuit.look_by(look(&circuit, ProcessId::random(), calls(3, 0), 2)).await?;
    let mut own = trip(&circuit, circuit.me, 2);
    own.thresholds.rates = Some(RATES);
    stays_closed(&circuit.trip_by(own).await?)
}

pub(super) async fn rate(circuit: &Subject<'_>) -> Verdict {
    let view = circuit.look_by(look(circuit, circuit.me, calls(10, 9), 2)).await?;
    stays_closed(&view)?;
    expect::equal("the calls", view.counts, calls(10, 9))?;
    // One who has seen successes is no other.
    let other = ProcessId::random();
    stays_closed(&circuit.look_by(look(circuit, other, calls(1, 0), 2)).await?)?;
    let view = circuit.look_by(look(circuit, other, calls(1, 1), 2)).await?;
    expect::view(&view, State::Open, 1)?;
    expect::equal("the cause", view.cause, Cause::FailureRate)?;

    // A share is as good.
    let circuit = circuit.another();
    circuit.report_by(report(&circuit, other, 1, 2)).await?;
    let view = circuit.look_by(look(&circuit, circuit.me, calls(10, 9), 2)).await?;
    expect::view(&view, State::Open, 1)
}

pub(super) async fn slow_rate(circuit: &Subject<'_>) -> Verdict {
    let slow = |process, failures, slow| {
        let mut look = look(circuit, process, Counts { calls: 10, failures, slow }, 2);
        let rates = Rates { failure_rate: None, slow_call_rate: Some(0.5), ..RATES };
        look.thresholds.rates = Some(rates);
        look
    };
    stays_closed(&circuit.look_by(slow(circuit.me, 0, 10)).await?)?;
    // Whose calls fail, but quickly, has not seen that.
    let other = ProcessId::random();
    stays_closed(&circuit.look_by(slow(other, 9, 0)).await?)?;
    let view = circuit.look_by(slow(other, 0, 5)).await?;
    expect::view(&view, State::Open, 1)?;
    expect::equal("the cause", view.cause, Cause::SlowCallRate)
}

pub(super) async fn tripped_by_a_window(circuit: &Subject<'_>) -> Verdict {
    // Of slow calls there is no run, and it tells of no calls any more.
    for (cause, remembered) in [
        (Cause::FailureRate, true),
        (Cause::SlowCallRate, true),
        (Cause::Rule, false),
        (Cause::Failures, false),
    ] {
        let circuit = circuit.another();
        let tripping = |process| {
            let mut trip = trip(&circuit, process, 2);
            (trip.cause, trip.failures) = (cause, 0);
            trip.thresholds.rates = Some(RATES);
            trip
        };
        let view = circuit.trip_by(tripping(circuit.me)).await?;
        stays_closed(&view)?;
        expect::equal("the failures", view.failures, 0)?;
        let view = circuit.trip_by(tripping(ProcessId::random())).await?;
        let expected = if remembered { State::Open } else { State::Closed };
        expect::equal("the state", view.state, expected)?;
        if remembered {
            expect::equal("the cause", view.cause, cause)?;
        }
    }
    Ok(())
}

pub(super) async fn forgotten(circuit: &Subject<'_>) -> Verdict {
    let rates = Rates { window: Window::Time(SHORT), minimum_calls: 1, ..RATES };
    let at = |process, counts| {
        let mut look = look(circuit, process, counts, 2);
        look.thresholds.rates = Some(rates);
        look
    };
    circuit.look_by(at(ProcessId::random(), calls(1, 1))).await?;
    circuit.pass(SHORT + Duration::from_millis(1)).await;
    stays_closed(&circuit.look_by(at(circuit.me, calls(1, 1))).await?)?;
    let view = circuit.look_by(at(ProcessId::random(), calls(1, 1))).await?;
    expect::view(&view, State::Open, 1)
}

pub(super) async fn in_the_last_calls(circuit: &Subject<'_>) -> Verdict {
    let rates = Rates { window: Window::Calls(10), ..RATES };
    let at = |process, counts| {
        let mut look = look(circuit, process, counts, 2);
        look.thresholds.rates = Some(rates);
        look
    };
    circuit.look_by(at(ProcessId::random(), calls(1, 1))).await?;
    circuit.pass(Duration::from_millis(1)).await;
    // The last ten are all its own.
    stays_closed(&circuit.look_by(at(circuit.me, calls(10, 10))).await?)?;
    let view = circuit.look_by(at(ProcessId::random(), calls(1, 1))).await?;
    expect::view(&view, State::Open, 1)
}

pub(super) async fn sixteen(circuit: &Subject<'_>) -> Verdict {
    for _ in 0..15 {
        let process = ProcessId::random();
        let view = circuit.look_by(look(circuit, process, calls(2, 2), 1_000)).await?;
        stays_closed(&view)?;
    }
    let view = circuit.look_by(look(circuit, circuit.me, calls(2, 2), 1_000)).await?;
    expect::view(&view, State::Open, 1)?;

    // Those who told longest ago are forgotten, and not those who told last.
    let circuit = circuit.another();
    for at in 0..40 {
        let process = ProcessId::from_u64(1 + at);
        circuit.look_by(look(&circuit, process, calls(1, u64::from(at > 9)), 1_001)).await?;
        if circuit.now().await?.state == State::Open {
            return expect::equal("how many told of failures", at, 25);
        }
    }
    Err("it does not open by any number of processes".to_owned())
}
