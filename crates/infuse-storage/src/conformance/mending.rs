use std::time::Duration;

use infuse_core::{Outcome, State};

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::Presented;

const HALF: Duration = Duration::from_secs(30);

fn presented(state: State, time_left: Duration) -> Presented {
    Presented { generation: 7, state, time_left }
}

pub(super) async fn as_presented(circuit: &Subject<'_>) -> Verdict {
    for (state, left) in [
        (State::Closed, Duration::ZERO),
        (State::Open, HALF),
        (State::Open, Duration::ZERO),
        (State::HalfOpen, Duration::ZERO),
    ] {
        let circuit = circuit.another();
        let found = circuit.look(presented(state, left)).await?;
        expect::view(&found, state, 7)?;
        expect::left_of("the time left", found.time_left, left)?;
        expect::equal("who did it", found.by, None)?;
        expect::view(&circuit.now().await?, state, 7)?;
    }
    Ok(())
}

pub(super) async fn an_open_that_is_over(circuit: &Subject<'_>) -> Verdict {
    let request = circuit.request(presented(State::Open, Duration::ZERO));
    let answer = circuit.lease(request).await?;
    expect::granted(&answer)?;
    expect::view(&answer.view, State::HalfOpen, 8)
}

pub(super) async fn never_older(circuit: &Subject<'_>) -> Verdict {
    for state in [State::Closed, State::Open, State::HalfOpen] {
        for verb in ["look", "report", "trip", "lease", "settle", "control", "seed"] {
            let circuit = circuit.another();
            let known = presented(state, if state == State::Open { HALF } else { Duration::ZERO });
            let found = match verb {
                "look" => circuit.look(known).await?,
                "report" => circuit.report(known, circuit.me, 1).await?,
                "trip" => circuit.trip(known, LONG).await?,
                "lease" => circuit.lease(circuit.request(known)).await?.view,
                "settle" => {
                    let token = circuit.token();
                    circuit.settle(circuit.settling(known, token, Outcome::Failure)).await?
                }
                "control" => {
                    let mut command = circuit.command(State::Closed);
                    command.presented = known;
                    circuit.control(command).await?
                }
                _ => {
                    let mut seed = circuit.seeding(State::Closed);
                    seed.presented = known;
                    circuit.seed(seed).await?
                }
            };
            if found.generation < known.generation {
                return Err(format!(
                    "a {verb} that presents generation {} ({state}) is answered with {}",
                    known.generation, found.generation
                ));
            }
        }
    }
    Ok(())
}

pub(super) async fn then_applied(circuit: &Subject<'_>) -> Verdict {
    let closed = presented(State::Closed, Duration::ZERO);
    let reported = circuit.report(closed, circuit.me, 3).await?;
    expect::view(&reported, State::Closed, 7)?;
    expect::equal("the failures", reported.failures, 3)?;

    let circuit = circuit.another();
    expect::view(&circuit.trip(closed, LONG).await?, State::Open, 8)?;

    let circuit = circuit.another();
    let request = circuit.request(presented(State::HalfOpen, Duration::ZERO));
    let answer = circuit.lease(request).await?;
    expect::granted(&answer)?;
    expect::view(&answer.view, State::HalfOpen, 7)
}

pub(super) async fn a_command_after_a_loss(circuit: &Subject<'_>) -> Verdict {
    let known = presented(State::Open, HALF);
    let mut command = circuit.command(State::Closed);
    command.presented = known;
    expect::view(&circuit.control(command).await?, State::Closed, 8)?;
    // Whoever knows no more than what was lost learns of it.
    expect::view(&circuit.look(known).await?, State::Closed, 8)?;

    let circuit = circuit.another();
    let mut seed = circuit.seeding(State::Closed);
    seed.presented = known;
    expect::view(&circuit.seed(seed).await?, State::Closed, 8)
}

pub(super) async fn open_in_the_record(circuit: &Subject<'_>) -> Verdict {
    circuit.opened(LONG).await?;
    circuit.pass(SHORT).await;
    let known = presented(State::Closed, Duration::ZERO);
    let found = circuit.look(known).await?;
    expect::view(&found, State::Open, 8)?;
    expect::left_of("the time left", found.time_left, LONG - SHORT)?;
    if found.open_for < SHORT {
        return Err(format!("it is open for {:?}, and was for {SHORT:?}", found.open_for));
    }

    // What differs from what was presented is not applied to.
    let circuit = circuit.another();
    circuit.opened(LONG).await?;
    let found = circuit.report(known, circuit.me, 2).await?;
    expect::view(&found, State::Open, 8)?;
    expect::equal("the failures", found.failures, 0)
}

pub(super) async fn open_as_presented(circuit: &Subject<'_>) -> Verdict {
    circuit.put(State::Closed).await?;
    let found = circuit.look(presented(State::Open, HALF)).await?;
    expect::view(&found, State::Open, 7)?;
    expect::left_of("the time left", found.time_left, HALF)
}

pub(super) async fn later_end(circuit: &Subject<'_>) -> Verdict {
    circuit.opened(HALF).await?;
    let found = circuit.look(presented(State::Open, LONG)).await?;
    expect::view(&found, State::Open, 7)?;
    expect::left_of("the presented time left", found.time_left, LONG)?;

    let circuit = circuit.another();
    circuit.opened(LONG).await?;
    let found = circuit.look(presented(State::Open, HALF)).await?;
    expect::view(&found, State::Open, 8)?;
    expect::left_of("the record's time left", found.time_left, LONG)
}

pub(super) async fn not_open_anywhere(circuit: &Subject<'_>) -> Verdict {
    let (token, _) = circuit.on_trial().await?;
    let closed = presented(State::Closed, Duration::ZERO);
    expect::view(&circuit.look(closed).await?, State::Closed, 7)?;
    let found = circuit.settle(circuit.settling(closed, token, Outcome::Failure)).await?;
    expect::view(&found, State::Closed, 7)
}

pub(super) async fn twice(circuit: &Subject<'_>) -> Verdict {
    let known = presented(State::Open, HALF);
    let mended = circuit.look(known).await?;
    expect::unchanged(&circuit.look(known).await?, &mended)
}
