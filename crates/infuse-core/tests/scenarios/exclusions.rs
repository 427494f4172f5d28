//! Errors that are no failures.

use std::io;

use infuse_core::{Breaker, CallError, State};

use crate::support::*;

fn call<E: std::error::Error + 'static>(breaker: &Breaker, error: E) -> CallError<E> {
    breaker.call_sync(|| Err::<(), _>(error)).unwrap_err()
}

#[test]
fn an_excluded_type_is_a_success_and_still_the_callers_error() {
    let (breaker, _) = build(three(), |builder| builder.exclude::<NotFound>());
    fail(&breaker);
    fail(&breaker);
    assert_eq!(call(&breaker, NotFound), CallError::Inner(NotFound));
    assert_eq!(counts(&breaker), (State::Closed, 0, 0), "it clears the count, as a success does");
    for _ in 0..1000 {
        call(&breaker, NotFound);
    }
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

#[test]
fn an_excluded_type_is_found_anywhere_along_the_sources() {
    let (breaker, _) = build(three(), |builder| builder.exclude::<NotFound>());
    fail(&breaker);
    call(&breaker, Query(NotFound));
    assert_eq!(breaker.fail_counter(), 0);
    fail(&breaker);
    call(&breaker, Page(Query(NotFound)));
    assert_eq!(breaker.fail_counter(), 0);
    fail(&breaker);
    call(&breaker, io::Error::other(Query(NotFound)));
    assert_eq!(breaker.fail_counter(), 0);
    call(&breaker, io::Error::other("something else"));
    assert_eq!(breaker.fail_counter(), 1);
}

#[test]
fn what_is_below_does_not_exclude_what_is_above() {
    let (breaker, _) = build(three(), |builder| builder.exclude::<Page>());
    call(&breaker, NotFound);
    call(&breaker, Query(NotFound));
    assert_eq!(breaker.fail_counter(), 2);
    call(&breaker, Page(Query(NotFound)));
    assert_eq!(breaker.fail_counter(), 0);
}

#[test]
fn types_are_added_and_removed_on_a_live_breaker() {
    let (breaker, _) = breaker(three());
    call(&breaker, NotFound);
    assert_eq!(breaker.fail_counter(), 1);
    breaker.add_excluded::<NotFound>();
    call(&breaker, NotFound);
    assert_eq!(breaker.fail_counter(), 0);
    assert!(!breaker.remove_excluded::<Query>());
    assert!(breaker.remove_excluded::<NotFound>());
    assert!(!breaker.remove_excluded::<NotFound>());
    call(&breaker, NotFound);
    assert_eq!(breaker.fail_counter(), 1);

    let one = breaker.add_excluded::<NotFound>();
    let other = breaker.add_excluded::<Query>();
    assert!(breaker.remove_exclusion(one));
    assert!(!breaker.remove_exclusion(one));
    call(&breaker, NotFound);
    assert_eq!(breaker.fail_counter(), 2, "removed by its id, the other one is still there");
    call(&breaker, Query(NotFound));
    assert_eq!(breaker.fail_counter(), 0);
    assert!(breaker.remove_exclusion(other));
}

#[test]
fn predicates_exclude_and_ignore() {
    let kind = |wanted: io::ErrorKind| {
        move |error: &(dyn std::error::Error + 'static)| {
            error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == wanted)
        }
    };
    let (breaker, _) = build(three(), |builder| {
        builder
            .exclude_if(kind(io::ErrorKind::NotFound))
            .ignore_if(kind(io::ErrorKind::Interrupted))
    });
    let io = |kind: io::ErrorKind| {
        call(&breaker, io::Error::from(kind));
    };
    io(io::ErrorKind::TimedOut);
    io(io::ErrorKind::Interrupted);
    assert_eq!(breaker.fail_counter(), 1, "an ignored error changes no count");
    io(io::ErrorKind::NotFound);
    assert_eq!(breaker.fail_counter(), 0);

    let id = breaker.exclude_if(kind(io::ErrorKind::TimedOut));
    io(io::ErrorKind::TimedOut);
    assert_eq!(breaker.fail_counter(), 0);
    assert!(breaker.remove_exclusion(id));
    let id = breaker.ignore_if(kind(io::ErrorKind::TimedOut));
    io(io::ErrorKind::TimedOut);
    assert_eq!(breaker.fail_counter(), 0);
    assert!(breaker.remove_exclusion(id));
    io(io::ErrorKind::TimedOut);
    assert_eq!(breaker.fail_counter(), 1);
}

#[test]
fn an_excluded_error_closes_a_half_open_circuit_and_an_ignored_one_does_not() {
    let (breaker, clock) = build(three(), |builder| {
        builder.exclude::<NotFound>().ignore_if(|error| error.is::<Query>())
    });
    trip(&breaker);
    clock.advance(RESET);
    call(&breaker, Query(NotFound));
    // The type along the sources was there first: rules are asked in the order they were given.
    assert_eq!(breaker.state(), State::Closed);

    breaker.remove_excluded::<NotFound>();
    trip(&breaker);
    clock.advance(RESET);
    call(&breaker, Query(NotFound));
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    breaker.add_excluded::<NotFound>();
    call(&breaker, NotFound);
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}
