use infuse_core::{Outcome, State};

use super::{
    expect::{self, Verdict},
    subject::{LONG, Subject},
};
use crate::{Look, Presented, Report, StorageError, Trip};

fn done<T>(answers: Result<Vec<T>, StorageError>, expected: usize) -> Verdict<Vec<T>> {
    let answers = answers.map_err(|error| format!("the storage failed: {error}"))?;
    expect::equal("the number of answers", answers.len(), expected)?;
    Ok(answers)
}

pub(super) async fn empty(circuit: &Subject<'_>) -> Verdict {
    let storage = &circuit.storage;
    done(storage.look(&[]).await, 0)?;
    done(storage.report(&[]).await, 0)?;
    done(storage.trip(&[]).await, 0)?;
    done(storage.clear(&[]).await, 0)?;
    done(storage.lease(&[]).await, 0)?;
    done(storage.settle(&[]).await, 0)?;
    done(storage.control(&[]).await, 0)?;
    done(storage.seed(&[]).await, 0)?;
    Ok(())
}

pub(super) async fn order(circuit: &Subject<'_>) -> Verdict {
    let mut circuits = Vec::new();
    for generation in 0..20 {
        let circuit = circuit.another();
        for _ in 0..generation {
            circuit.put(State::Closed).await?;
        }
        circuits.push(circuit);
    }
    let look = |circuit: &Subject<'_>| Look::new(circuit.key.clone(), Presented::NOTHING);
    let looks: Vec<_> = circuits.iter().rev().map(look).collect();
    let found = done(circuit.storage.look(&looks).await, 20)?;
    let found: Vec<_> = found.iter().map(|view| view.generation).collect();
    expect::equal("the generations", found, (0..20).rev().collect())
}

pub(super) async fn same_circuit(circuit: &Subject<'_>) -> Verdict {
    let other = circuit.another();
    let view = circuit.put(State::HalfOpen).await?;
    let requests = [
        circuit.request(Presented::from(&view)),
        other.request(Presented::NOTHING),
        circuit.request(Presented::from(&view)),
    ];
    let found = done(circuit.storage.lease(&requests).await, 3)?;
    let found: Vec<_> = found.iter().map(|answer| (answer.granted, answer.view.state)).collect();
    let expected =
        [(true, State::HalfOpen), (false, State::Closed), (false, State::HalfOpen)].to_vec();
    expect::equal("the leases", found, expected)?;

    let commands = [circuit.command(State::Open), circuit.command(State::Closed)];
    let found = done(circuit.storage.control(&commands).await, 2)?;
    expect::view(&found[0], State::Open, 2)?;
    expect::view(&found[1], State::Closed, 3)
}

pub(super) async fn verbs(circuit: &Subject<'_>) -> Verdict {
    let (one, two) = (circuit.another(), circuit.another());
    let storage = &circuit.storage;
    let nothing = Presented::NOTHING;

    let report = |of: &Subject<'_>, n| Report::new(of.key.clone(), nothing, circuit.me, n);
    let found = done(storage.report(&[report(&one, 1), report(&two, 2)]).await, 2)?;
    expect::equal("the failures", (found[0].failures, found[1].failures), (1, 2))?;

    let trip = |of: &Subject<'_>| Trip::new(of.key.clone(), nothing, circuit.me, LONG);
    let found = done(storage.trip(&[trip(&one), trip(&two)]).await, 2)?;
    expect::view(&found[0], State::Open, 1)?;
    expect::view(&found[1], State::Open, 1)?;

    let seeds = [one.seeding(State::HalfOpen), two.seeding(State::HalfOpen)];
    let found = done(storage.seed(&seeds).await, 2)?;
    expect::view(&found[0], State::HalfOpen, 2)?;
    let requests = [one.request((&found[0]).into()), two.request((&found[1]).into())];
    let leases = done(storage.lease(&requests).await, 2)?;
    leases.iter().try_for_each(expect::granted)?;

    let settles = [
        one.settling((&found[0]).into(), requests[0].token, Outcome::Success),
        two.settling((&found[1]).into(), requests[1].token, Outcome::Failure),
    ];
    let found = done(storage.settle(&settles).await, 2)?;
    expect::view(&found[0], State::Closed, 3)?;
    expect::view(&found[1], State::Open, 3)
}
