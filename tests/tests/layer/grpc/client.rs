use std::{error::Error, fmt, pin::Pin};

use axum::body::Body;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tower::{BoxError, Service};

/// As tonic's generated clients are: over any service that carries requests, made ready before each
/// call, with messages that have a flag and their length before them, and a status in the trailers.
#[derive(Clone)]
pub(super) struct GreeterClient<T> {
    origin: String,
    inner: T,
}

/// What did not work out.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) code: u32,
    source: Option<BoxError>,
}

/// The messages that an answer consists of.
pub(super) struct Streaming {
    body: Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>,
    read: BytesMut,
    trailers: Option<HeaderMap>,
}

impl<T, B> GreeterClient<T>
where
    T: Service<Request<Body>, Response = Response<B>>,
    T::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(origin: String, inner: T) -> Self {
        Self { origin, inner }
    }

    pub(super) async fn greet(&mut self, message: &str) -> Result<String, Status> {
        self.call("greet", message).await
    }

    pub(super) async fn greet_many(&mut self, message: &str) -> Result<Streaming, Status> {
        self.streaming("greet-many", message).await
    }

    /// One message there and one back, of which the trailers are waited for.
    pub(super) async fn call(&mut self, method: &str, message: &str) -> Result<String, Status> {
        let mut stream = self.streaming(method, message).await?;
        let answer = stream.message().await?;
        while stream.message().await?.is_some() {}
        answer.ok_or(Status { code: 13, source: None })
    }

    async fn streaming(&mut self, method: &str, message: &str) -> Result<Streaming, Status> {
        std::future::poll_fn(|cx| self.inner.poll_ready(cx)).await.map_err(Status::unknown)?;
        let request = Request::post(format!("{}/greeter/{method}", self.origin))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::from(encode(message)))
            .unwrap();
        let answer = self.inner.call(request).await.map_err(Status::unknown)?;
        let (parts, body) = answer.into_parts();
        // An answer that is nothing but its trailers has them in its head.
        if parts.headers.contains_key("grpc-status") {
            Status::of(&parts.headers)?;
        }
        if parts.headers["content-type"] != "application/grpc" {
            return Err(Status { code: 2, source: None });
        }
        let body = Box::pin(body.map_err(Into::into));
        Ok(Streaming { body, read: BytesMut::new(), trailers: None })
    }
}

impl Streaming {
    /// The next message; `None` when the trailers say that all is well.
    pub(super) async fn message(&mut self) -> Result<Option<String>, Status> {
        loop {
            if let Some(message) = decode(&mut self.read) {
                return Ok(Some(message));
            }
            match self.body.frame().await.transpose().map_err(Status::internal)? {
                None => {
                    let trailers = self.trailers.take().unwrap_or_default();
                    return Status::of(&trailers).map(|()| None);
                }
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.read.extend_from_slice(&data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }
}

impl Status {
    fn of(trailers: &HeaderMap) -> Result<(), Self> {
        let status = trailers.get("grpc-status").and_then(|status| status.to_str().ok());
        match status.map_or(2, |status| status.parse().unwrap_or(2)) {
            0 => Ok(()),
            code => Err(Self { code, source: None }),
        }
    }

    fn unknown(error: impl Into<BoxError>) -> Self {
        Self { code: 2, source: Some(error.into()) }
    }

    fn internal(error: BoxError) -> Self {
        Self { code: 13, source: Some(error) }
    }

    /// The error of this type that it comes from.
    pub(super) fn find<E: Error + 'static>(&self) -> Option<&E> {
        let first: &(dyn Error + 'static) = self.source.as_deref()?;
        std::iter::successors(Some(first), |&error| error.source())
            .find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.code)
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A message with what stands before it.
pub(super) fn encode(message: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_u8(0);
    bytes.put_u32(message.len() as u32);
    bytes.put_slice(message.as_bytes());
    bytes
}

/// The next message of those that are there, if it is whole.
pub(super) fn decode(bytes: &mut BytesMut) -> Option<String> {
    let length = bytes.get(1..5)?.try_into().map(u32::from_be_bytes).unwrap() as usize;
    if bytes.len() < 5 + length {
        return None;
    }
    bytes.advance(5);
    Some(String::from_utf8(bytes.split_to(length).to_vec()).unwrap())
}
