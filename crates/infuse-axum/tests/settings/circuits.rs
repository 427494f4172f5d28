//! Every setting of circuits: right, wrong, for all and for one service.

use std::time::Duration;

use config::Environment;
use infuse_axum::{
    Mode, Window,
    settings::{BreakerSettings, KnownNames, ServiceName, Settings},
};

use crate::{bad, config, from_both, from_env, good, warned};

/// What a setting does, by a value that is not its default and another.
struct Row {
    /// As it is for all and for one service.
    keys: (&'static str, &'static str),
    values: [&'static str; 2],
    /// Set besides, so that nothing contradicts it; or for all, unless that is what is looked at.
    with: &'static [(&'static str, &'static str)],
    shows: fn(&Settings, &BreakerSettings) -> String,
}

fn show(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

const RATE: (&str, &str) = ("INFUSE_BREAKER_FAILURE_RATE", "0.9");

const SLOW: [(&str, &str); 2] =
    [("INFUSE_BREAKER_SLOW_CALL_RATE", "0.9"), ("INFUSE_BREAKER_SLOW_CALL_DURATION", "4")];

/// Where circuits are shared.
const REDIS: (&str, &str) = ("INFUSE_REDIS_URL", "redis://cache");

const ROWS: [Row; 20] = [
    Row {
        keys: ("BREAKER_MAX_FAILURE", "BREAKER_MAX_FAILURE"),
        values: ["7 Some(7)", "none None"],
        with: &[RATE],
        shows: |_, breaker| show(&breaker.max_failure),
    },
    Row {
        keys: ("BREAKER_FAILURE_RATE", "BREAKER_FAILURE_RATE"),
        values: ["0.5 Some(0.5)", "25% Some(0.25)"],
        with: &[],
        shows: |_, breaker| show(&breaker.failure_rate),
    },
    Row {
        keys: ("BREAKER_SLOW_CALL_RATE", "BREAKER_SLOW_CALL_RATE"),
        values: ["0.5 Some(0.5)", "100% Some(1.0)"],
        with: &SLOW,
        shows: |_, breaker| show(&breaker.slow_call_rate),
    },
    Row {
        keys: ("BREAKER_SLOW_CALL_DURATION", "BREAKER_SLOW_CALL_DURATION"),
        values: ["2 Some(2s)", "1500ms Some(1.5s)"],
        with: &SLOW,
        shows: |_, breaker| show(&breaker.slow_call_duration),
    },
    Row {
        keys: ("BREAKER_WINDOW", "BREAKER_WINDOW"),
        values: ["1m Time(60s)", "1h Time(3600s)"],
        with: &[RATE],
        shows: |_, breaker| show(&breaker.window),
    },
    Row {
        keys: ("BREAKER_WINDOW_CALLS", "BREAKER_WINDOW_CALLS"),
        values: ["10000 Calls(10000)", "1 Calls(1)"],
        with: &[RATE],
        shows: |_, breaker| show(&breaker.window),
    },
    Row {
        keys: ("BREAKER_MINIMUM_CALLS", "BREAKER_MINIMUM_CALLS"),
        values: ["1 Some(1)", "1000000 Some(1000000)"],
        with: &[RATE],
        shows: |_, breaker| show(&breaker.minimum_calls),
    },
    Row {
        keys: ("BREAKER_RESET_BACKOFF", "BREAKER_RESET_BACKOFF"),
        values: ["1.5 1.5", "1000 1000.0"],
        with: &[],
        shows: |_, breaker| show(&breaker.reset_backoff),
    },
    Row {
        keys: ("BREAKER_MAX_RESET_TIMEOUT", "BREAKER_MAX_RESET_TIMEOUT"),
        values: ["15 Some(15s)", "24h Some(86400s)"],
        with: &[("INFUSE_BREAKER_RESET_BACKOFF", "2")],
        shows: |_, breaker| show(&breaker.max_reset_timeout),
    },
    Row {
        keys: ("BREAKER_RESET_JITTER", "BREAKER_RESET_JITTER"),
        values: ["20% 0.2", "1 1.0"],
        with: &[],
        shows: |_, breaker| show(&breaker.reset_jitter),
    },
    Row {
        keys: ("BREAKER_MAX_RETRY_AFTER", "BREAKER_MAX_RETRY_AFTER"),
        values: ["1m Some(60s)", "none None"],
        with: &[],
        shows: |_, breaker| show(&breaker.max_retry_after),
    },
    Row {
        keys: ("BREAKER_RAMP", "BREAKER_RAMP"),
        values: ["30 Some(30s)", "1ms Some(1ms)"],
        with: &[],
        shows: |_, breaker| show(&breaker.ramp),
    },
    Row {
        keys: ("BREAKER_MODE", "BREAKER_MODE"),
        values: ["Observe Observe", "ISOLATED Isolated"],
        with: &[],
        shows: |_, breaker| show(&breaker.mode),
    },
    Row {
        keys: ("BREAKER_SPLIT_LOCAL_ORIGIN", "BREAKER_SPLIT_LOCAL_ORIGIN"),
        values: ["true true", "On true"],
        with: &[],
        shows: |_, breaker| show(&breaker.split_local_origin),
    },
    Row {
        keys: ("BREAKER_ABANDONED_AFTER", "BREAKER_ABANDONED_AFTER"),
        values: ["2 Some(2s)", "500ms Some(500ms)"],
        with: &[],
        shows: |_, breaker| show(&breaker.abandoned_after),
    },
    Row {
        keys: ("TRIP_MIN_REPORTERS", "TRIP_MIN_REPORTERS"),
        values: ["2 2", "1000 1000"],
        with: &[REDIS],
        shows: |_, breaker| show(&breaker.min_reporters),
    },
    Row {
        keys: ("RETRY_AFTER_JITTER", "RETRY_AFTER_JITTER"),
        values: ["50% 0.5", "0.25 0.25"],
        with: &[],
        shows: |_, breaker| show(&breaker.retry_after_jitter),
    },
    Row {
        keys: ("SERVICE_MAX_CIRCUITS", "MAX_CIRCUITS"),
        values: ["0 0", "10000 10000"],
        with: &[],
        shows: |settings, _| show(&settings.service("a").unwrap().max_circuits),
    },
    Row {
        keys: ("SERVICE_TIMEOUT", "TIMEOUT"),
        values: ["2 2s", "1h 3600s"],
        with: &[],
        shows: |settings, _| show(&settings.service("a").unwrap().timeout),
    },
    Row {
        keys: ("SERVICE_BODY_LIMIT", "BODY_LIMIT"),
        values: ["2MB Some(2000000)", "1 Some(1)"],
        with: &[],
        shows: |settings, _| show(&settings.service("a").unwrap().body_limit),
    },
];

const A: (&str, &str) = ("INFUSE_SERVICE_CONNECTIONS", "a, other");

fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).unwrap()
}

#[test]
fn each_for_all_and_for_one_service_from_the_environment_and_from_a_file() {
    for Row { keys: (general, own), values, with, shows } in ROWS {
        let of = |settings: &Settings| shows(settings, settings.breaker_for(&name("a")));
        let by_default = of(&good(from_env(&[with, &[A]].concat())));
        let [one, two] = values.map(|value| value.rsplit_once(' ').unwrap());
        let general = format!("INFUSE_{general}");
        let own = format!("INFUSE_SERVICES__A__{own}");

        for (text, expected) in [one, two] {
            let read = from_env(&[with, &[A, (&general, text)]].concat());
            assert_eq!(of(&good(read)), expected, "{general}");
            let read = from_env(&[with, &[A, (&own, text)]].concat());
            assert_eq!(of(&good(read)), expected, "{own}");
            assert_ne!(by_default, expected, "{own}");
        }
        // One for all, another for the service; in a file too, where numbers are numbers.
        let read = from_env(&[with, &[A, (&general, one.0), (&own, two.0)]].concat());
        let settings = good(read);
        assert_eq!(of(&settings), two.1, "{own}");
        let other = settings.breaker_for(&name("other")).clone();
        assert!(settings.service("other").is_some());
        if ["BREAKER", "TRIP", "RETRY"].iter().any(|part| own.contains(part)) {
            assert_eq!(shows(&settings, &other), one.1, "{general}");
            assert_eq!(shows(&settings, &settings.breaker), one.1, "{general}");
        }
        for quote in ["", "\""] {
            let plain = two.0.parse::<f64>().is_ok() || two.0 == "true";
            let quote = if plain { quote } else { "\"" };
            let key = own.rsplit_once("__").unwrap().1.to_lowercase();
            let text = format!("[infuse.services.a]\n{key} = {quote}{}{quote}", two.0);
            let settings = good(from_both(&text, &[with, &[A]].concat()));
            assert_eq!(of(&settings), two.1, "{text}");
        }
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let settings = good(from_env(&[("INFUSE_SERVICE_CONNECTIONS", "a")]));
    let breaker = &settings.breaker;
    assert_eq!(breaker.max_failure, Some(5));
    assert_eq!((breaker.failure_rate, breaker.slow_call_rate), (None, None));
    assert_eq!((breaker.slow_call_duration, breaker.minimum_calls), (None, None));
    assert_eq!(breaker.window, Window::Time(Duration::from_secs(10)));
    assert_eq!((breaker.reset_backoff, breaker.reset_jitter), (1.0, 0.0));
    assert_eq!(breaker.max_reset_timeout, None);
    assert_eq!(breaker.max_retry_after, Some(Duration::from_secs(300)));
    assert_eq!((breaker.ramp, breaker.abandoned_after), (None, None));
    assert_eq!((breaker.split_local_origin, breaker.min_reporters), (false, 1));
    assert_eq!(breaker.mode, Mode::Enabled);
    assert_eq!(breaker.retry_after_jitter, 0.0);
    assert_eq!(settings.service_timeout, Duration::from_secs(5));
    assert_eq!((settings.service_body_limit, settings.service_max_circuits), (None, 100));
    assert_eq!(settings.services["a"].max_circuits, 100);
}

#[test]
fn one_wrong_value_each() {
    let duration =
        "not a duration; use seconds (`15`, `0.5`) or a unit (`1500ms`, `15s`, `2m`, `1h`)";
    let rate = "more than 0 and at most 1 (`0.5`) or 100% (`50%`)";
    let share = "0 to 1 (`0.2`) or 100% (`20%`)";
    for (key, value, message) in [
        ("BREAKER_MAX_FAILURE", "nope", "not a whole number; use 1 to 65535".to_owned()),
        ("BREAKER_FAILURE_RATE", "50", format!("out of range; use {rate}")),
        ("BREAKER_FAILURE_RATE", "half", format!("not a share; use {rate}")),
        ("BREAKER_FAILURE_RATE", "0%", format!("must be greater than 0; use {rate}, or `none`")),
        ("BREAKER_SLOW_CALL_RATE", "NaN", format!("not a share; use {rate}")),
        ("BREAKER_SLOW_CALL_DURATION", "0", "must be greater than 0; use 1ms to 24h".to_owned()),
        ("BREAKER_WINDOW", "2h", "too long; use 1ms to 1h".to_owned()),
        ("BREAKER_WINDOW", "none", duration.to_owned()),
        ("BREAKER_WINDOW_CALLS", "10001", "out of range; use 1 to 10000".to_owned()),
        ("BREAKER_WINDOW_CALLS", "0", "out of range; use 1 to 10000".to_owned()),
        ("BREAKER_MINIMUM_CALLS", "1000001", "out of range; use 1 to 1000000".to_owned()),
        ("BREAKER_RESET_BACKOFF", "0.5", "out of range; use 1 to 1000 (`1.5`)".to_owned()),
        ("BREAKER_RESET_BACKOFF", "2x", "not a number; use 1 to 1000 (`1.5`)".to_owned()),
        ("BREAKER_MAX_RESET_TIMEOUT", "25h", "too long; use 1ms to 24h".to_owned()),
        ("BREAKER_RESET_JITTER", "1.5", format!("out of range; use {share}")),
        ("BREAKER_MAX_RETRY_AFTER", "never", duration.to_owned()),
        ("BREAKER_RAMP", "-3", "must be greater than 0; use 1ms to 24h".to_owned()),
        (
            "BREAKER_MODE",
            "off",
            "not a mode of a circuit; use `enabled`, `observe`, `disabled` or `isolated`"
                .to_owned(),
        ),
        ("BREAKER_SPLIT_LOCAL_ORIGIN", "maybe", "not a switch; use `true` or `false`".to_owned()),
        ("BREAKER_ABANDONED_AFTER", "x", duration.to_owned()),
        ("TRIP_MIN_REPORTERS", "0", "out of range; use 1 to 1000".to_owned()),
        ("TRIP_MIN_REPORTERS", "1001", "out of range; use 1 to 1000".to_owned()),
        ("RETRY_AFTER_JITTER", "2", format!("out of range; use {share}")),
        ("SERVICE_MAX_CIRCUITS", "10001", "out of range; use 0 to 10000".to_owned()),
    ] {
        for service in [false, true] {
            let variable = match service {
                false => format!("INFUSE_{key}"),
                true => format!("INFUSE_SERVICES__A__{}", key.trim_start_matches("SERVICE_")),
            };
            let expected = format!("{variable} = {value:?} (from the environment): {message}");
            assert_eq!(bad(from_env(&[A, (&variable, value)])), expected);
        }
    }
}

#[test]
fn a_window_of_a_service_replaces_that_for_all_whatever_its_kind() {
    let windows = |general: (&str, &str), own: (&str, &str)| {
        let settings = good(from_env(&[A, RATE, general, own]));
        (settings.breaker.window, settings.services["a"].breaker.window)
    };
    let time = |secs| Window::Time(Duration::from_secs(secs));
    let (general_time, general_calls) =
        (("INFUSE_BREAKER_WINDOW", "30"), ("INFUSE_BREAKER_WINDOW_CALLS", "50"));
    let own_time = ("INFUSE_SERVICES__A__BREAKER_WINDOW", "5");
    let own_calls = |calls| ("INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS", calls);
    assert_eq!(windows(general_time, own_calls("40")), (time(30), Window::Calls(40)));
    assert_eq!(windows(general_calls, own_time), (Window::Calls(50), time(5)));
    assert_eq!(windows(general_calls, own_calls("none")), (Window::Calls(50), time(10)));
    assert_eq!(windows(general_time, own_calls("none")), (time(30), time(30)));
}

#[test]
fn a_service_switches_off_what_holds_for_all() {
    for off in ["SLOW_CALL_RATE", "SLOW_CALL_DURATION"] {
        let off = format!("INFUSE_SERVICES__A__BREAKER_{off}");
        let settings = good(from_env(&[
            A,
            ("INFUSE_BREAKER_SLOW_CALL_RATE", "0.5"),
            ("INFUSE_BREAKER_SLOW_CALL_DURATION", "2"),
            ("INFUSE_BREAKER_FAILURE_RATE", "0.5"),
            ("INFUSE_BREAKER_RAMP", "30"),
            ("INFUSE_BREAKER_ABANDONED_AFTER", "2"),
            (&off, "none"),
            ("INFUSE_SERVICES__A__BREAKER_FAILURE_RATE", "None"),
            ("INFUSE_SERVICES__A__BREAKER_RAMP", "none"),
            ("INFUSE_SERVICES__A__BREAKER_ABANDONED_AFTER", "none"),
        ]));
        assert_eq!(settings.services["a"].breaker, BreakerSettings::default(), "{off}");
    }
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let no_rate = "no effect without a rate; set BREAKER_FAILURE_RATE, or BREAKER_SLOW_CALL_RATE \
                   with BREAKER_SLOW_CALL_DURATION, or remove this";
    for (key, value) in [("WINDOW", "30"), ("WINDOW_CALLS", "30"), ("MINIMUM_CALLS", "3")] {
        let (general, own) =
            (format!("INFUSE_BREAKER_{key}"), format!("INFUSE_SERVICES__A__BREAKER_{key}"));
        for key in [&general, &own] {
            let read = from_env(&[A, (key, value)]);
            assert_eq!(
                warned(read),
                [format!("{key} = {value:?} (from the environment): {no_rate}")]
            );
        }
        // For all may mean for those few that have a rate.
        good(from_env(&[A, (&general, value), ("INFUSE_SERVICES__A__BREAKER_FAILURE_RATE", "1")]));
        good(from_env(&[A, (&own, value), ("INFUSE_SERVICES__A__BREAKER_FAILURE_RATE", "1")]));
    }
    good(from_env(&[A, ("INFUSE_BREAKER_WINDOW_CALLS", "none")]));

    let read = from_env(&[A, ("INFUSE_BREAKER_MAX_RESET_TIMEOUT", "1m")]);
    assert_eq!(
        warned(read),
        ["INFUSE_BREAKER_MAX_RESET_TIMEOUT = \"1m\" (from the environment): no effect: the open \
          time does not grow; set BREAKER_RESET_BACKOFF above 1 or remove this"]
    );
    let read = from_env(&[("INFUSE_SERVICES__B__MAX_CIRCUITS", "3")]);
    assert!(warned(read)[0].contains("no effect: the service `b` cannot be called"));
}

#[test]
fn a_call_that_times_out_before_it_is_abandoned_is_a_warning() {
    let after = |key, after, timeout| {
        warned(from_env(&[A, (key, after), ("INFUSE_SERVICES__A__TIMEOUT", timeout)]))
    };
    let general = "INFUSE_BREAKER_ABANDONED_AFTER";
    let own = "INFUSE_SERVICES__A__BREAKER_ABANDONED_AFTER";
    assert_eq!(after(own, "3", "4"), [""; 0]);
    assert_eq!(
        after(own, "3", "3"),
        [format!(
            "{own} = \"3\" (from the environment): no effect: no call waits 3s, because \
             `INFUSE_SERVICES__A__TIMEOUT` ends it after 3s; use less than that, or remove this"
        )]
    );
    // Once for all services that go by what is set for all.
    let said = after(general, "6", "7");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("because `INFUSE_SERVICE_TIMEOUT` ends it after 5s"), "{}", said[0]);
}

#[test]
fn a_call_that_times_out_before_it_is_slow_is_a_warning() {
    let from = |key, from, timeout| {
        let rate = ("INFUSE_BREAKER_SLOW_CALL_RATE", "0.5");
        // A service that has its own switches it off where it is not asked for.
        let off = ("INFUSE_SERVICES__OTHER__BREAKER_SLOW_CALL_DURATION", "none");
        let read = [A, rate, off, (key, from), ("INFUSE_SERVICES__A__TIMEOUT", timeout)];
        from_env(&read)
    };
    let general = "INFUSE_BREAKER_SLOW_CALL_DURATION";
    good(from(general, "3", "3001ms"));
    assert_eq!(
        warned(from(general, "3", "3")),
        [format!(
            "{general} = \"3\" (from the environment): no call waits 3s, because \
             `INFUSE_SERVICES__A__TIMEOUT` ends it after 3s: only those that time out, or whose \
             own callers are slow, would be slow; use less than that"
        )]
    );
    let own = "INFUSE_SERVICES__A__BREAKER_SLOW_CALL_DURATION";
    let said =
        warned(from_env(&[A, ("INFUSE_SERVICES__A__BREAKER_SLOW_CALL_RATE", "0.5"), (own, "5")]));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(own) && said[0].contains("`INFUSE_SERVICE_TIMEOUT`"), "{said:?}");
}

#[test]
fn more_reporters_than_one_process_is_are_a_warning() {
    let message = "no other process reports to a circuit that is kept in memory, so this one \
                   decides by itself; set INFUSE_REDIS_URL or remove this";
    for key in ["INFUSE_TRIP_MIN_REPORTERS", "INFUSE_SERVICES__A__TRIP_MIN_REPORTERS"] {
        assert_eq!(
            warned(from_env(&[A, (key, "2")])),
            [format!("{key} = \"2\" (from the environment): {message}")]
        );
        good(from_env(&[A, (key, "1")]));
        good(from_env(&[A, (key, "2"), REDIS]));
        // One of the application's own may be shared.
        let own = config(Environment::default(), &[A, (key, "2")]);
        good(Settings::from_config(&own, &KnownNames::default().with_storage()));
    }
}

#[test]
fn a_window_in_which_the_calls_of_a_fleet_never_add_up_is_a_warning() {
    let window = ("INFUSE_BREAKER_WINDOW", "1999ms");
    let seldom = |window, interval| {
        format!(
            "processes tell each other of their calls every {interval} (`INFUSE_SYNC_INTERVAL`), \
             which is too seldom for a window of {window}: each goes by its own calls alone; use a \
             window of two intervals at least"
        )
    };
    assert_eq!(
        warned(from_env(&[A, RATE, REDIS, window])),
        [format!(
            "INFUSE_BREAKER_WINDOW = \"1999ms\" (from the environment): {}",
            seldom("1999ms", "1s")
        )]
    );
    let own = ("INFUSE_SERVICES__A__BREAKER_WINDOW", "1");
    let said = warned(from_env(&[A, RATE, REDIS, own]));
    assert!(said.len() == 1 && said[0].starts_with(own.0), "{said:?}");
    // Where the window is the usual one, the interval is what is odd.
    assert_eq!(
        warned(from_env(&[A, RATE, REDIS, ("INFUSE_SYNC_INTERVAL", "6")])),
        [format!("INFUSE_SYNC_INTERVAL = \"6\" (from the environment): {}", seldom("10s", "6s"))]
    );
    good(from_env(&[A, RATE, window]));
    good(from_env(&[A, RATE, REDIS, ("INFUSE_BREAKER_WINDOW", "2")]));
    good(from_env(&[A, RATE, REDIS, ("INFUSE_BREAKER_WINDOW_CALLS", "2")]));
    good(from_env(&[A, REDIS, ("INFUSE_SYNC_INTERVAL", "6")]));
}

#[test]
fn with_a_rule_nothing_else_need_open_and_the_window_has_an_effect() {
    let with_rule = |pairs: &[(&str, &str)]| {
        let known = KnownNames::default().with_trip_rule();
        Settings::from_config(&config(Environment::default(), pairs), &known)
    };
    let alone = ("INFUSE_BREAKER_MAX_FAILURE", "none");
    let settings = good(with_rule(&[A, alone, ("INFUSE_BREAKER_WINDOW", "30")]));
    assert_eq!(settings.breaker.max_failure, None);
    good(with_rule(&[A, ("INFUSE_SERVICES__A__BREAKER_WINDOW_CALLS", "30")]));
    good(with_rule(&[A, ("INFUSE_SERVICES__A__BREAKER_MAX_FAILURE", "none")]));
    // The number of calls before a rate is judged still has none.
    assert_eq!(warned(with_rule(&[A, ("INFUSE_BREAKER_MINIMUM_CALLS", "3")])).len(), 1);
    bad(from_env(&[A, alone]));
}
