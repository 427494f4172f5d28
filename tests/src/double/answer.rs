use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use super::Received;

/// What the double does with a request.
#[derive(Clone)]
pub enum Answer {
    /// This status, with a short text.
    Status(u16),
    /// 200 with this content type and body.
    Body(&'static str, Bytes),
    /// These bytes, after which the connection is kept.
    Raw(Bytes),
    /// 200 with what came, as JSON: `method`, `target`, `headers`, `body`.
    Echo,
    /// A body that ends before the length that was announced.
    Truncated,
    /// A chunked body that ends within a chunk.
    TruncatedChunks,
    /// The head and the beginning of a body, and then nothing.
    StalledBody,
    /// Nothing at all.
    Silent,
    /// Half of a head, and then nothing.
    StalledHead,
    /// The connection is reset.
    Reset,
    /// The connection is reset in the midst of the body.
    ResetInBody,
    /// The connection is closed in order.
    HangUp,
    /// Something that is not HTTP.
    Garbage,
    /// 200 once it is let through.
    Gated,
    /// A body of so many chunks, each of which has to be let through.
    GatedChunks(usize),
    /// A body of so many bytes, one at a time and so far apart.
    Drip(usize, Duration),
    /// A body of this many bytes, as fast as they are taken.
    Large(u64),
    /// A body without an end, as fast as it is taken.
    Endless,
    /// Another for each request.
    By(Arc<dyn Fn(&Received) -> Answer + Send + Sync>),
}

impl Answer {
    /// 200 with this JSON.
    pub fn json(json: &serde_json::Value) -> Self {
        Self::Body("application/json", json.to_string().into())
    }

    /// 200 with this text.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::Body("text/plain", text.into())
    }

    /// Another for each request.
    pub fn by(choose: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::By(Arc::new(choose))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}
