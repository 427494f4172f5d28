//! What `ServiceClient` costs beside bare reqwest, on loopback.
//!
//! `cargo bench -p infuse-benches --bench http`
//!
//! A server in a thread of its own answers at once. Both clients take turns with rounds of
//! requests, a fixed number in flight, each read to the end. Both use a reqwest client of the same
//! kind, and both make the URL of a request from a base and a path. Bare reqwest has no timeout and
//! judges nothing; `ServiceClient` has its timeout, its path checks and its circuit.

use std::{
    future::Future,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use infuse_axum::{Infuse, Service, config::Config, reqwest};
use tokio::{net::TcpListener, runtime, task::JoinSet};

const IN_FLIGHT: usize = 16;
const TARGET: f64 = 0.97;

struct Effort {
    rounds: usize,
    requests: usize,
}

impl Effort {
    /// Full when started by `cargo bench`; else a moment, to see that the bench works.
    fn from_args() -> Self {
        if std::env::args().any(|arg| arg == "--bench") {
            Self { rounds: 101, requests: 4_000 }
        } else {
            Self { rounds: 1, requests: 32 }
        }
    }
}

/// One round of one client.
struct Round {
    requests_a_second: f64,
    took: Vec<Duration>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let effort = Effort::from_args();
    let base = serve()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for (name, path) in [("2 bytes", "small"), ("64 KiB", "large")] {
            compare(&effort, &base, name, path).await?;
        }
        Ok(())
    })
}

/// A server in a thread of its own; its address.
fn serve() -> Result<String, Box<dyn std::error::Error>> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let base = format!("http://{}", listener.local_addr()?);
    let large: Arc<[u8]> = vec![b'x'; 64 * 1024].into();
    let app = Router::new()
        .route("/small", get(|| async { "ok" }))
        .route("/large", get(move || async move { large.to_vec() }));
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, app).await
        })
    });
    Ok(base)
}

async fn compare(
    effort: &Effort,
    base: &str,
    name: &str,
    path: &'static str,
) -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::builder()
        .set_override("infuse_services.bench.url", base.to_owned())?
        // As without the feature `metrics`, which is not on by default, but is for the bench `operate`.
        .set_override("infuse_breaker_listeners", "none")?
        .build()?;
    let infuse = Infuse::builder().start(&config).await?;
    let guarded = infuse.client().service("bench")?;
    let bare = reqwest::Client::builder().no_proxy().build()?;
    let base = base.to_owned();

    let call_bare = move || {
        let (client, base) = (bare.clone(), base.clone());
        async move {
            Some(client.get(format!("{base}/{path}")).send().await.ok()?.bytes().await.ok()?.len())
        }
    };
    let call_guarded = move || {
        let service: Service = guarded.clone();
        async move { Some(service.get(path).send().await.ok()?.bytes().await.ok()?.len()) }
    };
    let (mut bare_rounds, mut guarded_rounds) = (Vec::new(), Vec::new());
    // The first round of each warms up.
    for round in 0..=effort.rounds {
        // Each goes first in every other round.
        if round % 2 == 0 {
            bare_rounds.push(run(effort.requests, &call_bare).await);
            guarded_rounds.push(run(effort.requests, &call_guarded).await);
        } else {
            guarded_rounds.push(run(effort.requests, &call_guarded).await);
            bare_rounds.push(run(effort.requests, &call_bare).await);
        }
    }
    bare_rounds.remove(0);
    guarded_rounds.remove(0);

    println!(
        "\nGET, {name}, {IN_FLIGHT} in flight, {} rounds of {}",
        effort.rounds, effort.requests
    );
    println!("{:18}{:>14}{:>12}{:>12}", "", "requests/s", "p50", "p99");
    report("bare reqwest", &bare_rounds);
    report("ServiceClient", &guarded_rounds);
    let ratios = bare_rounds
        .iter()
        .zip(&guarded_rounds)
        .map(|(bare, guarded)| guarded.requests_a_second / bare.requests_a_second);
    let ratio = median(ratios);
    let verdict = if ratio >= TARGET { "PASS" } else { "MISS" };
    println!(
        "{verdict}  throughput ratio {ratio:.3}, median of rounds side by side (at least {TARGET})"
    );
    infuse.shutdown().await;
    Ok(())
}

/// Makes so many requests with a fixed number in flight.
async fn run<F, Fut>(requests: usize, call: &F) -> Round
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Option<usize>> + Send + 'static,
{
    let begin = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let call = call.clone();
        workers.spawn(async move {
            let mut took = Vec::with_capacity(requests / IN_FLIGHT);
            for _ in 0..requests / IN_FLIGHT {
                let begin = Instant::now();
                assert!(call().await.is_some(), "a request failed: nothing is measured");
                took.push(begin.elapsed());
            }
            took
        });
    }
    let took: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    Round { requests_a_second: took.len() as f64 / begin.elapsed().as_secs_f64(), took }
}

fn report(name: &str, rounds: &[Round]) {
    let throughput = median(rounds.iter().map(|round| round.requests_a_second));
    let mut took: Vec<_> = rounds.iter().flat_map(|round| round.took.iter().copied()).collect();
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("{name:18}{throughput:>14.0}{:>12.1?}{:>12.1?}", at(0.5), at(0.99));
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
