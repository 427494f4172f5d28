//! Spans around calls, and what is logged inside of them.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Body};
use http::{Response, StatusCode};
use infuse_axum::{Infuse, ManualClock, Service, config::Config};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer, filter::LevelFilter, layer::Context, prelude::*, registry::LookupSpan,
};

type Fields = BTreeMap<String, String>;

/// The spans of calls that have ended, and all events with the span of the call that they are in.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    ended: Vec<Fields>,
    events: Vec<(Level, String, Fields, Option<Fields>)>,
}

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Seen {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Reader(&mut fields));
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        values.record(&mut Reader(span.extensions_mut().get_mut().unwrap()));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        let of = |target: &str| {
            let mut scope = context.event_scope(event).into_iter().flatten();
            let span = scope.find(|span| span.metadata().target() == target)?;
            let fields = span.extensions().get::<Fields>().unwrap().clone();
            Some(fields)
        };
        let call = of("infuse::call").or_else(|| of("infuse::request"));
        let metadata = event.metadata();
        let event = (*metadata.level(), metadata.target().to_owned(), fields, call);
        self.0.lock().unwrap().events.push(event);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        if span.metadata().target() == "infuse::call" {
            assert_eq!(span.metadata().level(), &Level::DEBUG);
            let fields = span.extensions().get::<Fields>().unwrap().clone();
            self.0.lock().unwrap().ended.push(fields);
        }
    }
}

impl Seen {
    /// Of what happens in this thread from now on.
    fn listen(level: LevelFilter) -> (Self, DefaultGuard) {
        let seen = Self::default();
        let subscriber = tracing_subscriber::registry().with(seen.clone().with_filter(level));
        (seen, tracing::subscriber::set_default(subscriber))
    }

    /// The only span that has ended since this was last asked.
    fn ended(&self) -> Fields {
        let mut ended = std::mem::take(&mut self.0.lock().unwrap().ended);
        assert_eq!(ended.len(), 1, "{ended:#?}");
        ended.remove(0)
    }

    /// The spans of calls in which an event said that a circuit is `state`.
    fn changed_to(&self, state: &str) -> Vec<Option<Fields>> {
        let seen = self.0.lock().unwrap();
        let of_change = |fields: &Fields| fields.get("to").is_some_and(|to| to == state);
        let found = seen.events.iter().filter(|(_, _, fields, _)| of_change(fields));
        found.map(|(.., call)| call.clone()).collect()
    }
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is the same of every call to `payments`.
fn with(pairs: &[(&str, &str)]) -> Fields {
    let mut all = fields(&[
        ("otel.name", "GET"),
        ("otel.kind", "client"),
        ("http.request.method", "GET"),
        ("server.address", "payments.internal"),
        ("server.port", "8000"),
        ("infuse.circuit", "payments"),
        ("infuse.state", "closed"),
    ]);
    all.extend(fields(pairs));
    all
}

/// A service that answers with the status in the path; a body that it is asked for breaks off.
async fn payments(settings: &[(&str, &str)]) -> (Service, ManualClock) {
    async fn answer(request: http::Request<Body>) -> Response<Body> {
        tracing::info!(target: "service", "asked");
        let path = request.uri().path().rsplit('/').next().unwrap();
        if path == "broken" {
            let error = Err::<&str, _>(std::io::Error::other("gone"));
            let frames = [Ok("a"), error].into_iter();
            return Response::new(Body::from_stream(futures_util::stream::iter(frames)));
        }
        if path == "hangs" {
            std::future::pending::<()>().await;
        }
        let mut answer = Response::new(Body::from("x"));
        *answer.status_mut() = path.parse().unwrap_or(StatusCode::OK);
        answer
    }
    let url = "http://payments.internal:8000/base";
    let mut config = Config::builder().set_override("infuse_services.payments.url", url).unwrap();
    config = config.set_override("infuse_breaker_max_failure", 1).unwrap();
    for (key, value) in settings {
        config = config.set_override(key, *value).unwrap();
    }
    let clock = ManualClock::new();
    let infuse = Infuse::builder()
        .clock(clock.clone())
        .transport("payments", Router::new().fallback(answer))
        .start(&config.build().unwrap())
        .await
        .unwrap();
    (infuse.client().service("payments").unwrap(), clock)
}

#[tokio::test]
async fn a_success_with_a_template_and_an_id() {
    let (seen, _guard) = Seen::listen(LevelFilter::DEBUG);
    let (payments, _) = payments(&[]).await;
    let request = payments.get("secret/200?token=secret").url_template("/secret/{status}");
    let answer = request.header("x-request-id", "r-1").send().await.unwrap();
    // It ends with the body, not before.
    assert!(seen.0.lock().unwrap().ended.is_empty());
    answer.bytes().await.unwrap();
    let expected = with(&[
        ("otel.name", "GET /secret/{status}"),
        ("url.template", "/secret/{status}"),
        ("http.response.status_code", "200"),
        ("infuse.outcome", "success"),
        ("request_id", "r-1"),
    ]);
    assert_eq!(seen.ended(), expected);
    let seen = seen.0.lock().unwrap();
    // What happens meanwhile is inside.
    let asked = seen.events.iter().find(|(_, target, ..)| target == "service").unwrap();
    assert_eq!(asked.3.as_ref().unwrap()["request_id"], "r-1");
    // And nothing of ours is logged for a request.
    assert!(seen.events.iter().all(|(level, target, ..)| {
        target == "service" || (target.starts_with("infuse") && *level > Level::INFO)
    }));
}

#[tokio::test]
async fn a_failure_and_that_it_opened_the_circuit() {
    let (seen, _guard) = Seen::listen(LevelFilter::DEBUG);
    let (payments, clock) = payments(&[]).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    payments.get("503").header("traceparent", trace).send().await.unwrap();
    let id = ("request_id", "0af7651916cd43dd8448eb211c80319c");
    let failed = with(&[
        ("http.response.status_code", "503"),
        ("infuse.outcome", "failure"),
        ("error.type", "503"),
        ("otel.status_code", "ERROR"),
        id,
    ]);
    assert_eq!(seen.ended(), failed);
    let opened = seen.changed_to("open");
    assert_eq!(opened.len(), 1);
    assert_eq!(opened[0].as_ref().unwrap()["request_id"], id.1);

    payments.get("200").send().await.unwrap_err();
    let rejected = with(&[
        ("infuse.state", "open"),
        ("infuse.outcome", "rejected"),
        ("error.type", "rejected"),
        ("otel.status_code", "ERROR"),
    ]);
    assert_eq!(seen.ended(), rejected);

    clock.advance(std::time::Duration::from_secs(15));
    let trial = payments.get("200").header("x-request-id", "trial").send().await.unwrap();
    trial.bytes().await.unwrap();
    let expected = with(&[
        ("infuse.state", "half-open"),
        ("http.response.status_code", "200"),
        ("infuse.outcome", "success"),
        ("request_id", "trial"),
    ]);
    assert_eq!(seen.ended(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_went_wrong_without_a_status_or_after_it() {
    let (seen, _guard) = Seen::listen(LevelFilter::DEBUG);
    let (payments, _) = payments(&[("infuse_breaker_max_failure", "100")]).await;
    let error = [("otel.status_code", "ERROR")];
    let expect = |pairs: &[(&str, &str)]| with(&[&error[..], pairs].concat());

    payments.get("404").send().await.unwrap().bytes().await.unwrap();
    let expected = [
        ("http.response.status_code", "404"),
        ("infuse.outcome", "success"),
        ("error.type", "404"),
    ];
    assert_eq!(seen.ended(), expect(&expected));

    payments.get("broken").send().await.unwrap().bytes().await.unwrap_err();
    let expected = [
        ("http.response.status_code", "200"),
        ("infuse.outcome", "failure"),
        ("error.type", "body"),
    ];
    assert_eq!(seen.ended(), expect(&expected));

    payments.get("hangs").send().await.unwrap_err();
    assert_eq!(seen.ended(), expect(&[("infuse.outcome", "failure"), ("error.type", "timeout")]));

    // Dropped by its caller.
    let call = payments.get("hangs").send();
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), call).await.is_err());
    assert_eq!(seen.ended(), with(&[("infuse.outcome", "ignored")]));
}

#[tokio::test]
async fn below_a_service_and_of_an_odd_method() {
    let (seen, _guard) = Seen::listen(LevelFilter::DEBUG);
    let (payments, _) = payments(&[]).await;
    let refunds = payments.circuit("refunds").unwrap();
    let method = http::Method::from_bytes(b"X7F3K2").unwrap();
    refunds.request(method, "200").send().await.unwrap().bytes().await.unwrap();
    let expected = with(&[
        ("otel.name", "HTTP"),
        ("http.request.method", "_OTHER"),
        ("infuse.circuit", "payments/refunds"),
        ("http.response.status_code", "200"),
        ("infuse.outcome", "success"),
    ]);
    assert_eq!(seen.ended(), expected);
    // Nothing guards it.
    refunds.get("200").skip_breaker().send().await.unwrap().bytes().await.unwrap();
    assert!(seen.0.lock().unwrap().ended.is_empty());
}

#[tokio::test]
async fn at_info_a_call_says_nothing_and_a_change_is_said_all_the_same() {
    let (seen, _guard) = Seen::listen(LevelFilter::INFO);
    let (payments, _) = payments(&[("infuse_breaker_listeners", "tracing")]).await;
    for _ in 0..3 {
        payments.get("200").send().await.unwrap().bytes().await.unwrap();
    }
    payments.get("500").send().await.unwrap();
    for _ in 0..10 {
        payments.get("500").send().await.unwrap_err();
    }
    assert_eq!(seen.changed_to("open"), [None]);
    let seen = seen.0.lock().unwrap();
    assert!(seen.ended.is_empty());
    let ours = seen.events.iter().filter(|(_, target, ..)| target.starts_with("infuse"));
    assert_eq!(ours.count(), 1);
}

#[tokio::test]
async fn at_info_the_request_that_opened_a_circuit_is_known_all_the_same() {
    let (seen, _guard) = Seen::listen(LevelFilter::INFO);
    let (payments, _) = payments(&[]).await;
    payments.get("200").header("x-request-id", "r-1").send().await.unwrap().bytes().await.unwrap();
    payments.get("500").header("x-request-id", "r-4711").send().await.unwrap();
    assert_eq!(seen.changed_to("open"), [Some(fields(&[("request_id", "r-4711")]))]);
    assert!(seen.0.lock().unwrap().ended.is_empty());
}

#[tokio::test]
async fn the_listener_logs_what_becomes_of_calls() {
    let (seen, _guard) = Seen::listen(LevelFilter::DEBUG);
    let (payments, _) = payments(&[("infuse_breaker_listeners", "tracing")]).await;
    payments.get("200").send().await.unwrap().bytes().await.unwrap();
    payments.get("500").send().await.unwrap();
    payments.get("500").send().await.unwrap_err();
    let seen = seen.0.lock().unwrap();
    let said = seen.events.iter().filter(|(_, target, ..)| target == "infuse::call");
    let said: Vec<_> = said
        .map(|(level, _, fields, call)| {
            assert_eq!((*level, fields["circuit"].as_str()), (Level::DEBUG, "payments"));
            assert!(call.is_some());
            fields["message"].as_str()
        })
        .collect();
    assert_eq!(said, ["a call succeeded", "a call failed", "a call was rejected"]);
}
