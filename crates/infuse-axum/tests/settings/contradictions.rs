//! Settings of circuits of which each is right, and which do not go together: told by the names
//! under which they were set, with the remedy.

use crate::{bad, from_both, from_env, from_file, good};

const A: (&str, &str) = ("INFUSE_SERVICE_CONNECTIONS", "a");

#[test]
fn two_windows() {
    assert_eq!(
        bad(from_env(&[("INFUSE_BREAKER_WINDOW", "30"), ("INFUSE_BREAKER_WINDOW_CALLS", "40")])),
        "INFUSE_BREAKER_WINDOW_CALLS = \"40\" (from the environment): `INFUSE_BREAKER_WINDOW` = \
         \"30\" (from the environment) is a window too; keep one of the two"
    );
    let read = from_both(
        "[infuse.services.a]\nbreaker_window = 30",
        &[A, ("INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS", "40")],
    );
    assert_eq!(
        bad(read),
        "INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS = \"40\" (from the environment): \
         `infuse.services.a.breaker_window` = 30 (from the application's Config) is a window too; \
         keep one of the two"
    );
}

#[test]
fn more_calls_than_the_window_holds() {
    assert_eq!(
        bad(from_file("[infuse]\nbreaker_window_calls = 10\nbreaker_minimum_calls = 11")),
        "infuse.breaker_minimum_calls = 11 (from the application's Config): contradicts \
         `infuse.breaker_window_calls` = 10 (from the application's Config): no rate would be \
         judged, because 11 calls are never in a window of 10; lower \
         `INFUSE_BREAKER_MINIMUM_CALLS` to 10 or raise `INFUSE_BREAKER_WINDOW_CALLS` to 11"
    );
    // One set for all, the other for the service: its own is the one to mend.
    assert_eq!(
        bad(from_env(&[
            A,
            ("INFUSE_BREAKER_MINIMUM_CALLS", "50"),
            ("INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS", "30"),
        ])),
        "INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS = \"30\" (from the environment): contradicts \
         `INFUSE_BREAKER_MINIMUM_CALLS` = \"50\" (from the environment): no rate would be judged, \
         because 50 calls are never in a window of 30; lower \
         `INFUSE_SERVICES__A__BREAKER_MINIMUM_CALLS` to 30 or raise \
         `INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS` to 50"
    );
    good(from_env(&[
        A,
        ("INFUSE_BREAKER_FAILURE_RATE", "0.5"),
        ("INFUSE_BREAKER_MINIMUM_CALLS", "50"),
        ("INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS", "30"),
        ("INFUSE_SERVICES__A__BREAKER_MINIMUM_CALLS", "30"),
    ]));
}

#[test]
fn one_half_of_slow_calls() {
    assert_eq!(
        bad(from_env(&[("INFUSE_BREAKER_SLOW_CALL_RATE", "0.5")])),
        "INFUSE_BREAKER_SLOW_CALL_RATE = \"0.5\" (from the environment): no call is slow without \
         `INFUSE_BREAKER_SLOW_CALL_DURATION`; set that too, or neither"
    );
    assert_eq!(
        bad(from_env(&[A, ("INFUSE_SERVICES__A__BREAKER_SLOW_CALL_DURATION", "2")])),
        "INFUSE_SERVICES__A__BREAKER_SLOW_CALL_DURATION = \"2\" (from the environment): slow \
         calls open nothing without `INFUSE_SERVICES__A__BREAKER_SLOW_CALL_RATE`; set that too, \
         or neither"
    );
    // Switched off in so many words beside the other.
    let said = bad(from_env(&[
        ("INFUSE_BREAKER_SLOW_CALL_RATE", "none"),
        ("INFUSE_BREAKER_SLOW_CALL_DURATION", "2"),
    ]));
    assert!(said.contains("nothing without `INFUSE_BREAKER_SLOW_CALL_RATE` = \"none\""), "{said}");
    // Each for itself: one of all, the other of the service.
    let both = [
        A,
        ("INFUSE_BREAKER_SLOW_CALL_RATE", "0.5"),
        ("INFUSE_SERVICES__A__BREAKER_SLOW_CALL_DURATION", "2"),
    ];
    let said = bad(from_env(&both));
    assert!(said.starts_with("INFUSE_BREAKER_SLOW_CALL_RATE = \"0.5\""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn nothing_that_opens() {
    assert_eq!(
        bad(from_env(&[("INFUSE_BREAKER_MAX_FAILURE", "none")])),
        "INFUSE_BREAKER_MAX_FAILURE = \"none\" (from the environment): nothing opens the circuit; \
         set `INFUSE_BREAKER_MAX_FAILURE` to a number, or a rate: `INFUSE_BREAKER_FAILURE_RATE`, \
         or `INFUSE_BREAKER_SLOW_CALL_RATE` with `INFUSE_BREAKER_SLOW_CALL_DURATION`"
    );
    let rates = [
        A,
        ("INFUSE_BREAKER_MAX_FAILURE", "none"),
        ("INFUSE_BREAKER_SLOW_CALL_RATE", "0.5"),
        ("INFUSE_BREAKER_SLOW_CALL_DURATION", "2"),
    ];
    good(from_env(&rates));
    for key in ["RATE", "DURATION"] {
        let off = format!("INFUSE_SERVICES__A__BREAKER_SLOW_CALL_{key}");
        let said = bad(from_env(&[&rates[..], &[(&off, "none")]].concat()));
        let expected = format!(
            "{off} = \"none\" (from the environment): nothing opens the circuit with \
             `INFUSE_BREAKER_MAX_FAILURE` = \"none\" (from the environment); set \
             `INFUSE_SERVICES__A__BREAKER_MAX_FAILURE` to a number, or a rate: "
        );
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[test]
fn an_open_time_that_would_shrink() {
    let mend = |prefix: &str, reset, most| {
        format!(
            "the open time cannot grow to less than it begins with; raise \
             `{prefix}BREAKER_MAX_RESET_TIMEOUT` to {reset} or lower \
             `{prefix}BREAKER_RESET_TIMEOUT` to {most}"
        )
    };
    assert_eq!(
        bad(from_env(&[("INFUSE_BREAKER_MAX_RESET_TIMEOUT", "14")])),
        format!(
            "INFUSE_BREAKER_MAX_RESET_TIMEOUT = \"14\" (from the environment): contradicts \
             `INFUSE_BREAKER_RESET_TIMEOUT`, 15s by default: {}",
            mend("INFUSE_", "15s", "14s")
        )
    );
    assert_eq!(
        bad(from_env(&[
            A,
            ("INFUSE_BREAKER_RESET_BACKOFF", "2"),
            ("INFUSE_BREAKER_MAX_RESET_TIMEOUT", "1m"),
            ("INFUSE_SERVICES__A__BREAKER_RESET_TIMEOUT", "2m"),
        ])),
        format!(
            "INFUSE_SERVICES__A__BREAKER_RESET_TIMEOUT = \"2m\" (from the environment): \
             contradicts `INFUSE_BREAKER_MAX_RESET_TIMEOUT` = \"1m\" (from the environment): {}",
            mend("INFUSE_SERVICES__A__", "2m", "1m")
        )
    );
    // Unset, the most is the reset timeout where that is longer than the usual.
    good(from_env(&[("INFUSE_BREAKER_RESET_TIMEOUT", "1h")]));
}

#[test]
fn what_is_wrong_contradicts_nothing() {
    for (wrong, pairs) in [
        ("INFUSE_BREAKER_SLOW_CALL_RATE", &[("INFUSE_BREAKER_SLOW_CALL_DURATION", "2")][..]),
        ("INFUSE_BREAKER_SLOW_CALL_DURATION", &[("INFUSE_BREAKER_SLOW_CALL_RATE", "0.5")]),
        ("INFUSE_BREAKER_FAILURE_RATE", &[("INFUSE_BREAKER_MAX_FAILURE", "none")]),
        ("INFUSE_BREAKER_RESET_TIMEOUT", &[("INFUSE_BREAKER_MAX_RESET_TIMEOUT", "3")]),
        (
            "INFUSE_SERVICES__A__BREAKER_WINDOW",
            &[
                A,
                ("INFUSE_BREAKER_WINDOW_CALLS", "10"),
                ("INFUSE_SERVICES__A__BREAKER_MINIMUM_CALLS", "20"),
            ],
        ),
        // Nor in a service that would have had it from all.
        (
            "INFUSE_BREAKER_SLOW_CALL_DURATION",
            &[A, ("INFUSE_SERVICES__A__BREAKER_SLOW_CALL_RATE", "0.5")],
        ),
    ] {
        let said = bad(from_env(&[&[(wrong, "soon")], pairs].concat()));
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with(&format!("{wrong} = \"soon\"")), "{said}");
    }
}

#[test]
fn all_at_once() {
    let said = bad(from_file(
        r#"
        [infuse]
        service_connections = ["a", "b"]
        breaker_max_failure = "none"
        breaker_slow_call_duration = 2
        breaker_ramp = "soon"

        [infuse.services.a]
        breaker_window = 1
        breaker_window_calls = 2

        [infuse.services.b]
        breaker_max_reset_timeout = 3
        trip_min_reporters = 0
        "#,
    ));
    let keys: Vec<_> = said.lines().map(|line| line.split(" = ").next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "infuse.breaker_max_failure",
            "infuse.breaker_ramp",
            "infuse.breaker_slow_call_duration",
            "infuse.services.a.breaker_window_calls",
            "infuse.services.b.breaker_max_reset_timeout",
            "infuse.services.b.trip_min_reporters",
        ]
    );
}
