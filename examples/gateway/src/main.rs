//! A gateway: forwards to any configured service, each guarded by its circuit.
//!
//! ```sh
//! INFUSE_SERVICE_NAME=gateway \
//! INFUSE_SERVICES__PAYMENTS__URL=http://127.0.0.1:9000 \
//!     cargo run -p gateway
//! curl -i 'http://127.0.0.1:8080/call/payments/payments/7?currency=eur'
//! curl -s http://127.0.0.1:8080/circuits
//! ```
//!
//! It listens on `BIND` (default `127.0.0.1:8080`) and logs by `RUST_LOG`. Everything else is set
//! by `INFUSE_*` variables and by `infuse.toml` in the working directory.

mod forward;

use std::{
    env,
    error::Error,
    io::{self, IsTerminal},
    process::ExitCode,
};

use axum::{
    Json, Router,
    extract::State,
    routing::{any, get},
};
use infuse_axum::{CircuitSnapshot, Infuse};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Elsewhere colours are noise that nobody can search.
        .with_ansi(io::stderr().is_terminal())
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = infuse_axum::load_config()?;
    let infuse = Infuse::builder().start(&config).await?;
    let app = app(&infuse);

    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind:?}: {error}"))?;
    let stop = stopped(signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tracing::info!("listening on http://{}", listener.local_addr()?);

    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    infuse.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

fn app(infuse: &Infuse) -> Router {
    Router::new()
        .route("/call/{service}", any(forward::call))
        .route("/call/{service}/", any(forward::call))
        .route("/call/{service}/{*path}", any(forward::call))
        .route("/skip/{service}", any(forward::skip))
        .route("/skip/{service}/", any(forward::skip))
        .route("/skip/{service}/{*path}", any(forward::skip))
        .route("/circuits", get(circuits))
        .route("/healthz", get(|| async { "ok" }))
        .layer(infuse.layer())
        .with_state(infuse.clone())
}

async fn circuits(State(infuse): State<Infuse>) -> Json<Vec<CircuitSnapshot>> {
    Json(infuse.circuits())
}

async fn stopped(mut terminate: Signal, mut interrupt: Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: calls in flight are finished first");
}

/// An error and what lies behind it, in one text.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
