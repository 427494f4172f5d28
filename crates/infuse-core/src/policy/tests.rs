use super::*;

const S: Duration = Duration::from_secs(1);

#[test]
fn what_is_out_of_range_is_named() {
    let error = Policy::builder().max_failure(0).build().unwrap_err();
    assert_eq!(error.to_string(), "max_failure is 0: use 1 to 65535");
    let error = Policy::builder().success_threshold(1_024).build().unwrap_err();
    assert_eq!(error.to_string(), "success_threshold is 1024: use 1 to 1023");
    let error = Policy::builder().half_open_max_calls(0).build().unwrap_err();
    assert_eq!(error.to_string(), "half_open_max_calls is 0: use 1 to 1023");
    let error = Policy::builder().reset_timeout(Duration::ZERO).build().unwrap_err();
    assert_eq!(error.to_string(), "reset_timeout is 0ns: use more than 0 and at most 365 days");
    assert!(Policy::builder().trial_lease(Duration::MAX).build().is_err());
}

#[test]
fn a_lease_is_the_timeout_and_a_second_but_never_holds_the_circuit_for_long() {
    let policy = Policy::builder().reset_timeout(15 * S).call_timeout(Some(5 * S)).build().unwrap();
    assert_eq!(policy.lease(Some(5 * S)), 6 * S);
    assert_eq!(policy.lease(Some(60 * S)), 61 * S);
    assert_eq!(policy.lease(None), 15 * S);

    let quick = policy.to_builder().reset_timeout(S).build().unwrap();
    assert_eq!(quick.lease(None), 6 * S);

    let slow = policy.to_builder().trial_lease(120 * S).build().unwrap();
    assert_eq!(slow.lease(None), 120 * S);
}

fn error(builder: PolicyBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn a_policy_without_rates_has_none() {
    let policy = Policy::default();
    assert_eq!((policy.failure_rate(), policy.slow_call_rate()), (None, None));
    assert_eq!((policy.slow_call_duration(), policy.minimum_calls()), (None, 20));
    assert_eq!(policy.window(), Window::Time(10 * S));
    assert_eq!((policy.reset_backoff(), policy.reset_jitter()), (1.0, 0.0));
    assert_eq!((policy.max_reset_timeout(), policy.max_retry_after()), (300 * S, Some(300 * S)));
    // What is taken back is as good as never set.
    let taken_back = Policy::builder().failure_rate(0.5).failure_rate(None).build();
    assert_eq!(taken_back.unwrap(), policy);
    assert_eq!(Policy::builder().reset_backoff(1.0).build().unwrap(), policy);
}

#[test]
fn rates_are_more_than_0_and_at_most_1() {
    for rate in [0.0, -0.5, 1.000001, 50.0, f64::NAN, f64::INFINITY] {
        let found = error(Policy::builder().failure_rate(rate));
        assert_eq!(found, format!("failure_rate is {rate}: use more than 0 and at most 1"));
    }
    let slow = Policy::builder().slow_call_duration(S).slow_call_rate(2.0);
    assert_eq!(error(slow), "slow_call_rate is 2: use more than 0 and at most 1");
    for rate in [f64::MIN_POSITIVE, 0.5, 1.0] {
        let policy = Policy::builder().failure_rate(rate).build().unwrap();
        assert_eq!(policy.failure_rate(), Some(rate));
    }
}

#[test]
fn windows_are_bounded() {
    let window = |window| Policy::builder().failure_rate(0.5).window(window);
    assert_eq!(error(window(Window::Calls(0))), "window is 0: use 1 to 10000");
    assert_eq!(error(window(Window::Calls(10_001))), "window is 10001: use 1 to 10000");
    let found = error(window(Window::Time(Duration::from_micros(999))));
    assert_eq!(found, "window is 999µs: use 1 ms to 1 h, or a number of calls");
    assert!(window(Window::Time(3601 * S)).build().is_err());
    for most in [Window::Calls(10_000), Window::Time(3600 * S)] {
        assert_eq!(window(most).build().unwrap().window(), most);
    }
    assert!(window(Window::Time(Duration::from_millis(1))).build().is_ok());
}

#[test]
fn the_minimum_fits_the_window() {
    let window = |window| Policy::builder().failure_rate(0.5).window(window);
    assert_eq!(window(Window::Calls(100)).build().unwrap().minimum_calls(), 20);
    assert_eq!(window(Window::Calls(10)).build().unwrap().minimum_calls(), 10);
    assert!(window(Window::Calls(10)).minimum_calls(10).build().is_ok());
    assert_eq!(
        error(window(Window::Calls(10)).minimum_calls(11)),
        "minimum_calls is 11, but the window holds only the last 10 calls: lower minimum_calls \
         to 10 or widen the window"
    );
    assert_eq!(
        error(window(Window::Calls(10)).minimum_calls(0)),
        "minimum_calls is 0: use 1 to 10"
    );
    assert!(window(Window::Time(S)).minimum_calls(1_000_000).build().is_ok());
    assert!(window(Window::Time(S)).minimum_calls(1_000_001).build().is_err());
}

#[test]
fn contradictions_are_told() {
    assert_eq!(
        error(Policy::builder().slow_call_rate(0.5)),
        "slow_call_rate is set without slow_call_duration: say from when on a call is slow"
    );
    assert_eq!(
        error(Policy::builder().slow_call_duration(S)),
        "slow_call_duration is set without slow_call_rate: set the rate that opens, or neither"
    );
    assert!(error(Policy::builder().no_max_failure()).starts_with("max_failure is off"));
    let rules = Policy::builder().by_rules_alone();
    assert_eq!(rules.clone().build().unwrap().max_failure(), u32::MAX);
    assert!(rules.clone().failure_rate(0.5).build().is_ok());
    assert_eq!(rules.max_failure(5).build().unwrap(), Policy::default(), "taken back");
    let off = Policy::builder().no_max_failure().failure_rate(0.5).build().unwrap();
    assert_eq!(off.max_failure(), u32::MAX);
    assert_eq!(off.to_builder().max_failure(7).build().unwrap().max_failure(), 7);
    assert_eq!(
        error(Policy::builder().reset_timeout(15 * S).max_reset_timeout(5 * S)),
        "max_reset_timeout is 5s, which is less than reset_timeout, 15s: raise the one or lower \
         the other"
    );
    assert_eq!(error(Policy::builder().reset_backoff(0.5)), "reset_backoff is 0.5: use 1 to 1000");
    assert_eq!(error(Policy::builder().reset_jitter(1.5)), "reset_jitter is 1.5: use 0 to 1");
    assert!(Policy::builder().max_retry_after(Some(Duration::ZERO)).build().is_err());
    assert_eq!(Policy::builder().max_retry_after(None).build().unwrap().max_retry_after(), None);
}

#[test]
fn equal_defaults_are_one_and_clones_share() {
    let shared = |one: &Policy, other: &Policy| Arc::ptr_eq(&one.0, &other.0);
    assert!(shared(&Policy::default(), &Policy::default()));
    assert!(shared(&Policy::default(), &Policy::builder().build().unwrap()));
    // Also one that was set to what it would have been.
    let same = Policy::builder().max_failure(5).failure_rate(0.5).failure_rate(None);
    assert!(shared(&Policy::default(), &same.build().unwrap()));

    let policy = Policy::builder().max_failure(7).build().unwrap();
    assert!(shared(&policy, &policy.clone()));
    assert!(shared(&policy, &policy.to_builder().build().unwrap()));
    let other = policy.to_builder().max_failure(8).build().unwrap();
    assert_eq!((policy.max_failure(), other.max_failure()), (7, 8), "written to a copy");
    assert_eq!(Policy::default().max_failure(), 5);
    assert_eq!(policy, Policy::builder().max_failure(7).build().unwrap(), "equal by what they say");
    assert_eq!(size_of::<Policy>(), size_of::<usize>());
}
