use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::{
        IntoResponse, Response, Sse,
        sse::{self, KeepAlive},
    },
};
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use infuse_storage::ProcessId;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::{
    admin::problem::Problem,
    events::{Event, Listening, Told},
    settings::Secret,
};

/// How often something is sent, so that nobody in between takes the connection for dead.
const ALIVE: Duration = Duration::from_secs(15);

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    circuit: Option<String>,
}

/// What is told first, and where events were missed.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Hello {
    process: String,
    /// The last event that there was.
    last: Option<String>,
}

/// `GET /events`.
pub(super) async fn stream(
    State(admin): State<Admin>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(asked) =
        asked.map_err(|_| Problem::bad_request("What can be asked for is `circuit`, a name."))?;
    let only = admin.canonical(asked.circuit.as_deref())?;
    let process = admin.live().circuits.process();
    let heard = heard(&headers, process);
    let after = match heard {
        Heard::UpTo(number) => Some(number),
        Heard::Nothing | Heard::SomethingElse => None,
    };
    let listening = admin.feed().listen(after).ok_or_else(Problem::no_place)?;

    // Where to go on after this, if it is all that comes.
    let from = listening.seen();
    let mut first = vec![hello("hello", process, admin.feed().last(), from)];
    if heard == Heard::SomethingElse {
        first.push(hello("missed", process, from, from));
    }
    let tokens = tokens(&admin);
    let following = Following { admin, listening, only, tokens };
    let rest = stream::unfold(following, Following::next);
    let events = stream::iter(first).chain(rest).map(Ok::<_, Infallible>);
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE));
    // A proxy that collects answers before it passes them on is not to collect this one.
    Ok(([("x-accel-buffering", "no")], events).into_response())
}

/// What somebody who asks again has heard already.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// Nothing, or it is not said.
    Nothing,
    /// The events of this process up to this one.
    UpTo(u64),
    /// Those of another process, or something that was never told.
    SomethingElse,
}

fn heard(headers: &HeaderMap, process: ProcessId) -> Heard {
    let mut all = headers.get_all("last-event-id").iter();
    let Some(id) = all.next().filter(|id| !id.is_empty()) else { return Heard::Nothing };
    let is_only = all.next().is_none();
    let number = || {
        let (of, number) = id.to_str().ok()?.split_once('-')?;
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        (is_only && digits && of == process.to_string()).then(|| number.parse().ok())?
    };
    number().map_or(Heard::SomethingElse, Heard::UpTo)
}

fn hello(kind: &str, process: ProcessId, last: u64, from: u64) -> sse::Event {
    let id = |number| format!("{process}-{number}");
    let hello = Hello { process: process.to_string(), last: (last > 0).then(|| id(last)) };
    event(kind, id(from), &hello)
}

fn event(kind: &str, id: String, data: &impl Serialize) -> sse::Event {
    // Nothing in it can fail to serialize.
    let data = serde_json::to_string(data).unwrap_or_default();
    sse::Event::default().id(id).event(kind).data(data)
}

/// One who listens to the end.
struct Following {
    admin: Admin,
    listening: Listening,
    only: Option<String>,
    /// Those that held when it began to listen.
    tokens: Tokens,
}

type Tokens = [Option<Secret>; 2];

fn tokens(admin: &Admin) -> Tokens {
    let settings = admin.live().settings();
    [settings.admin_token.clone(), settings.admin_read_token.clone()]
}

impl Following {
    async fn next(mut self) -> Option<(sse::Event, Self)> {
        loop {
            let told = self.listening.next().await?;
            // Whoever may still listen asks again, with a token that holds.
            if tokens(&self.admin) != self.tokens {
                return None;
            }
            match told {
                Told::Event(event) if event.is_about(self.only.as_deref()) => {
                    let shown = self.show(&event).await?;
                    return Some((shown, self));
                }
                Told::Event(_) => {}
                Told::Missed { last } => {
                    let process = self.admin.live().circuits.process();
                    return Some((hello("missed", process, last, last), self));
                }
            }
        }
    }

    async fn show(&self, told: &Arc<Event>) -> Option<sse::Event> {
        let shown = self.admin.show(std::slice::from_ref(told)).await.pop()?;
        Some(event(shown.kind, shown.id.clone(), &shown))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_this_process_may_have_told_is_gone_on_from() {
        let process = ProcessId::from_u64(0xab);
        let of = |ids: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append("last-event-id", HeaderValue::from_bytes(id).unwrap());
            }
            heard(&headers, process)
        };
        assert_eq!(of(&[]), Heard::Nothing);
        assert_eq!(of(&[b""]), Heard::Nothing);
        assert_eq!(of(&[b"00000000000000ab-7"]), Heard::UpTo(7));
        assert_eq!(of(&[b"00000000000000ab-0"]), Heard::UpTo(0));
        for other in [
            &b"00000000000000ac-7"[..],
            b"00000000000000ab",
            b"00000000000000ab-",
            b"00000000000000ab-+7",
            b"00000000000000ab--7",
            b"00000000000000ab-99999999999999999999",
            b"00000000000000AB-7",
            b"7",
            b"-",
            b"\xff",
        ] {
            assert_eq!(of(&[other]), Heard::SomethingElse);
        }
        assert_eq!(of(&[b"00000000000000ab-7", b"00000000000000ab-7"]), Heard::SomethingElse);
    }
}
