//! Modes by settings, and above them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use infuse_axum::{Breaker, Listener, Mode, Override, State};

use crate::Bench;

fn mode(bench: &Bench, name: &str) -> Mode {
    bench.infuse.circuit(name).unwrap().mode()
}

#[tokio::test]
async fn settings_say_what_a_circuit_does() {
    let bench = Bench::new(&[
        ("infuse_breaker_mode", "observe"),
        ("infuse_services.payments.breaker_mode", "isolated"),
    ])
    .await;
    assert_eq!(mode(&bench, "payments"), Mode::Isolated);
    assert_eq!(mode(&bench, "other"), Mode::Observe);
    assert_eq!(bench.infuse.breaker("database").unwrap().mode(), Mode::Observe);

    bench.reload(&[("infuse_services.payments.breaker_mode", "disabled")]).unwrap();
    assert_eq!(mode(&bench, "payments"), Mode::Disabled);
    assert_eq!(mode(&bench, "other"), Mode::Observe);
}

#[tokio::test]
async fn an_override_stays_above_the_settings() {
    let bench = Bench::new(&[]).await;
    let circuit = bench.circuit();
    let over = Override::new(Mode::Disabled).lasting(Duration::from_secs(60)).by("ada");
    let _ = circuit.set_override(Some(over)).await;
    bench.reload(&[("infuse_breaker_mode", "isolated")]).unwrap();
    assert_eq!(circuit.mode(), Mode::Disabled);
    assert_eq!(&*circuit.overridden().unwrap().by, "ada");
    bench.clock.advance(Duration::from_secs(60));
    assert_eq!(circuit.mode(), Mode::Isolated);
}

#[tokio::test]
async fn what_a_mode_does_and_that_the_state_survives_it() {
    let bench = Bench::new(&[]).await;
    bench.fail(5).await;
    bench.until(State::Open).await;
    let before = bench.circuit().snapshot();

    // Open, and yet every call passes and counts for nothing.
    for mode in ["observe", "disabled"] {
        bench.reload(&[("infuse_breaker_mode", mode)]).unwrap();
        bench.succeed().await;
        bench.fail(2).await;
    }
    bench.reload(&[("infuse_breaker_mode", "isolated")]).unwrap();
    let rejected = bench.call().await.unwrap_err();
    assert!(rejected.is_rejected());

    bench.reload(&[]).unwrap();
    let after = bench.circuit().snapshot();
    assert_eq!((after.state, after.generation), (State::Open, before.generation));
    assert_eq!((after.retry_after, after.fail_counter), (before.retry_after, before.fail_counter));

    // Isolated while closed, and closed thereafter.
    bench.clock.advance(Duration::from_secs(15));
    bench.succeed().await;
    bench.until(State::Closed).await;
    bench.reload(&[("infuse_services.payments.breaker_mode", "isolated")]).unwrap();
    assert!(bench.call().await.unwrap_err().is_rejected());
    assert_eq!(bench.circuit().state(), State::Closed);
    bench.reload(&[]).unwrap();
    bench.succeed().await;
}

#[tokio::test]
async fn circuits_below_a_service_have_its_mode_and_its_listeners() {
    #[derive(Default, Clone)]
    struct Heard(Arc<Mutex<Vec<String>>>);
    impl Listener for Heard {
        fn before_call(&self, breaker: &Breaker) {
            self.0.lock().unwrap().push(breaker.name().to_owned());
        }
    }
    let (named, always) = (Heard::default(), Heard::default());
    let bench = Bench::built(
        &[
            ("infuse_services.payments.breaker_listeners", "named"),
            ("infuse_services.payments.breaker_exclude_exceptions", "500"),
        ],
        |builder| builder.register_listener("named", named.clone()).listener(always.clone()),
    )
    .await;
    let payments = bench.infuse.client().service("payments").unwrap();
    let refunds = payments.circuit("refunds").unwrap();
    refunds.get("x").send().await.unwrap().bytes().await.unwrap();
    let other = bench.infuse.breaker("other").unwrap();
    other.call(async || Ok::<_, std::io::Error>(())).await.unwrap();
    let heard = |heard: &Heard| {
        let mut names = heard.0.lock().unwrap().clone();
        names.sort();
        names
    };
    assert_eq!(heard(&named), ["payments", "payments/refunds"]);
    assert_eq!(heard(&always), ["other", "payments", "payments/refunds"]);

    // Its exclusions too.
    bench.status.store(500, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..9 {
        refunds.get("x").send().await.unwrap().bytes().await.unwrap();
    }
    let below = bench.infuse.circuit("payments/refunds").unwrap();
    assert_eq!((below.fail_counter(), below.state()), (0, State::Closed));

    bench.reload(&[("infuse_services.payments.breaker_mode", "isolated")]).unwrap();
    assert_eq!(mode(&bench, "payments/refunds"), Mode::Isolated);
    let disputes = payments.circuit("disputes").unwrap();
    assert!(disputes.get("x").send().await.unwrap_err().is_rejected());
    assert_eq!(mode(&bench, "payments/disputes"), Mode::Isolated);
    assert_eq!(mode(&bench, "other"), Mode::Enabled);
}
