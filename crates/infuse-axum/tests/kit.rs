//! What a user writes to prove the thresholds of an application: a gateway that passes on what
//! `payments` answers.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::time::Duration;

use axum::{Router, body::Body, extract::Path, response::Response, routing::get};
use http::{Request, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt;
use infuse_axum::{
    CircuitSnapshot, Infuse, ServiceClient, ServiceError, ServiceResponse, State,
    config::Config,
    test_util::{Answer, Application, Fleet, Seat, TestClock, TestService, config, fleet},
};
use tower::ServiceExt;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Config {
    config([
        ("INFUSE_SERVICE_CONNECTIONS", "payments"),
        ("INFUSE_BREAKER_RESET_TIMEOUT", "15"),
        ("INFUSE_SERVICE_TIMEOUT", "2"),
    ])
}

/// The application under test.
struct Gateway {
    app: Router,
    infuse: Infuse,
}

async fn pass_on(
    client: ServiceClient,
    Path(id): Path<String>,
) -> Result<ServiceResponse, ServiceError> {
    client.service("payments")?.get(["payments", &id]).send().await
}

impl Gateway {
    async fn start(seat: Seat, payments: TestService) -> Self {
        let mut app = Router::new().route("/payments/{id}", get(pass_on));
        let infuse = Infuse::builder()
            .storage(seat.storage())
            .clock(seat.clock())
            .transport("payments", payments)
            .init_app(&mut app, &settings())
            .await
            .unwrap();
        Self { app, infuse }
    }

    async fn get(&self) -> Response {
        let request = Request::get("/payments/7").body(Body::empty()).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// The status, when the answer has come whole.
    async fn status(&self) -> u16 {
        let (parts, body) = self.get().await.into_parts();
        match body.collect().await {
            Ok(_) => parts.status.as_u16(),
            // What the caller sees of an answer that breaks off.
            Err(_) => 0,
        }
    }

    fn state(&self) -> State {
        self.infuse.breaker("payments").unwrap().state()
    }
}

impl Application for Gateway {
    fn circuits(&self) -> Vec<CircuitSnapshot> {
        self.infuse.circuits()
    }
}

async fn gateways(processes: usize) -> (Fleet<Gateway>, TestService) {
    let payments = TestService::new();
    let service = payments.clone();
    let fleet = Fleet::start(processes, move |seat| Gateway::start(seat, service.clone())).await;
    (fleet, payments)
}

#[tokio::test(start_paused = true)]
async fn it_opens_after_five_failures_and_says_when_to_come_back() {
    let (fleet, payments) = gateways(1).await;
    let gateway = &fleet[0];
    assert_eq!(gateway.status().await, 200);
    payments.script(Answer::status(500));
    for failures in 1..=5 {
        assert_eq!(gateway.state(), State::Closed, "after {} failures", failures - 1);
        assert_eq!(gateway.status().await, 500);
    }
    let rejected = gateway.get().await;
    assert_eq!(rejected.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(rejected.headers()[RETRY_AFTER], "15");
    assert_eq!(payments.calls(), 6);
    // A success in between begins the count anew.
    fleet.clock().advance(15 * SECOND).await;
    payments.script(Answer::ok().times(1).then(Answer::status(500).times(4)));
    for status in [200, 500, 500, 500, 500, 200, 200] {
        assert_eq!(gateway.status().await, status);
        fleet.settle().await;
    }
    assert_eq!(gateway.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_recovers_by_itself_within_a_trial_of_the_services_return() {
    let (fleet, payments) = gateways(1).await;
    let gateway = &fleet[0];
    payments.script(Answer::refuse().for_duration(40 * SECOND));
    let mut answered = None;
    for second in 0..60 {
        if gateway.status().await == 200 && answered.is_none() {
            answered = Some(second);
        }
        fleet.clock().advance(SECOND).await;
    }
    // The fifth failure was in second 4; trials are 15 s apart: 19, 34 and 49.
    assert_eq!((answered, gateway.state()), (Some(49), State::Closed));
    // Beside what it answered since: five that failed, and two trials.
    let before = payments.received().iter().filter(|call| call.at < 40 * SECOND).count();
    assert_eq!(before, 7);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_three_finds_a_dead_service_by_five_calls_in_all() {
    let (fleet, payments) = gateways(3).await;
    payments.script(Answer::status(503));
    for process in [0, 1, 2, 0, 1] {
        assert_eq!(fleet[process].status().await, 503);
        fleet.clock().advance(SECOND / 10).await;
    }
    fleet.converges_to("payments", State::Open).await;
    for gateway in fleet.iter() {
        assert_eq!(gateway.get().await.headers()[RETRY_AFTER], "15");
    }
    assert_eq!(payments.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn three_that_tolerate_three_failures_find_it_by_one_call_each() {
    let payments = TestService::new();
    payments.script(Answer::status(503));
    let service = payments.clone();
    let settings =
        config([("INFUSE_SERVICE_CONNECTIONS", "payments"), ("INFUSE_BREAKER_MAX_FAILURE", "3")]);
    let fleet =
        fleet(3, &settings, move |_, infuse| infuse.transport("payments", service.clone())).await;
    for process in fleet.iter() {
        let call = process.client().service("payments").unwrap().get("/").send().await;
        assert_eq!(call.unwrap().status(), 503);
    }
    // The grace of 50 ms, in which a success somewhere would refute it.
    let took = fleet.converges_to("payments", State::Open).await;
    assert!((SECOND / 20..SECOND / 10).contains(&took), "{took:?}");
    assert_eq!(payments.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_trial_of_one_opens_the_way_for_all() {
    let (fleet, payments) = gateways(3).await;
    payments.script(Answer::status(500).times(5));
    for _ in 0..5 {
        fleet[0].status().await;
    }
    fleet.converges_to("payments", State::Open).await;
    fleet.clock().advance(15 * SECOND).await;
    assert_eq!(fleet[2].status().await, 200);
    fleet.converges_to("payments", State::Closed).await;
    assert_eq!(payments.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_protects_itself_and_agrees_again_later() {
    let (fleet, payments) = gateways(3).await;
    fleet.hang(2);
    payments.script(Answer::reset());
    for _ in 0..5 {
        assert_eq!(fleet[2].status().await, 502);
    }
    assert_eq!(fleet[2].status().await, 503);
    fleet.clock().advance(SECOND).await;
    // What it has seen alone is its own affair.
    assert_eq!(fleet.states("payments"), [State::Closed, State::Closed, State::Open]);

    payments.recover();
    fleet.heal(2);
    fleet.settle().await;
    assert_eq!(fleet.states("payments"), [State::Closed, State::Closed, State::HalfOpen]);
    assert_eq!(fleet[2].status().await, 200);
    assert_eq!(fleet.states("payments"), [State::Closed; 3]);

    // And the other way round: what the fleet found meanwhile holds for it too.
    fleet.cut(2);
    payments.script(Answer::reset());
    for _ in 0..5 {
        fleet[0].status().await;
    }
    fleet.clock().advance(SECOND).await;
    assert_eq!(fleet.states("payments"), [State::Open, State::Open, State::Closed]);
    fleet.heal(2);
    fleet.converges_to("payments", State::Open).await;
    payments.forget_calls();
    assert_eq!((fleet[2].status().await, payments.calls()), (503, 0));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_in_a_trial_holds_up_nobody_for_long() {
    let (mut fleet, payments) = gateways(2).await;
    payments.script(Answer::status(500).times(5).then(Answer::stall().times(1)));
    for _ in 0..5 {
        fleet[0].status().await;
    }
    fleet.clock().advance(15 * SECOND).await;
    let trial = {
        let app = fleet[0].app.clone();
        let request = Request::get("/payments/7").body(Body::empty()).unwrap();
        tokio::spawn(app.oneshot(request))
    };
    fleet.converges_to("payments", State::HalfOpen).await;
    fleet.kill(0);
    trial.abort();
    assert_eq!(fleet[1].status().await, 503);
    // Its lease lasts as long as the call may take, and a second.
    fleet.clock().advance(3 * SECOND).await;
    assert_eq!(fleet[1].status().await, 200);
    fleet.converges_to("payments", State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stalls_opens_it_by_timeouts() {
    for answer in [Answer::stall(), Answer::ok().delay(3 * SECOND)] {
        let (fleet, payments) = gateways(1).await;
        payments.script(answer);
        let started = tokio::time::Instant::now();
        for _ in 0..5 {
            assert_eq!(fleet[0].status().await, 504);
        }
        assert_eq!(started.elapsed().as_secs(), 10);
        assert_eq!((fleet[0].status().await, payments.calls()), (503, 5));
    }
    // In the midst of the body: the headers have gone out to the caller by then.
    let (fleet, payments) = gateways(1).await;
    payments.script(Answer::text("half of").stall_in_body());
    for _ in 0..5 {
        assert_eq!(fleet[0].status().await, 0);
    }
    assert_eq!((fleet[0].status().await, payments.calls()), (503, 5));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_counts_as_a_failure() {
    for answer in [Answer::text("half of").truncate(), Answer::text("half of").reset_in_body()] {
        let (fleet, payments) = gateways(1).await;
        payments.script(answer.times(5));
        for _ in 0..5 {
            assert_eq!(fleet[0].status().await, 0);
        }
        assert_eq!((fleet[0].status().await, payments.calls()), (503, 5));
    }
}

/// The example of the README and of the kit's docs.
#[tokio::test(start_paused = true)]
async fn an_outage_of_a_minute() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, payments) = (TestClock::new(), TestService::new());
    let infuse = Infuse::builder()
        .clock(clock.clone())
        .transport("payments", payments.clone())
        .start(&config([("INFUSE_SERVICE_CONNECTIONS", "payments")]))
        .await?;
    let service = infuse.client().service("payments")?;

    payments.script(Answer::stall().for_duration(Duration::from_secs(60)));
    while !service.get("/").send().await.is_err_and(|error| error.is_rejected()) {}
    assert_eq!(payments.calls(), 5); // five timeouts: 25 s of the test's time, and none of yours
    clock.advance(Duration::from_secs(40)).await;
    assert_eq!(service.get("/").send().await?.status(), 200); // the trial
    Ok(())
}
