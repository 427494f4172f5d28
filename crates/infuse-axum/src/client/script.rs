//! Bodies that do what a test says.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Data(&'static str),
    /// Data that the body knows to be its last, as with `Content-Length`.
    Last(&'static str),
    Wait(Duration),
    /// Is never ready again.
    Hang,
    Fail,
    Panic,
}

#[derive(Debug)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    wait: Option<Pin<Box<Sleep>>>,
    ended: bool,
    announced: u64,
}

impl Script {
    pub(crate) fn new(steps: &[Step]) -> Self {
        let steps = VecDeque::from_iter(steps.iter().copied());
        Self { steps, wait: None, ended: false, announced: 0 }
    }

    /// Announces at least this many bytes.
    pub(crate) fn announcing(mut self, bytes: u64) -> Self {
        self.announced = bytes;
        self
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(wait) = &mut self.wait {
                std::task::ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            return match self.steps.pop_front() {
                None => Poll::Ready(None),
                Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data.into())))),
                Some(Step::Last(data)) => {
                    self.ended = true;
                    Poll::Ready(Some(Ok(Frame::data(data.into()))))
                }
                Some(Step::Wait(time)) => {
                    self.wait = Some(Box::pin(tokio::time::sleep(time)));
                    continue;
                }
                Some(Step::Hang) => {
                    self.steps.push_front(Step::Hang);
                    Poll::Pending
                }
                Some(Step::Fail) => {
                    let reset = std::io::ErrorKind::ConnectionReset;
                    Poll::Ready(Some(Err(reset.into())))
                }
                Some(Step::Panic) => panic!("the body panics"),
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.announced);
        hint
    }
}
