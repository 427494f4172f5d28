use std::time::Duration;

use infuse_core::{Cause, Outcome, State};

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::{Presented, ProcessId, Token, View};

async fn settle_of_two(
    circuit: &Subject<'_>,
    view: &View,
    token: Token,
    outcome: Outcome,
) -> Verdict<View> {
    let mut settle = circuit.settling(Presented::from(view), token, outcome);
    settle.success_threshold = 2;
    circuit.settle(settle).await
}

pub(super) async fn success(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let settle = circuit.settling(Presented::from(&view), token, Outcome::Success);
    let found = circuit.settle(settle).await?;
    expect::view(&found, State::Closed, 2)?;
    expect::equal("the cause", found.cause, Cause::TrialSucceeded)?;
    expect::equal("who did it", found.by, Some(circuit.me))?;
    expect::equal("the time left", found.time_left, Duration::ZERO)?;
    expect::equal("the time that it was open", found.open_for, Duration::ZERO)
}

pub(super) async fn threshold(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let found = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    expect::view(&found, State::HalfOpen, 1)?;
    expect::equal("the successes", found.successes, 1)?;
    expect::equal("the time until a place is free", found.time_left, Duration::ZERO)?;

    let (token, view) = circuit.begin_trial(&found).await?;
    expect::equal("the successes", view.successes, 1)?;
    let found = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    expect::view(&found, State::Closed, 2)?;
    expect::equal("the successes", found.successes, 0)
}

pub(super) async fn failure(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let settle = circuit.settling(Presented::from(&view), token, Outcome::Failure);
    let found = circuit.settle(settle).await?;
    expect::view(&found, State::Open, 2)?;
    expect::left_of("the time left", found.time_left, LONG)?;
    expect::equal("the cause", found.cause, Cause::TrialFailed)?;
    expect::equal("who did it", found.by, Some(circuit.me))
}

pub(super) async fn failure_after_success(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let view = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    let (token, view) = circuit.begin_trial(&view).await?;
    let mut settle = circuit.settling(Presented::from(&view), token, Outcome::Failure);
    settle.open_time = SHORT;
    let opened = circuit.settle(settle).await?;
    expect::view(&opened, State::Open, 2)?;
    expect::equal("the successes", opened.successes, 0)?;

    circuit.pass(SHORT).await;
    let (token, view) = circuit.begin_trial(&opened).await?;
    let found = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    expect::view(&found, State::HalfOpen, 3)
}

pub(super) async fn ignored(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let view = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    let (token, view) = circuit.begin_trial(&view).await?;
    let found = settle_of_two(circuit, &view, token, Outcome::Ignored).await?;
    expect::view(&found, State::HalfOpen, 1)?;
    expect::equal("the successes", found.successes, 1)?;
    expect::equal("the time until a place is free", found.time_left, Duration::ZERO)?;
    circuit.begin_trial(&found).await.map(|_| ())
}

pub(super) async fn late(circuit: &Subject<'_>) -> Verdict {
    let view = circuit.put(State::HalfOpen).await?;
    for outcome in [Outcome::Success, Outcome::Failure] {
        let mut request = circuit.request(Presented::from(&view));
        request.lease = SHORT;
        let token = request.token;
        expect::granted(&circuit.lease(request).await?)?;
        circuit.pass(SHORT).await;
        let settle = circuit.settling(Presented::from(&view), token, outcome);
        expect::unchanged(&circuit.settle(settle).await?, &view)?;
    }
    Ok(())
}

pub(super) async fn repeated_success(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let first = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    let again = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    expect::unchanged(&again, &first)?;

    let (token, view) = circuit.begin_trial(&first).await?;
    let first = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    let again = settle_of_two(circuit, &view, token, Outcome::Success).await?;
    expect::unchanged(&again, &first)
}

pub(super) async fn repeated_failure(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let settle = circuit.settling(Presented::from(&view), token, Outcome::Failure);
    let first = circuit.settle(settle.clone()).await?;
    expect::unchanged(&circuit.settle(settle).await?, &first)
}

pub(super) async fn unknown(circuit: &Subject<'_>) -> Verdict {
    let (_, view) = circuit.on_trial().await?;
    for outcome in [Outcome::Ignored, Outcome::Failure, Outcome::Success] {
        let settle = circuit.settling(Presented::from(&view), circuit.token(), outcome);
        expect::unchanged(&circuit.settle(settle).await?, &view)?;
    }
    expect::denied(&circuit.lease(circuit.request(Presented::from(&view))).await?)
}

pub(super) async fn other_process(circuit: &Subject<'_>) -> Verdict {
    let (mut token, view) = circuit.on_trial().await?;
    token.process = ProcessId::random();
    let settle = circuit.settling(Presented::from(&view), token, Outcome::Success);
    expect::unchanged(&circuit.settle(settle).await?, &view)
}

pub(super) async fn others_end(circuit: &Subject<'_>) -> Verdict {
    let view = circuit.put(State::HalfOpen).await?;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let mut request = circuit.request(Presented::from(&view));
        request.max_calls = 2;
        tokens.push(request.token);
        expect::granted(&circuit.lease(request).await?)?;
    }
    let settle = circuit.settling(Presented::from(&view), tokens[0], Outcome::Failure);
    let opened = circuit.settle(settle).await?;
    expect::view(&opened, State::Open, 2)?;
    // Even for one who knows of the change.
    let settle = circuit.settling(Presented::from(&opened), tokens[1], Outcome::Success);
    expect::unchanged(&circuit.settle(settle).await?, &opened)
}
