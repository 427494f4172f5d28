use std::time::Duration;

use infuse_core::{Cause, Outcome, State};

use super::{
    expect::{self, Verdict},
    subject::{LONG, SHORT, Subject},
};
use crate::{Command, Note, Presented};

const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

pub(super) async fn every_change(circuit: &Subject<'_>) -> Verdict {
    for from in STATES {
        for to in STATES {
            let circuit = circuit.another();
            expect::view(&circuit.put(from).await?, from, 1)?;
            let found = circuit.put(to).await?;
            expect::view(&found, to, 2)?;
            expect::equal("the cause", found.cause, Cause::Manual)?;
            expect::equal("who did it", found.by, Some(circuit.me))?;
            expect::unchanged(&circuit.now().await?, &found)?;
        }
    }
    Ok(())
}

pub(super) async fn open_time(circuit: &Subject<'_>) -> Verdict {
    let found = circuit.put(State::Open).await?;
    expect::left_of("the time left", found.time_left, LONG)?;
    let mut command = circuit.command(State::Open);
    command.command = Command::Put { state: State::Open, open_time: SHORT, note: Note::new() };
    let found = circuit.control(command).await?;
    expect::at_most("the time left", found.time_left, SHORT)?;
    circuit.pass(SHORT).await;
    let (_, view) = circuit.begin_trial(&found).await?;
    expect::view(&view, State::HalfOpen, 3)
}

pub(super) async fn half_open(circuit: &Subject<'_>) -> Verdict {
    let found = circuit.put(State::HalfOpen).await?;
    expect::equal("the time until a place is free", found.time_left, Duration::ZERO)?;
    let (_, view) = circuit.begin_trial(&found).await?;
    expect::view(&view, State::HalfOpen, 1)
}

pub(super) async fn repeated(circuit: &Subject<'_>) -> Verdict {
    for state in STATES {
        let circuit = circuit.another();
        let command = circuit.command(state);
        let first = circuit.control(command.clone()).await?;
        let again = circuit.control(command).await?;
        expect::unchanged(&again, &first)?;
    }
    Ok(())
}

pub(super) async fn repeated_after_others(circuit: &Subject<'_>) -> Verdict {
    let first = circuit.command(State::Open);
    circuit.control(first.clone()).await?;
    let mut last = circuit.put(State::Closed).await?;
    for _ in 0..6 {
        last = circuit.put(State::HalfOpen).await?;
    }
    expect::unchanged(&circuit.control(first).await?, &last)
}

pub(super) async fn ends_leases(circuit: &Subject<'_>) -> Verdict {
    let (token, _) = circuit.on_trial().await?;
    let half_open = circuit.put(State::HalfOpen).await?;
    expect::equal("the time until a place is free", half_open.time_left, Duration::ZERO)?;
    let settle = circuit.settling(Presented::from(&half_open), token, Outcome::Success);
    expect::unchanged(&circuit.settle(settle).await?, &half_open)
}

pub(super) async fn seeds(circuit: &Subject<'_>) -> Verdict {
    for from in STATES {
        for to in STATES {
            let circuit = circuit.another();
            circuit.put(from).await?;
            let found = circuit.seed(circuit.seeding(to)).await?;
            expect::view(&found, to, 2)?;
            expect::equal("the cause", found.cause, Cause::Seed)?;
            expect::equal("who did it", found.by, Some(circuit.me))?;
            let left = if to == State::Open { LONG } else { Duration::ZERO };
            expect::left_of("the time left", found.time_left, left)?;
        }
    }
    Ok(())
}

pub(super) async fn repeated_seed(circuit: &Subject<'_>) -> Verdict {
    let seed = circuit.seeding(State::Open);
    let first = circuit.seed(seed.clone()).await?;
    expect::unchanged(&circuit.seed(seed).await?, &first)
}

pub(super) async fn late_seed(circuit: &Subject<'_>) -> Verdict {
    circuit.opened(LONG).await?;
    circuit.pass(SHORT).await;
    let mut seed = circuit.seeding(State::Closed);
    seed.late_by = Some(Duration::ZERO);
    expect::view(&circuit.seed(seed).await?, State::Closed, 2)
}

pub(super) async fn late_seed_dropped(circuit: &Subject<'_>) -> Verdict {
    let opened = circuit.opened(LONG).await?;
    let mut seed = circuit.seeding(State::Closed);
    seed.late_by = Some(LONG);
    expect::unchanged(&circuit.seed(seed).await?, &opened)
}

pub(super) async fn late_seed_first(circuit: &Subject<'_>) -> Verdict {
    let mut seed = circuit.seeding(State::Open);
    seed.late_by = Some(LONG);
    expect::view(&circuit.seed(seed).await?, State::Open, 1)
}
