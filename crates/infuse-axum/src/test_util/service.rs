use std::{
    fmt,
    future::{Future, pending},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::BoxError;
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH, request};
use http_body_util::BodyExt;
use infuse_storage::{Clock, TimeSource};
use tokio::time::{Instant, sleep};
use tower::Service;

use super::{
    Answer, AnswerBody, Call, Script, TestServer,
    answer::{Reply, What},
    route::Route,
    script::Running,
};

/// A service that does what a [`Script`] says, and writes down the calls that it saw.
///
/// It is a [`tower::Service`], to stand in for the network in
/// [`InfuseBuilder::transport`](crate::InfuseBuilder::transport) or to be guarded by a
/// [`CircuitBreakerLayer`](crate::CircuitBreakerLayer); [`serve`](Self::serve) makes a server of it.
/// Clones are the same service. Without a script it is well: it answers as [`Answer::ok`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use infuse_axum::{Infuse, test_util::{Answer, TestService, config}};
///
/// let payments = TestService::new();
/// payments.script(Answer::status(500).times(1));
/// payments.on("POST /refunds/*", Answer::stall());
///
/// let config = config([("INFUSE_SERVICE_CONNECTIONS", "payments")]);
/// let infuse = Infuse::builder().transport("payments", payments.clone()).start(&config).await?;
/// let service = infuse.client().service("payments")?;
/// assert_eq!(service.get("balance").send().await?.status(), 500);
/// assert_eq!(service.get("balance").send().await?.text().await?, "ok");
/// assert!(service.post("refunds/7").send().await.unwrap_err().is_timeout()); // and took no time
/// assert_eq!(payments.calls(), 3);
/// assert_eq!(payments.received()[2].path(), "/refunds/7");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TestService(Arc<Inner>);

struct Inner {
    time: TimeSource,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last one that fits is taken.
    routes: Vec<(Route, Running)>,
    otherwise: Running,
    calls: Vec<Call>,
}

/// The runtime's time.
#[derive(Debug)]
struct Runtime(Instant);

impl Clock for Runtime {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

impl TestService {
    /// A service that is well, on the runtime's time.
    pub fn new() -> Self {
        Self::with_clock(Runtime(Instant::now()))
    }

    /// A service whose scripts go by this clock. Delays are the runtime's all the same.
    pub fn with_clock(clock: impl Into<TimeSource>) -> Self {
        let time = clock.into();
        let otherwise = Running::new(Answer::ok().into(), time.now());
        let state = State { routes: Vec::new(), otherwise, calls: Vec::new() };
        Self(Arc::new(Inner { time, state: Mutex::new(state) }))
    }

    /// Does this from now on, to all calls that no [route](Self::on) is for.
    pub fn script(&self, script: impl Into<Script>) {
        let running = Running::new(script.into(), self.0.time.now());
        self.state().otherwise = running;
    }

    /// Does this from now on to the calls of a route: a path, with a method before it or not, and
    /// with a `*` at its end or not, as in `POST /refunds/*`. The last route that fits is taken, and
    /// one that is given again is replaced.
    ///
    /// # Panics
    ///
    /// If the route is none.
    #[track_caller]
    pub fn on(&self, route: &str, script: impl Into<Script>) {
        let route = Route::new(route);
        let running = Running::new(script.into(), self.0.time.now());
        let mut state = self.state();
        state.routes.retain(|(other, _)| *other != route);
        state.routes.push((route, running));
    }

    /// The service is well again: all scripts are over. Calls that stall go on to.
    pub fn recover(&self) {
        self.state().routes.clear();
        self.script(Answer::ok());
    }

    /// How many calls it has seen, those among them that it refused or reset.
    pub fn calls(&self) -> usize {
        self.state().calls.len()
    }

    /// How many of them were for a route, as [`on`](Self::on) takes it.
    ///
    /// # Panics
    ///
    /// If the route is none.
    #[track_caller]
    pub fn calls_to(&self, route: &str) -> usize {
        let route = Route::new(route);
        self.state().calls.iter().filter(|call| route.is_of(&call.method, &call.uri)).count()
    }

    /// The calls that it has seen, in the order in which they came.
    pub fn received(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Forgets the calls that it has seen.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Serves it on a free port of the loopback, until the server is dropped.
    ///
    /// Sockets do not go with paused time: what such a test waits for takes real time.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn serve(&self) -> io::Result<TestServer> {
        TestServer::start(self.clone()).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call has come: what is to be done with it, and what to write its body to.
    pub(super) fn take(&self, parts: &request::Parts) -> (Answer, Taken) {
        let now = self.0.time.now();
        let mut state = self.state();
        let State { routes, otherwise, calls } = &mut *state;
        let fits = |(route, _): &&mut (Route, Running)| route.is_of(&parts.method, &parts.uri);
        let route = routes.iter_mut().rev().find(fits);
        let answer = route.map_or(otherwise, |(_, running)| running).take(now);
        let call = Call::new(parts, now);
        calls.push(call);
        (answer, Taken(calls.len() - 1))
    }

    /// The body of a call has come.
    pub(super) fn take_body(&self, taken: &Taken, body: Bytes) {
        if let Some(call) = self.state().calls.get_mut(taken.0) {
            call.body = body;
        }
    }
}

/// Which call it was.
pub(super) struct Taken(usize);

impl Default for TestService {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> Service<Request<B>> for TestService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnswerBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Response<AnswerBody>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let (answer, taken) = service.take(&parts);
            if !matches!(answer.what, What::Refuse | What::Reset) {
                let body = body.collect().await.map_err(io::Error::other)?;
                service.take_body(&taken, body.to_bytes());
            }
            if !answer.delay.is_zero() {
                sleep(answer.delay).await;
            }
            match answer.what {
                What::Reply(reply) => Ok(response(&reply)),
                What::Stall => pending().await,
                What::Refuse => Err(io::ErrorKind::ConnectionRefused.into()),
                What::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            }
        })
    }
}

fn response(reply: &Reply) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::new(reply));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers.clone();
    response.headers_mut().insert(CONTENT_LENGTH, reply.announced().into());
    response
}

impl fmt::Debug for TestService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestService").field("calls", &self.calls()).finish_non_exhaustive()
    }
}
