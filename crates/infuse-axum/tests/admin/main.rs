//! The admin routes, as an operator meets them, and as somebody does who has no business there.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod access;
mod audit;
mod control;
mod events;
mod health;
mod hostile;
mod look;
mod nested;

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode},
};
use http_body_util::BodyExt;
use infuse_axum::{Infuse, InfuseBuilder, MemoryStorage, config::Config};
use serde_json::Value;
use tower::ServiceExt;

const ADMIN: &str = "an-admin-token-0123";
const READ: &str = "a-read-token-0123456";
const TOKENS: [(&str, &str); 2] =
    [("infuse_admin_token", ADMIN), ("infuse_admin_read_token", READ)];

fn config(settings: &[(&str, &str)]) -> Config {
    let set = |config: config::ConfigBuilder<_>, (key, value): &(&str, &str)| {
        config.set_override(key, *value).unwrap()
    };
    let all = [&[("infuse_service_connections", "payments, users")], settings].concat();
    all.iter().fold(Config::builder(), set).build().unwrap()
}

/// An application that calls `payments` and `users`.
async fn start(settings: &[(&str, &str)]) -> Infuse {
    start_with(settings, |builder| builder).await
}

async fn start_with(
    settings: &[(&str, &str)],
    build: impl FnOnce(InfuseBuilder) -> InfuseBuilder,
) -> Infuse {
    build(Infuse::builder()).start(&config(settings)).await.unwrap()
}

/// Two processes of one fleet.
async fn two(settings: &[(&str, &str)]) -> (Infuse, Infuse) {
    let storage = MemoryStorage::new();
    let one = start_with(settings, |builder| builder.storage(storage.clone())).await;
    let other = start_with(settings, |builder| builder.storage(storage)).await;
    (one, other)
}

/// A request, and who sends it.
struct Ask {
    request: axum::http::request::Builder,
    peer: Option<SocketAddr>,
    body: Body,
}

fn ask(method: &str, path: &str) -> Ask {
    Ask {
        request: Request::builder().method(method).uri(path).header("host", "localhost"),
        peer: Some(SocketAddr::from(([127, 0, 0, 1], 4711))),
        body: Body::empty(),
    }
}

fn get(path: &str) -> Ask {
    ask("GET", path)
}

/// Someone who may, changes something.
fn order(path: &str, body: impl Into<Body>) -> Ask {
    let ask = ask("POST", path).with("authorization", &format!("Bearer {ADMIN}"));
    Ask { body: body.into(), ..ask.with("content-type", "application/json") }
}

impl Ask {
    fn with(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    /// With the token for looking.
    fn read(self) -> Self {
        self.with("authorization", &format!("Bearer {READ}"))
    }

    fn from(self, peer: &str) -> Self {
        Self { peer: Some(SocketAddr::new(peer.parse().unwrap(), 4711)), ..self }
    }

    async fn of(self, infuse: &Infuse) -> Answer {
        self.at(infuse.admin_router()).await
    }

    async fn at(self, app: Router) -> Answer {
        let mut request = self.request.body(self.body).unwrap();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    async fn bytes(self) -> Bytes {
        self.body.collect().await.unwrap().to_bytes()
    }

    /// What it says; it is to be JSON.
    async fn json(self) -> Value {
        let kind = self.headers["content-type"].to_str().unwrap().to_owned();
        let problem = self.status.is_client_error() || self.status.is_server_error();
        assert_eq!(kind, if problem { "application/problem+json" } else { "application/json" });
        let status = self.status;
        let value: Value = serde_json::from_slice(&self.bytes().await).unwrap();
        if problem {
            assert_eq!(value["status"], status.as_u16());
            assert!(value["detail"].as_str().unwrap().len() > 20, "{value}");
        }
        value
    }

    /// Why it is refused, with this status.
    #[track_caller]
    fn refused(self, status: u16) -> impl Future<Output = String> {
        assert_eq!(self.status, status);
        async { self.json().await["detail"].as_str().unwrap().to_owned() }
    }
}
