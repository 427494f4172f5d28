//! What circuits do, as a recorder of metrics is told.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::{Request, Response, StatusCode};
use infuse_axum::{
    Breaker, CircuitBreakerLayer, Infuse, Listener, ManualClock, Mode, Override, Service,
    config::Config, listeners, metrics,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use tower::{ServiceBuilder, ServiceExt};

/// A recorder of one test's own: all tests share a process.
struct Scraper(PrometheusRecorder);

impl Scraper {
    fn new() -> Self {
        let durations = Matcher::Full(metrics::CALL_DURATION.to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(durations, &metrics::CALL_DURATION_BUCKETS)
            .unwrap();
        Self(builder.build_recorder())
    }

    fn scrape(&self, infuse: &Infuse) -> String {
        ::metrics::with_local_recorder(&self.0, || infuse.collect_metrics());
        self.0.handle().render()
    }
}

/// The value of the series with this name and these labels, in any order.
fn value(scrape: &str, series: &str) -> Option<f64> {
    let parts = |series: &str| {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}');
        let mut labels: Vec<_> =
            labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        labels.sort();
        (name.to_owned(), labels)
    };
    let wanted = parts(series);
    let lines = scrape.lines().filter(|line| !line.starts_with('#'));
    let mut found = lines.filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        (parts(series) == wanted).then(|| value.parse().unwrap())
    });
    found.next()
}

#[track_caller]
fn check(scrape: &str, expected: &[(&str, f64)]) {
    for (series, expected) in expected {
        assert_eq!(value(scrape, series), Some(*expected), "{series} in\n{scrape}");
    }
}

/// A service of which no other test has the name; it answers with a status that can be changed.
async fn service(
    name: &str,
    settings: &[(&str, &str)],
) -> (Infuse, Service, Arc<AtomicU16>, ManualClock) {
    let status = Arc::new(AtomicU16::new(200));
    let answers = Arc::clone(&status);
    let router = Router::new().fallback(move || {
        let status = answers.load(SeqCst);
        async move {
            if status == 0 {
                std::future::pending::<()>().await;
            }
            let mut answer = Response::new(Body::from("x"));
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            answer
        }
    });
    let config = Config::builder().set_override("infuse_service_connections", name);
    let mut config = config.unwrap().set_override("infuse_breaker_max_failure", 2).unwrap();
    for (key, value) in settings {
        config = config.set_override(key, *value).unwrap();
    }
    let clock = ManualClock::new();
    let infuse = Infuse::builder()
        .clock(clock.clone())
        .transport(name, router)
        .start(&config.build().unwrap())
        .await
        .unwrap();
    let service = infuse.client().service(name).unwrap();
    (infuse, service, status, clock)
}

async fn call(service: &Service) {
    if let Ok(answer) = service.get("x").send().await {
        answer.bytes().await.unwrap();
    }
}

#[tokio::test]
async fn every_call_is_in_the_next_scrape() {
    let (infuse, service, status, clock) = service("counted", &[]).await;
    let scraper = Scraper::new();
    let check = |expected: [u64; 4], trials: u64| {
        let scrape = scraper.scrape(&infuse);
        for (outcome, expected) in
            ["success", "failure", "ignored", "rejected"].into_iter().zip(expected)
        {
            let series = format!("infuse_calls_total{{service=\"counted\",outcome=\"{outcome}\"}}");
            assert_eq!(value(&scrape, &series), Some(expected as f64), "{series}");
        }
        assert_eq!(value(&scrape, "infuse_trials_total{service=\"counted\"}"), Some(trials as f64));
    };
    check([0; 4], 0);
    for n in 1..=5 {
        call(&service).await;
        check([n, 0, 0, 0], 0);
    }
    status.store(429, SeqCst);
    call(&service).await;
    status.store(500, SeqCst);
    for _ in 0..5 {
        call(&service).await;
    }
    check([5, 2, 1, 3], 0);
    clock.advance(Duration::from_secs(15));
    status.store(200, SeqCst);
    call(&service).await;
    check([6, 2, 1, 3], 1);
}

#[tokio::test]
async fn what_observing_would_have_rejected() {
    let (infuse, service, status, _) =
        service("observed", &[("infuse_breaker_mode", "observe")]).await;
    status.store(500, SeqCst);
    for _ in 0..5 {
        call(&service).await;
    }
    let scrape = Scraper::new().scrape(&infuse);
    check(
        &scrape,
        &[
            ("infuse_calls_total{service=\"observed\",outcome=\"failure\"}", 2.0),
            ("infuse_calls_total{service=\"observed\",outcome=\"would_reject\"}", 3.0),
            ("infuse_circuit_mode{service=\"observed\",mode=\"observe\"}", 1.0),
            ("infuse_circuit_mode{service=\"observed\",mode=\"enabled\"}", 0.0),
        ],
    );
}

#[tokio::test]
async fn the_state_and_the_mode_are_right_at_all_times() {
    let (infuse, service, status, clock) = service("states", &[]).await;
    let circuit = infuse.circuit("states").unwrap();
    let scraper = Scraper::new();
    let standing = |holds: &str, mode: &str| {
        let scrape = scraper.scrape(&infuse);
        for state in ["closed", "open", "half-open"] {
            let series = format!("infuse_circuit_state{{service=\"states\",state=\"{state}\"}}");
            let expected = if state == holds { 1.0 } else { 0.0 };
            assert_eq!(value(&scrape, &series), Some(expected), "{series}");
        }
        for other in ["enabled", "observe", "disabled", "isolated"] {
            let series = format!("infuse_circuit_mode{{service=\"states\",mode=\"{other}\"}}");
            let expected = if other == mode { 1.0 } else { 0.0 };
            assert_eq!(value(&scrape, &series), Some(expected), "{series}");
        }
    };
    standing("closed", "enabled");
    status.store(500, SeqCst);
    call(&service).await;
    call(&service).await;
    standing("open", "enabled");
    clock.advance(Duration::from_secs(15));
    standing("open", "enabled");
    let _ = circuit.half_open().await;
    standing("half-open", "enabled");
    let night = Override::new(Mode::Isolated).lasting(Duration::from_secs(60));
    let _ = circuit.set_override(Some(night)).await;
    standing("half-open", "isolated");
    clock.advance(Duration::from_secs(61));
    standing("half-open", "enabled");
    let _ = circuit.reset().await;
    standing("closed", "enabled");
}

#[tokio::test]
async fn changes_are_shown_as_they_happen() {
    let scraper = Scraper::new();
    // One thread, and one recorder for all of the test.
    let recorder = ::metrics::set_default_local_recorder(&scraper.0);
    let (infuse, service, status, clock) = service("changing", &[]).await;
    status.store(500, SeqCst);
    call(&service).await;
    call(&service).await;
    let open = "infuse_circuit_state{service=\"changing\",state=\"open\"}";
    // Nobody has collected anything.
    let scrape = scraper.0.handle().render();
    let opened = "infuse_transitions_total{service=\"changing\",from=\"closed\",to=\"open\",cause=\"failures\",remote=\"false\"}";
    check(&scrape, &[(open, 1.0), (opened, 1.0)]);
    clock.advance(Duration::from_secs(15));
    call(&service).await;
    let trial = "infuse_transitions_total{service=\"changing\",from=\"open\",to=\"half-open\",cause=\"trial-started\",remote=\"false\"}";
    let failed = "infuse_transitions_total{service=\"changing\",from=\"half-open\",to=\"open\",cause=\"trial-failed\",remote=\"false\"}";
    let scrape = scraper.0.handle().render();
    check(&scrape, &[(open, 1.0), (opened, 1.0), (trial, 1.0), (failed, 1.0)]);
    drop(recorder);
    // A recorder that comes later has the same.
    let scrape = Scraper::new().scrape(&infuse);
    check(&scrape, &[(open, 1.0), (opened, 1.0), (trial, 1.0), (failed, 1.0)]);
}

#[tokio::test(start_paused = true)]
async fn durations_of_all_calls_that_were_let_through() {
    let (infuse, service, status, _) =
        self::service("timed", &[("infuse_service_timeout", "700ms")]).await;
    let scraper = Scraper::new();
    let part = service.circuit("part").unwrap();
    for _ in 0..3 {
        call(&service).await;
    }
    call(&part).await;
    status.store(0, SeqCst);
    // A timeout, one that its caller gives up, and two that are not let through.
    call(&service).await;
    assert!(tokio::time::timeout(Duration::from_millis(80), call(&service)).await.is_err());
    status.store(500, SeqCst);
    call(&service).await;
    call(&service).await;
    call(&service).await;
    let scrape = scraper.scrape(&infuse);
    check(
        &scrape,
        &[
            ("infuse_call_duration_seconds_count{service=\"timed\"}", 7.0),
            ("infuse_call_duration_seconds_bucket{service=\"timed\",le=\"0.001\"}", 5.0),
            ("infuse_call_duration_seconds_bucket{service=\"timed\",le=\"0.05\"}", 5.0),
            ("infuse_call_duration_seconds_bucket{service=\"timed\",le=\"0.1\"}", 6.0),
            ("infuse_call_duration_seconds_bucket{service=\"timed\",le=\"0.5\"}", 6.0),
            ("infuse_call_duration_seconds_bucket{service=\"timed\",le=\"1\"}", 7.0),
            ("infuse_call_duration_seconds_bucket{service=\"timed\",le=\"+Inf\"}", 7.0),
            ("infuse_call_duration_seconds_count{service=\"timed/part\"}", 1.0),
        ],
    );
    let sum = value(&scrape, "infuse_call_duration_seconds_sum{service=\"timed\"}").unwrap();
    assert!((sum - 0.78).abs() < 0.02, "{sum}");
}

#[tokio::test(start_paused = true)]
async fn durations_of_the_layer() {
    let (infuse, ..) = service("unused", &[]).await;
    let layer = CircuitBreakerLayer::new(infuse.breaker("layered").unwrap());
    let slow = tower::service_fn(async |_: Request<Body>| {
        tokio::time::sleep(Duration::from_millis(40)).await;
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let guarded = ServiceBuilder::new().layer(layer).service(slow);
    for _ in 0..3 {
        guarded.clone().oneshot(Request::new(Body::empty())).await.unwrap();
    }
    let scrape = Scraper::new().scrape(&infuse);
    check(
        &scrape,
        &[
            ("infuse_call_duration_seconds_bucket{service=\"layered\",le=\"0.025\"}", 0.0),
            ("infuse_call_duration_seconds_bucket{service=\"layered\",le=\"0.05\"}", 3.0),
            ("infuse_call_duration_seconds_count{service=\"layered\"}", 3.0),
        ],
    );
}

#[tokio::test]
async fn what_is_not_chosen_is_not_counted() {
    let (infuse, service, ..) =
        service("unchosen", &[("infuse_services.unchosen.breaker_listeners", "none")]).await;
    call(&service).await;
    infuse.breaker("chosen").unwrap();
    let scrape = Scraper::new().scrape(&infuse);
    assert!(!scrape.contains("unchosen"), "{scrape}");
    check(&scrape, &[("infuse_circuit_state{service=\"chosen\",state=\"closed\"}", 1.0)]);
}

#[tokio::test]
async fn a_listener_of_the_application_takes_the_place_of_the_built_in_one() {
    struct Own;
    impl Listener for Own {
        fn success(&self, breaker: &Breaker) {
            assert_eq!(breaker.name(), "own");
        }
    }
    let config = Config::builder().build().unwrap();
    let infuse = Infuse::builder().register_listener("metrics", Own).start(&config).await.unwrap();
    infuse.breaker("own").unwrap();
    assert!(!Scraper::new().scrape(&infuse).contains("infuse_"));
}

#[tokio::test]
async fn the_storage_and_what_listeners_dropped() {
    let (listener, told) = listeners::channel("lossy", 1);
    let config = Config::builder().build().unwrap();
    let infuse = Infuse::builder().listener(listener).start(&config).await.unwrap();
    let circuit = infuse.breaker("told").unwrap();
    let _ = circuit.open().await;
    let _ = circuit.half_open().await;
    let _ = circuit.close().await;
    let scrape = Scraper::new().scrape(&infuse);
    let dropped = value(&scrape, "infuse_listener_dropped_total{listener=\"lossy\"}");
    assert_eq!(dropped, Some(told.dropped() as f64));
    assert!(dropped.unwrap() >= 2.0);
    check(&scrape, &[("infuse_storage_up", 1.0), ("infuse_storage_losses_total", 0.0)]);
    for series in [
        "infuse_storage_commands_total{result=\"ok\"}",
        "infuse_storage_commands_total{result=\"failed\"}",
        "infuse_replication_lag_seconds",
        "infuse_pushed",
        "infuse_view_age_seconds{service=\"told\"}",
    ] {
        assert!(value(&scrape, series).is_some(), "{series} in\n{scrape}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_asks_it_is_handed_over_every_few_seconds_until_shutdown() {
    let scraper = Scraper::new();
    let _recorder = ::metrics::set_default_local_recorder(&scraper.0);
    let (infuse, service, ..) = service("unasked", &[]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..3 {
        call(&service).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let count = "infuse_call_duration_seconds_count{service=\"unasked\"}";
    assert_eq!(value(&scraper.0.handle().render(), count), Some(3.0));
    infuse.shutdown().await;
    call(&service).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(value(&scraper.0.handle().render(), count), Some(3.0));
}

#[tokio::test]
async fn an_override_that_nobody_saw_end_stops_nothing() {
    let clock = ManualClock::new();
    let infuse = Infuse::builder().clock(clock.clone()).start(&Config::default()).await.unwrap();
    let circuit = infuse.breaker("payments").unwrap();
    let night = Override::new(Mode::Isolated).lasting(Duration::from_secs(60));
    let _ = circuit.set_override(Some(night)).await;
    infuse.shutdown().await;
    clock.advance(Duration::from_secs(61));
    // In a thread of its own, which a deadlock would take with it.
    let (done, opened) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let _ = runtime.block_on(circuit.open());
        let _ = done.send(circuit.mode());
    });
    let mode = tokio::task::spawn_blocking(move || opened.recv_timeout(Duration::from_secs(30)));
    assert_eq!(mode.await.unwrap(), Ok(Mode::Enabled));
}

#[tokio::test]
async fn changes_that_may_come_are_there_at_zero() {
    let scraper = Scraper::new();
    let infuse = Infuse::builder().start(&Config::default()).await.unwrap();
    let _circuit = infuse.breaker("fresh").unwrap();
    let scrape = scraper.scrape(&infuse);
    let labels = |from, to, cause, remote| {
        format!(
            "infuse_transitions_total{{service=\"fresh\",from=\"{from}\",to=\"{to}\",cause=\"{cause}\",remote=\"{remote}\"}}"
        )
    };
    for remote in ["true", "false"] {
        check(&scrape, &[(&labels("closed", "open", "failures", remote), 0.0)]);
        check(&scrape, &[(&labels("half-open", "closed", "trial-succeeded", remote), 0.0)]);
    }
}
