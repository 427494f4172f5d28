//! Random histories of a breaker agree, step by step, with a plain model that is obviously right.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod action;
mod pair;
mod plain;

use std::sync::Mutex;

use infuse_core::Mode;
use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

const CASES: u32 = 2000;
const STEPS: usize = 120;

/// Runs histories, and says how often each state, each mode, and a ramp were come by.
fn run(modes: bool) -> ([u32; 3], [u32; 4], u32) {
    // The same histories everywhere and always.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let histories = (action::numbers(), vec(action::action(modes), 1..STEPS));
    let reached = Mutex::new(([0; 3], [0; 4], 0));
    TestRunner::new_with_rng(config, rng)
        .run(&histories, |(numbers, actions)| {
            let mut pair = pair::Pair::new(numbers);
            for action in actions {
                pair.step(action)?;
                let mut reached = reached.lock().unwrap();
                reached.0[pair.model.state as usize] += 1;
                reached.1[pair.model.mode() as usize] += 1;
                reached.2 += u32::from(pair.model.ramp().is_some());
            }
            pair.look()
        })
        .unwrap();
    reached.into_inner().unwrap()
}

// Histories that stay in one state or mode would show nothing.

#[test]
fn random_histories_agree_with_the_model() {
    let (states, modes, ramps) = run(false);
    assert!(states.iter().all(|&steps| steps > 4000), "{states:?}");
    assert_eq!(modes[Mode::Enabled as usize], modes.iter().sum());
    assert!(ramps > 1000, "{ramps}");
}

#[test]
fn random_histories_with_modes_agree_with_the_model() {
    let (states, modes, ramps) = run(true);
    assert!(states.iter().all(|&steps| steps > 4000), "{states:?}");
    assert!(modes.iter().all(|&steps| steps > 4000), "{modes:?}");
    assert!(ramps > 1000, "{ramps}");
}
