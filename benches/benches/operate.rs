//! What it costs to be looked at: a call of `ServiceClient` whose service is a function of this
//! process, without metrics, with them, and with a listener to every call.
//!
//! `cargo bench -p infuse-benches --bench operate`; with `-- spans` behind it, a subscriber wants
//! the span of each call, and throws it away. Else it wants `info`, as in production.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    io,
};

use axum::{
    body::Body,
    http::{Request, Response},
};
use infuse_axum::{Infuse, Service, config::Config};
use infuse_benches::{Cell, Contender, Effort, Row, block_on, print_table, run};
use tokio::runtime::Runtime;
use tower::service_fn;
use tracing::Level;

const COLUMNS: [&str; 3] = ["listeners: none", "metrics", "tracing"];

/// What a span may cost that nobody wants, in nanoseconds.
const MOST: f64 = 5.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let effort = Effort::from_args();
    let spans = std::env::args().any(|arg| arg == "spans");
    let level = if spans { Level::DEBUG } else { Level::INFO };
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::sink).init();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;

    let mut rows = Vec::new();
    for threads in [1, 2] {
        let contenders = ["none", "metrics", "tracing"]
            .into_iter()
            .map(|listeners| Ok(Some(calls(&runtime, listeners)?)))
            .collect::<Result<Vec<_>, Box<dyn std::error::Error>>>()?;
        let measured = run(&contenders, threads, effort).into_iter().flatten();
        let cells = measured.map(Cell::Measured).collect();
        rows.push(Row { name: "ServiceClient, in process", threads, cells });
    }
    println!("ns a call, median of {} interleaved rounds; the log at {level}", effort.rounds);
    print_table(&COLUMNS, 0, &rows);

    let wanted = tracing::enabled!(target: "infuse::call", Level::DEBUG);
    let measured = run(&[Some(nothing()), Some(span())], 1, effort);
    if let [_, Some(span)] = measured[..] {
        let over = span.over_first;
        let verdict = if over <= MOST { "PASS" } else { "MISS" };
        let verdict = if wanted || !effort.full { "    " } else { verdict };
        let which = if wanted { "is wanted" } else { "nobody wants" };
        println!("{verdict}  a span that {which}: {over:+.2} ns");
    }
    Ok(())
}

/// Calls of a service that answers at once.
fn calls(runtime: &Runtime, listeners: &str) -> Result<Contender, Box<dyn std::error::Error>> {
    let config = Config::builder()
        .set_override("infuse_service_connections", "bench")?
        .set_override("infuse_breaker_listeners", listeners)?
        .build()?;
    let builder = Infuse::builder().transport("bench", service_fn(answer));
    let infuse = runtime.block_on(builder.start(&config))?;
    let service = infuse.client().service("bench")?;
    Ok(Contender::new(move || {
        let service: Service = service.clone();
        move |_| block_on(call(&service))
    }))
}

fn answer(request: Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    drop(request);
    ready(Ok(Response::new(Body::from("ok"))))
}

async fn call(service: &Service) -> u64 {
    match service.get("a/path").send().await {
        Ok(answer) => answer.bytes().await.map_or(0, |bytes| bytes.len() as u64),
        Err(_) => 0,
    }
}

fn nothing() -> Contender {
    Contender::new(|| black_box)
}

/// One with as many fields as that of a call.
fn span() -> Contender {
    Contender::new(|| {
        |call: u64| {
            let span = tracing::debug_span!(
                target: "infuse::call",
                "call",
                otel.name = format!("GET {call}"),
                otel.kind = "client",
                infuse.circuit = "payments",
                infuse.outcome = tracing::field::Empty,
            );
            u64::from(black_box(span).is_disabled()) + call
        }
    })
}
