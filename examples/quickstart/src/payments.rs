//! The service that is called: it can be switched between working and several ways of not doing
//! so, and counts the requests that reach it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header::CONNECTION},
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{task::JoinHandle, time::sleep};

use crate::listen;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// It answers.
    Healthy,
    /// It answers 500.
    Failing,
    /// It answers after ten seconds, which is longer than anybody waits.
    Slow,
    /// Nobody listens.
    Down,
}

#[derive(Clone)]
pub(crate) struct Payments(Arc<Inner>);

struct Inner {
    port: u16,
    mode: Mutex<Mode>,
    requests: AtomicU64,
    server: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Payments {
    /// Starts the service, healthy; on a free port for 0.
    pub(crate) async fn start(port: u16) -> Result<Self, String> {
        let listener = listen("PAYMENTS_PORT", port).await?;
        let at = listener.local_addr().map_err(|error| error.to_string())?;
        let payments = Self(Arc::new(Inner {
            port: at.port(),
            mode: Mutex::new(Mode::Healthy),
            requests: AtomicU64::new(0),
            server: tokio::sync::Mutex::new(None),
        }));
        payments.serve(listener).await;
        Ok(payments)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    pub(crate) fn mode(&self) -> Mode {
        *self.0.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests have reached the service.
    pub(crate) fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    pub(crate) async fn switch(&self, mode: Mode) -> Result<(), String> {
        *self.0.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
        let mut server = self.0.server.lock().await;
        match (mode, server.take()) {
            (Mode::Down, Some(running)) => {
                running.abort();
                // Only when it is gone is its port closed.
                let _ = running.await;
            }
            (Mode::Down, None) => {}
            (_, Some(running)) => *server = Some(running),
            (_, None) => {
                drop(server);
                let listener = listen("PAYMENTS_PORT", self.0.port).await?;
                self.serve(listener).await;
            }
        }
        Ok(())
    }

    async fn serve(&self, listener: tokio::net::TcpListener) {
        let app = Router::new()
            .route("/payments/{id}", get(payment))
            .layer(map_response(close))
            .with_state(self.clone());
        let server = tokio::spawn(async move {
            // It ends only by being aborted.
            let _ = axum::serve(listener, app).await;
        });
        *self.0.server.lock().await = Some(server);
    }
}

/// A connection that is kept would outlive the service that goes down, and answer once more.
async fn close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn payment(State(payments): State<Payments>, Path(id): Path<String>) -> Response {
    payments.0.requests.fetch_add(1, Ordering::Relaxed);
    match payments.mode() {
        Mode::Healthy | Mode::Down => Json(json!({ "order": id, "paid": true })).into_response(),
        Mode::Failing => (StatusCode::INTERNAL_SERVER_ERROR, "out of order\n").into_response(),
        Mode::Slow => {
            sleep(Duration::from_secs(10)).await;
            Json(json!({ "order": id, "paid": true })).into_response()
        }
    }
}
