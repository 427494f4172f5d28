use std::time::Duration;

use infuse_core::State;

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::{Look, Presented, ProcessId, Report};

const NOTHING: Presented = Presented::NOTHING;

async fn look_after_success(circuit: &Subject<'_>, age: Duration) -> Verdict<u32> {
    let mut look = Look::new(circuit.key.clone(), NOTHING);
    look.last_success = Some(age);
    Ok(circuit.look_by(look).await?.failures)
}

pub(super) async fn share(circuit: &Subject<'_>) -> Verdict {
    for failures in [1, 3, 3, 2] {
        let found = circuit.report(NOTHING, circuit.me, failures).await?;
        expect::equal("the failures", found.failures, failures)?;
        expect::view(&found, State::Closed, 0)?;
    }
    expect::equal("the failures", circuit.now().await?.failures, 2)
}

pub(super) async fn sum(circuit: &Subject<'_>) -> Verdict {
    let (one, two) = (ProcessId::random(), ProcessId::random());
    circuit.report(NOTHING, one, 2).await?;
    let found = circuit.report(NOTHING, two, 3).await?;
    expect::equal("the failures", found.failures, 5)?;
    let found = circuit.report(NOTHING, one, 1).await?;
    expect::equal("the failures", found.failures, 4)
}

pub(super) async fn nothing(circuit: &Subject<'_>) -> Verdict {
    circuit.report(NOTHING, ProcessId::random(), 2).await?;
    circuit.report(NOTHING, circuit.me, 3).await?;
    let found = circuit.report(NOTHING, circuit.me, 0).await?;
    expect::equal("the failures", found.failures, 2)
}

pub(super) async fn emptied(circuit: &Subject<'_>) -> Verdict {
    circuit.report(NOTHING, circuit.me, 3).await?;
    let opened = circuit.opened(LONG).await?;
    expect::equal("the failures after a trip", opened.failures, 0)?;

    let closed = circuit.put(State::Closed).await?;
    circuit.report(Presented::from(&closed), circuit.me, 3).await?;
    let closed = circuit.put(State::Closed).await?;
    expect::equal("the failures after a close", closed.failures, 0)
}

pub(super) async fn not_closed(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(LONG).await?;
    let found = circuit.report(Presented::from(&opened), circuit.me, 3).await?;
    expect::unchanged(&found, &opened)?;
    let half_open = circuit.put(State::HalfOpen).await?;
    let found = circuit.report(Presented::from(&half_open), circuit.me, 3).await?;
    expect::unchanged(&found, &half_open)
}

pub(super) async fn refuted(circuit: &Subject<'_>) -> Verdict {
    circuit.report(NOTHING, circuit.me, 2).await?;
    circuit.report(NOTHING, ProcessId::random(), 2).await?;
    circuit.pass(SHORT).await;
    expect::equal("the failures", look_after_success(circuit, Duration::ZERO).await?, 0)
}

pub(super) async fn not_refuted(circuit: &Subject<'_>) -> Verdict {
    circuit.report(NOTHING, circuit.me, 2).await?;
    expect::equal("the failures", look_after_success(circuit, LONG).await?, 2)?;
    expect::equal("the failures", circuit.now().await?.failures, 2)
}

pub(super) async fn refuted_by_report(circuit: &Subject<'_>) -> Verdict {
    circuit.report(NOTHING, ProcessId::random(), 3).await?;
    circuit.pass(SHORT).await;
    let mut report = Report::new(circuit.key.clone(), NOTHING, circuit.me, 1);
    report.last_success = Some(Duration::ZERO);
    expect::equal("the failures", circuit.report_by(report).await?.failures, 1)
}

pub(super) async fn refuted_then_counted(circuit: &Subject<'_>) -> Verdict {
    circuit.report(NOTHING, circuit.me, 2).await?;
    circuit.pass(SHORT).await;
    expect::equal("the failures", look_after_success(circuit, Duration::ZERO).await?, 0)?;
    circuit.pass(SHORT).await;
    circuit.report(NOTHING, circuit.me, 1).await?;
    // Newer than the failures that were dropped, older than the one that counts.
    expect::equal("the failures", look_after_success(circuit, LONG).await?, 1)
}

pub(super) async fn first_again(circuit: &Subject<'_>) -> Verdict {
    let closed = Presented::from(&circuit.put(State::Closed).await?);
    circuit.report(closed, circuit.me, 2).await?;
    circuit.report(closed, circuit.me, 0).await?;
    circuit.pass(2 * SHORT).await;
    circuit.report(closed, circuit.me, 4).await?;
    // Later than the failures that were taken away, and earlier than those that count.
    let mut look = Look::new(circuit.key.clone(), closed);
    look.last_success = Some(SHORT);
    expect::equal("the failures", circuit.look_by(look).await?.failures, 4)
}
