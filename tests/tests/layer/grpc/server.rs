use std::{convert::Infallible, io};

use axum::{Router, body::Body, extract::Request, routing::post};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::client::{decode, encode};

/// A service of gRPC that answers as its request says: a status, or messages and a status.
pub(super) fn greeter() -> Router {
    Router::new()
        .route("/greeter/greet", post(greet))
        .route("/greeter/greet-many", post(greet_many))
        .route("/greeter/only-trailers", post(only_trailers))
        .route("/greeter/page", post(page))
}

async fn asked(request: Request) -> String {
    assert_eq!(request.headers()["content-type"], "application/grpc");
    assert_eq!(request.headers()["te"], "trailers");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    decode(&mut body.into()).unwrap()
}

fn answer(body: Body) -> Response<Body> {
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn status(status: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_str(status).unwrap());
    trailers
}

async fn greet(request: Request) -> Response<Body> {
    match asked(request).await.as_str() {
        "hangs" => std::future::pending().await,
        "0" => messages(1, "0"),
        other => messages(0, other),
    }
}

async fn greet_many(request: Request) -> Response<Body> {
    let asked = asked(request).await;
    let (count, end) = asked.split_once(' ').unwrap();
    messages(count.parse().unwrap(), end)
}

fn messages(count: usize, end: &str) -> Response<Body> {
    let messages = stream::iter((0..count).map(|_| Ok(Frame::data(Bytes::from(encode("hello"))))));
    let body = match end {
        "hangs" => StreamBody::new(messages.chain(stream::pending()).boxed()),
        "broken" => {
            let broken = stream::iter([Err(io::Error::other("broken"))]);
            StreamBody::new(messages.chain(broken).boxed())
        }
        end => {
            let trailers = stream::iter([Ok(Frame::trailers(status(end)))]);
            StreamBody::new(messages.chain(trailers).boxed())
        }
    };
    answer(Body::new(body))
}

async fn only_trailers(request: Request) -> Result<Response<Body>, Infallible> {
    let mut response = answer(Body::empty());
    response.headers_mut().extend(status(&asked(request).await));
    Ok(response)
}

async fn page(request: Request) -> (StatusCode, &'static str) {
    let status = StatusCode::from_bytes(asked(request).await.as_bytes()).unwrap();
    (status, "<h1>out of order</h1>")
}
