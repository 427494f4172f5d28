use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::sync_body::SyncBody;
use crate::error::causes;

/// What is sent to a service: bytes, or a stream of them.
///
/// It is made from strings, bytes and [`axum::body::Body`]. Anything else that implements
/// [`http_body::Body`] is sent as `Body::new(it)`, and a stream as `Body::from_stream(it)`. Where
/// the length is known it is sent as `Content-Length`.
#[derive(Default)]
pub struct RequestBody(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Bytes(Bytes),
    Stream(Body),
}

impl RequestBody {
    /// The length in bytes, where it is known.
    pub(crate) fn exact_len(&self) -> Option<u64> {
        match &self.0 {
            Kind::Empty => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::Stream(body) => http_body::Body::size_hint(body).exact(),
        }
    }

    /// For reqwest, which can send bytes once more on a redirect. `None` is no body at all.
    pub(crate) fn into_reqwest(self) -> (Option<reqwest::Body>, Option<Arc<Upload>>) {
        match self.0 {
            Kind::Empty => (None, None),
            Kind::Bytes(bytes) => (Some(bytes.into()), None),
            Kind::Stream(body) => {
                let (body, upload) = UploadBody::new(body);
                (Some(reqwest::Body::wrap(body)), Some(upload))
            }
        }
    }

    pub(crate) fn into_axum(self) -> (Body, Option<Arc<Upload>>) {
        match self.0 {
            Kind::Empty => (Body::empty(), None),
            Kind::Bytes(bytes) => (bytes.into(), None),
            Kind::Stream(body) => {
                let (body, upload) = UploadBody::new(body);
                (Body::new(body), Some(upload))
            }
        }
    }
}

impl fmt::Debug for RequestBody {
    /// Without the content, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Empty"),
            Kind::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Kind::Stream(_) => f.write_str("Stream"),
        }
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Bytes(bytes))
    }
}

impl From<Body> for RequestBody {
    fn from(body: Body) -> Self {
        // As of a GET that is passed on.
        let empty = http_body::Body::is_end_stream(&body);
        Self(if empty { Kind::Empty } else { Kind::Stream(body) })
    }
}

impl From<()> for RequestBody {
    fn from((): ()) -> Self {
        Self(Kind::Empty)
    }
}

impl From<reqwest::Body> for RequestBody {
    fn from(body: reqwest::Body) -> Self {
        match body.as_bytes() {
            Some(bytes) => Bytes::copy_from_slice(bytes).into(),
            None => Body::new(body).into(),
        }
    }
}

macro_rules! from_bytes {
    ($($bytes:ty),*) => {$(
        impl From<$bytes> for RequestBody {
            fn from(bytes: $bytes) -> Self {
                Bytes::from(bytes).into()
            }
        }
    )*};
}
from_bytes!(&'static str, &'static [u8], String, Vec<u8>, Box<[u8]>);

/// How the sending of a streamed body goes.
///
/// It tells time that the caller takes to produce the body from time that the service takes, and
/// a body that broke off from a connection that did.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    waits: Mutex<Waits>,
    /// One of the constants below.
    fate: AtomicU8,
}

const BROKE_OFF: u8 = 1;
const TOO_LARGE: u8 = 2;

#[derive(Debug, Default)]
struct Waits {
    since: Option<Instant>,
    total: Duration,
}

/// How a body broke off that a caller streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadError {
    BrokeOff,
    /// It was over the limit that axum sets for the bodies of requests.
    TooLarge,
}

impl Upload {
    fn waits(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller has nothing to send at the moment.
    pub(crate) fn pending(&self, now: Instant) {
        self.waits().since.get_or_insert(now);
    }

    /// The caller has something to send, has sent everything, or will send no more.
    pub(crate) fn arrived(&self, now: Instant) {
        let mut waits = self.waits();
        if let Some(since) = waits.since.take() {
            waits.total += now.saturating_duration_since(since);
        }
    }

    /// For how long in all there was nothing to send.
    pub(crate) fn waited(&self, now: Instant) -> Duration {
        let waits = self.waits();
        let current =
            waits.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        waits.total + current
    }

    pub(crate) fn error(&self) -> Option<UploadError> {
        // Relaxed here and at the store: nothing else is read on the strength of it, and the
        // transport hands the error over with synchronization of its own.
        match self.fate.load(Ordering::Relaxed) {
            BROKE_OFF => Some(UploadError::BrokeOff),
            TOO_LARGE => Some(UploadError::TooLarge),
            _ => None,
        }
    }
}

/// A streamed body that reports how it goes.
struct UploadBody {
    inner: SyncBody,
    upload: Arc<Upload>,
    pending: bool,
}

impl UploadBody {
    fn new(body: Body) -> (Self, Arc<Upload>) {
        let upload = Arc::new(Upload::default());
        let inner = SyncBody::new(body);
        (Self { inner, upload: upload.clone(), pending: false }, upload)
    }

    fn arrived(&mut self) {
        if std::mem::take(&mut self.pending) {
            self.upload.arrived(Instant::now());
        }
    }
}

impl http_body::Body for UploadBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        match &frame {
            Poll::Pending => {
                if !std::mem::replace(&mut self.pending, true) {
                    self.upload.pending(Instant::now());
                }
            }
            Poll::Ready(frame) => {
                self.arrived();
                if let Some(Err(error)) = frame {
                    let too_large =
                        causes(error).any(|error| error.is::<http_body_util::LengthLimitError>());
                    let fate = if too_large { TOO_LARGE } else { BROKE_OFF };
                    self.upload.fate.store(fate, Ordering::Relaxed);
                }
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for UploadBody {
    fn drop(&mut self) {
        // The service may have answered before it read everything. From now on it is the only one
        // to wait for.
        self.arrived();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Limited};

    use super::*;

    #[test]
    fn lengths_are_kept() {
        for (body, len) in [
            (RequestBody::default(), Some(0)),
            ("abc".into(), Some(3)),
            (vec![1, 2].into(), Some(2)),
            (String::from("abcd").into(), Some(4)),
            (Body::from("abc").into(), Some(3)),
            (reqwest::Body::from("abcde").into(), Some(5)),
            (Body::new(Limited::new(Body::from("abc"), 10)).into(), Some(3)),
        ] {
            assert_eq!(body.exact_len(), len, "{body:?}");
            let (sent, _) = body.into_reqwest();
            let hint = sent.map_or(Some(0), |body| http_body::Body::size_hint(&body).exact());
            assert_eq!(hint, len);
        }
    }

    #[tokio::test]
    async fn a_body_over_axums_limit_is_known_as_such() {
        let body = RequestBody::from(Body::new(Limited::new(Body::from("abcdef"), 3)));
        let (body, upload) = body.into_axum();
        let upload = upload.unwrap();
        assert_eq!(upload.error(), None);
        body.collect().await.unwrap_err();
        assert_eq!(upload.error(), Some(UploadError::TooLarge));
    }
}
