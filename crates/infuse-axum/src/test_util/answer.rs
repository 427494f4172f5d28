use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use super::Script;

/// What a [`TestService`](super::TestService) does with a call.
///
/// How often or how long it does is said by [`times`](Self::times),
/// [`for_duration`](Self::for_duration) or [`forever`](Self::forever), which make a [`Script`] of it.
#[derive(Debug, Clone)]
#[must_use = "an answer does nothing until it is in a script"]
pub struct Answer {
    pub(super) delay: Duration,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Reply(Reply),
    /// No headers ever come.
    Stall,
    /// There is no connection.
    Refuse,
    /// The connection is lost before the headers.
    Reset,
}

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) end: End,
}

/// What comes after the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its end.
    Whole,
    /// Nothing, for ever.
    Stalled,
    /// The end of the connection, one byte too early.
    Truncated,
    /// A reset of the connection.
    Reset,
}

impl Reply {
    /// The length that is announced.
    pub(super) fn announced(&self) -> usize {
        self.body.len() + usize::from(self.end != End::Whole)
    }
}

/// Answers that come.
impl Answer {
    /// 200 with the text `ok`.
    pub fn ok() -> Self {
        Self::text("ok")
    }

    /// 200 with this text.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::status(200).header(CONTENT_TYPE, "text/plain").body(text)
    }

    /// 200 with this as JSON.
    ///
    /// # Panics
    ///
    /// If it cannot be serialized.
    #[track_caller]
    pub fn json(json: &impl Serialize) -> Self {
        let json = serde_json::to_vec(json).expect("something that can be written as JSON");
        Self::status(200).header(CONTENT_TYPE, "application/json").body(json)
    }

    /// This status with an empty body.
    ///
    /// # Panics
    ///
    /// If no status has this number.
    #[track_caller]
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status between 100 and 999");
        let reply =
            Reply { status, headers: HeaderMap::new(), body: Bytes::new(), end: End::Whole };
        Self { delay: Duration::ZERO, what: What::Reply(reply) }
    }

    /// With this header too.
    ///
    /// # Panics
    ///
    /// If there can be no such header, or no answer comes.
    #[track_caller]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        let (Ok(name), Ok(value)) = (name.try_into(), value.try_into()) else {
            panic!("there can be no such header");
        };
        self.reply("headers").headers.append(name, value);
        self
    }

    /// With a `Retry-After` of so many seconds.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    #[track_caller]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, seconds)
    }

    /// With this body.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    #[track_caller]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.reply("a body").body = body.into();
        self
    }

    /// The body comes, but never its end.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    #[track_caller]
    pub fn stall_in_body(mut self) -> Self {
        self.reply("a body").end = End::Stalled;
        self
    }

    /// The body comes, but for the last byte that was announced: then the connection ends.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    #[track_caller]
    pub fn truncate(mut self) -> Self {
        self.reply("a body").end = End::Truncated;
        self
    }

    /// The body comes, and before its end the connection is reset.
    ///
    /// # Panics
    ///
    /// If no answer comes.
    #[track_caller]
    pub fn reset_in_body(mut self) -> Self {
        self.reply("a body").end = End::Reset;
        self
    }

    #[track_caller]
    fn reply(&mut self, what: &str) -> &mut Reply {
        match &mut self.what {
            What::Reply(reply) => reply,
            _ => panic!("an answer that does not come has no {what}"),
        }
    }
}

/// Answers that do not come.
impl Answer {
    /// The call is taken, and nothing comes.
    pub fn stall() -> Self {
        Self { delay: Duration::ZERO, what: What::Stall }
    }

    /// There is no connection. A [`TestServer`](super::TestServer) resets it instead: to have its
    /// port refuse connections, [close](super::TestServer::down) it.
    pub fn refuse() -> Self {
        Self { delay: Duration::ZERO, what: What::Refuse }
    }

    /// The connection is reset before an answer.
    pub fn reset() -> Self {
        Self { delay: Duration::ZERO, what: What::Reset }
    }

    /// All that only after so long, by the runtime's time.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

/// How often.
impl Answer {
    /// To the next so many calls.
    pub fn times(self, calls: u64) -> Script {
        Script::times(self, calls)
    }

    /// For so long, by the clock of the service: from when the script is put on, or from the end of
    /// what is before.
    pub fn for_duration(self, time: Duration) -> Script {
        Script::for_duration(self, time)
    }

    /// From then on.
    pub fn forever(self) -> Script {
        Script::forever(self)
    }
}
