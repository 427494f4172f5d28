use std::{collections::VecDeque, sync::Arc, time::Duration};

use deadpool_redis::redis::aio::{PubSubSink, PubSubStream};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::{codec, keys::Keys};
use crate::{
    StorageError,
    storage::{BoxFuture, Event, Watch},
};

/// How long a server may say nothing before it is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(5);

/// What is pushed, on a connection of its own.
///
/// By RESP2, because proxies and managed servers refuse RESP3; and never a connection of the
/// pool's, which would go on as one that only listens.
pub(super) struct RedisWatch {
    messages: PubSubStream,
    sink: PubSubSink,
    keys: Arc<Keys>,
    limit: Duration,
    /// Those of the last message that are not told yet.
    events: VecDeque<Event>,
}

impl RedisWatch {
    pub(super) fn new(
        (sink, messages): (PubSubSink, PubSubStream),
        keys: Arc<Keys>,
        limit: Duration,
    ) -> Self {
        Self { messages, sink, keys, limit, events: VecDeque::new() }
    }

    /// Whether the server still answers on this connection. One that is gone without a word, or
    /// behind a network that swallows everything, would be listened to for ever.
    async fn is_alive(&mut self) -> bool {
        matches!(timeout(self.limit, self.sink.ping::<()>()).await, Ok(Ok(())))
    }
}

impl Watch for RedisWatch {
    fn next(&mut self) -> BoxFuture<'_, Event> {
        Box::pin(async {
            loop {
                if let Some(event) = self.events.pop_front() {
                    return event;
                }
                match timeout(SILENCE, self.messages.next()).await {
                    Ok(Some(message)) => {
                        let text = std::str::from_utf8(message.get_payload_bytes()).ok();
                        // Others may publish what they like.
                        self.events
                            .extend(text.into_iter().flat_map(|text| read(&self.keys, text)));
                    }
                    Ok(None) => return Event::Ended,
                    Err(_) if self.is_alive().await => {}
                    Err(_) => return Event::Ended,
                }
            }
        })
    }
}

fn read(keys: &Keys, text: &str) -> Vec<Event> {
    let Some((prefix, view)) = codec::decode_message(text) else { return Vec::new() };
    let circuits = keys.circuits_of(&prefix).into_iter();
    circuits.map(|key| Event::Changed { key, view: view.clone() }).collect()
}

/// Begins to listen on a channel.
pub(super) async fn watch(
    servers: &super::servers::Listening,
    attempt: usize,
    channel: &str,
) -> Result<(PubSubSink, PubSubStream), StorageError> {
    let mut pubsub = servers.connect(attempt).await.map_err(StorageError::unavailable)?;
    pubsub.subscribe(channel).await.map_err(StorageError::unavailable)?;
    Ok(pubsub.split())
}
