use std::{sync::Arc, time::Duration};

use infuse_core::{Cause, State};
use tokio::task::JoinSet;

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::{Presented, ProcessId};

pub(super) async fn while_open(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(LONG).await?;
    let answer = circuit.lease(circuit.request(Presented::from(&opened))).await?;
    expect::denied(&answer)?;
    expect::unchanged(&answer.view, &opened)?;
    expect::left_of("the time left", answer.view.time_left, LONG)
}

pub(super) async fn granted(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(SHORT).await?;
    circuit.pass(SHORT).await;
    let answer = circuit.lease(circuit.request(Presented::from(&opened))).await?;
    expect::granted(&answer)?;
    expect::view(&answer.view, State::HalfOpen, 2)?;
    expect::equal("the cause", answer.view.cause, Cause::TrialStarted)?;
    expect::equal("who did it", answer.view.by, Some(circuit.me))?;
    expect::left_of("the time until a place is free", answer.view.time_left, LONG)?;
    if answer.view.open_for < SHORT {
        return Err(format!("it is open for {:?}, and was for {SHORT:?}", answer.view.open_for));
    }
    expect::unchanged(&circuit.now().await?, &answer.view)
}

pub(super) async fn closed(circuit: &Subject<'_>) -> Verdict {
    let answer = circuit.lease(circuit.request(Presented::NOTHING)).await?;
    expect::denied(&answer)?;
    expect::view(&answer.view, State::Closed, 0)?;
    let closed = circuit.put(State::Closed).await?;
    expect::denied(&circuit.lease(circuit.request(Presented::from(&closed))).await?)
}

pub(super) async fn repeated(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(SHORT).await?;
    circuit.pass(SHORT).await;
    // The answer got lost: the same request, which presents what is no longer so.
    let request = circuit.request(Presented::from(&opened));
    let first = circuit.lease(request.clone()).await?;
    expect::granted(&first)?;
    let again = circuit.lease(request).await?;
    expect::granted(&again)?;
    expect::unchanged(&again.view, &first.view)?;
    expect::denied(&circuit.lease(circuit.request(Presented::from(&first.view))).await?)
}

pub(super) async fn one(circuit: &Subject<'_>) -> Verdict {
    let (_, half_open) = circuit.on_trial().await?;
    expect::view(&half_open, State::HalfOpen, 1)?;
    let answer = circuit.lease(circuit.request(Presented::from(&half_open))).await?;
    expect::denied(&answer)?;
    expect::unchanged(&answer.view, &half_open)
}

pub(super) async fn three(circuit: &Subject<'_>) -> Verdict {
    let view = circuit.put(State::HalfOpen).await?;
    for place in 1..=4 {
        let mut request = circuit.request(Presented::from(&view));
        request.max_calls = 3;
        let answer = circuit.lease(request).await?;
        expect::equal("whether the lease was granted", answer.granted, place <= 3)?;
        expect::view(&answer.view, State::HalfOpen, 1)?;
        let left = if place < 3 { Duration::ZERO } else { LONG };
        expect::left_of("the time until a place is free", answer.view.time_left, left)?;
    }
    Ok(())
}

pub(super) async fn first_end(circuit: &Subject<'_>) -> Verdict {
    let view = circuit.put(State::HalfOpen).await?;
    for lease in [LONG, LONG / 2, LONG] {
        let mut request = circuit.request(Presented::from(&view));
        request.max_calls = 2;
        request.lease = lease;
        let answer = circuit.lease(request).await?;
        if !answer.granted {
            return expect::left_of("the time left", answer.view.time_left, LONG / 2);
        }
    }
    Err("three leases run where two calls are allowed".to_owned())
}

pub(super) async fn expiry(circuit: &Subject<'_>) -> Verdict {
    let view = circuit.put(State::HalfOpen).await?;
    let mut request = circuit.request(Presented::from(&view));
    request.lease = SHORT;
    let granted = circuit.lease(request).await?;
    expect::granted(&granted)?;
    expect::at_most("the time until a place is free", granted.view.time_left, SHORT)?;
    circuit.pass(SHORT).await;
    let found = circuit.now().await?;
    expect::equal("the time until a place is free", found.time_left, Duration::ZERO)?;
    let (_, view) = circuit.begin_trial(&found).await?;
    expect::view(&view, State::HalfOpen, 1)
}

pub(super) async fn processes(circuit: &Subject<'_>) -> Verdict {
    let (token, view) = circuit.on_trial().await?;
    let mut request = circuit.request(Presented::from(&view));
    request.token = token;
    request.token.process = ProcessId::random();
    expect::denied(&circuit.lease(request).await?)
}

pub(super) async fn race(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(SHORT).await?;
    circuit.pass(SHORT).await;
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let storage = Arc::clone(&circuit.storage);
        let request = circuit.request(Presented::from(&opened));
        asking.spawn(async move { storage.lease(&[request]).await });
    }
    let mut granted = 0;
    while let Some(answers) = asking.join_next().await {
        let answers = answers.map_err(|error| format!("the storage panicked: {error}"))?;
        let answers = answers.map_err(|error| format!("the storage failed: {error}"))?;
        granted += answers.iter().filter(|answer| answer.granted).count();
    }
    expect::equal("the number of leases", granted, 1)
}
