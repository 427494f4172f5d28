//! The stream of events.

use std::time::Duration;

use axum::body::Body;
use futures_util::{FutureExt, StreamExt};
use infuse_axum::{Infuse, Mode, Override};
use serde_json::Value;

use crate::{TOKENS, get, start};

/// A client of the stream.
struct Client {
    body: axum::body::BodyDataStream,
    text: String,
}

/// What it is told: the id, the kind, the data.
type Told = (String, String, Value);

impl Client {
    async fn of(infuse: &Infuse, path: &str, last: Option<&str>) -> Self {
        let mut ask = get(path).read();
        if let Some(last) = last {
            ask = ask.with("last-event-id", last);
        }
        let answer = ask.of(infuse).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "text/event-stream");
        assert_eq!(answer.headers["cache-control"], "no-store");
        Self::new(answer.body)
    }

    fn new(body: Body) -> Self {
        Self { body: body.into_data_stream(), text: String::new() }
    }

    /// The next block of lines, `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.text.find("\n\n") {
                let block = self.text[..at].to_owned();
                self.text.drain(..at + 2);
                return Some(block);
            }
            let bytes = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    async fn next(&mut self) -> Told {
        let block = self.block().await.unwrap();
        let field = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {block}")).trim().to_owned()
        };
        (field("id:"), field("event:"), serde_json::from_str(&field("data:")).unwrap())
    }

    /// Whether there is nothing more for now.
    fn is_idle(&mut self) -> bool {
        self.text.is_empty() && self.body.next().now_or_never().is_none()
    }
}

async fn change(infuse: &Infuse, circuit: &str) {
    let circuit = infuse.circuit(circuit).unwrap();
    let _ = circuit.open().await;
    let _ = circuit.close().await;
}

#[tokio::test]
async fn what_happens_from_now_on() {
    let infuse = start(&TOKENS).await;
    change(&infuse, "users").await;
    let mut client = Client::of(&infuse, "/events", None).await;
    let (id, kind, hello) = client.next().await;
    assert_eq!((&*kind, &hello["last"]), ("hello", &id.as_str().into()));
    let process = hello["process"].as_str().unwrap().to_owned();
    assert_eq!(id, format!("{process}-2"));
    assert!(client.is_idle());
    change(&infuse, "payments").await;
    let (id, kind, event) = client.next().await;
    assert_eq!((id, &*kind), (format!("{process}-3"), "state"));
    assert_eq!(event["id"], format!("{process}-3"));
    assert_eq!((&event["circuit"], &event["kind"]), (&"payments".into(), &"state".into()));
    assert_eq!((&event["from"], &event["to"]), (&"closed".into(), &"open".into()));
    assert_eq!((&event["cause"], &event["remote"]), (&"manual".into(), &false.into()));
    assert_eq!(client.next().await.0, format!("{process}-4"));
    assert!(client.is_idle());
}

#[tokio::test]
async fn whoever_comes_back_hears_what_it_missed() {
    let infuse = start(&TOKENS).await;
    let (start, _, hello) = Client::of(&infuse, "/events", None).await.next().await;
    assert_eq!(hello["last"], Value::Null);
    change(&infuse, "payments").await;
    // From before there was anything, by the id that came with the greeting.
    let mut client = Client::of(&infuse, "/events", Some(&start)).await;
    let (at, kind, hello) = client.next().await;
    assert_eq!((at, &*kind), (start, "hello"));
    let (first, ..) = client.next().await;
    let (second, ..) = client.next().await;
    assert!(client.is_idle());
    assert_eq!(hello["last"], *second);
    let mut client = Client::of(&infuse, "/events", Some(&first)).await;
    client.next().await;
    assert_eq!(client.next().await.0, second);
    assert!(client.is_idle());
}

#[tokio::test]
async fn whoever_has_missed_too_much_is_told_so() {
    let infuse = start(&TOKENS).await;
    let (first, ..) = Client::of(&infuse, "/events", None).await.next().await;
    let mut slow = Client::of(&infuse, "/events", None).await;
    for _ in 0..501 {
        change(&infuse, "payments").await;
    }
    for last in [&*first, "0123456789abcdef-7", "nonsense", "\u{fc}"] {
        let mut client = Client::of(&infuse, "/events", Some(last)).await;
        assert_eq!(client.next().await.1, "hello", "{last}");
        let (id, kind, missed) = client.next().await;
        assert_eq!((&*kind, &missed["last"]), ("missed", &id.as_str().into()), "{last}");
        assert!(client.is_idle());
        change(&infuse, "payments").await;
        assert_eq!(client.next().await.1, "state");
    }
    assert_eq!(slow.next().await.1, "hello");
    assert_eq!(slow.next().await.1, "missed");
    assert!(slow.is_idle());
}

#[tokio::test]
async fn those_of_one_circuit() {
    let infuse = start(&TOKENS).await;
    let mut client = Client::of(&infuse, "/events?circuit=USERS", None).await;
    client.next().await;
    change(&infuse, "payments").await;
    assert!(client.is_idle());
    change(&infuse, "users").await;
    assert_eq!(client.next().await.2["circuit"], "users");
    get("/events?circuit=nobody").read().of(&infuse).await.refused(404).await;
    get("/events?circuit=users&circuit=users").read().of(&infuse).await.refused(400).await;
}

#[tokio::test(start_paused = true)]
async fn a_comment_keeps_it_alive() {
    let infuse = start(&TOKENS).await;
    let mut client = Client::of(&infuse, "/events", None).await;
    client.next().await;
    let since = tokio::time::Instant::now();
    assert!(client.block().await.unwrap().starts_with(':'));
    let passed = since.elapsed();
    assert!((Duration::from_secs(14)..Duration::from_secs(17)).contains(&passed), "{passed:?}");
}

#[tokio::test]
async fn there_are_so_many_streams_until_they_are_closed() {
    let infuse = start(&TOKENS).await;
    let mut clients = Vec::new();
    for _ in 0..64 {
        clients.push(Client::of(&infuse, "/events", None).await);
    }
    let refused = get("/events").read().of(&infuse).await;
    assert_eq!(refused.headers["retry-after"], "5");
    refused.refused(503).await;
    clients.pop();
    clients.push(Client::of(&infuse, "/events", None).await);
    infuse.close_events();
    for mut client in clients {
        client.next().await;
        assert_eq!(client.block().await, None);
    }
    get("/events").read().of(&infuse).await.refused(503).await;
}

/// An override, and its end by itself. What a mode does is told of by the circuit.
#[tokio::test]
async fn a_change_of_mode() {
    let infuse = start(&TOKENS).await;
    let mut client = Client::of(&infuse, "/events", None).await;
    client.next().await;
    let payments = infuse.circuit("payments").unwrap();
    let over = Override::new(Mode::Isolated).by("ada").because("moving house");
    let _ = payments.set_override(Some(over)).await;
    let next = tokio::time::timeout(Duration::from_secs(10), client.next());
    let (_, kind, event) = next.await.unwrap();
    assert_eq!((&*kind, &event["to"]), ("mode", &"isolated".into()));
    assert_eq!(event["override"]["reason"], "moving house");
}
