use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use infuse_storage::{Fault, FaultKind, Outcome, core::Verdict};
use pin_project_lite::pin_project;
use tower_http::classify::ClassifyEos;

use super::{errors::ErrorRules, guard::Guard};

pin_project! {
    /// The body of an answer that a circuit waits for the end of.
    ///
    /// Dropped between reads, the answer is judged by its status; dropped while the service keeps
    /// it waiting, or where only the trailers say how it went, it counts as nothing.
    pub struct GuardedBody<B, E> {
        #[pin]
        body: B,
        watch: Option<Watch<E>>,
    }

    impl<B, E> PinnedDrop for GuardedBody<B, E> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(watch) = this.project().watch.take() {
                watch.leave();
            }
        }
    }
}

/// The verdict on a call that is not given yet.
pub(super) struct Watch<E> {
    guard: Guard,
    /// What judges by the trailers, if the status said nothing.
    eos: Option<E>,
    errors: ErrorRules,
}

impl<B, E> GuardedBody<B, E> {
    /// A body that nobody waits for the end of.
    pub(super) fn unguarded(body: B) -> Self {
        Self { body, watch: None }
    }
}

impl<B: Body, E: ClassifyEos> GuardedBody<B, E> {
    pub(super) fn new(body: B, watch: Watch<E>) -> Self {
        if body.is_end_stream() {
            watch.end(None);
            return Self::unguarded(body);
        }
        Self { body, watch: Some(watch) }
    }
}

impl<E> Watch<E> {
    pub(super) fn new(guard: Guard, eos: Option<E>, errors: ErrorRules) -> Self {
        Self { guard, eos, errors }
    }

    /// The caller has seen enough.
    fn leave(mut self) {
        if !self.guard.is_waiting() && self.eos.is_none() {
            self.guard.settle(Outcome::Success);
        }
    }

    fn fail<X: 'static>(mut self, error: &X) {
        let verdict = self.errors.judge_in_body(error);
        self.guard.settle(verdict);
    }
}

impl<E: ClassifyEos> Watch<E> {
    /// The body has ended.
    fn end(mut self, trailers: Option<&HeaderMap>) {
        let result = self.eos.take().map(|eos| eos.classify_eos(trailers));
        self.guard.settle(match result {
            Some(Err(_)) => Verdict::from(Outcome::Failure).fault(Fault::new(FaultKind::Error)),
            // The trailers were to say how it went, and there are none: something on the way ended
            // the answer, and classifiers take silence for a success.
            Some(Ok(())) if trailers.is_none() => Outcome::Ignored.into(),
            None | Some(Ok(())) => Outcome::Success.into(),
        });
    }
}

impl<B, E> Body for GuardedBody<B, E>
where
    B: Body<Error: 'static>,
    E: ClassifyEos,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(watch) = this.watch.as_mut() else {
            return this.body.poll_frame(cx);
        };
        let frame = ready!(watch.guard.watch(|| this.body.as_mut().poll_frame(cx)));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref());
        let more = matches!(&frame, Some(Ok(frame)) if frame.is_data());
        // Who reads by the length that was announced does not come back for the end.
        if (!more || this.body.is_end_stream())
            && let Some(watch) = this.watch.take()
        {
            match &frame {
                Some(Err(error)) => watch.fail(error),
                _ => watch.end(trailers),
            }
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

/// A body of its default, which no circuit waits for.
impl<B: Default, E> Default for GuardedBody<B, E> {
    fn default() -> Self {
        Self::unguarded(B::default())
    }
}

impl<B: fmt::Debug, E> fmt::Debug for GuardedBody<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody").field("body", &self.body).finish_non_exhaustive()
    }
}
