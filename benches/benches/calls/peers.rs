//! How each column makes a guarded call, and how its breaker is set up to do the same job: open
//! after five failures in a row, stay open for an hour.

use std::{hint::black_box, sync::Arc, time::Duration};

use infuse_benches::{Contender, block_on};
use infuse_core::{Breaker, Policy};
use infuse_storage::{Circuit, Circuits};
use tokio::runtime::{self, Runtime};
use tower::Service;

/// The error of the call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed;

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl std::error::Error for Failed {}

/// What the guarded call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// It succeeds.
    Succeeding,
    /// Every fifth one fails.
    Mixed,
    /// It is not made: the circuit was opened by failures first.
    Rejected,
}

/// The call that is guarded: a function call that the compiler neither inlines nor folds away.
#[inline(never)]
pub(crate) fn succeed(i: u64) -> Result<u64, Failed> {
    if black_box(i) == u64::MAX { Err(Failed) } else { Ok(i.wrapping_mul(31)) }
}

#[inline(never)]
pub(crate) fn fail_every_fifth(i: u64) -> Result<u64, Failed> {
    if black_box(i) % 5 == 4 { Err(Failed) } else { Ok(i.wrapping_mul(31)) }
}

/// A `Contender` for a load: the two bodies must not be one function that asks which it is.
macro_rules! contender {
    ($load:expr, $shared:expr, |$guard:ident, $work:ident| $call:expr) => {{
        let shared = $shared;
        match $load {
            Load::Mixed => Contender::new(move || {
                #[allow(unused_mut)]
                let mut $guard = shared.clone();
                let $work = fail_every_fifth;
                $call
            }),
            Load::Succeeding | Load::Rejected => Contender::new(move || {
                #[allow(unused_mut)]
                let mut $guard = shared.clone();
                let $work = succeed;
                $call
            }),
        }
    }};
}
pub(crate) use contender;

pub(crate) const OPEN_FOR: Duration = Duration::from_secs(3600);
const FAILURES: usize = 5;

pub(crate) fn bare(load: Load) -> Contender {
    contender!(load, (), |_guard, work| move |i| work(i).unwrap_or(0))
}

pub(crate) fn bare_async(load: Load) -> Contender {
    contender!(load, (), |_guard, work| move |i| block_on(async { work(i) }).unwrap_or(0))
}

// Infuse: five failures in a row is its default.
fn in_a_row() -> Policy {
    Policy::builder().reset_timeout(OPEN_FOR).build().expect("a valid policy")
}

pub(crate) fn infuse_breaker(load: Load) -> Arc<Breaker> {
    let breaker = Breaker::builder("bench").policy(in_a_row()).build();
    if load == Load::Rejected {
        for _ in 0..FAILURES {
            let _ = breaker.call_sync(|| Err::<(), _>(Failed));
        }
        assert!(breaker.call_sync(|| Ok::<_, Failed>(())).is_err(), "infuse is not open");
    }
    Arc::new(breaker)
}

pub(crate) fn infuse(load: Load) -> Contender {
    contender!(load, infuse_breaker(load), |breaker, work| {
        move |i| breaker.call_sync(|| work(i)).unwrap_or(0)
    })
}

pub(crate) fn infuse_async(load: Load) -> Contender {
    contender!(load, infuse_breaker(load), |breaker, work| {
        move |i| block_on(breaker.call(|| async { work(i) })).unwrap_or(0)
    })
}

// The same circuit shared through the embedded storage, as an application has it: the replicator
// runs beside the calls, on a runtime of its own.
pub(crate) fn shared_circuit(load: Load, policy: Policy) -> (Circuit, Arc<Runtime>) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = Arc::new(runtime.expect("a runtime"));
    let guard = runtime.enter();
    let circuit = Circuits::builder().start().expect("within a runtime").circuit("bench", policy);
    drop(guard);
    if load == Load::Rejected {
        for _ in 0..FAILURES {
            let _ = circuit.call_sync(|| Err::<(), _>(Failed));
        }
        assert!(circuit.call_sync(|| Ok::<_, Failed>(())).is_err(), "the circuit is not open");
    }
    (circuit, runtime)
}

pub(crate) fn shared(load: Load) -> Contender {
    contender!(load, shared_circuit(load, in_a_row()), |shared, work| {
        move |i| shared.0.call_sync(|| work(i)).unwrap_or(0)
    })
}

pub(crate) fn shared_async(load: Load) -> Contender {
    contender!(load, shared_circuit(load, in_a_row()), |shared, work| {
        move |i| block_on(shared.0.call(|| async { work(i) })).unwrap_or(0)
    })
}

// recloser knows failure rates over the last n calls: all of the last five is five in a row.
fn recloser_breaker(load: Load) -> recloser::Recloser {
    let breaker =
        recloser::Recloser::custom().closed_len(FAILURES).error_rate(1.0).open_wait(OPEN_FOR);
    let breaker = breaker.build();
    if load == Load::Rejected {
        // Its ring judges when it is full, so it takes one more.
        for _ in 0..=FAILURES {
            let _ = breaker.call(|| Err::<(), _>(Failed));
        }
        assert!(breaker.call(|| Ok::<_, Failed>(())).is_err(), "recloser is not open");
    }
    breaker
}

pub(crate) fn recloser(load: Load) -> Contender {
    contender!(load, Arc::new(recloser_breaker(load)), |breaker, work| {
        move |i| breaker.call(|| work(i)).unwrap_or(0)
    })
}

pub(crate) fn recloser_async(load: Load) -> Contender {
    let breaker = recloser::AsyncRecloser::from(recloser_breaker(load));
    contender!(load, breaker, |breaker, work| {
        move |i| block_on(breaker.call(async { work(i) })).unwrap_or(0)
    })
}

// failsafe counts failures in a row.
type Failsafe = failsafe::StateMachine<
    failsafe::failure_policy::ConsecutiveFailures<failsafe::backoff::Constant>,
    (),
>;

fn failsafe_breaker(load: Load) -> Failsafe {
    use failsafe::CircuitBreaker as _;
    let backoff = failsafe::backoff::constant(OPEN_FOR);
    let policy = failsafe::failure_policy::consecutive_failures(FAILURES as u32, backoff);
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    if load == Load::Rejected {
        for _ in 0..FAILURES {
            let _ = breaker.call(|| Err::<(), _>(Failed));
        }
        assert!(breaker.call(|| Ok::<_, Failed>(())).is_err(), "failsafe is not open");
    }
    breaker
}

pub(crate) fn failsafe(load: Load) -> Contender {
    use failsafe::CircuitBreaker as _;
    contender!(load, Arc::new(failsafe_breaker(load)), |breaker, work| {
        move |i| breaker.call(|| work(i)).unwrap_or(0)
    })
}

pub(crate) fn failsafe_async(load: Load) -> Contender {
    use failsafe::futures::CircuitBreaker as _;
    contender!(load, Arc::new(failsafe_breaker(load)), |breaker, work| {
        move |i| block_on(breaker.call(async { work(i) })).unwrap_or(0)
    })
}

// tower-resilience counts failures in a row when told to. It has no synchronous form, and every
// caller has a clone of the service, as tower wants it. `poll_ready` is left out, in its favour: when
// two threads meet there, it puts one of them to sleep by a timer of tokio's.
pub(crate) fn tower_resilience(load: Load) -> Contender {
    // The service must be nameless in both arms of the macro, so the call stands in the request.
    type Work = fn(u64) -> Result<u64, Failed>;
    let layer = tower_resilience_circuitbreaker::CircuitBreakerLayer::builder()
        .consecutive_failures(FAILURES)
        .wait_duration_in_open(OPEN_FOR)
        .build()
        .expect("a valid configuration");
    let mut service =
        layer.layer_fn(tower::service_fn(|(i, work): (u64, Work)| async move { work(i) }));
    if load == Load::Rejected {
        for _ in 0..FAILURES {
            let _ = block_on(service.call((0, |_| Err(Failed))));
        }
        assert!(block_on(service.call((0, succeed))).is_err(), "tower-resilience is not open");
    }
    contender!(load, service, |service, work| {
        move |i| block_on(service.call((i, work as Work))).unwrap_or(0)
    })
}

// circuitbreaker-rs opens by failures in a row or by a rate: the rate is put out of reach.
fn circuitbreaker_rs_breaker(
    load: Load,
) -> circuitbreaker_rs::CircuitBreaker<circuitbreaker_rs::DefaultPolicy, Failed> {
    let breaker =
        circuitbreaker_rs::CircuitBreaker::<circuitbreaker_rs::DefaultPolicy, Failed>::builder()
            .consecutive_failures(FAILURES as u64)
            .min_throughput(u64::MAX)
            .cooldown(OPEN_FOR)
            .build();
    if load == Load::Rejected {
        for _ in 0..FAILURES {
            let _ = breaker.call(|| Err::<(), _>(Failed));
        }
        assert!(breaker.call(|| Ok(())).is_err(), "circuitbreaker-rs is not open");
    }
    breaker
}

pub(crate) fn circuitbreaker_rs(load: Load) -> Contender {
    contender!(load, circuitbreaker_rs_breaker(load), |breaker, work| {
        move |i| breaker.call(|| work(i)).unwrap_or(0)
    })
}

pub(crate) fn circuitbreaker_rs_async(load: Load) -> Contender {
    contender!(load, circuitbreaker_rs_breaker(load), |breaker, work| {
        move |i| block_on(breaker.call_async(|| async { work(i) })).unwrap_or(0)
    })
}
