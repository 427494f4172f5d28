use std::{sync::Arc, time::Duration};

use infuse_core::{Counts, Mode, Outcome, Override, State};

use super::{
    expect::{self, Verdict},
    pushes::{expect_next, watch},
    rates::{RATES, calls, telling},
    subject::{LONG, SHORT, Subject},
};
use crate::{Clear, Command, Look, Presented, Report, SuspicionId, View};

const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

fn night() -> Override {
    Override::new(Mode::Isolated).lasting(LONG).by("ada").because("their database moves")
}

async fn put_on(circuit: &Subject<'_>, overridden: Override) -> Verdict<View> {
    command(circuit, Some(Arc::new(overridden))).await
}

async fn command(circuit: &Subject<'_>, overridden: Option<Arc<Override>>) -> Verdict<View> {
    let mut command = circuit.command(State::Closed);
    command.command = Command::Override(overridden);
    circuit.control(command).await
}

/// It holds, and began as that.
fn holds(view: &View, expected: &Override) -> Verdict {
    let Some(found) = &view.overridden else {
        return Err("nothing overrides the circuit".to_owned());
    };
    let left = |it: &Override| it.left.unwrap_or(Duration::MAX);
    expect::equal("whether it ends", found.left.is_some(), expected.left.is_some())?;
    if expected.left.is_some() {
        expect::left_of("what is left of the override", left(found), left(expected))?;
    }
    let mut found = Override::clone(found);
    found.left = expected.left;
    expect::equal("the override", &found, expected)
}

fn none(view: &View) -> Verdict {
    expect::equal("the override", &view.overridden, &None)
}

pub(super) async fn put(circuit: &Subject<'_>) -> Verdict {
    for state in STATES {
        let circuit = circuit.another();
        let mut watch = watch(&circuit).await?;
        let before = circuit.put(state).await?;
        expect_next(&circuit, &mut *watch, &before).await?;
        circuit.pass(SHORT).await;
        let view = put_on(&circuit, night()).await?;
        // All of it stays as it is, with its times.
        expect::view(&view, state, 2)?;
        expect::equal("the cause", (view.cause, view.by), (before.cause, before.by))?;
        let left = if state == State::Open { LONG - SHORT } else { Duration::ZERO };
        expect::left_of("the time left", view.time_left, left)?;
        let open = state != State::Closed;
        expect::equal("whether it is open since", view.open_for >= SHORT, open)?;
        holds(&view, &night())?;
        holds(&circuit.now().await?, &night())?;
        expect_next(&circuit, &mut *watch, &view).await?;
    }
    Ok(())
}

pub(super) async fn taken_away(circuit: &Subject<'_>) -> Verdict {
    put_on(circuit, night()).await?;
    let other = Override::new(Mode::Observe);
    let view = put_on(circuit, other.clone()).await?;
    expect::view(&view, State::Closed, 2)?;
    holds(&view, &other)?;
    let view = command(circuit, None).await?;
    expect::view(&view, State::Closed, 3)?;
    none(&view)?;
    // Also where there is none.
    expect::view(&command(circuit, None).await?, State::Closed, 4)
}

pub(super) async fn repeated(circuit: &Subject<'_>) -> Verdict {
    let mut first = circuit.command(State::Closed);
    first.command = Command::Override(Some(Arc::new(night())));
    let view = circuit.control(first.clone()).await?;
    expect::unchanged(&circuit.control(first.clone()).await?, &view)?;
    let taken = command(circuit, None).await?;
    expect::unchanged(&circuit.control(first).await?, &taken)
}

pub(super) async fn every_mode(circuit: &Subject<'_>) -> Verdict {
    for mode in [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated] {
        let overridden = Override::new(mode);
        holds(&put_on(circuit, overridden.clone()).await?, &overridden)?;
        holds(&circuit.now().await?, &overridden)?;
    }
    Ok(())
}

pub(super) async fn any_text(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    for text in ["", " ", "a b:c,d|e;f", "-", "\r\n\0", "%41%", "\"'\\", "\u{1F980} é"] {
        let overridden = night().by(text).because(text);
        let view = put_on(circuit, overridden.clone()).await?;
        holds(&view, &overridden)?;
        expect_next(circuit, &mut *watch, &view).await?;
        holds(&circuit.now().await?, &overridden)?;
    }
    // What is too long is cut.
    let mut long = night();
    (long.by, long.reason) = ("x".repeat(10_000).into(), "é".repeat(10_000).into());
    let cut = night().by(&long.by).because(&long.reason);
    holds(&put_on(circuit, long).await?, &cut)
}

pub(super) async fn ends(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let view = put_on(circuit, night().lasting(SHORT)).await?;
    expect_next(circuit, &mut *watch, &view).await?;
    circuit.pass(SHORT).await;
    let over = circuit.now().await?;
    expect::view(&over, State::Closed, 1)?;
    none(&over)?;
    none(&put_on(circuit, night().lasting(Duration::ZERO)).await?)?;
    // That it has ended was told to nobody.
    let next = put_on(circuit, night()).await?;
    let ended = View { generation: 2, overridden: None, ..next.clone() };
    expect_next(circuit, &mut *watch, &ended).await?;
    expect_next(circuit, &mut *watch, &next).await
}

pub(super) async fn outlasts(circuit: &Subject<'_>) -> Verdict {
    let view = put_on(circuit, night()).await?;
    let opened = circuit.trip((&view).into(), SHORT).await?;
    holds(&opened, &night())?;
    circuit.pass(SHORT).await;
    let (token, half_open) = circuit.begin_trial(&opened).await?;
    holds(&half_open, &night())?;
    let settle = circuit.settling((&half_open).into(), token, Outcome::Success);
    holds(&circuit.settle(settle).await?, &night())?;
    for state in STATES {
        holds(&circuit.put(state).await?, &night())?;
        holds(&circuit.seed(circuit.seeding(state)).await?, &night())?;
    }
    Ok(())
}

pub(super) async fn ends_what_runs(circuit: &Subject<'_>) -> Verdict {
    let (token, _) = circuit.on_trial().await?;
    let view = put_on(circuit, night()).await?;
    expect::equal("the time until a place is free", view.time_left, Duration::ZERO)?;
    let settle = circuit.settling((&view).into(), token, Outcome::Success);
    expect::unchanged(&circuit.settle(settle).await?, &view)?;

    let circuit = circuit.another();
    circuit.report(Presented::NOTHING, circuit.me, 5).await?;
    circuit.look_by(telling(&circuit, circuit.me, RATES, calls(4, 1))).await?;
    let view = put_on(&circuit, night()).await?;
    let counted = (view.failures, view.clears, view.suspicion);
    expect::equal("what is counted", counted, (0, 0, None))?;
    let mut look = telling(&circuit, circuit.me, RATES, Counts::NONE);
    look.presented = Presented::from(&view);
    expect::equal("the calls", circuit.look_by(look).await?.counts, Counts::NONE)
}

pub(super) async fn keeps(circuit: &Subject<'_>) -> Verdict {
    // Failed trials, the ramp, and that the service asked to be left alone.
    let (token, half_open) = circuit.on_trial().await?;
    let mut settle = circuit.settling((&half_open).into(), token, Outcome::Failure);
    settle.open_time = SHORT;
    let opened = circuit.settle(settle).await?;
    expect::equal("the failed trials", put_on(circuit, night()).await?.failed_trials, 1)?;
    circuit.pass(SHORT).await;
    let known = Presented { generation: opened.generation + 1, ..(&opened).into() };
    let request = circuit.request(known);
    let token = request.token;
    let half_open = circuit.lease(request).await?.view;
    let mut settle = circuit.settling((&half_open).into(), token, Outcome::Success);
    settle.ramp = LONG;
    circuit.settle(settle).await?;
    let view = command(circuit, None).await?;
    expect::equal("the ramp's time", view.ramp.time, LONG)?;
    expect::equal("the failed trials", view.failed_trials, 1)?;

    let mut report = Report::new(circuit.key.clone(), (&view).into(), circuit.me, 0);
    report.held_off = LONG;
    circuit.report_by(report).await?;
    let view = put_on(circuit, night()).await?;
    let opened = circuit.trip((&view).into(), SHORT).await?;
    expect::left_of("the time left", opened.time_left, LONG)
}

pub(super) async fn late_seed(circuit: &Subject<'_>) -> Verdict {
    // A seed is dropped for what became of the circuit, which is nothing.
    circuit.put(State::Open).await?;
    circuit.pass(SHORT).await;
    put_on(circuit, night()).await?;
    let mut seed = circuit.seeding(State::Closed);
    seed.late_by = Some(SHORT / 2);
    expect::view(&circuit.seed(seed).await?, State::Closed, 3)
}

/// Every verb, by one who knows the circuit closed and of generation 7, and that.
async fn verb(circuit: &Subject<'_>, name: &str, known: Option<Arc<Override>>) -> Verdict<View> {
    let presented = Presented { generation: 7, ..Presented::NOTHING };
    macro_rules! with {
        ($verb:expr) => {{
            let mut verb = $verb;
            verb.presented = presented;
            verb.overridden = known;
            verb
        }};
    }
    let key = || circuit.key.clone();
    let nothing = SuspicionId { generation: 0, raised_at: 0 };
    match name {
        "look" => circuit.look_by(with!(Look::new(key(), presented))).await,
        "report" => circuit.report_by(with!(Report::new(key(), presented, circuit.me, 1))).await,
        "trip" => {
            let trip = crate::Trip::new(key(), presented, circuit.me, LONG);
            circuit.trip_by(with!(trip)).await
        }
        "clear" => {
            let clear = with!(Clear::new(key(), presented, circuit.me, nothing));
            let views = circuit.storage.clear(&[clear]).await;
            views.map(|views| views[0].clone()).map_err(|error| error.to_string())
        }
        "lease" => Ok(circuit.lease(with!(circuit.request(presented))).await?.view),
        "settle" => {
            let settle = circuit.settling(presented, circuit.token(), Outcome::Failure);
            circuit.settle(with!(settle)).await
        }
        "control" => circuit.control(with!(circuit.command(State::Closed))).await,
        _ => circuit.seed(with!(circuit.seeding(State::Closed))).await,
    }
}

const VERBS: [&str; 8] = ["look", "report", "trip", "clear", "lease", "settle", "control", "seed"];

pub(super) async fn mended(circuit: &Subject<'_>) -> Verdict {
    for name in VERBS {
        for forever in [false, true] {
            let circuit = circuit.another();
            let mut known = night();
            known.left = if forever { None } else { Some(LONG / 2) };
            let view = verb(&circuit, name, Some(Arc::new(known.clone()))).await?;
            let applied = matches!(name, "trip" | "control" | "seed");
            expect::equal("the generation", view.generation, 7 + u64::from(applied))?;
            holds(&view, &known).map_err(|differs| format!("a {name}: {differs}"))?;
            holds(&circuit.now().await?, &known)?;
        }
    }
    Ok(())
}

pub(super) async fn mended_as_newer(circuit: &Subject<'_>) -> Verdict {
    // What is stored is older, whatever it says.
    put_on(circuit, night()).await?;
    let newer = Override::new(Mode::Observe);
    holds(&verb(circuit, "look", Some(Arc::new(newer.clone()))).await?, &newer)?;

    let circuit = circuit.another();
    put_on(&circuit, night()).await?;
    let view = verb(&circuit, "look", None).await?;
    expect::view(&view, State::Closed, 7)?;
    none(&view)?;

    // One that has ended on the way does not begin anew.
    let circuit = circuit.another();
    none(&verb(&circuit, "look", Some(Arc::new(night().lasting(Duration::ZERO)))).await?)
}

pub(super) async fn not_mended(circuit: &Subject<'_>) -> Verdict {
    // At an equal generation the storage is right, and at an older one too.
    for generation in [7, 8] {
        let circuit = circuit.another();
        let known = Presented { generation, ..Presented::NOTHING };
        let mut look = Look::new(circuit.key.clone(), known);
        look.overridden = Some(Arc::new(night()));
        holds(&circuit.look_by(look.clone()).await?, &night())?;
        let other = Some(Arc::new(Override::new(Mode::Observe)));
        holds(&verb(&circuit, "look", other).await?, &night())?;
        holds(&verb(&circuit, "look", None).await?, &night())?;
    }
    Ok(())
}
