use std::time::Duration;

use infuse_core::{Outcome, State};
use tokio::time::timeout;

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::{Event, Presented, View, Watch};

/// How long a push may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn watch(circuit: &Subject<'_>) -> Verdict<Box<dyn Watch>> {
    circuit.storage.watch().await.map_err(|error| format!("it cannot be watched: {error}"))
}

/// The next change of this circuit that is pushed.
async fn next(circuit: &Subject<'_>, watch: &mut dyn Watch) -> Verdict<View> {
    let event = async {
        loop {
            match watch.next().await {
                Event::Changed { key, view } if key == circuit.key => return Ok(view),
                Event::Changed { .. } => {}
                event => return Err(format!("{event:?} was pushed instead of a change")),
            }
        }
    };
    timeout(PATIENCE, event).await.unwrap_or_else(|_| Err("nothing was pushed".to_owned()))
}

pub(super) async fn expect_next(
    circuit: &Subject<'_>,
    watch: &mut dyn Watch,
    expected: &View,
) -> Verdict {
    let found = next(circuit, watch).await?;
    expect::unchanged(&found, expected).map_err(|differs| format!("pushed: {differs}"))
}

pub(super) async fn every_change(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let opened = circuit.opened(SHORT).await?;
    circuit.pass(SHORT).await;
    let (token, half_open) = circuit.begin_trial(&opened).await?;
    let failure = circuit.settling(Presented::from(&half_open), token, Outcome::Failure);
    let reopened = circuit.settle(failure).await?;
    let put = circuit.put(State::HalfOpen).await?;
    let (token, _) = circuit.begin_trial(&put).await?;
    let success = circuit.settling(Presented::from(&put), token, Outcome::Success);
    let closed = circuit.settle(success).await?;
    let seeded = circuit.seed(circuit.seeding(State::Open)).await?;
    for expected in [&opened, &half_open, &reopened, &put, &closed, &seeded] {
        expect_next(circuit, &mut *watch, expected).await?;
    }
    Ok(())
}

pub(super) async fn given_back(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let half_open = circuit.put(State::HalfOpen).await?;
    expect_next(circuit, &mut *watch, &half_open).await?;
    let (token, view) = circuit.begin_trial(&half_open).await?;
    let settle = circuit.settling(Presented::from(&view), token, Outcome::Ignored);
    circuit.settle(settle).await?;
    let found = next(circuit, &mut *watch).await?;
    expect::unchanged(&found, &view)?;
    expect::equal("the time until a place is free", found.time_left, Duration::ZERO)
}

pub(super) async fn counted(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let half_open = circuit.put(State::HalfOpen).await?;
    expect_next(circuit, &mut *watch, &half_open).await?;
    let (token, view) = circuit.begin_trial(&half_open).await?;
    let mut settle = circuit.settling(Presented::from(&view), token, Outcome::Success);
    settle.success_threshold = 2;
    let settled = circuit.settle(settle).await?;
    expect_next(circuit, &mut *watch, &settled).await
}

pub(super) async fn mended(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let known = Presented { generation: 7, state: State::Open, time_left: LONG };
    let mended = circuit.look(known).await?;
    expect_next(circuit, &mut *watch, &mended).await?;

    // Also by a command that is a repeat, which does nothing else.
    let command = circuit.command(State::Closed);
    let closed = circuit.control(command.clone()).await?;
    expect_next(circuit, &mut *watch, &closed).await?;
    let mut repeat = command;
    repeat.presented = Presented { generation: 20, ..known };
    let mended = circuit.control(repeat).await?;
    expect::view(&mended, State::Open, 20)?;
    expect_next(circuit, &mut *watch, &mended).await
}

pub(super) async fn quiet(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    circuit.now().await?;
    circuit.report(Presented::NOTHING, circuit.me, 2).await?;
    circuit.lease(circuit.request(Presented::NOTHING)).await?;
    let opened = circuit.opened(LONG).await?;
    expect_next(circuit, &mut *watch, &opened).await?;

    circuit.opened(LONG).await?;
    circuit.now().await?;
    circuit.lease(circuit.request(Presented::from(&opened))).await?;
    let command = circuit.command(State::HalfOpen);
    let half_open = circuit.control(command.clone()).await?;
    expect_next(circuit, &mut *watch, &half_open).await?;

    circuit.control(command).await?;
    let (token, view) = circuit.begin_trial(&half_open).await?;
    circuit.lease(circuit.request(Presented::from(&view))).await?;
    let settle = circuit.settling(Presented::from(&view), token, Outcome::Failure);
    let reopened = circuit.settle(settle.clone()).await?;
    expect_next(circuit, &mut *watch, &reopened).await?;

    circuit.settle(settle).await?;
    let mut seed = circuit.seeding(State::Closed);
    seed.late_by = Some(LONG);
    circuit.seed(seed).await?;
    let closed = circuit.put(State::Closed).await?;
    expect_next(circuit, &mut *watch, &closed).await
}

pub(super) async fn all_watchers(circuit: &Subject<'_>) -> Verdict {
    let mut watches = [watch(circuit).await?, watch(&circuit.another()).await?];
    let opened = circuit.opened(LONG).await?;
    for watch in &mut watches {
        expect_next(circuit, &mut **watch, &opened).await?;
    }
    Ok(())
}
