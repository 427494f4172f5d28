use std::{fmt, future::Future, pin::Pin, sync::Arc};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http::{Request, Response};
use tower::{Service, ServiceExt};

/// What carries requests to a service: the network, or a tower service that stands in for it.
#[derive(Clone)]
pub(crate) enum Transport {
    Network(reqwest::Client),
    Service(Arc<dyn Carry>),
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

/// A tower service of which the types are forgotten.
pub(crate) trait Carry: Send + Sync {
    fn carry(&self, request: Request<Body>) -> Answer;
}

struct Erased<S>(S);

impl<S, B> Carry for Erased<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn carry(&self, request: Request<Body>) -> Answer {
        let answer = self.0.clone().oneshot(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into)?;
            Ok(answer.map(Body::new))
        })
    }
}

impl Transport {
    /// Lets `service` answer in place of the network.
    pub(crate) fn service<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::Service(Arc::new(Erased(service)))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Transport::Network(_) => f.write_str("Network"),
            Transport::Service(_) => f.write_str("Service"),
        }
    }
}
