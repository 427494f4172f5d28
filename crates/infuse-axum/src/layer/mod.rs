//! A tower layer that guards any service over HTTP with a circuit: a client of hyper or tonic, or a
//! part of an application of one's own.
//!
//! # A client of hyper
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), infuse_axum::axum::BoxError> {
//! use std::time::Duration;
//! use axum::body::Body;
//! use http::Request;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use infuse_axum::{CircuitBreakerLayer, Infuse, Rejected, layer};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! # use infuse_axum::{axum, http};
//!
//! # let config = infuse_axum::config::Config::builder().build()?;
//! # #[cfg(any())]
//! let config = infuse_axum::load_config()?;
//! let infuse = Infuse::builder().start(&config).await?;
//! let mut client = ServiceBuilder::new()
//!     .map_err(layer::boxed)
//!     .layer(CircuitBreakerLayer::new(infuse.breaker("payments")?))
//!     .timeout(Duration::from_secs(5))
//!     .service(Client::builder(TokioExecutor::new()).build_http::<Body>());
//!
//! let request = Request::get("http://payments:8000/balance").body(Body::empty())?;
//! match client.ready().await?.call(request).await {
//!     Ok(answer) => println!("{}", answer.status()),
//!     Err(error) => match error.downcast_ref::<Rejected>() {
//!         Some(rejected) => println!("try again in {:?}", rejected.retry_after()),
//!         None => println!("it failed: {error}"),
//!     },
//! }
//! # Ok(()) }
//! ```
//!
//! # A client of tonic
//!
//! A generated client takes a guarded channel in place of a channel. `GrpcErrorsAsFailures` takes
//! every status but OK for a failure: which ones say nothing against the service must be told.
//!
//! ```
//! use infuse_axum::{Circuit, CircuitBreakerLayer, axum, http, layer};
//! use tower::{Service, ServiceBuilder};
//! use tower_http::classify::{GrpcCode, GrpcErrorsAsFailures, SharedClassifier};
//! # use axum::body::Body;
//! # use axum::BoxError;
//! # struct GreeterClient<T>(T);
//! # impl<T, B> GreeterClient<T>
//! # where
//! #     T: Service<http::Request<Body>, Response = http::Response<B>>,
//! #     T::Error: Into<BoxError>,
//! #     B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
//! #     B::Error: Into<BoxError> + Send,
//! # {
//! #     fn new(inner: T) -> Self { Self(inner) }
//! # }
//!
//! # fn client<S>(circuit: Circuit, channel: S)
//! # where
//! #     S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
//! #     S::Future: Send, S::Error: std::error::Error + Send + Sync,
//! # {
//! let classifier = GrpcErrorsAsFailures::new()
//!     .with_success(GrpcCode::InvalidArgument)
//!     .with_success(GrpcCode::NotFound)
//!     .with_success(GrpcCode::AlreadyExists)
//!     .with_success(GrpcCode::PermissionDenied)
//!     .with_success(GrpcCode::Unauthenticated)
//!     .with_success(GrpcCode::FailedPrecondition);
//! let guarded = ServiceBuilder::new()
//!     .map_err(layer::boxed)
//!     .layer(CircuitBreakerLayer::new(circuit).classifier(SharedClassifier::new(classifier)))
//!     .service(channel);
//! let greeter = GreeterClient::new(guarded);
//! # drop(greeter);
//! # }
//! ```
//!
//! The verdict waits for the trailers. Whoever drops a stream before they come says nothing. A call
//! that is rejected has tonic's status `Unknown` with a [`Rejected`](crate::Rejected) as its source;
//! an error of tonic's own in its place, `Status::unavailable` say, is what it has instead.
//!
//! # A part of an application
//!
//! axum wants errors of layers answered: [`HandleErrorLayer`](axum::error_handling::HandleErrorLayer)
//! stands around this one. `route_layer` guards the routes that there are. `layer` would guard what
//! is on no route too, and a 404 would count as a success.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::convert::Infallible;
//! use axum::{Router, error_handling::HandleErrorLayer, routing::get};
//! use infuse_axum::{CallError, CircuitBreakerLayer, Infuse};
//! use tower::ServiceBuilder;
//! # use infuse_axum::axum;
//!
//! # let config = infuse_axum::config::Config::builder().build()?;
//! # #[cfg(any())]
//! let config = infuse_axum::load_config()?;
//! let infuse = Infuse::builder().start(&config).await?;
//! let reports = infuse.breaker("reports")?;
//! let (told, circuit) = (infuse.clone(), reports.clone());
//! let layer = ServiceBuilder::new()
//!     .layer(HandleErrorLayer::new(move |error: CallError<Infallible>| {
//!         let rejected = error.rejected().expect("the service itself cannot fail");
//!         let error = told.rejection(&circuit, rejected); // a 503 with `Retry-After`
//!         async move { error }
//!     }))
//!     .layer(CircuitBreakerLayer::new(reports));
//! let app: Router =
//!     Router::new().route("/reports", get(|| async { "a long one" })).route_layer(layer);
//! # drop(app);
//! # Ok(()) }
//! ```
//!
//! # What counts
//!
//! A classifier of tower-http decides: by default an answer of 500 or above is a failure. Beyond
//! what it says:
//!
//! - A 429 that it does not call a failure is Ignored: we are too many, which says nothing about
//!   whether the service works.
//! - An answer of 500 or above that it would judge by its trailers is a failure:
//!   `GrpcErrorsAsFailures` takes the error page of a proxy for a success.
//! - An answer that is no failure is judged when its body has ended. A body that breaks off is a
//!   failure. Dropped between two reads its status decides; dropped while the service keeps a read
//!   waiting, or before the trailers that it is judged by, it says nothing. Nor does one that ends
//!   without the trailers, unless the classifier calls that a failure.
//! - An error of the service is a failure, and so is a panic, which goes on. Of an error that is an
//!   [`io::Error`](std::io::Error), an [`axum::Error`] or in a [box](axum::BoxError), as tower's
//!   timeout and buffer make it, the sources are looked along: one that tower's load shedding made,
//!   a limit on the length of a body, or another circuit, says nothing; one that never left this
//!   process (no name, socket or port to be had) is a failure of [`Origin::Local`](crate::Origin).
//!   What else errors say, [`judge_errors`](CircuitBreakerLayer::judge_errors) tells.
//! - A `Retry-After` of a 429 or 503 is heard, unless the classifier calls the 503 no failure.
//! - A request that is dropped before its answer says nothing, unless the service has kept it
//!   waiting for as long as [`abandoned_after`](infuse_storage::Policy::abandoned_after) has it.
//! - The time of a call runs from when the service was ready for it: what it has waited for before,
//!   a place in a limit or a buffer of our own, makes it neither slow nor abandoned.
//!
//! # Where it stands
//!
//! The circuit is asked when a request comes, not before: nothing is reserved by
//! [`poll_ready`](tower::Service::poll_ready), so a service that is polled and then dropped, cloned
//! or never called holds nobody up, and one that is not ready keeps nobody waiting whom the open
//! circuit rejects. The service itself is cloned for each request, and its readiness waited for
//! then: what cannot be cloned, as tower's load balancer, stands behind a buffer.
//!
//! However often the layer is applied, its circuit is one: to several routes, say, each with its
//! own service. A request that comes to the same circuit twice, around a route and around all of
//! them, is asked and counted once. Retries belong outside, so that each attempt is asked and
//! counted; timeouts inside, so that the circuit sees them.
//!
//! Limits may stand on either side. Inside, a trial that waits for a place holds up the trials of
//! others for as long as its lease, and a limit that makes its callers wait within the call and not
//! before it, as a pool of connections does, makes them slow: put it outside then, or a load shedder
//! between it and this layer.

mod body;
mod errors;
mod guard;
mod layered;
mod passed;
mod service;
mod verdict;

pub use self::{
    body::GuardedBody, errors::boxed, layered::CircuitBreakerLayer, service::CircuitBreaker,
};
