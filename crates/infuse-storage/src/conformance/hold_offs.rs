use std::time::Duration;

use infuse_core::{Outcome, State};

use super::{
    expect::{self, Verdict},
    pushes::{expect_next, watch},
    rates::{RATES, calls, telling},
    subject::{LONG, SHORT, Subject},
};
use crate::{Presented, Report, View};

/// The service asks to be left alone.
async fn hold_off(circuit: &Subject<'_>, known: &View, time: Duration) -> Verdict<View> {
    let mut report = Report::new(circuit.key.clone(), known.into(), circuit.me, 0);
    report.held_off = time;
    circuit.report_by(report).await
}

fn nothing() -> View {
    View::new()
}

pub(super) async fn open(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let opened = circuit.opened(SHORT).await?;
    expect_next(circuit, &mut *watch, &opened).await?;
    let view = hold_off(circuit, &opened, LONG).await?;
    expect::view(&view, State::Open, 1)?;
    expect::left_of("the time left", view.time_left, LONG)?;
    expect_next(circuit, &mut *watch, &view).await?;
    // It shortens nothing, and what changes nothing is not told.
    let view = hold_off(circuit, &opened, SHORT).await?;
    expect::left_of("the time left", view.time_left, LONG)?;
    circuit.pass(SHORT).await;
    expect::denied(&circuit.lease(circuit.request((&opened).into())).await?)?;
    let closed = circuit.put(State::Closed).await?;
    expect_next(circuit, &mut *watch, &closed).await
}

pub(super) async fn within_the_open_time(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(LONG).await?;
    let view = hold_off(circuit, &opened, SHORT).await?;
    expect::left_of("the time left", view.time_left, LONG)?;
    expect::unchanged(&view, &opened)
}

pub(super) async fn closed(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let view = hold_off(circuit, &nothing(), LONG).await?;
    expect::view(&view, State::Closed, 0)?;
    expect::equal("the time left", view.time_left, Duration::ZERO)?;
    let opened = circuit.opened(SHORT).await?;
    expect::left_of("the time left", opened.time_left, LONG)?;
    // Of the closed circuit nothing was told.
    expect_next(circuit, &mut *watch, &opened).await?;

    // One that is open longer by itself is.
    let circuit = circuit.another();
    hold_off(&circuit, &nothing(), SHORT).await?;
    expect::left_of("the time left", circuit.opened(LONG).await?.time_left, LONG)?;

    // By a rate it opens as long.
    let circuit = circuit.another();
    hold_off(&circuit, &nothing(), LONG).await?;
    let mut look = telling(&circuit, circuit.me, RATES, calls(10, 10));
    look.open_time = SHORT;
    let opened = circuit.look_by(look).await?;
    expect::left_of("the time left", opened.time_left, LONG)
}

pub(super) async fn with_failures(circuit: &Subject<'_>) -> Verdict {
    let mut report = Report::new(circuit.key.clone(), Presented::NOTHING, circuit.me, 2);
    report.held_off = LONG;
    expect::equal("the failures", circuit.report_by(report).await?.failures, 2)?;
    expect::left_of("the time left", circuit.opened(SHORT).await?.time_left, LONG)
}

pub(super) async fn half_open(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let half_open = circuit.put(State::HalfOpen).await?;
    expect_next(circuit, &mut *watch, &half_open).await?;
    let view = hold_off(circuit, &half_open, SHORT).await?;
    expect::view(&view, State::HalfOpen, 1)?;
    if view.time_left.is_zero() || view.time_left > SHORT {
        return Err(format!("a lease is worth asking for in {:?}", view.time_left));
    }
    expect_next(circuit, &mut *watch, &view).await?;
    expect::denied(&circuit.lease(circuit.request((&half_open).into())).await?)?;
    circuit.pass(SHORT).await;
    expect::equal("the time left", circuit.now().await?.time_left, Duration::ZERO)?;
    let (_, view) = circuit.begin_trial(&half_open).await?;
    expect::view(&view, State::HalfOpen, 1)
}

pub(super) async fn running_trial(circuit: &Subject<'_>) -> Verdict {
    let (token, half_open) = circuit.on_trial().await?;
    hold_off(circuit, &half_open, LONG).await?;
    // Its lease goes on, and it may end by it.
    let mut again = circuit.request((&half_open).into());
    again.token = token;
    expect::granted(&circuit.lease(again).await?)?;
    let settle = circuit.settling((&half_open).into(), token, Outcome::Success);
    let view = circuit.settle(settle).await?;
    expect::view(&view, State::Closed, 2)?;
    // A circuit that has closed has forgotten it.
    let view = circuit.trip((&view).into(), SHORT).await?;
    expect::at_most("the time left", view.time_left, SHORT)
}

pub(super) async fn by_a_trial(circuit: &Subject<'_>) -> Verdict {
    let (token, half_open) = circuit.on_trial().await?;
    let mut settle = circuit.settling((&half_open).into(), token, Outcome::Failure);
    (settle.open_time, settle.held_off) = (SHORT, LONG);
    let view = circuit.settle(settle).await?;
    expect::view(&view, State::Open, 2)?;
    expect::left_of("the time left", view.time_left, LONG)?;

    // One that is ignored frees its place, for later.
    let circuit = circuit.another();
    let (token, half_open) = circuit.on_trial().await?;
    let mut settle = circuit.settling((&half_open).into(), token, Outcome::Ignored);
    settle.held_off = SHORT;
    circuit.settle(settle).await?;
    expect::denied(&circuit.lease(circuit.request((&half_open).into())).await?)?;
    circuit.pass(SHORT).await;
    circuit.begin_trial(&half_open).await.map(|_| ())
}

pub(super) async fn forgotten(circuit: &Subject<'_>) -> Verdict {
    for seeds in [false, true] {
        let circuit = circuit.another();
        hold_off(&circuit, &nothing(), LONG).await?;
        let half_open = match seeds {
            true => circuit.seed(circuit.seeding(State::HalfOpen)).await?,
            false => circuit.put(State::HalfOpen).await?,
        };
        expect::equal("the time left", half_open.time_left, Duration::ZERO)?;
        let view = circuit.trip((&half_open).into(), SHORT).await?;
        expect::at_most("the time left", view.time_left, SHORT)?;
    }
    Ok(())
}

pub(super) async fn over(circuit: &Subject<'_>) -> Verdict {
    hold_off(circuit, &nothing(), SHORT).await?;
    circuit.pass(SHORT).await;
    expect::view(&circuit.now().await?, State::Closed, 0)?;
    let view = circuit.opened(SHORT / 2).await?;
    expect::at_most("the time left", view.time_left, SHORT / 2)
}

pub(super) async fn generations(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(SHORT).await?;
    let view = hold_off(circuit, &nothing(), LONG).await?;
    expect::unchanged(&view, &opened)?;
    expect::at_most("the time left", view.time_left, SHORT)?;
    // A newer one is mended, and then it is heeded.
    let newer = View { generation: 7, ..opened };
    let view = hold_off(circuit, &newer, LONG).await?;
    expect::view(&view, State::Open, 7)?;
    expect::left_of("the time left", view.time_left, LONG)?;
    // And survives a mending.
    let known = Presented { generation: 9, state: State::Open, time_left: SHORT };
    let view = circuit.look(known).await?;
    expect::view(&view, State::Open, 10)?;
    expect::left_of("the time left", view.time_left, LONG)
}
