use axum::{Router, extract::Request, response::IntoResponse, routing::any};

use super::{
    front::Front,
    page,
    problem::Problem,
    routes::{self, Admin},
};
use crate::Infuse;

impl Infuse {
    /// Routes to look at circuits and to control them, for the whole fleet, with a page that shows
    /// them. They are to be nested under a path of their own:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::net::SocketAddr;
    /// use axum::{Router, routing::get};
    /// use infuse_axum::Infuse;
    ///
    /// # let config = Default::default();
    /// let mut app = Router::new().route("/", get(|| async { "hello" }));
    /// let infuse = Infuse::init_app(&mut app, &config).await?;
    /// let app = app.nest_service("/infuse", infuse.admin_router());
    ///
    /// // So that it is known who calls.
    /// let app = app.into_make_service_with_connect_info::<SocketAddr>();
    /// # let _ = app;
    /// # Ok(()) }
    /// ```
    ///
    /// The page is then at `/infuse/`. (With [`nest`](Router::nest) instead of `nest_service` it is
    /// at `/infuse`; axum leaves out `/infuse/` there.)
    ///
    /// # Who may
    ///
    /// | `INFUSE_ADMIN_TOKEN` | `INFUSE_ADMIN_READ_TOKEN` | may look | may change things |
    /// |---|---|---|---|
    /// | set | set | who has either | who has the admin token |
    /// | set | | who has it | who has it |
    /// | | set | who has it | nobody |
    /// | | | callers on this machine | nobody |
    ///
    /// A token is sent as `Authorization: Bearer <token>`; the page asks for it. Where none is set,
    /// it must be known who calls (`into_make_service_with_connect_info`), the request must not come
    /// through a proxy, and must be sent to a name of this machine: `localhost`, `127.0.0.1`. A proxy
    /// on this machine that adds no header such as `X-Forwarded-For` cannot be found out: set a token
    /// behind one. What another website makes a browser send is refused in any case.
    ///
    /// # The routes
    ///
    /// | | |
    /// |---|---|
    /// | `GET /` | the page |
    /// | `GET /circuits` | every circuit as it is now in this process, and how it is shared |
    /// | `GET /circuits/{name}` | one of them, with its policy and what happened to it. `payments/refunds` is below `payments` |
    /// | `POST /circuits/{name}/{action}` | `open`, `half-open`, `close`, `reset`; `isolate`, `disable`, `observe`, `enable`, `clear-override`. The body is JSON: `reason`, and perhaps `by` and, for `open` and the modes, `for` (`600`, `"10m"`) |
    /// | `GET /events` | what happens, as server-sent events, resumable by `Last-Event-ID`; `?circuit=` for one |
    /// | `GET /history` | what happened last, the newest first; `?circuit=`, `?limit=` |
    /// | `GET /instances` | what each process of the environment thinks, next to what the storage says |
    /// | `GET /config` | the settings that hold, and where each comes from; without secrets |
    /// | `GET /health` | what [`health`](Self::health) says |
    /// | `GET /openapi.json` | a description of all this |
    ///
    /// ```sh
    /// curl -X POST http://127.0.0.1:8080/infuse/circuits/payments/isolate \
    ///     -H "Authorization: Bearer $INFUSE_ADMIN_TOKEN" -H 'Content-Type: application/json' \
    ///     -d '{"by": "ada", "reason": "their database is being moved", "for": "1h"}'
    /// ```
    ///
    /// Whatever is changed is logged at `info`, with the target `infuse::audit`: by whom, and why. No
    /// answer may be stored by a cache. Streams of events end when
    /// [`close_events`](Self::close_events) or [`shutdown`](Self::shutdown) is called; there are at
    /// most 64 at a time.
    pub fn admin_router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let front = Front::new(self.clone(), inner(self));
        let rest = front.clone();
        Router::new()
            .route("/", any(move |request: Request| front.answer(request)))
            .route("/{*rest}", any(move |request: Request| rest.answer(request)))
    }
}

/// What is behind the front.
fn inner(infuse: &Infuse) -> Router {
    let routes = Router::new().merge(page::routes());
    let all = routes::all().into_iter();
    all.fold(routes, |routes, (path, methods)| routes.route(path, methods))
        .fallback(async || {
            Problem::not_found("There is nothing here. `openapi.json` says what there is.")
                .into_response()
        })
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(Admin::new(infuse.clone()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        net::SocketAddr,
    };

    use axum::{body::Body, extract::ConnectInfo, response::Response};
    use http_body_util::BodyExt;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    pub(in crate::admin) const TOKEN: &str = "0123456789abcdef";

    /// An application with a token, which calls `payments`.
    pub(in crate::admin) async fn infuse(settings: &[(&str, &str)]) -> Infuse {
        let mut config = config::Config::builder()
            .set_override("infuse_admin_token", TOKEN)
            .and_then(|config| config.set_override("infuse_service_connections", "payments"))
            .unwrap();
        for (key, value) in settings {
            config = config.set_override(key, *value).unwrap();
        }
        Infuse::builder().start(&config.build().unwrap()).await.unwrap()
    }

    pub(in crate::admin) async fn send(
        infuse: &Infuse,
        method: &str,
        path: &str,
        body: &str,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let peer = SocketAddr::from(([10, 0, 0, 9], 4711));
        request.extensions_mut().insert(ConnectInfo(peer));
        infuse.admin_router::<()>().oneshot(request).await.unwrap()
    }

    pub(in crate::admin) async fn json(response: Response) -> Value {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn the_routes_are_those_that_are_described() {
        let infuse = infuse(&[]).await;
        let description = json(send(&infuse, "GET", "/openapi.json", "").await).await;
        let paths = description["paths"].as_object().unwrap();
        let described: BTreeMap<_, BTreeSet<_>> = paths
            .iter()
            .map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                let methods = methods.filter(|key| *key != "parameters");
                (path.clone(), methods.map(|method| method.to_uppercase()).collect())
            })
            .collect();
        let mut found = BTreeMap::new();
        for (path, _) in routes::all() {
            // A method that nothing is for, so that the answer lists those that there are.
            let allowed = send(&infuse, "PATCH", path, "").await;
            assert_eq!(allowed.status(), 405, "{path}");
            let allow = allowed.headers()["allow"].to_str().unwrap();
            let methods = allow.split(',').map(|method| method.trim().to_owned());
            let methods: BTreeSet<_> = methods.filter(|method| method != "HEAD").collect();
            found.insert(path.to_owned(), methods);
        }
        found.insert("/".to_owned(), BTreeSet::from(["GET".to_owned()]));
        assert_eq!(described, found);
    }
}
