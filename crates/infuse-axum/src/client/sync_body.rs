use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A body that can be shared between threads, as reqwest demands and as a response in a handler
/// should be.
///
/// The mutex is there for its type alone: it is never locked, since reading takes `&mut`. What a
/// body tells by `&` is noted whenever it was read.
#[derive(Debug)]
pub(crate) struct SyncBody {
    inner: Mutex<Body>,
    hint: SizeHint,
    ended: bool,
}

impl SyncBody {
    pub(crate) fn new(body: Body) -> Self {
        let (hint, ended) = look(&body);
        Self { inner: Mutex::new(body), hint, ended }
    }
}

fn look(body: &Body) -> (SizeHint, bool) {
    (http_body::Body::size_hint(body), http_body::Body::is_end_stream(body))
}

impl http_body::Body for SyncBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let body = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let frame = Pin::new(&mut *body).poll_frame(cx);
        let (hint, ended) = look(body);
        (self.hint, self.ended) = (hint, ended);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}
