use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use axum::BoxError;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use infuse_storage::Outcome;

use super::{
    fault::{self, Midst},
    sync_body::SyncBody,
    verdict::Verdict,
};
use crate::error::{Cause, ServiceError};

/// The most that is reserved for a body before its bytes are there, whatever length it announces.
const RESERVE: usize = 1 << 20;

/// The body of an answer, which carries the verdict on the call.
///
/// A failing status has given it already. Otherwise the end of the body is a success, an error or
/// a timeout is judged, and dropping it is a success between two reads. While one is pending, the
/// call is abandoned.
pub(crate) struct ResponseBody {
    source: Source,
    verdict: Verdict,
    progress: Progress,
    status: StatusCode,
    /// Kept only where the app's own rules may look at them.
    headers: Option<Box<HeaderMap>>,
    /// The most bytes that may still come, and the limit that this is left of.
    limit: Option<(u64, u64)>,
}

/// Where the bytes come from. reqwest's own body is not boxed once more.
pub(crate) enum Source {
    Network(reqwest::Body),
    Service(SyncBody),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// No read is under way.
    Idle,
    /// The service keeps a read waiting.
    Pending,
    /// It ended or broke off.
    Done,
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self {
            Source::Network(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Source::Service(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Source::Network(body) => body.is_end_stream(),
            Source::Service(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Source::Network(body) => body.size_hint(),
            Source::Service(body) => body.size_hint(),
        }
    }
}

impl ResponseBody {
    /// `empty`: the answer has no body, whatever its headers announce.
    pub(crate) fn new(
        source: Source,
        mut verdict: Verdict,
        status: StatusCode,
        headers: Option<Box<HeaderMap>>,
        empty: bool,
    ) -> Self {
        let mut progress = Progress::Idle;
        if empty || source.is_end_stream() {
            verdict.settle(Outcome::Success);
            progress = Progress::Done;
        }
        Self { source, verdict, progress, status, headers, limit: None }
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// From here on, more than `limit` bytes are an error of kind `BodyLimit`.
    fn limit_to(&mut self, limit: Option<u64>) {
        self.limit = limit.map(|limit| (limit, limit));
    }

    /// All that is left of the body, up to the limit of the service.
    pub(crate) async fn collect(&mut self) -> Result<Bytes, ServiceError> {
        self.limit_to(self.verdict.rules.body_limit);
        if let Some((left, _)) = self.limit
            && self.size_hint().lower() > left
        {
            return Err(self.over_limit());
        }
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.chunk().await? else {
            return Ok(first);
        };
        let expected = usize::try_from(self.size_hint().lower()).unwrap_or(RESERVE).min(RESERVE);
        let mut whole = BytesMut::with_capacity(first.len() + second.len() + expected);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The next bytes; `None` at the end of the body.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ServiceError> {
        loop {
            let read = Read(self);
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *read.0).poll_frame(cx)).await;
            drop(read);
            match frame.transpose()?.map(Frame::into_data) {
                None => return Ok(None),
                Some(Ok(bytes)) => return Ok(Some(bytes)),
                // Trailers.
                Some(Err(_)) => {}
            }
        }
    }

    /// Ends the body: what is left of it is never read.
    fn finish(&mut self) {
        self.progress = Progress::Done;
        // Drops the connection now, and not when somebody drops the response.
        self.source = Source::Network(reqwest::Body::default());
    }

    fn over_limit(&mut self) -> ServiceError {
        let limit = self.limit.map_or(0, |(_, limit)| limit);
        let midst = Midst { status: self.status, headers: self.headers.as_deref() };
        let cause = Cause::BodyLimit(limit);
        let error = fault::failed(&mut self.verdict, cause, Some(midst), None);
        self.finish();
        error
    }

    fn broken(&mut self, error: BoxError) -> ServiceError {
        let midst = Midst { status: self.status, headers: self.headers.as_deref() };
        let error = fault::broken(&mut self.verdict, Some(midst), error);
        self.finish();
        error
    }

    fn timed_out(&mut self) -> ServiceError {
        let midst = Midst { status: self.status, headers: self.headers.as_deref() };
        let error = fault::timed_out(&mut self.verdict, Some(midst));
        self.finish();
        error
    }

    /// Notes that `bytes` came; `false` if they are too many.
    fn within_limit(&mut self, bytes: usize) -> bool {
        let Some((left, _)) = &mut self.limit else {
            return true;
        };
        match left.checked_sub(bytes as u64) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }
}

/// A read that may be given up: the caller then waits no longer, and uses up no patience.
struct Read<'a>(&'a mut ResponseBody);

impl Drop for Read<'_> {
    fn drop(&mut self) {
        self.0.verdict.patience.pause();
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = ServiceError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ServiceError>>> {
        let this = &mut *self;
        if this.progress == Progress::Done {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = this.verdict.during(|| this.source.poll_frame(cx)) else {
            this.progress = Progress::Pending;
            return match this.verdict.patience.poll_exhausted(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => Poll::Ready(Some(Err(this.timed_out()))),
            };
        };
        this.verdict.patience.pause();
        this.progress = Progress::Idle;
        Poll::Ready(match frame {
            None => {
                this.progress = Progress::Done;
                this.verdict.settle(Outcome::Success);
                None
            }
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                if !this.within_limit(bytes) {
                    return Poll::Ready(Some(Err(this.over_limit())));
                }
                // Who reads by `Content-Length` does not come back for the end.
                if this.source.is_end_stream() {
                    this.progress = Progress::Done;
                    this.verdict.settle(Outcome::Success);
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(this.broken(error))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.progress == Progress::Done
    }

    fn size_hint(&self) -> SizeHint {
        match self.progress {
            Progress::Done => SizeHint::with_exact(0),
            _ => self.source.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // A failing status has given its verdict, so here the status is a success. With a read
        // pending, nobody knows what would have come: the verdict does what it does when dropped.
        if self.progress == Progress::Idle {
            self.verdict.settle(Outcome::Success);
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("progress", &self.progress)
            .field("size", &self.size_hint())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
