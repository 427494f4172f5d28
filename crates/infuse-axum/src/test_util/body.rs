use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::answer::{End, Reply};

/// The body of an answer of a [`TestService`](super::TestService).
#[derive(Debug)]
pub struct AnswerBody {
    data: Option<Bytes>,
    end: End,
    ended: bool,
}

impl AnswerBody {
    pub(super) fn new(reply: &Reply) -> Self {
        let data = Some(reply.body.clone()).filter(|body| !body.is_empty());
        Self { data, end: reply.end, ended: false }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let error = match self.end {
            // Nobody is woken: nothing will come.
            End::Stalled => return Poll::Pending,
            End::Whole => None,
            End::Truncated => Some(io::ErrorKind::UnexpectedEof),
            End::Reset => Some(io::ErrorKind::ConnectionReset),
        };
        self.ended = true;
        Poll::Ready(error.map(|kind| Err(kind.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && (self.ended || self.end == End::Whole)
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.data.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact((left + usize::from(self.end != End::Whole && !self.ended)) as u64)
    }
}
