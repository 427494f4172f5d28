use std::time::Duration;

use infuse_core::{Cause, Counts, State, Window};

use super::{
    expect::{self, Verdict},
    pushes::{expect_next, watch},
    subject::{LONG, SHORT, Subject},
};
use crate::{Look, Presented, ProcessId, Rates, Report, View};

const NOTHING: Presented = Presented::NOTHING;

/// Half of at least ten calls, in a window that does not end while a case runs.
pub(super) const RATES: Rates = Rates {
    window: Window::Time(Duration::from_secs(3_600)),
    minimum_calls: 10,
    failure_rate: Some(0.5),
    slow_call_rate: None,
};

pub(super) fn calls(calls: u64, failures: u64) -> Counts {
    Counts { calls, failures, slow: 0 }
}

/// A process's look by these rates that tells of calls.
pub(super) fn telling(
    circuit: &Subject<'_>,
    process: ProcessId,
    rates: Rates,
    counts: Counts,
) -> Look {
    let mut look = Look::new(circuit.key.clone(), NOTHING);
    look.thresholds.rates = Some(rates);
    look.process = Some(process);
    look.counts = counts;
    look.open_time = LONG;
    look
}

async fn tell(circuit: &Subject<'_>, rates: Rates, counts: Counts) -> Verdict<View> {
    circuit.look_by(telling(circuit, circuit.me, rates, counts)).await
}

/// What is in the window, without telling of anything.
async fn counted(circuit: &Subject<'_>, rates: Rates) -> Verdict<Counts> {
    Ok(tell(circuit, rates, Counts::NONE).await?.counts)
}

fn opened_by(view: &View, cause: Cause, process: ProcessId) -> Verdict {
    expect::view(view, State::Open, 1)?;
    expect::equal("the cause", view.cause, cause)?;
    expect::equal("who did it", view.by, Some(process))?;
    expect::left_of("the time left", view.time_left, LONG)?;
    expect::equal("the calls in the window", view.counts, Counts::NONE)
}

pub(super) async fn added(circuit: &Subject<'_>) -> Verdict {
    let other = ProcessId::random();
    let view = tell(circuit, RATES, Counts { calls: 3, failures: 1, slow: 2 }).await?;
    expect::view(&view, State::Closed, 0)?;
    let view = circuit.look_by(telling(circuit, other, RATES, calls(4, 0))).await?;
    let sum = Counts { calls: 7, failures: 1, slow: 2 };
    expect::equal("the calls in the window", view.counts, sum)?;
    expect::equal("the calls in the window", counted(circuit, RATES).await?, sum)?;
    expect::equal("the failures in a row", view.failures, 0)
}

pub(super) async fn opens(circuit: &Subject<'_>) -> Verdict {
    let mut watch = watch(circuit).await?;
    let other = ProcessId::random();
    circuit.look_by(telling(circuit, other, RATES, calls(6, 2))).await?;
    let view = tell(circuit, RATES, calls(4, 3)).await?;
    opened_by(&view, Cause::FailureRate, circuit.me)?;
    let thresholds = view.thresholds.ok_or("it tells of no thresholds")?;
    expect::equal("the rates that opened it", thresholds.rates, Some(RATES))?;
    expect::unchanged(&circuit.now().await?, &view)?;
    // What was not pushed before that changed nothing.
    expect_next(circuit, &mut *watch, &view).await
}

pub(super) async fn exactly(circuit: &Subject<'_>) -> Verdict {
    for (share, failures) in [(0.1, 10), (0.29, 29), (0.3, 30), (0.7, 70), (1.0, 100)] {
        let rates = Rates { failure_rate: Some(share), minimum_calls: 100, ..RATES };
        let under = circuit.another();
        let view = tell(&under, rates, calls(100, failures - 1)).await?;
        expect::equal("the state below the rate", view.state, State::Closed)?;
        let at = circuit.another();
        let view = tell(&at, rates, calls(100, failures)).await?;
        opened_by(&view, Cause::FailureRate, at.me)?;
    }
    Ok(())
}

pub(super) async fn too_few(circuit: &Subject<'_>) -> Verdict {
    let view = tell(circuit, RATES, calls(9, 9)).await?;
    expect::view(&view, State::Closed, 0)?;
    // A success makes them enough.
    opened_by(&tell(circuit, RATES, calls(1, 0)).await?, Cause::FailureRate, circuit.me)
}

pub(super) async fn slow(circuit: &Subject<'_>) -> Verdict {
    let rates = Rates { failure_rate: None, slow_call_rate: Some(0.5), ..RATES };
    let slow = |slow| Counts { calls: 10, failures: 9, slow };
    expect::view(&tell(circuit, rates, slow(4)).await?, State::Closed, 0)?;
    opened_by(&tell(circuit, rates, slow(6)).await?, Cause::SlowCallRate, circuit.me)?;

    // Where both are reached, the rate of failures is named.
    let circuit = circuit.another();
    let both = Rates { slow_call_rate: Some(0.5), ..RATES };
    opened_by(&tell(&circuit, both, slow(9)).await?, Cause::FailureRate, circuit.me)
}

pub(super) async fn by_the_sender_s(circuit: &Subject<'_>) -> Verdict {
    let patient = Rates { failure_rate: Some(0.9), ..RATES };
    let view = tell(circuit, patient, calls(10, 6)).await?;
    expect::view(&view, State::Closed, 0)?;
    // Nobody is judged who tells of nothing.
    let view = tell(circuit, RATES, Counts::NONE).await?;
    expect::view(&view, State::Closed, 0)?;
    expect::equal("the calls in the window", view.counts, calls(10, 6))?;
    opened_by(&tell(circuit, RATES, calls(1, 0)).await?, Cause::FailureRate, circuit.me)
}

pub(super) async fn untold(circuit: &Subject<'_>) -> Verdict {
    // Nobody's calls, calls without a window, and no calls.
    let mut nobody_s = telling(circuit, circuit.me, RATES, calls(20, 20));
    nobody_s.process = None;
    expect::equal("the view", circuit.look_by(nobody_s).await?, View::new())?;
    let mut without = telling(circuit, circuit.me, RATES, calls(20, 20));
    without.thresholds.rates = None;
    expect::equal("the view", circuit.look_by(without).await?, View::new())?;
    let none = Counts { calls: 0, failures: 20, slow: 20 };
    expect::equal("the view", tell(circuit, RATES, none).await?, View::new())?;
    // A look that says no window is answered with no calls.
    tell(circuit, RATES, calls(2, 1)).await?;
    expect::equal("the calls", circuit.now().await?.counts, Counts::NONE)
}

pub(super) async fn repeated(circuit: &Subject<'_>) -> Verdict {
    let look = telling(circuit, circuit.me, RATES, calls(2, 1));
    circuit.look_by(look.clone()).await?;
    let mut repeat = look.clone();
    repeat.counts = Counts::NONE;
    let view = circuit.look_by(repeat).await?;
    expect::equal("the calls after a repeat that leaves them out", view.counts, calls(2, 1))?;
    let view = circuit.look_by(look).await?;
    expect::equal("the calls after telling twice", view.counts, calls(4, 2))
}

pub(super) async fn emptied(circuit: &Subject<'_>) -> Verdict {
    tell(circuit, RATES, calls(9, 9)).await?;
    let closed = circuit.put(State::Closed).await?;
    let mut look = telling(circuit, circuit.me, RATES, calls(1, 1));
    look.presented = Presented::from(&closed);
    let view = circuit.look_by(look).await?;
    expect::view(&view, State::Closed, 1)?;
    expect::equal("the calls since the change", view.counts, calls(1, 1))
}

pub(super) async fn only_while_closed(circuit: &Subject<'_>) -> Verdict {
    for state in [State::Open, State::HalfOpen] {
        let circuit = circuit.another();
        let before = circuit.put(state).await?;
        let mut look = telling(&circuit, circuit.me, RATES, calls(20, 20));
        look.presented = Presented::from(&before);
        expect::unchanged(&circuit.look_by(look.clone()).await?, &before)?;
        let closed = circuit.put(State::Closed).await?;
        look.presented = Presented::from(&closed);
        look.counts = Counts::NONE;
        let view = circuit.look_by(look).await?;
        expect::equal("the calls", view.counts, Counts::NONE)?;
    }
    Ok(())
}

pub(super) async fn generations(circuit: &Subject<'_>) -> Verdict {
    let closed = circuit.put(State::Closed).await?;
    let view = tell(circuit, RATES, calls(20, 20)).await?;
    expect::unchanged(&view, &closed)?;
    expect::equal("the calls told of an older circuit", view.counts, Counts::NONE)?;

    // A newer one is mended, and then they count.
    let mut look = telling(circuit, circuit.me, RATES, calls(4, 4));
    look.presented = Presented { generation: 7, ..NOTHING };
    let view = circuit.look_by(look.clone()).await?;
    expect::view(&view, State::Closed, 7)?;
    expect::equal("the calls", view.counts, calls(4, 4))?;
    look.presented.generation = 9;
    look.counts = calls(20, 20);
    expect::view(&circuit.look_by(look).await?, State::Open, 10)
}

pub(super) async fn not_refuted(circuit: &Subject<'_>) -> Verdict {
    circuit.report_by(Report::new(circuit.key.clone(), NOTHING, circuit.me, 2)).await?;
    tell(circuit, RATES, calls(4, 4)).await?;
    circuit.pass(SHORT).await;
    let mut look = telling(circuit, circuit.me, RATES, Counts::NONE);
    look.last_success = Some(Duration::ZERO);
    let view = circuit.look_by(look).await?;
    expect::equal("the failures in a row", view.failures, 0)?;
    expect::equal("the calls in the window", view.counts, calls(4, 4))
}

pub(super) async fn window_over_time(circuit: &Subject<'_>) -> Verdict {
    let rates = Rates { window: Window::Time(2 * SHORT), ..RATES };
    tell(circuit, rates, calls(9, 9)).await?;
    circuit.pass(2 * SHORT).await;
    expect::equal(
        "the calls of a window that is over",
        counted(circuit, rates).await?,
        Counts::NONE,
    )?;
    expect::equal("those of a longer one", counted(circuit, RATES).await?, calls(9, 9))?;
    let view = tell(circuit, rates, calls(1, 0)).await?;
    expect::view(&view, State::Closed, 0)?;
    expect::equal("the calls that follow", view.counts, calls(1, 0))
}

pub(super) async fn window_over_calls(circuit: &Subject<'_>) -> Verdict {
    let rates = Rates { window: Window::Calls(10), failure_rate: Some(0.6), ..RATES };
    // Forty calls: the last ten are in the window.
    for at in 0..40 {
        let view = tell(circuit, rates, calls(1, u64::from(at % 2 == 0))).await?;
        let expected = calls(u64::min(at + 1, 10), u64::min(at / 2 + 1, 5));
        expect::equal("the calls in the window", view.counts, expected)?;
    }
    expect::view(&tell(circuit, rates, calls(1, 1)).await?, State::Closed, 0)?;
    opened_by(&tell(circuit, rates, calls(1, 1)).await?, Cause::FailureRate, circuit.me)
}

pub(super) async fn any_number(circuit: &Subject<'_>) -> Verdict {
    let most = Counts { calls: u64::MAX, failures: u64::MAX, slow: u64::MAX };
    let rates = Rates { failure_rate: None, ..RATES };
    for _ in 0..3 {
        let view = tell(circuit, rates, most).await?;
        expect::view(&view, State::Closed, 0)?;
        if view.counts.calls < u64::from(u32::MAX) {
            return Err(format!("of very many calls it has {:?}", view.counts));
        }
    }
    Ok(())
}
