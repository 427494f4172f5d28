use std::time::Duration;

use infuse_core::{Cause, State};

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::{Presented, ProcessId, Trip};

pub(super) async fn opens(circuit: &Subject<'_>) -> Verdict {
    let found = circuit.opened(LONG).await?;
    expect::view(&found, State::Open, 1)?;
    expect::left_of("the time left", found.time_left, LONG)?;
    expect::equal("the cause", found.cause, Cause::Failures)?;
    expect::equal("who did it", found.by, Some(circuit.me))?;
    expect::unchanged(&circuit.now().await?, &found)
}

pub(super) async fn repeated(circuit: &Subject<'_>) -> Verdict {
    let first = circuit.opened(LONG).await?;
    expect::unchanged(&circuit.opened(LONG).await?, &first)
}

pub(super) async fn second(circuit: &Subject<'_>) -> Verdict {
    let first = circuit.opened(LONG).await?;
    let other = Trip::new(circuit.key.clone(), Presented::NOTHING, ProcessId::random(), SHORT);
    let found = circuit.storage.trip(&[other]).await.map_err(|error| error.to_string())?;
    expect::unchanged(&found[0], &first)?;
    expect::left_of("the time left", found[0].time_left, LONG)
}

pub(super) async fn after_a_close(circuit: &Subject<'_>) -> Verdict {
    let known = Presented::from(&circuit.put(State::Closed).await?);
    let closed = circuit.put(State::Closed).await?;
    expect::unchanged(&circuit.trip(known, LONG).await?, &closed)
}

pub(super) async fn of_half_open(circuit: &Subject<'_>) -> Verdict {
    let half_open = circuit.put(State::HalfOpen).await?;
    let found = circuit.trip(Presented::from(&half_open), LONG).await?;
    expect::view(&found, State::Open, 2)?;
    expect::left_of("the time left", found.time_left, LONG)
}

pub(super) async fn equal(circuit: &Subject<'_>) -> Verdict {
    circuit.opened(LONG).await?;
    let closed = circuit.put(State::Closed).await?;
    let found = circuit.trip(Presented::from(&closed), LONG).await?;
    expect::view(&found, State::Open, 3)
}

pub(super) async fn time_goes(circuit: &Subject<'_>) -> Verdict {
    circuit.opened(LONG).await?;
    circuit.pass(SHORT).await;
    let found = circuit.now().await?;
    expect::left_of("the time left", found.time_left, LONG - SHORT)?;
    if found.open_for < SHORT {
        return Err(format!("it is open for {:?}, and was for {SHORT:?}", found.open_for));
    }
    Ok(())
}

pub(super) async fn over(circuit: &Subject<'_>) -> Verdict {
    circuit.opened(SHORT).await?;
    circuit.pass(SHORT).await;
    let found = circuit.now().await?;
    expect::view(&found, State::Open, 1)?;
    expect::equal("the time left", found.time_left, Duration::ZERO)
}
