//! The suite that every storage must pass.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    BoxFuture, Storage,
    conformance::{self, Harness},
};
use tokio::task::JoinSet;

use crate::support::Fixture;

/// A server, whose time passes by itself.
pub(crate) struct Server(pub(crate) Arc<dyn Storage>);

impl Harness for Server {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.0)
    }

    fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// All cases at once: they wait, mostly, and each has circuits of its own.
pub(crate) async fn check(storage: Arc<dyn Storage>) {
    let harness = Arc::new(Server(storage));
    let mut running = JoinSet::new();
    for case in conformance::cases() {
        let harness = Arc::clone(&harness);
        running.spawn(async move { case.run(&*harness).await });
    }
    let failed: Vec<_> = running.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn redis_conforms() {
    let fixture = Fixture::new().await;
    check(fixture.storage()).await;
}
