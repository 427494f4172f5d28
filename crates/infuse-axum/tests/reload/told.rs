//! What a reload says.

use std::{
    cell::RefCell,
    fmt::{Debug, Write as _},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::Bench;

#[tokio::test]
async fn nothing_when_nothing_has_changed() {
    let bench = Bench::new(&[("infuse_breaker_max_failure", "5")]).await;
    let reload = bench.reload(&[("infuse_services.payments.breaker_max_failure", "5")]).unwrap();
    assert!(reload.is_empty());
    assert_eq!(reload.to_string(), "");
}

#[tokio::test]
async fn each_setting_once_for_all_and_by_itself_where_it_differs() {
    let bench = Bench::new(&[
        ("infuse_services.other.breaker_max_failure", "7"),
        ("infuse_services.database.breaker_ramp", "30"),
    ])
    .await;
    let reload = bench
        .reload(&[
            ("infuse_breaker_max_failure", "3"),
            ("infuse_services.other.breaker_max_failure", "8"),
            ("infuse_services.database.breaker_ramp", "none"),
            ("infuse_services.database.breaker_max_failure", "4"),
            ("infuse_breaker_mode", "observe"),
            ("infuse_service_timeout", "2"),
            ("infuse_services.payments.timeout", "1500ms"),
            ("infuse_breaker_exclude_exceptions", "503, timeout"),
            ("infuse_retry_after_jitter", "20%"),
        ])
        .unwrap();
    let text = reload.to_string();
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "INFUSE_BREAKER_MAX_FAILURE: 5 -> 3",
            "INFUSE_RETRY_AFTER_JITTER: 0 -> 0.2",
            "INFUSE_BREAKER_MODE: enabled -> observe",
            "INFUSE_BREAKER_EXCLUDE_EXCEPTIONS: none -> 503, timeout",
            "INFUSE_SERVICE_TIMEOUT: 5s -> 2s",
            "INFUSE_SERVICES__DATABASE__BREAKER_MAX_FAILURE: 5 -> 4",
            "INFUSE_SERVICES__DATABASE__BREAKER_RAMP: 30s -> none",
            "INFUSE_SERVICES__OTHER__BREAKER_MAX_FAILURE: 7 -> 8",
            "INFUSE_SERVICES__PAYMENTS__TIMEOUT: 5s -> 1500ms",
        ]
    );
    let other = &reload.changes()[7];
    assert_eq!(other.key(), "INFUSE_SERVICES__OTHER__BREAKER_MAX_FAILURE");
    assert_eq!((other.service(), other.from(), other.to()), (Some("other"), "7", "8"));
    assert_eq!(reload.changes()[0].service(), None);
    // And back.
    assert_eq!(bench.reload(&[]).unwrap().changes().len(), 9);
}

#[tokio::test]
async fn every_setting_of_a_circuit() {
    let bench = Bench::new(&[]).await;
    for (setting, value, expected) in [
        ("breaker_max_failure", "9", "5 -> 9"),
        ("breaker_failure_rate", "50%", "none -> 0.5"),
        ("breaker_window", "1m", "10s -> 1m"),
        ("breaker_minimum_calls", "3", "unset -> 3"),
        ("breaker_reset_timeout", "500ms", "15s -> 500ms"),
        ("breaker_reset_backoff", "1.5", "1 -> 1.5"),
        ("breaker_max_reset_timeout", "1h", "unset -> 1h"),
        ("breaker_reset_jitter", "0.1", "0 -> 0.1"),
        ("breaker_max_retry_after", "none", "5m -> none"),
        ("breaker_success_threshold", "2", "1 -> 2"),
        ("breaker_half_open_max_calls", "3", "1 -> 3"),
        ("breaker_ramp", "30", "none -> 30s"),
        ("breaker_abandoned_after", "2", "none -> 2s"),
        ("breaker_split_local_origin", "true", "false -> true"),
        ("trip_min_reporters", "2", "1 -> 2"),
        ("breaker_mode", "disabled", "enabled -> disabled"),
        ("breaker_exclude_exceptions", "timeout", "none -> timeout"),
    ] {
        let circuit = bench.infuse.circuit("payments").unwrap();
        let (before, mode) = (circuit.policy(), circuit.mode());
        let own = format!("infuse_services.payments.{setting}");
        let told = bench.reloaded(&[(&own, value)]);
        let variable = setting.to_uppercase();
        assert_eq!(told, [format!("INFUSE_SERVICES__PAYMENTS__{variable}: {expected}")]);
        let changed = circuit.policy() != before || circuit.mode() != mode;
        assert_eq!(changed, setting != "breaker_exclude_exceptions", "{setting}");
        bench.reload(&[]).unwrap();
        assert_eq!((circuit.policy(), circuit.mode()), (before, mode), "{setting}");

        let general = format!("infuse_{setting}");
        assert_eq!(
            bench.reloaded(&[(&general, value)]),
            [format!("INFUSE_{variable}: {expected}")]
        );
        bench.reload(&[]).unwrap();
    }
    let told = bench.reloaded(&[
        ("infuse_breaker_window_calls", "50"),
        ("infuse_breaker_slow_call_rate", "1"),
        ("infuse_breaker_slow_call_duration", "2"),
    ]);
    assert_eq!(
        told,
        [
            "INFUSE_BREAKER_SLOW_CALL_RATE: none -> 1",
            "INFUSE_BREAKER_SLOW_CALL_DURATION: none -> 2s",
            "INFUSE_BREAKER_WINDOW: 10s -> unset",
            "INFUSE_BREAKER_WINDOW_CALLS: none -> 50",
        ]
    );
}

thread_local! {
    /// The lines that were logged in this thread.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// For the whole process, because what a thread without a subscriber logs first is given up for
/// all of them.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "infuse"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() == "message" {
                    write!(self.0, "{value:?}").unwrap();
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        if *event.metadata().level() <= Level::INFO {
            let line = format!("{} {}", event.metadata().level(), message.0);
            LINES.with_borrow_mut(|lines| lines.push(line));
        }
    }
}

#[tokio::test]
async fn the_log() {
    let bench = Bench::new(&[]).await;
    tracing::subscriber::set_global_default(Lines).unwrap();
    LINES.take();
    bench
        .reload(&[("infuse_breaker_max_failure", "3"), ("infuse_breaker_abandoned_after", "9")])
        .unwrap();
    bench.reload(&[("infuse_breaker_max_failure", "x")]).unwrap_err();
    let lines = LINES.take();
    let reloaded: Vec<_> = lines.iter().filter(|line| line.contains("reloaded")).collect();
    assert_eq!(
        reloaded,
        [
            "INFO reloaded: INFUSE_BREAKER_MAX_FAILURE: 5 -> 3",
            "INFO reloaded: INFUSE_BREAKER_ABANDONED_AFTER: none -> 9s"
        ]
    );
    assert!(lines.iter().any(|line| line.starts_with("WARN") && line.contains("no call waits 9s")));
}
