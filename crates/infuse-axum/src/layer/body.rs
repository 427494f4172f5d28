use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use infuse_storage::Outcome;
use pin_project_lite::pin_project;
use tower_http::classify::ClassifyEos;

use super::guard::Guard;

pin_project! {
    /// The body of an answer that a circuit waits for the end of.
    ///
    /// Dropped between reads, the answer is judged by its status; dropped while the service keeps
    /// it waiting, or where only the trailers say how it went, it counts as nothing.
    pub struct GuardedBody<B, E> {
        #[pin]
        body: B,
        verdict: Verdict<E>,
    }
}

struct Verdict<E> {
    guard: Option<Guard>,
    /// What judges by the trailers, if the status said nothing.
    eos: Option<E>,
    /// Whether a read is pending.
    waiting: bool,
}

impl<B: fmt::Debug, E> fmt::Debug for GuardedBody<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody").field("body", &self.body).finish_non_exhaustive()
    }
}

impl<B: Body, E> GuardedBody<B, E> {
    pub(super) fn new(body: B, guard: Option<Guard>, eos: Option<E>) -> Self {
        let mut verdict = Verdict { guard, eos, waiting: false };
        if verdict.eos.is_none() && body.is_end_stream() {
            verdict.settle(Outcome::Success);
        }
        Self { body, verdict }
    }
}

impl<E> Verdict<E> {
    fn settle(&mut self, outcome: Outcome) {
        if let Some(mut guard) = self.guard.take() {
            guard.settle(outcome);
        }
    }
}

impl<E: ClassifyEos> Verdict<E> {
    fn end(&mut self, trailers: Option<&HeaderMap>) {
        if self.guard.is_none() {
            return;
        }
        let outcome = match self.eos.take().map(|eos| eos.classify_eos(trailers)) {
            None | Some(Ok(())) => Outcome::Success,
            Some(Err(_)) => Outcome::Failure,
        };
        self.settle(outcome);
    }
}

impl<E> Drop for Verdict<E> {
    fn drop(&mut self) {
        if !self.waiting && self.eos.is_none() {
            self.settle(Outcome::Success);
        }
    }
}

impl<B: Body, E: ClassifyEos> Body for GuardedBody<B, E> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        this.verdict.waiting = true;
        let mut read = || this.body.as_mut().poll_frame(cx);
        let frame = match &mut this.verdict.guard {
            Some(guard) => guard.watch(read),
            None => read(),
        };
        let frame = ready!(frame);
        this.verdict.waiting = false;
        match &frame {
            None => this.verdict.end(None),
            Some(Err(_)) => this.verdict.settle(Outcome::Failure),
            Some(Ok(frame)) => match frame.trailers_ref() {
                Some(trailers) => this.verdict.end(Some(trailers)),
                None if this.body.is_end_stream() => this.verdict.end(None),
                None => {}
            },
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
