//! That every change leaves a line.

use std::{
    cell::RefCell,
    fmt::{Debug, Write as _},
};

use serde_json::json;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{TOKENS, order, start};

thread_local! {
    /// The lines that were logged in this thread.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// For the whole process, because what a thread without a subscriber logs first is given up for
/// all of them.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "infuse::audit"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                write!(self.0, " {}={value:?}", field.name()).unwrap();
            }
        }
        assert_eq!(*event.metadata().level(), Level::INFO);
        let mut line = Line(String::new());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }
}

#[tokio::test]
async fn who_did_what_and_why() {
    tracing::subscriber::set_global_default(Lines).unwrap();
    tracing::callsite::rebuild_interest_cache();
    let infuse = start(&TOKENS).await;
    let body = json!({"reason": "moving \"house\"", "by": "ada", "for": 90}).to_string();
    assert_eq!(order("/circuits/payments/isolate", body).of(&infuse).await.status, 200);
    let nameless = order("/circuits/users/close", r#"{"reason": "x"}"#);
    assert_eq!(crate::Ask { peer: None, ..nameless }.of(&infuse).await.status, 200);
    // Nothing was done.
    order("/circuits/payments/isolate", "{}").of(&infuse).await.refused(400).await;
    order("/circuits/payments/nothing", "{}").of(&infuse).await.refused(404).await;
    assert_eq!(
        LINES.take(),
        [
            " message=circuit payments: isolate by ada: moving \"house\" circuit=\"payments\" \
             action=\"isolate\" by=\"ada\" reason=\"moving \\\"house\\\"\" for=90.0 \
             peer=\"127.0.0.1:4711\" reach=\"fleet\"",
            " message=circuit users: close: x circuit=\"users\" action=\"close\" by=\"\" \
             reason=\"x\" reach=\"fleet\"",
        ]
    );
}
