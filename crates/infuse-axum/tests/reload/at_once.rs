//! Reloads while others reload, and while circuits are made.

use std::{
    collections::BTreeMap,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use crate::Bench;

/// Reloads by each thread.
const EACH: u32 = 50;

/// Each reload finds what another has left, whole.
#[tokio::test]
async fn reloads_come_one_after_the_other() {
    let bench = Bench::new(&[("infuse_breaker_max_failure", "1")]).await;
    let start = Barrier::new(4);
    let steps: BTreeMap<String, String> = thread::scope(|scope| {
        let reload = |thread: u32| {
            let (bench, start) = (&bench, &start);
            scope.spawn(move || {
                let mut steps = Vec::new();
                for number in 0..EACH {
                    let number = (2 + thread * EACH + number).to_string();
                    start.wait();
                    let reload = bench
                        .reload(&[
                            ("infuse_breaker_max_failure", &number),
                            ("infuse_services.payments.timeout", &number),
                        ])
                        .unwrap();
                    let change = &reload.changes()[0];
                    steps.push((change.from().to_owned(), change.to().to_owned()));
                }
                steps
            })
        };
        let threads: Vec<_> = (0..4).map(reload).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // One chain, from the first to what holds now.
    let mut value = "1".to_owned();
    for step in 0..4 * EACH {
        value = steps.get(&value).unwrap_or_else(|| panic!("no step {step}")).clone();
    }
    let last: u32 = value.parse().unwrap();
    let settings = bench.infuse.settings();
    assert_eq!(settings.breaker.max_failure, Some(last));
    assert_eq!(settings.services["payments"].timeout.as_secs(), u64::from(last));
    for name in ["payments", "other"] {
        assert_eq!(bench.infuse.circuit(name).unwrap().policy().max_failure(), last);
    }
}

#[tokio::test]
async fn a_circuit_that_is_made_meanwhile_is_as_the_others() {
    let bench = Bench::new(&[("infuse_breaker_max_failure", "1")]).await;
    let handle = tokio::runtime::Handle::current();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for maker in 0..2 {
            let (bench, done, handle) = (&bench, &done, handle.clone());
            scope.spawn(move || {
                let _runtime = handle.enter();
                for number in 0..400 {
                    bench.infuse.breaker(&format!("c-{maker}-{number}")).unwrap();
                    if number % 16 == 0 {
                        thread::yield_now();
                    }
                }
                done.store(true, SeqCst);
            });
        }
        let mut round = 0;
        while !done.load(SeqCst) {
            round += 1;
            let value = (2 + round % 2).to_string();
            let mode = if round % 2 == 0 { "observe" } else { "disabled" };
            bench
                .reload(&[("infuse_breaker_max_failure", &value), ("infuse_breaker_mode", mode)])
                .unwrap();
        }
    });
    let now = bench.infuse.settings();
    let circuits = bench.infuse.circuits();
    assert!(circuits.len() > 800);
    for circuit in circuits {
        let circuit = bench.infuse.circuit(&circuit.service).unwrap();
        assert_eq!(Some(circuit.policy().max_failure()), now.breaker.max_failure);
        assert_eq!(circuit.mode(), now.breaker.mode, "{}", circuit.name());
    }
}
