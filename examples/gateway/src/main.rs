//! A gateway: forwards to any configured service, each guarded by its circuit.
//!
//! ```sh
//! INFUSE_SERVICE_NAME=gateway \
//! INFUSE_SERVICES__PAYMENTS__URL=http://127.0.0.1:9000 \
//!     cargo run -p gateway
//! curl -i 'http://127.0.0.1:8080/call/payments/payments/7?currency=eur'
//! curl -s http://127.0.0.1:8080/circuits
//! curl -s http://127.0.0.1:8080/metrics
//! ```
//!
//! At <http://127.0.0.1:8080/infuse/> there is a page on which to watch the circuits. With
//! `INFUSE_ADMIN_TOKEN` it can be used from elsewhere, and to control them. `/livez` and `/readyz`
//! are for those who start processes and spread requests over them.
//!
//! It listens on `BIND` (default `127.0.0.1:8080`) and logs by `RUST_LOG`. Everything else is set
//! by `INFUSE_*` variables and by `infuse.toml` in the working directory. On SIGHUP it reads the
//! file again, and goes by what it says from then on. With
//! `INFUSE_REDIS_URL=redis://127.0.0.1` it shares its circuits with every process that uses the
//! same Redis and calls the services by the same names.

mod forward;
mod metrics;

use std::{
    env,
    error::Error,
    io::{self, IsTerminal},
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
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
    sync::oneshot,
    time::timeout,
};
use tracing_subscriber::EnvFilter;

/// How long calls in flight have to finish when the gateway is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

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
    // First, so that it hears of everything.
    let prometheus = metrics::install()?;
    let infuse = Infuse::builder().start(&config).await?;
    let app = app(&infuse).merge(metrics::routes(infuse.clone(), prometheus));

    let bind = env::var("BIND").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&bind)
        .await
        .map_err(|error| format!("cannot listen on BIND={bind:?}: {error}"))?;
    let mut signals = Signals::new()?;
    let (stopping, stopped) = oneshot::channel();
    tracing::info!("listening on http://{}", listener.local_addr()?);

    tokio::spawn(reload(infuse.clone(), signal(SignalKind::hangup())?));
    // So that the admin routes know who calls.
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let streams = infuse.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        // An error would say that nobody will ask for it any more.
        let _ = stopped.await;
        // They would not end by themselves.
        streams.close_events();
    });
    tokio::select! {
        ended = server => ended?,
        () = drained(&mut signals, stopping) => {}
    }
    infuse.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}

/// Reads the settings again at each signal. (The log says what has changed.)
async fn reload(infuse: Infuse, mut signal: Signal) {
    while signal.recv().await.is_some() {
        let reloaded = match infuse_axum::load_config() {
            Ok(config) => infuse.reload(&config).map(drop).map_err(Box::<dyn Error>::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = reloaded {
            tracing::error!("the settings stay as they are: {}", chain(&*error));
        }
    }
}

/// Waits for a signal, and then as long as calls in flight have to finish.
async fn drained(signals: &mut Signals, stopping: oneshot::Sender<()>) {
    signals.next().await;
    tracing::info!("stopping: calls in flight are finished first; a second signal ends them");
    // An error would say that the server has ended.
    let _ = stopping.send(());
    match timeout(DRAIN, signals.next()).await {
        Ok(()) => tracing::warn!("ending the calls in flight: there was a second signal"),
        Err(_) => tracing::warn!("ending the calls in flight: they took too long"),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
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
        .nest_service("/infuse", infuse.admin_router())
        .merge(infuse.health_router())
        .layer(infuse.layer())
        .with_state(infuse.clone())
}

async fn circuits(State(infuse): State<Infuse>) -> Json<Vec<CircuitSnapshot>> {
    Json(infuse.circuits())
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
