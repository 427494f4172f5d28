//! The page on which circuits are watched and controlled.
//!
//! It is made of files that stand in the crate as they are sent: one document, its styles, and
//! modules of JavaScript that a browser takes as they are. It loads nothing from anywhere else, and
//! holds nothing that is secret: what it shows it asks of the routes beside it, with the token that
//! its reader enters. Its links are relative to the folder of its URL, whatever that is.
//!
//! Everything that it shows is put on the page as text. A policy that allows no script and no style
//! but these files stands behind that.

use axum::{Router, response::IntoResponse, routing::get};
use http::{
    HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const DOCUMENT: &str = include_str!("index.html");

/// The files beside the document: the name, the type and the content of each.
macro_rules! files {
    ($($type:ident: $($name:literal)*;)*) => {
        &[$($((concat!("/", $name), $type, include_str!($name)),)*)*]
    };
}

const FILES: &[(&str, &str, &str)] = files! {
    STYLE: "theme.css" "layout.css" "card.css" "dialog.css";
    SCRIPT: "api.js" "app.js" "asking.js" "board.js" "card.js" "condition.js" "control.js"
        "countdown.js" "details.js" "dom.js" "fleet.js" "meters.js" "processes.js" "recent.js"
        "status.js" "stream.js" "strip.js" "why.js" "words.js";
};

/// `/` and the files of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = Router::new().route("/", get(|| async { sent(HTML, DOCUMENT) }));
    FILES.iter().fold(page, |page, &(path, kind, content)| {
        page.route(path, get(move || async move { sent(kind, content) }))
    })
}

fn sent(kind: &'static str, content: &'static str) -> impl IntoResponse {
    const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
    const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER, "same-origin"),
        (RESOURCE, "same-origin"),
    ];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), content)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn got(app: &Router, path: &str) -> (StatusCode, http::HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    /// What a text links to: whatever it quotes that begins with `./`.
    fn links(text: &str) -> Vec<String> {
        let quoted = text.split(['\'', '"']);
        quoted.filter(|text| text.starts_with("./")).map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn the_documents_links_lead_to_its_files() {
        let app = routes::<()>();
        let (status, headers, document) = got(&app, "/").await;
        assert_eq!(
            (status, &headers[CONTENT_TYPE]),
            (StatusCode::OK, &HeaderValue::from_static(HTML))
        );
        let links = links(&document);
        assert_eq!(links.len(), 5, "{links:?}");
        for link in links {
            assert_eq!(got(&app, &link[1..]).await.0, StatusCode::OK, "{link}");
        }
    }

    #[tokio::test]
    async fn every_file_is_sent_with_the_policy_and_kept_by_nobody() {
        let app = routes::<()>();
        for (path, kind) in FILES.iter().map(|&(path, kind, _)| (path, kind)).chain([("/", HTML)]) {
            let (status, headers, content) = got(&app, path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers[CONTENT_TYPE], kind);
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
            assert!(!content.is_empty());
        }
    }

    /// A file that is forgotten in the list would be missed by a browser alone.
    #[test]
    fn every_module_that_is_imported_is_sent() {
        for (path, _, content) in FILES.iter().filter(|(_, kind, _)| *kind == SCRIPT) {
            for line in content.lines().filter(|line| line.starts_with("import ")) {
                for link in links(line) {
                    let found = FILES.iter().any(|(other, ..)| *other == &link[1..]);
                    assert!(found, "{path} imports {link}");
                }
            }
        }
    }

    #[test]
    fn no_text_is_ever_taken_for_markup_and_nothing_comes_from_elsewhere() {
        for (path, content) in FILES.iter().map(|&(path, _, content)| (path, content)) {
            for never in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
                "srcdoc",
                "setHTML",
                "localStorage",
                "document.cookie",
                "@import",
                "url(",
            ] {
                assert!(!content.contains(never), "{path} has {never}");
            }
            let elsewhere = content.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
        }
        let scripts = DOCUMENT.matches("<script").count();
        assert_eq!((scripts, DOCUMENT.matches("style=").count()), (1, 0));
    }
}
