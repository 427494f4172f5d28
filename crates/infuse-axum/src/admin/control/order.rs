use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use infuse_storage::Override;
use serde::Deserialize;
use tokio::time::timeout;

use super::Action;
use crate::{admin::problem::Problem, settings::up_to_a_month};

/// Most bytes of a body.
const MOST_BYTES: usize = 16 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

const SHAPE: &str = "The body is a JSON object with `reason`, a text, and perhaps `by`, a text, and \
                     `for`, a number of seconds or a text such as \"10m\"; and nothing else.";

/// Something that is to be done, and what was said with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::admin) struct Order {
    pub(super) action: Action,
    /// Why. Never empty.
    pub(super) reason: String,
    /// Who; empty if nobody said.
    pub(super) by: String,
    /// How long it is to last.
    pub(super) lasting: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    reason: Option<String>,
    by: Option<String>,
    r#for: Option<Time>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Seconds(f64),
    Text(String),
}

impl Order {
    /// Reads what was said with an action.
    pub(in crate::admin) async fn read(
        action: Action,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Self, Problem> {
        // Also because no website can make a browser send this without asking first.
        if !is_json(headers) {
            return Err(Problem::unsupported());
        }
        let body = timeout(PATIENCE, Limited::new(body, MOST_BYTES).collect()).await;
        let body = body.map_err(|_| Problem::too_slow())?.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Problem::too_large()
            } else {
                Problem::bad_request("The body broke off.")
            }
        })?;
        Self::parse(action, &body.to_bytes())
    }

    fn parse(action: Action, body: &[u8]) -> Result<Self, Problem> {
        let said: Said = serde_json::from_slice(body).map_err(|_| Problem::bad_request(SHAPE))?;
        let Some(reason) = said.reason else {
            return Err(Problem::bad_request("`reason` is missing: say why."));
        };
        let reason = text("reason", &reason)?;
        if reason.is_empty() {
            return Err(Problem::bad_request("`reason` is empty: say why."));
        }
        let by = text("by", said.by.as_deref().unwrap_or_default())?;
        let lasting = said.r#for.map(time).transpose()?;
        if lasting.is_some() && !action.lasts() {
            return Err(Problem::bad_request(
                "`for` is for `open`, `isolate`, `disable`, `observe` and `enable` only: other \
                 states end by what happens.",
            ));
        }
        Ok(Self { action, reason, by, lasting })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// A text that people will read, in logs and on pages.
fn text(name: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.len() > Override::MOST_TEXT {
        let most = Override::MOST_TEXT;
        return Err(Problem::bad_request(format!(
            "`{name}` is too long: it has at most {most} bytes."
        )));
    }
    if text.chars().any(is_misleading) {
        return Err(Problem::bad_request(format!(
            "`{name}` has control characters, or such as change the direction of text: leave them \
             out."
        )));
    }
    Ok(text.to_owned())
}

/// Whether a character makes a line look like another than it is.
fn is_misleading(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

fn time(time: Time) -> Result<Duration, Problem> {
    let text = match time {
        Time::Text(text) => text.trim().to_owned(),
        Time::Seconds(seconds) => format!("{seconds}"),
    };
    up_to_a_month(&text).map_err(|what| Problem::bad_request(format!("`for`: {what}.")))
}

#[cfg(test)]
mod tests {
    use infuse_storage::{State, core::Mode};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ISOLATE: Action = Action::Override(Mode::Isolated);
    const OPEN: Action = Action::Put(State::Open);

    fn parse(action: Action, body: &serde_json::Value) -> Result<Order, String> {
        let parsed = Order::parse(action, body.to_string().as_bytes());
        parsed.map_err(|problem| {
            assert_eq!(problem.status(), 400);
            problem.detail().to_owned()
        })
    }

    #[test]
    fn what_can_be_said() {
        let order = |lasting| Order {
            action: ISOLATE,
            reason: "moving house".to_owned(),
            by: "ada".to_owned(),
            lasting,
        };
        for (time, seconds) in [
            (json!(90), Some(90.0)),
            (json!(0.5), Some(0.5)),
            (json!("10m"), Some(600.0)),
            (json!("90"), Some(90.0)),
            (json!("720h"), Some(2_592_000.0)),
            (json!(null), None),
        ] {
            let body = json!({"reason": " moving house ", "by": "ada", "for": time});
            let lasting = seconds.map(Duration::from_secs_f64);
            assert_eq!(parse(ISOLATE, &body), Ok(order(lasting)), "{time}");
        }
        let open = parse(OPEN, &json!({"reason": "ü".repeat(128), "by": null, "for": null}));
        assert_eq!(open.unwrap().by, "");
        let open = parse(OPEN, &json!({"reason": "x", "for": "90s"})).unwrap();
        assert_eq!(open.lasting, Some(Duration::from_secs(90)));
    }

    #[test]
    fn what_cannot() {
        for (body, part) in [
            (json!({}), "`reason` is missing"),
            (json!({"reason": null}), "`reason` is missing"),
            (json!({"reason": ""}), "`reason` is empty"),
            (json!({"reason": " \u{a0}"}), "`reason` is empty"),
            (json!({"reason": 7}), "The body is a JSON object"),
            (json!({"reason": "x", "why": "y"}), "The body is a JSON object"),
            (json!({"reason": "x", "by": ["y"]}), "The body is a JSON object"),
            (json!({"reason": "x", "for": true}), "The body is a JSON object"),
            (json!([]), "The body is a JSON object"),
            (json!(null), "The body is a JSON object"),
            (json!({"reason": "ü".repeat(129)}), "`reason` is too long"),
            (json!({"reason": "x", "by": "y".repeat(257)}), "`by` is too long"),
            (json!({"reason": "a\nb"}), "`reason` has control characters"),
            (json!({"reason": "a\u{1b}[1m"}), "`reason` has control characters"),
            (json!({"reason": "x", "by": "a\u{202e}b"}), "`by` has control characters"),
            (json!({"reason": "x", "for": 0}), "`for`: "),
            (json!({"reason": "x", "for": -1}), "`for`: "),
            (json!({"reason": "x", "for": 1e300}), "`for`: "),
            (json!({"reason": "x", "for": 1e-300}), "`for`: "),
            (json!({"reason": "x", "for": "721h"}), "`for`: too long"),
            (json!({"reason": "x", "for": "soon"}), "`for`: not a duration"),
        ] {
            let said = parse(ISOLATE, &body).unwrap_err();
            assert!(said.contains(part), "{body}: {said}");
        }
        for action in [Action::Put(State::HalfOpen), Action::Reset, Action::ClearOverride] {
            let said = parse(action, &json!({"reason": "x", "for": 5})).unwrap_err();
            assert!(said.contains("`open`, `isolate`"), "{said}");
        }
        let twice = br#"{"reason": "x", "reason": "y"}"#;
        assert!(Order::parse(OPEN, twice).is_err());
    }

    #[test]
    fn the_body_is_json_and_says_so() {
        let is = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, http::HeaderValue::from_static(value));
            }
            is_json(&headers)
        };
        assert!(is(&["application/json"]));
        assert!(is(&["Application/JSON; charset=utf-8"]));
        for other in ["text/plain", "application/jsonp", "application/x-www-form-urlencoded", ""] {
            assert!(!is(&[other]), "{other}");
        }
        assert!(!is(&[]));
        assert!(!is(&["application/json", "text/plain"]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Order::parse(ISOLATE, &bytes);
        }

        #[test]
        fn no_text_panics_and_what_is_taken_is_short_and_plain(
            reason in "\\PC{0,300}|[\\x00-\\x20]{0,3}.{0,20}",
            time in "\\PC{0,8}|[0-9.]{0,12}(h|m|s|ms)?|-?[0-9]{1,3}",
        ) {
            let body = json!({"reason": reason, "for": time});
            if let Ok(order) = parse(ISOLATE, &body) {
                prop_assert!((1..=256).contains(&order.reason.len()));
                prop_assert!(!order.reason.chars().any(is_misleading));
                prop_assert!(order.lasting.unwrap() <= Duration::from_secs(30 * 24 * 3600));
            }
        }
    }
}
