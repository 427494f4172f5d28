//! Installing Infuse in an app: where it may stand, what it starts with, what the handle and the
//! builder do, and what several apps share.

#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    error::Error,
    fmt, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State as AppState,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use infuse_axum::{
    Breaker, Cause, Circuit, Infuse, Listener, ManualClock, MemoryStorage, Outcome, Rejected,
    ServiceClient, ServiceError, State, StateChange, reqwest,
};
use infuse_tests::{
    Answer, App, Double, Logs, Observed, Stage, client, config, eventually, problem, serve,
};
use serde_json::{Value, json};

async fn balance(client: ServiceClient) -> Result<String, ServiceError> {
    let payments = client.service("payments")?;
    payments.get("balance").send().await?.error_for_status()?.text().await
}

async fn maybe(client: Option<ServiceClient>) -> String {
    client.is_some().to_string()
}

async fn ask(app: &App, path: &str) -> (u16, String) {
    let answer = client().get(app.url(path)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn fine() -> (u16, String) {
    (200, "fine".to_owned())
}

#[tokio::test]
async fn routers_with_and_without_state() {
    #[derive(Clone)]
    struct Shop {
        name: &'static str,
    }
    async fn named(
        AppState(shop): AppState<Shop>,
        client: ServiceClient,
    ) -> Result<String, ServiceError> {
        Ok(format!("{}: {}", shop.name, balance(client).await?))
    }
    let service = Double::start(Answer::text("fine")).await;
    let config = config(&[("infuse_services.payments.url", &service.url())]);

    let mut app: Router = Router::new().route("/", get(balance));
    Infuse::init_app(&mut app, &config).await.unwrap();
    assert_eq!(ask(&serve(app).await, "/").await, fine());

    let mut app: Router<Shop> = Router::new().route("/", get(named));
    Infuse::init_app(&mut app, &config).await.unwrap();
    let app = serve(app.with_state(Shop { name: "shop" })).await;
    assert_eq!(ask(&app, "/").await, (200, "shop: fine".to_owned()));
}

#[tokio::test]
async fn whatever_the_router_has_is_reached() {
    let service = Double::start(Answer::text("fine")).await;
    let config = config(&[("infuse_services.payments.url", &service.url())]);
    let mut app = Router::new()
        .route("/route", get(balance))
        .nest("/nest", Router::new().route("/inner", get(balance)))
        .merge(Router::new().route("/merge", get(balance)))
        .fallback(balance);
    let infuse = Infuse::init_app(&mut app, &config).await.unwrap();
    let app = serve(app).await;
    for path in ["/route", "/nest/inner", "/merge", "/nowhere"] {
        assert_eq!(ask(&app, path).await, fine(), "{path}");
    }
    assert_eq!(infuse.client().services().collect::<Vec<_>>(), ["payments"]);
}

#[tokio::test]
async fn a_route_that_comes_too_late_says_so() {
    let logs = Logs::catch();
    let mut app = Router::new().route("/early", get(maybe));
    Infuse::init_app(&mut app, &config(&[])).await.unwrap();
    let app = serve(app.route("/late", get(balance)).route("/may", get(maybe))).await;
    assert_eq!(ask(&app, "/early").await, (200, "true".to_owned()));
    assert_eq!(ask(&app, "/may").await, (200, "false".to_owned()));
    for _ in 0..3 {
        let answer = client().get(app.url("/late")).send().await.unwrap();
        assert_eq!(answer.status(), 500);
        let problem = problem(answer).await;
        assert_eq!(problem["code"], 998624);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("call Infuse::init_app(&mut app, ..)"), "{detail}");
        assert!(detail.contains("after the last .route()"), "{detail}");
    }
    let said = logs.lines("ERROR");
    assert_eq!(said.len(), 1, "once and not for each request: {said:#?}");
}

#[tokio::test]
async fn a_router_without_routes_is_warned_of() {
    let logs = Logs::catch();
    let mut app = Router::new();
    Infuse::init_app(&mut app, &config(&[])).await.unwrap();
    let _: Router = app.route("/", get(balance));
    let lines = logs.lines("WARN");
    assert!(lines.iter().any(|line| line.contains("without routes")), "{lines:#?}");
}

#[tokio::test]
async fn a_router_that_is_built_in_parts_takes_the_layer() {
    let service = Double::start(Answer::text("fine")).await;
    let config = config(&[("infuse_services.payments.url", &service.url())]);
    let infuse = Infuse::builder().start(&config).await.unwrap();
    let one = Router::new().route("/one", get(balance)).layer(infuse.layer());
    let two = Router::new().route("/two", get(balance)).layer(infuse.layer());
    let app = serve(one.merge(two).route("/bare", get(maybe))).await;
    assert_eq!(ask(&app, "/one").await, fine());
    assert_eq!(ask(&app, "/two").await, fine());
    assert_eq!(ask(&app, "/bare").await, (200, "false".to_owned()));
}

/// An app that calls `payments`, and the handle.
async fn app_for(service: &Double) -> (App, Infuse) {
    let mut app = Router::new().route("/", get(balance));
    let config = config(&[("infuse_services.payments.url", &service.url())]);
    let infuse = Infuse::init_app(&mut app, &config).await.unwrap();
    (serve(app).await, infuse)
}

async fn five_failures_open(app: &App, service: &Double) {
    service.answer(Answer::Status(500));
    for _ in 0..5 {
        assert_eq!(ask(app, "/").await.0, 502);
    }
    let requests = service.requests();
    assert_eq!(ask(app, "/").await.0, 503);
    assert_eq!(service.requests(), requests);
}

#[tokio::test]
async fn calls_are_guarded_when_the_handle_is_gone() {
    let service = Double::start(Answer::text("fine")).await;
    let (app, infuse) = app_for(&service).await;
    drop(infuse);
    assert_eq!(ask(&app, "/").await, fine());
    five_failures_open(&app, &service).await;
}

#[tokio::test]
async fn calls_are_guarded_after_shutdown_and_no_task_is_left() {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let service = Double::start(Answer::text("fine")).await;
    let clock = ManualClock::new();
    let before = alive();
    let config = config(&[("infuse_services.payments.url", &service.url())]);
    let builder = Infuse::builder().clock(clock.clone());
    let infuse = builder.start(&config).await.unwrap();
    assert!(alive() > before, "it shares its circuits by a task");
    let payments = infuse.breaker("payments").unwrap();
    assert!(payments.snapshot().shared);

    tokio::join!(infuse.shutdown(), infuse.shutdown());
    infuse.shutdown().await;
    eventually("its tasks end", async || alive() == before).await;
    assert!(!payments.snapshot().shared);

    let app = serve(Router::new().route("/", get(balance)).layer(infuse.layer())).await;
    assert_eq!(ask(&app, "/").await, fine());
    five_failures_open(&app, &service).await;
    clock.advance(Duration::from_secs(15));
    service.answer(Answer::text("fine"));
    assert_eq!(ask(&app, "/").await, fine());
    assert_eq!(payments.state(), State::Closed);
}

#[tokio::test]
async fn dropping_everything_ends_its_task() {
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let mut app: Router = Router::new().route("/", get(balance));
    let infuse = Infuse::init_app(&mut app, &config(&[])).await.unwrap();
    let circuit = infuse.breaker("database").unwrap();
    drop((app, infuse));
    assert!(alive() > before, "a circuit is still there");
    drop(circuit);
    eventually("its task ends", async || alive() == before).await;
}

#[tokio::test]
async fn circuits_are_listed_from_the_start() {
    let settings = [
        ("infuse_service_name", "Shop_Front"),
        ("infuse_service_connections", "payments, Users"),
        ("infuse_services.mail.url", "http://mail"),
        ("infuse_services.database.breaker_max_failure", "2"),
    ];
    let clock = ManualClock::new();
    let storage = Observed::new(MemoryStorage::with_clock(clock.clone()));
    let builder = Infuse::builder().clock(clock.clone()).storage(storage.clone());
    let infuse = builder.start(&config(&settings)).await.unwrap();
    let names = |infuse: &Infuse| {
        infuse.circuits().into_iter().map(|circuit| circuit.service).collect::<Vec<_>>()
    };
    assert_eq!(names(&infuse), ["Users", "mail", "payments", "shop-front"]);
    let database = infuse.breaker("DataBase").unwrap();
    assert_eq!(names(&infuse), ["Users", "database", "mail", "payments", "shop-front"]);

    let shown = || {
        let mut shown = serde_json::to_value(infuse.circuits()).unwrap()[1].clone();
        // It comes with the first look.
        let view_age = shown.as_object_mut().unwrap().remove("view_age").unwrap();
        assert!(view_age.is_null() || view_age.is_number(), "{view_age}");
        shown
    };
    let closed = json!({
        "service": "database",
        "state": "closed",
        "fail_counter": 0,
        "success_counter": 0,
        "generation": 0,
        "opened_at": null,
        "retry_after": null,
        "trials": 0,
        "shared": true,
        "suspect": false,
        "fleet_failures": 0,
        "tripped": null,
        "max_failure": 2,
        "failed_trials": 0,
        "mode": "enabled",
        "override": null,
        "would_have_rejected": 0,
        "ramp": null,
        "window": null,
        "fleet_window": null,
    });
    assert_eq!(shown(), closed);
    for _ in 0..2 {
        let failed = database.call(async || Err::<(), _>(io::Error::other("gone"))).await;
        failed.unwrap_err();
    }
    let heard = async || shown()["generation"] == 1 && storage.has_taken_in(1);
    eventually("the storage has heard", heard).await;
    clock.advance(Duration::from_millis(2_500));
    let mut open = closed;
    for (field, value) in [
        ("state", json!("open")),
        ("fail_counter", json!(2)),
        ("generation", json!(1)),
        ("opened_at", json!(1_000_000_000.0)),
        ("retry_after", json!(12.5)),
    ] {
        open[field] = value;
    }
    open["tripped"] = shown()["tripped"].clone();
    for (field, value) in [
        ("cause", json!("failures")),
        ("at", json!(1_000_000_000.0)),
        ("fault", json!({ "kind": "error", "status": null })),
    ] {
        assert_eq!(open["tripped"][field], value);
    }
    assert_eq!(shown(), open);
}

#[tokio::test]
async fn a_service_and_a_breaker_of_its_name_are_one_circuit() {
    let stage = Stage::set().await;
    for name in ["payments", "PAYMENTS", "Payments"] {
        let circuit = stage.infuse.breaker(name).unwrap();
        let failed = circuit.call(async || Err::<(), _>(io::Error::other("gone"))).await;
        failed.unwrap_err();
    }
    assert_eq!(stage.failures(), 3);
    stage.service.answer(Answer::Status(500));
    stage.call().await;
    stage.call().await;
    assert_eq!(stage.state(), State::Open);
    assert!(stage.infuse.breaker("pay ments").is_err());
}

#[tokio::test]
async fn the_apps_own_circuit_is_put_into_its_initial_state() {
    for (set, state) in [
        (None, State::Closed),
        (Some("closed"), State::Closed),
        (Some("open"), State::Open),
        (Some("half-open"), State::HalfOpen),
        (Some("HALF_OPEN"), State::HalfOpen),
    ] {
        // Whatever another process made of it before.
        for before in [State::Closed, State::Open, State::HalfOpen] {
            let storage = MemoryStorage::new();
            let other = Infuse::builder().storage(storage.clone());
            let other = other.start(&config(&[])).await.unwrap();
            put(&other.breaker("orders").unwrap(), before).await;
            let mut settings = vec![("infuse_service_name", "orders")];
            settings.extend(set.map(|set| ("infuse_initial_circuit_state", set)));
            let own = Infuse::builder().storage(storage).start(&config(&settings)).await.unwrap();
            assert_eq!(own.breaker("orders").unwrap().state(), state, "{set:?}");
            let there = other.breaker("orders").unwrap();
            eventually("the other hears of it", async || there.state() == state).await;
            // Nobody else's is touched.
            assert_eq!(own.circuits().len(), 1);
        }
    }
}

async fn put(circuit: &Circuit, state: State) {
    let _ = match state {
        State::Closed => circuit.close().await,
        State::Open => circuit.open().await,
        State::HalfOpen => circuit.half_open().await,
    };
}

#[tokio::test]
async fn unchanged_leaves_the_apps_circuit_as_it_is() {
    let storage = MemoryStorage::new();
    let other = Infuse::builder().storage(storage.clone()).start(&config(&[])).await.unwrap();
    put(&other.breaker("orders").unwrap(), State::Open).await;
    let settings =
        [("infuse_service_name", "orders"), ("infuse_initial_circuit_state", "unchanged")];
    let own = Infuse::builder().storage(storage).start(&config(&settings)).await.unwrap();
    let orders = own.breaker("orders").unwrap();
    assert_eq!(orders.state(), State::Open);
    assert!(orders.retry_after().unwrap() > Duration::from_secs(10));
}

#[tokio::test]
async fn starting_changes_no_circuit_of_another_service() {
    let service = Double::start(Answer::Status(500)).await;
    let storage = MemoryStorage::new();
    let settings =
        [("infuse_service_name", "orders"), ("infuse_services.payments.url", &*service.url())];
    let one = Infuse::builder().storage(storage.clone());
    let one = one.start(&config(&settings)).await.unwrap();
    let payments = one.breaker("payments").unwrap();
    put(&payments, State::Open).await;
    let before = payments.snapshot();
    // A restart of the caller, while what it calls is failing.
    let two = Infuse::builder().storage(storage).start(&config(&settings)).await.unwrap();
    let after = two.breaker("payments").unwrap().snapshot();
    assert_eq!(after.state, State::Open);
    assert_eq!(after.generation, before.generation);
    assert!(after.retry_after <= before.retry_after);
}

#[tokio::test]
async fn the_name_in_the_builder_is_taken_where_none_is_set() {
    let settings = [("infuse_initial_circuit_state", "open")];
    let infuse = Infuse::builder().service_name("Orders_API");
    let infuse = infuse.start(&config(&settings)).await.unwrap();
    assert_eq!(infuse.breaker("orders-api").unwrap().state(), State::Open);
    assert_eq!(infuse.circuits()[0].service, "orders-api");
    let set = [("infuse_service_name", "set")];
    let infuse = Infuse::builder().service_name("built").start(&config(&set)).await.unwrap();
    assert_eq!(infuse.circuits()[0].service, "set");
    let error = Infuse::builder().service_name("no name").start(&config(&[])).await.unwrap_err();
    assert!(error.to_string().contains("\"no name\""), "{error}");
}

#[tokio::test]
async fn an_initial_state_without_a_name_is_warned_of() {
    let logs = Logs::catch();
    Infuse::builder().start(&config(&[("infuse_service_connections", "a")])).await.unwrap();
    assert_eq!(logs.lines("WARN"), Vec::<String>::new());
    let set = [("infuse_initial_circuit_state", "open")];
    Infuse::builder().start(&config(&set)).await.unwrap();
    let lines = logs.lines("WARN");
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("INFUSE_INITIAL_CIRCUIT_STATE"), "{lines:#?}");
    assert!(lines[0].contains("INFUSE_SERVICE_NAME"), "{lines:#?}");
}

/// Writes down what it is told.
#[derive(Clone)]
struct Diary {
    name: &'static str,
    told: Arc<Mutex<Vec<String>>>,
}

impl Diary {
    fn note(&self, breaker: &Breaker, what: impl fmt::Display) {
        let line = format!("{} {} {what}", self.name, breaker.name());
        self.told.lock().unwrap().push(line);
    }
}

impl Listener for Diary {
    fn before_call(&self, breaker: &Breaker) {
        self.note(breaker, "before_call");
    }

    fn success(&self, breaker: &Breaker) {
        self.note(breaker, "success");
    }

    fn failure(&self, breaker: &Breaker, _: Option<&(dyn Error + 'static)>) {
        self.note(breaker, "failure");
    }

    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        let cause = change.cause.as_str();
        self.note(breaker, format_args!("{} to {} by {cause}", change.from, change.to));
    }

    fn rejected(&self, breaker: &Breaker, rejected: Rejected) {
        self.note(breaker, format_args!("rejected {}", rejected.state()));
    }
}

#[tokio::test]
async fn listeners_are_chosen_by_name_and_told_in_order() {
    let told = Arc::<Mutex<Vec<String>>>::default();
    let diary = |name| Diary { name, told: Arc::clone(&told) };
    let settings = [
        ("infuse_breaker_listeners", "metrics"),
        ("infuse_breaker_max_failure", "2"),
        ("infuse_services.users.breaker_listeners", "audit"),
    ];
    let stage = Stage::set_with(&settings, |builder| {
        builder
            .listener(diary("always"))
            .register_listener("metrics", diary("metrics"))
            .register_listener("audit", diary("audit"))
            .register_listener("nobody", diary("nobody"))
    })
    .await;
    let read = || std::mem::take(&mut *told.lock().unwrap());

    stage.call().await;
    eventually("the success is told", async || told.lock().unwrap().len() == 4).await;
    let both = |lines: &[&str]| {
        let lines = lines
            .iter()
            .flat_map(|line| ["always", "metrics"].map(|name| format!("{name} payments {line}")));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(read(), both(&["before_call", "success"]));

    stage.service.answer(Answer::Status(500));
    stage.call().await;
    stage.call().await;
    stage.call().await;
    assert_eq!(
        read(),
        both(&[
            "before_call",
            "failure",
            "before_call",
            "failure",
            "closed to open by failures",
            "rejected open",
        ])
    );
    stage.until_generation(1).await;

    stage.let_reset_timeout_pass();
    stage.call().await;
    assert_eq!(
        read(),
        both(&[
            "open to half-open by trial-started",
            "before_call",
            "failure",
            "half-open to open by trial-failed",
        ])
    );
    stage.until_generation(3).await;
    stage.service.answer(Answer::text("fine"));
    stage.let_reset_timeout_pass();
    stage.call().await;
    stage.until(State::Closed).await;
    eventually("all is told", async || told.lock().unwrap().len() == 8).await;
    let mut last = read();
    let mut expected = both(&[
        "open to half-open by trial-started",
        "before_call",
        "success",
        "half-open to closed by trial-succeeded",
    ]);
    // The storage closes the circuit: its word comes when it comes.
    last.sort();
    expected.sort();
    assert_eq!(last, expected);

    // A circuit with a list of its own.
    let users = stage.infuse.breaker("users").unwrap();
    let call = async || Ok::<_, io::Error>(());
    users.call(call).await.unwrap();
    let mut lines = read();
    lines.retain(|line| line.ends_with("before_call"));
    assert_eq!(lines, ["always users before_call", "audit users before_call"]);
}

#[tokio::test]
async fn a_listener_that_panics_harms_nobody() {
    struct Reckless;
    impl Listener for Reckless {
        fn before_call(&self, _: &Breaker) {
            panic!("before the call");
        }
        fn failure(&self, _: &Breaker, _: Option<&(dyn Error + 'static)>) {
            panic!("at the failure");
        }
    }
    let stage = Stage::set_with(&[], |builder| builder.listener(Reckless)).await;
    assert_eq!(stage.call().await, 200);
    stage.open(Answer::text("fine")).await;
    assert_eq!(stage.call().await, 503);
}

/// Two apps in one process, each with its own client and handle, over one storage.
struct Fleet {
    service: Double,
    clock: ManualClock,
    apps: Vec<(App, Infuse)>,
    storages: Vec<Observed>,
}

impl Fleet {
    async fn start(environments: [&str; 2]) -> Self {
        let service = Double::start(Answer::text("fine")).await;
        let clock = ManualClock::new();
        let shared = MemoryStorage::with_clock(clock.clone());
        let (mut apps, mut storages) = (Vec::new(), Vec::new());
        for environment in environments {
            let storage = Observed::new(shared.clone());
            storages.push(storage.clone());
            let mut app = Router::new().route("/", get(balance));
            let url = service.url();
            let settings =
                [("infuse_services.payments.url", &*url), ("infuse_environment", environment)];
            let builder = Infuse::builder().storage(storage).clock(clock.clone());
            let infuse = builder.init_app(&mut app, &config(&settings)).await.unwrap();
            apps.push((serve(app).await, infuse));
        }
        Self { service, clock, apps, storages }
    }

    fn circuit(&self, app: usize) -> Circuit {
        self.apps[app].1.breaker("payments").unwrap()
    }

    /// Waits until an app has taken in all that the storage has told of this generation.
    async fn until_generation(&self, app: usize, generation: u64) {
        let circuit = self.circuit(app);
        let there = async || {
            circuit.snapshot().generation >= generation
                && self.storages[app].has_taken_in(generation)
        };
        eventually("the app has heard", there).await;
    }

    async fn until(&self, app: usize, state: State) {
        let circuit = self.circuit(app);
        eventually(&format!("app {app} is {state}"), async || circuit.state() == state).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_apps_on_one_storage_share_trips_and_one_trial() {
    let fleet = Fleet::start(["test", "test"]).await;
    for (app, _) in &fleet.apps {
        assert_eq!(ask(app, "/").await, fine());
    }
    // Only the first app sees the failures.
    five_failures_open(&fleet.apps[0].0, &fleet.service).await;
    fleet.until(1, State::Open).await;
    let requests = fleet.service.requests();
    assert_eq!(ask(&fleet.apps[1].0, "/").await.0, 503);
    assert_eq!(fleet.service.requests(), requests);
    fleet.until_generation(0, 1).await;
    fleet.until_generation(1, 1).await;
    assert_eq!(fleet.circuit(0).retry_after(), fleet.circuit(1).retry_after());

    // One trial among the callers of both.
    fleet.service.answer(Answer::Gated);
    fleet.clock.advance(Duration::from_secs(15));
    let client = client();
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let call = client.get(fleet.apps[number % 2].0.url("/")).send();
            tokio::spawn(async move { call.await.unwrap().status().as_u16() })
        })
        .collect();
    let finished = || calls.iter().filter(|call| call.is_finished()).count();
    eventually("the others are rejected", async || finished() == 99).await;
    assert_eq!(fleet.service.requests(), requests + 1);
    fleet.service.let_through(1);
    let mut statuses = HashMap::<_, usize>::new();
    for call in calls {
        *statuses.entry(call.await.unwrap()).or_default() += 1;
    }
    assert_eq!(statuses, HashMap::from([(200, 1), (503, 99)]));
    fleet.until(0, State::Closed).await;
    fleet.until(1, State::Closed).await;
    fleet.service.answer(Answer::text("fine"));
    for (app, _) in &fleet.apps {
        assert_eq!(ask(app, "/").await, fine());
    }
}

#[tokio::test]
async fn a_change_by_another_app_is_told_as_such() {
    struct Remote(Arc<Mutex<Vec<(State, Cause, bool)>>>);
    impl Listener for Remote {
        fn state_change(&self, _: &Breaker, change: &StateChange) {
            self.0.lock().unwrap().push((change.to, change.cause, change.remote));
        }
    }
    let storage = MemoryStorage::new();
    let told = Arc::default();
    let one = Infuse::builder().storage(storage.clone()).start(&config(&[])).await.unwrap();
    let two = Infuse::builder().storage(storage).listener(Remote(Arc::clone(&told)));
    let two = two.start(&config(&[])).await.unwrap();
    two.breaker("payments").unwrap();
    put(&one.breaker("payments").unwrap(), State::Open).await;
    eventually("it is told", async || !told.lock().unwrap().is_empty()).await;
    assert_eq!(*told.lock().unwrap(), [(State::Open, Cause::Manual, true)]);
}

#[tokio::test]
async fn apps_of_different_environments_share_nothing() {
    let fleet = Fleet::start(["staging", "production"]).await;
    five_failures_open(&fleet.apps[0].0, &fleet.service).await;
    fleet.until_generation(0, 1).await;
    fleet.service.answer(Answer::text("fine"));
    assert_eq!(ask(&fleet.apps[1].0, "/").await, fine());
    assert_eq!(fleet.circuit(1).snapshot().generation, 0);
}

#[tokio::test]
async fn one_app_that_leaves_in_the_midst_of_a_trial_gives_its_lease_back() {
    let fleet = Fleet::start(["test", "test"]).await;
    five_failures_open(&fleet.apps[0].0, &fleet.service).await;
    fleet.until_generation(0, 1).await;
    fleet.until_generation(1, 1).await;
    fleet.service.answer(Answer::Gated);
    fleet.clock.advance(Duration::from_secs(15));
    let requests = fleet.service.requests();
    let trial = tokio::spawn(client().get(fleet.apps[0].0.url("/")).send());
    fleet.service.until_requests(requests + 1).await;
    assert_eq!(ask(&fleet.apps[1].0, "/").await.0, 503);
    fleet.apps[0].1.shutdown().await;
    // No time has passed, so it is not that the lease ended.
    fleet.service.answer(Answer::text("fine"));
    let second = &fleet.apps[1].0;
    eventually("the other makes the trial", async || ask(second, "/").await == fine()).await;
    fleet.until(1, State::Closed).await;
    trial.abort();
}

#[tokio::test]
async fn wrong_settings_are_all_said_and_the_router_is_left_alone() {
    let settings = [
        ("infuse_breaker_max_failure", "many"),
        ("infuse_breaker_reset_timeout", "-1"),
        ("infuse_breaker_listeners", "pager"),
        ("infuse_service_connections", "pay ments"),
        ("infuse_services.users.url", "ftp://users"),
        ("infuse.breaker_max_failures", "5"),
    ];
    let mut app = Router::new().route("/", get(maybe));
    let error = Infuse::init_app(&mut app, &config(&settings)).await.unwrap_err();
    let text = error.to_string();
    for (key, _) in settings {
        assert!(text.to_lowercase().contains(key), "{key}: {text}");
    }
    assert_eq!(text.lines().count(), settings.len(), "{text}");
    assert!(text.contains("breaker_max_failure`"), "the nearest known key: {text}");
    let app = serve(app).await;
    assert_eq!(ask(&app, "/").await, (200, "false".to_owned()));
}

#[tokio::test]
async fn settings_of_redis_that_contradict_each_other_say_what_to_change() {
    let settings = [
        ("infuse_redis_url", "redis://:Sunday-7@one, redis://:Sunday-8@two/1"),
        ("infuse_redis_mode", "cluster"),
        ("infuse_redis_sentinel_password", "Sunday-9"),
    ];
    let error = Infuse::builder().start(&config(&settings)).await.unwrap_err();
    let text = format!("{error} {error:?}");
    for part in ["passwords or databases differ", "database 0", "set it to `sentinel`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Sunday"), "{text}");
}

/// An address at which there is no Redis.
const NOBODY: &str = "redis://127.0.0.1:1";

#[tokio::test]
async fn on_redis_a_name_that_is_spelt_unlike_its_key_is_warned_of() {
    let warnings = async |settings: &[(&str, &str)], storage: Option<MemoryStorage>| {
        let logs = Logs::catch();
        let builder = Infuse::builder().service_name("user_service");
        let builder = match storage {
            Some(storage) => builder.storage(storage),
            None => builder,
        };
        let infuse = builder.start(&config(settings)).await.unwrap();
        infuse.shutdown().await;
        let lines = logs.lines("WARN");
        lines.into_iter().filter(|line| line.contains("user_service")).collect::<Vec<_>>()
    };
    let redis = ("infuse_redis_url", NOBODY);
    for settings in [&[redis][..], &[redis, ("infuse_service_name", "User_Service")]] {
        let lines = warnings(settings, None).await;
        let name = settings.get(1).map_or("user_service", |(_, name)| name);
        if name == "user_service" {
            assert_eq!(lines.len(), 1, "{lines:#?}");
            for part in ["`user-service`", "development:user-service", "INFUSE_SERVICE_CONNECTIONS"]
            {
                assert!(lines[0].contains(part), "{part}: {lines:#?}");
            }
        } else {
            // The settings' name is taken, and has a warning of its own.
            assert!(lines.is_empty(), "{lines:#?}");
        }
    }
    let listed = ("infuse_service_connections", "user_service");
    assert_eq!(warnings(&[redis, listed], None).await, [""; 0]);
    assert_eq!(warnings(&[], None).await, [""; 0]);
    assert_eq!(warnings(&[redis], Some(MemoryStorage::new())).await, [""; 0]);
}

#[tokio::test]
async fn the_circuit_that_is_seeded_is_spelt_as_the_connections_spell_it() {
    for (listed, seeded) in [("none", "user-service"), ("payments, user_service", "user_service")] {
        let storage = MemoryStorage::new();
        let settings = [
            ("infuse_service_name", "User_Service"),
            ("infuse_initial_circuit_state", "open"),
            ("infuse_service_connections", listed),
        ];
        let own = Infuse::builder().storage(storage.clone()).start(&config(&settings)).await;
        let own = own.unwrap();
        assert_eq!(own.settings().service_name.as_ref().unwrap().as_str(), seeded);
        // A caller that lists it by this name shares it, and by no other.
        for spelling in ["user-service", "user_service"] {
            let caller = Infuse::builder().storage(storage.clone());
            let caller = caller.start(&config(&[("infuse_service_connections", spelling)])).await;
            let circuit = caller.unwrap().breaker("user-service").unwrap();
            let expected = if spelling == seeded { State::Open } else { State::Closed };
            assert_eq!(circuit.state(), expected, "{listed}: {spelling}");
        }
    }
}

#[tokio::test]
async fn hooks_change_every_request() {
    let stage = Stage::set_with(&[], |builder| {
        builder
            .on_request(|service, request| {
                assert_eq!(service, "payments");
                request.headers.insert("x-request-id", "7".parse().unwrap());
            })
            .on_request(|_, request| {
                let id = request.headers["x-request-id"].to_str().unwrap().to_owned();
                request.headers.insert("authorization", format!("Key {id}").parse().unwrap());
            })
    })
    .await;
    assert_eq!(stage.call().await, 200);
    assert_eq!(stage.ask("/skip").await.0, 200);
    for received in stage.service.received() {
        assert_eq!(received.header("x-request-id"), Some("7"));
        assert_eq!(received.header("authorization"), Some("Key 7"));
    }
    assert_eq!(stage.service.requests(), 2);
}

#[tokio::test]
async fn a_hook_that_panics_takes_down_its_own_call_alone() {
    let stage =
        Stage::set_with(&[], |builder| builder.on_request(|_, _| panic!("in the hook"))).await;
    for _ in 0..6 {
        stage.client.get(stage.app.url("/text")).send().await.unwrap_err();
    }
    assert_eq!(stage.service.requests(), 0);
    // It says nothing about the service.
    assert_eq!(stage.failures(), 0);
}

#[tokio::test]
async fn classify_is_asked_first() {
    let stage = Stage::set_with(&[], |builder| {
        builder.classify(|service, attempt| {
            assert_eq!(service, "payments");
            match attempt.status()?.as_u16() {
                404 => Some(Outcome::Failure),
                500 => Some(Outcome::Ignored),
                503 => Some(Outcome::Success),
                _ => None,
            }
        })
    })
    .await;
    for (status, failures) in [(404, 1), (404, 2), (500, 2), (502, 3), (503, 0), (404, 1)] {
        stage.service.answer(Answer::Status(status));
        stage.call().await;
        eventually("it is judged", async || stage.failures() == failures).await;
    }
}

#[tokio::test]
async fn exclusions_are_chosen_by_name() {
    let settings = [("infuse_services.payments.breaker_exclude_exceptions", "maintenance, 501")];
    let stage = Stage::set_with(&settings, |builder| {
        builder.register_exclusion("maintenance", |attempt| {
            attempt.headers().is_some_and(|headers| headers.contains_key("x-maintenance"))
        })
    })
    .await;
    let answer = "HTTP/1.1 503 Closed\r\nx-maintenance: 1\r\ncontent-length: 0\r\n\r\n";
    for answer in [Answer::Raw(answer.into()), Answer::Status(501)] {
        stage.service.answer(answer);
        for _ in 0..10 {
            assert_eq!(stage.call().await, 502);
        }
        assert_eq!(stage.failures(), 0);
    }
    stage.service.answer(Answer::Status(503));
    stage.call().await;
    assert_eq!(stage.failures(), 1);
}

/// Infuse for Python excludes every status; what is no status counts all the same.
#[tokio::test]
async fn every_status_can_be_excluded_as_in_python() {
    let name = "insanic.services.adapters.HTTPStatusError";
    let settings = [("infuse_breaker_exclude_exceptions", name)];
    let stage = Stage::set_with(&settings, |builder| builder).await;
    stage.service.answer(Answer::Status(503));
    for _ in 0..10 {
        assert_eq!(stage.call().await, 502);
    }
    assert_eq!(stage.failures(), 0);
    stage.service.answer(Answer::HangUp);
    stage.call().await;
    assert_eq!(stage.failures(), 1);
}

#[tokio::test]
async fn excluded_types_and_subtypes_do_not_count() {
    #[derive(Debug)]
    struct Outer(io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let infuse = Infuse::builder().start(&config(&[])).await.unwrap();
    let database = infuse.breaker("database").unwrap();
    let fail = async || {
        let failed = database.call(async || Err::<(), _>(Outer(io::Error::other("inner")))).await;
        failed.unwrap_err();
        database.fail_counter()
    };
    assert_eq!(fail().await, 1);
    let excluded = database.add_excluded::<io::Error>();
    assert_eq!(fail().await, 0);
    assert!(database.remove_excluded::<io::Error>());
    assert_eq!(fail().await, 1);
    let _ = excluded;
}

/// The README's error type: whatever went wrong is a 500, except what Infuse has to say.
struct AppError(anyhow::Error);

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match ServiceError::find(self.0.as_ref()) {
            Some(error) => error.into_response(),
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for AppError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[tokio::test]
async fn an_anyhow_error_type_keeps_the_503() {
    use anyhow::Context;
    async fn order(client: ServiceClient) -> Result<String, AppError> {
        let payments = client.service("payments")?;
        let answer = payments.get("balance").send().await.context("asking for the balance")?;
        let text = answer.error_for_status().context("no balance")?.text().await?;
        let number: u64 = text.parse()?;
        Ok(number.to_string())
    }
    let service = Double::start(Answer::text("7")).await;
    let mut app = Router::new().route("/", get(order));
    let config = config(&[("infuse_services.payments.url", &service.url())]);
    Infuse::init_app(&mut app, &config).await.unwrap();
    let app = serve(app).await;
    assert_eq!(ask(&app, "/").await, (200, "7".to_owned()));
    service.answer(Answer::text("seven"));
    assert_eq!(ask(&app, "/").await.0, 500);
    five_failures_open(&app, &service).await;
    let answer: reqwest::Response = client().get(app.url("/")).send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    let problem: Value = problem(answer).await;
    assert_eq!(problem["code"], 998603);
}

#[tokio::test]
async fn a_rejection_of_any_circuit_can_be_answered_like_that_of_a_service() {
    let infuse = Infuse::builder().start(&config(&[])).await.unwrap();
    let database = infuse.breaker("database").unwrap();
    let _ = database.open().await;
    let insert = async || Err::<(), _>(std::io::Error::other("full"));
    let rejected = database.call(insert).await.unwrap_err().rejected().unwrap();
    let app = Router::new().route(
        "/",
        get(move || async move {
            AppError(anyhow::Error::from(ServiceError::rejection("database", rejected)))
        }),
    );
    let answer = client().get(serve(app).await.url("/")).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "15");
    let problem: Value = problem(answer).await;
    assert_eq!((&problem["service"], &problem["code"]), (&"database".into(), &998603.into()));
}

#[tokio::test]
async fn a_storage_of_ones_own_is_used_whatever_the_settings_say() {
    let config = config(&[("infuse_redis_url", "redis://one, redis://two")]);
    assert!(Infuse::builder().start(&config).await.is_err());
    Infuse::builder().storage(MemoryStorage::new()).start(&config).await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_said_in_full_by_a_main_that_returns_it() {
    let config = config(&[("infuse_breaker_max_failure", "many")]);
    let error = Infuse::builder().start(&config).await.unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("use 1 to 65535"), "{error}");
}

#[tokio::test]
async fn a_router_stands_in_for_the_network() {
    let payments = Router::new().route("/api/balance", get(|| async { "fine" }));
    let stage = Stage::set_with(&[("infuse_services.payments.url", "http://payments/api")], |b| {
        b.transport("Payments", payments)
    })
    .await;
    assert_eq!(stage.ask("/text").await, fine());
    assert_eq!(stage.service.connections(), 0);
    let unknown = Infuse::builder().transport("nobody", Router::new());
    let error = unknown.start(&config(&[])).await.unwrap_err();
    assert!(error.to_string().contains("\"nobody\""), "{error}");
}

#[tokio::test]
async fn a_stand_in_that_panics_counts_and_the_panic_propagates() {
    async fn reckless() -> String {
        panic!("in the stand-in")
    }
    let payments = Router::new().route("/balance", get(reckless));
    let stage = Stage::set_with(&[], |builder| builder.transport("payments", payments)).await;
    for panicked in 1..=5 {
        stage.client.get(stage.app.url("/text")).send().await.unwrap_err();
        assert_eq!(stage.failures(), panicked);
    }
    assert_eq!(stage.state(), State::Open);
    assert_eq!(stage.call().await, 503);
}
