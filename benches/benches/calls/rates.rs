//! The breakers that know failure rates, each over the window that it is said to have: half of the
//! last hundred calls, or half of the calls of the last ten seconds. None of the loads opens them.

use std::{sync::Arc, time::Duration};

use infuse_benches::{Contender, block_on};
use infuse_core::{Breaker, Policy, PolicyBuilder, Window};
use tower::Service;

use super::peers::{Failed, Load, OPEN_FOR, contender, fail_every_fifth, shared_circuit, succeed};

const RATE: f64 = 0.5;
const CALLS: u32 = 100;
const TIME: Duration = Duration::from_secs(10);
const MINIMUM: u32 = 20;

// Infuse, by the rate alone.
fn policy() -> PolicyBuilder {
    Policy::builder().reset_timeout(OPEN_FOR).no_max_failure().failure_rate(RATE)
}

pub(crate) fn over_calls() -> Policy {
    policy().window(Window::Calls(CALLS)).build().expect("a valid policy")
}

pub(crate) fn over_time() -> Policy {
    let policy = policy().window(Window::Time(TIME)).minimum_calls(MINIMUM);
    policy.build().expect("a valid policy")
}

pub(crate) fn infuse(load: Load, policy: Policy) -> Contender {
    let breaker = Arc::new(Breaker::builder("bench").policy(policy).build());
    contender!(load, breaker, |breaker, work| {
        move |i| breaker.call_sync(|| work(i)).unwrap_or(0)
    })
}

pub(crate) fn shared(load: Load, policy: Policy) -> Contender {
    contender!(load, shared_circuit(load, policy), |shared, work| {
        move |i| shared.0.call_sync(|| work(i)).unwrap_or(0)
    })
}

pub(crate) fn recloser(load: Load) -> Contender {
    let breaker = recloser::Recloser::custom().closed_len(CALLS as usize).error_rate(RATE as f32);
    let breaker = Arc::new(breaker.open_wait(OPEN_FOR).build());
    contender!(load, breaker, |breaker, work| move |i| breaker.call(|| work(i)).unwrap_or(0))
}

// Its window is an average that forgets exponentially; it goes by the rate of successes.
pub(crate) fn failsafe(load: Load) -> Contender {
    use failsafe::{CircuitBreaker as _, backoff, failure_policy};
    let policy = failure_policy::success_rate_over_time_window(
        1.0 - RATE,
        MINIMUM,
        TIME,
        backoff::constant(OPEN_FOR),
    );
    let breaker = Arc::new(failsafe::Config::new().failure_policy(policy).build());
    // The average begins with the first call, and would begin at nothing with a failure: once the
    // window is over, that opens it, whatever came since.
    let _ = breaker.call(|| Ok::<_, Failed>(()));
    contender!(load, breaker, |breaker, work| move |i| breaker.call(|| work(i)).unwrap_or(0))
}

/// tower-resilience, over calls or over time. The latter keeps every call of the window in a list
/// that it walks with each call: over ten seconds of a loop like this one, a call takes longer than
/// the bench. So its window is a millisecond, which is in its favour.
pub(crate) fn tower_resilience(load: Load, over_time: bool) -> Contender {
    use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};
    type Work = fn(u64) -> Result<u64, Failed>;
    let layer = CircuitBreakerLayer::builder()
        .failure_rate_threshold(RATE)
        .sliding_window_size(CALLS as usize)
        .minimum_number_of_calls(MINIMUM as usize)
        .wait_duration_in_open(OPEN_FOR);
    let layer = if over_time {
        let window = Duration::from_millis(1);
        layer.sliding_window_type(SlidingWindowType::TimeBased).sliding_window_duration(window)
    } else {
        layer
    };
    let layer = layer.build().expect("a valid configuration");
    let service =
        layer.layer_fn(tower::service_fn(|(i, work): (u64, Work)| async move { work(i) }));
    contender!(load, service, |service, work| {
        move |i| block_on(service.call((i, work as Work))).unwrap_or(0)
    })
}
