use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use infuse_storage::{Instance as Said, StorageError};
use tokio::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::Admin;
use crate::{
    admin::shapes::{Instance, Instances, SharedCircuit},
    instances::Announcement,
    seconds,
};

/// For how long an answer of the storage is good enough for whoever asks next: it is asked about
/// every circuit.
const GOOD_FOR: Duration = Duration::from_millis(500);

/// What the storage last said about the fleet. Whoever asks meanwhile waits for the same answer.
#[derive(Debug, Default)]
pub(super) struct Survey(Mutex<Option<(Instant, Instances)>>);

/// `GET /instances`.
pub(super) async fn all(State(admin): State<Admin>) -> Response {
    let mut last = admin.survey.0.lock().await;
    match &*last {
        Some((at, answer)) if at.elapsed() < GOOD_FOR => Json(answer).into_response(),
        _ => {
            let answer = ask(&admin).await;
            let (_, answer) = last.insert((Instant::now(), answer));
            Json(&*answer).into_response()
        }
    }
}

async fn ask(admin: &Admin) -> Instances {
    let live = admin.live();
    let group = live.settings().environment.clone();
    let (said, views) = tokio::join!(live.circuits.instances(&group), live.circuits.look());
    let mut error = None;
    let mut note = |why: StorageError| error = Some(why.to_string());
    let said = said.map_err(&mut note).unwrap_or_default();
    let shared = views.map_err(&mut note).ok().map(|views| {
        views.iter().map(|(circuit, view)| SharedCircuit::new(circuit.name(), view)).collect()
    });
    admin.infuse().operated().names.hear(&said);

    // This process is as it is now, whatever it last said.
    let own = live.circuits.process();
    let announcement = Announcement::of(live, admin.infuse().operated().started_at);
    let mut instances = vec![Instance::new(own, Duration::ZERO, true, announcement)];
    let mut others: Vec<_> = said.iter().filter(|said| said.process != own).map(other).collect();
    others.sort_by(|a, b| (&a.name, &a.process).cmp(&(&b.name, &b.process)));
    instances.extend(others);
    Instances { now: seconds::now(), instances, shared, error }
}

fn other(said: &Said) -> Instance {
    let announcement = Announcement::read(&said.text).unwrap_or_else(|| Announcement {
        // Something that is not understood is there nevertheless.
        name: said.process.to_string(),
        service: None,
        version: String::new(),
        started_at: 0.0,
        circuits: Vec::new(),
        omitted: 0,
    });
    Instance::new(said.process, said.heard_ago, false, announcement)
}
