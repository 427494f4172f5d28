use infuse_core::{Cause, Outcome, Ramp, State};

use super::{
    expect::{self, Verdict},
    rates::{RATES, calls, telling},
    subject::{LONG, SHORT, Subject},
};
use crate::{Presented, View};

fn failed(view: &View, expected: u32) -> Verdict {
    expect::equal("the trials that failed", view.failed_trials, expected)
}

/// One trial fails, of a circuit that is half-open.
async fn failing(circuit: &Subject<'_>, half_open: &View) -> Verdict<View> {
    let (token, view) = circuit.begin_trial(half_open).await?;
    let mut settle = circuit.settling((&view).into(), token, Outcome::Failure);
    settle.open_time = SHORT;
    circuit.settle(settle).await
}

/// A circuit that has closed after so many trials that failed.
async fn closed_after(
    circuit: &Subject<'_>,
    trials: u32,
    ramp: std::time::Duration,
) -> Verdict<View> {
    let mut view = circuit.put(State::HalfOpen).await?;
    for _ in 0..trials {
        view = failing(circuit, &view).await?;
        circuit.pass(SHORT).await;
    }
    let (token, view) = circuit.begin_trial(&view).await?;
    failed(&view, trials)?;
    let mut settle = circuit.settling((&view).into(), token, Outcome::Success);
    settle.ramp = ramp;
    circuit.settle(settle).await
}

pub(super) async fn counted(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(SHORT).await?;
    failed(&opened, 0)?;
    circuit.pass(SHORT).await;
    let view = failing(circuit, &opened).await?;
    failed(&view, 1)?;
    circuit.pass(SHORT).await;
    let (token, view) = circuit.begin_trial(&view).await?;
    expect::view(&view, State::HalfOpen, 4)?;
    failed(&view, 1)?;
    let settle = circuit.settling((&view).into(), token, Outcome::Failure);
    let view = circuit.settle(settle.clone()).await?;
    failed(&view, 2)?;
    expect::left_of("the time left", view.time_left, LONG)?;
    expect::unchanged(&circuit.settle(settle).await?, &view)?;
    expect::unchanged(&circuit.now().await?, &view)
}

pub(super) async fn by_a_trip(circuit: &Subject<'_>) -> Verdict {
    let half_open = circuit.put(State::HalfOpen).await?;
    let view = circuit.trip((&half_open).into(), LONG).await?;
    failed(&view, 1)
}

pub(super) async fn forgotten(circuit: &Subject<'_>) -> Verdict {
    let view = closed_after(circuit, 2, std::time::Duration::ZERO).await?;
    failed(&view, 0)?;
    expect::equal("the ramp", view.ramp, Ramp::default())?;
    failed(&circuit.trip((&view).into(), LONG).await?, 0)?;

    // By commands and seeds, too.
    for state in [State::Closed, State::Open, State::HalfOpen] {
        for seeds in [false, true] {
            let circuit = circuit.another();
            let half_open = circuit.put(State::HalfOpen).await?;
            failed(&failing(&circuit, &half_open).await?, 1)?;
            let view = match seeds {
                true => circuit.seed(circuit.seeding(state)).await?,
                false => circuit.put(state).await?,
            };
            failed(&view, 0)?;
        }
    }
    Ok(())
}

pub(super) async fn ramp(circuit: &Subject<'_>) -> Verdict {
    let view = closed_after(circuit, 2, LONG).await?;
    expect::equal("the state", view.state, State::Closed)?;
    expect::equal("the ramp's time", view.ramp.time, LONG)?;
    expect::left_of("what is left of the ramp", view.ramp.left, LONG)?;
    failed(&view, 2)?;
    circuit.pass(SHORT).await;
    let view = circuit.now().await?;
    expect::left_of("what is left of the ramp", view.ramp.left, LONG - SHORT)?;
    failed(&view, 2)
}

pub(super) async fn opened_while_ramping(circuit: &Subject<'_>) -> Verdict {
    let closed = closed_after(circuit, 1, LONG).await?;
    let view = circuit.trip((&closed).into(), LONG).await?;
    expect::view(&view, State::Open, closed.generation + 1)?;
    failed(&view, 2)?;
    expect::equal("the ramp", view.ramp, Ramp::default())?;

    // By a rate, too.
    let circuit = circuit.another();
    let closed = closed_after(&circuit, 1, LONG).await?;
    let mut look = telling(&circuit, circuit.me, RATES, calls(10, 9));
    look.presented = Presented::from(&closed);
    let view = circuit.look_by(look).await?;
    expect::equal("the cause", view.cause, Cause::FailureRate)?;
    failed(&view, 2)
}

pub(super) async fn ramp_over(circuit: &Subject<'_>) -> Verdict {
    let closed = closed_after(circuit, 1, SHORT).await?;
    circuit.pass(SHORT).await;
    let view = circuit.now().await?;
    expect::view(&view, State::Closed, closed.generation)?;
    expect::equal("the ramp", view.ramp, Ramp::default())?;
    failed(&view, 0)?;
    failed(&circuit.trip((&view).into(), LONG).await?, 0)
}

pub(super) async fn no_ramp(circuit: &Subject<'_>) -> Verdict {
    // A command's closing has none, and ends one.
    closed_after(circuit, 1, LONG).await?;
    let view = circuit.put(State::Closed).await?;
    expect::equal("the ramp after a command", view.ramp, Ramp::default())?;
    // Nor has a success that does not close.
    let half_open = circuit.put(State::HalfOpen).await?;
    let (token, view) = circuit.begin_trial(&half_open).await?;
    let mut settle = circuit.settling((&view).into(), token, Outcome::Success);
    (settle.ramp, settle.success_threshold) = (LONG, 2);
    let view = circuit.settle(settle).await?;
    expect::equal("the state", view.state, State::HalfOpen)?;
    expect::equal("the ramp while half-open", view.ramp, Ramp::default())
}

pub(super) async fn mended(circuit: &Subject<'_>) -> Verdict {
    // An older record that is still there knows of them.
    let half_open = circuit.put(State::HalfOpen).await?;
    let opened = failing(circuit, &half_open).await?;
    let known = Presented { generation: 9, ..Presented::from(&opened) };
    failed(&circuit.look(known).await?, 1)?;
    let closed = Presented { generation: 20, ..Presented::NOTHING };
    circuit.pass(SHORT).await;
    let view = circuit.look(closed).await?;
    expect::equal("the state", view.state, State::Closed)?;
    failed(&view, 0)
}
