use std::time::Duration;

use infuse_core::{Outcome, State};

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::{Look, Presented, Report, View};

pub(super) async fn no_record(circuit: &Subject<'_>) -> Verdict {
    let found = circuit.now().await?;
    expect::equal("the view", found, View::new())
}

pub(super) async fn looking(circuit: &Subject<'_>) -> Verdict {
    circuit.now().await?;
    expect::equal("the view of no record", circuit.now().await?, View::new())?;

    let opened = circuit.opened(LONG).await?;
    expect::unchanged(&circuit.look(Presented::from(&opened)).await?, &opened)?;
    expect::unchanged(&circuit.now().await?, &opened)
}

pub(super) async fn probing(circuit: &Subject<'_>) -> Verdict {
    circuit.storage.probe().await.map_err(|error| format!("it failed: {error}"))
}

pub(super) async fn older_look(circuit: &Subject<'_>) -> Verdict {
    let closed = circuit.put(State::Closed).await?;
    circuit.report(Presented::from(&closed), circuit.me, 2).await?;
    let mut look = Look::new(circuit.key.clone(), Presented::NOTHING);
    look.last_success = Some(Duration::ZERO);
    let found = circuit.look_by(look).await?;
    expect::view(&found, State::Closed, 1)?;
    expect::equal("the failures", found.failures, 2)
}

pub(super) async fn older_report(circuit: &Subject<'_>) -> Verdict {
    let closed = circuit.put(State::Closed).await?;
    circuit.report(Presented::from(&closed), circuit.me, 2).await?;
    let mut report = Report::new(circuit.key.clone(), Presented::NOTHING, circuit.me, 4);
    report.last_success = Some(Duration::ZERO);
    let found = circuit.report_by(report).await?;
    expect::view(&found, State::Closed, 1)?;
    expect::equal("the failures", found.failures, 2)
}

pub(super) async fn older_trip(circuit: &Subject<'_>) -> Verdict {
    let closed = circuit.put(State::Closed).await?;
    let found = circuit.trip(Presented::NOTHING, LONG).await?;
    expect::unchanged(&found, &closed)?;
    expect::unchanged(&circuit.now().await?, &closed)
}

pub(super) async fn older_lease(circuit: &Subject<'_>) -> Verdict {
    let closed = circuit.put(State::Closed).await?;
    let half_open = circuit.put(State::HalfOpen).await?;
    let answer = circuit.lease(circuit.request(Presented::from(&closed))).await?;
    expect::denied(&answer)?;
    expect::unchanged(&answer.view, &half_open)
}

pub(super) async fn older_settle(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(SHORT).await?;
    circuit.pass(SHORT).await;
    let (token, half_open) = circuit.begin_trial(&opened).await?;
    for outcome in [Outcome::Ignored, Outcome::Failure, Outcome::Success] {
        let settle = circuit.settling(Presented::from(&opened), token, outcome);
        expect::unchanged(&circuit.settle(settle).await?, &half_open)?;
    }
    let answer = circuit.lease(circuit.request(Presented::from(&half_open))).await?;
    expect::denied(&answer)
}

pub(super) async fn older_command(circuit: &Subject<'_>) -> Verdict {
    circuit.opened(LONG).await?;
    // Both present nothing at all.
    expect::view(&circuit.put(State::Closed).await?, State::Closed, 2)?;
    let seeded = circuit.seed(circuit.seeding(State::Open)).await?;
    expect::view(&seeded, State::Open, 3)
}
