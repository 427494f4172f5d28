//! Headers of the request that is being answered, which calls to services take along: by them a
//! request is known wherever it leads.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The most bytes, names and values, that a call takes along.
const MOST: usize = 8 * 1024;

/// The longest id of a request that is logged.
const LONGEST_ID: usize = 128;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Which headers are taken along.
#[derive(Debug, Clone, Default)]
pub(crate) struct Propagation(Box<[HeaderName]>);

/// What calls take along of one request. There is something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried(Arc<[(HeaderName, HeaderValue)]>);

impl Propagation {
    pub(crate) fn new(names: Vec<HeaderName>) -> Self {
        Self(names.into())
    }

    /// What is to be taken along of a request with these headers. What is not plain ASCII, or is too
    /// large, is left out: a request must not fail elsewhere because of what came with it.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<Carried> {
        let mut left = MOST;
        let mut carried = Vec::new();
        for name in &self.0 {
            let values = headers.get_all(name);
            let size = |value: &HeaderValue| name.as_str().len() + value.len();
            let needed: usize = values.iter().map(size).sum();
            if needed > 0 && needed <= left && is_valid(name, values.iter()) {
                left -= needed;
                carried.extend(values.iter().map(|value| (name.clone(), value.clone())));
            }
        }
        // It says more of the other, and nothing by itself.
        if !carried.iter().any(|(name, _)| name == TRACEPARENT) {
            carried.retain(|(name, _)| name != TRACESTATE);
        }
        (!carried.is_empty()).then(|| Carried(carried.into()))
    }
}

impl Carried {
    /// Adds them to a request, except for those that it has itself.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        let own_trace = headers.contains_key(TRACEPARENT);
        let mut last: Option<(&HeaderName, bool)> = None;
        for (name, value) in self.0.iter() {
            let add = match last {
                Some((same, add)) if same == name => add,
                _ if name == TRACESTATE && own_trace => false,
                _ => !headers.contains_key(name),
            };
            if add {
                headers.append(name.clone(), value.clone());
            }
            last = Some((name, add));
        }
    }
}

fn is_valid<'a>(name: &HeaderName, mut values: impl Iterator<Item = &'a HeaderValue>) -> bool {
    if name == TRACEPARENT {
        let one = values.next().is_some_and(|value| trace_id(value).is_some());
        return one && values.next().is_none();
    }
    values.all(|value| value.to_str().is_ok())
}

/// The trace of a `traceparent`, if it is one by the recommendation of the W3C.
fn trace_id(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let mut parts = text.split('-');
    let mut hex = |len: usize| {
        let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        parts.next().filter(|part| part.len() == len && is_hex(part))
    };
    let (version, trace, parent, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    // Later versions may have more behind.
    let ends = version != "00" || parts.next().is_none();
    (version != "ff" && !is_zero(trace) && !is_zero(parent) && ends).then_some(trace)
}

/// By what a request is found in the logs of others: its `x-request-id`, or its trace.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    id.filter(|id| !id.is_empty() && id.len() <= LONGEST_ID)
        .or_else(|| headers.get(TRACEPARENT).and_then(trace_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn usual() -> Propagation {
        Propagation::new(crate::Settings::default().propagate_headers)
    }

    /// What a request without headers of its own is sent with.
    fn sent(inbound: &HeaderMap) -> HeaderMap {
        let mut sent = HeaderMap::new();
        if let Some(carried) = usual().of(inbound) {
            carried.add_to(&mut sent);
        }
        sent
    }

    #[test]
    fn what_is_named_is_taken_along_and_nothing_else() {
        let named = [
            ("traceparent", TRACE),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
            ("baggage", "user=7"),
            ("x-request-id", "r-1"),
        ];
        let mut inbound = headers(&named);
        inbound.extend(headers(&[("cookie", "secret"), ("authorization", "secret")]));
        assert_eq!(sent(&inbound), headers(&named));
        assert_eq!(usual().of(&headers(&[("cookie", "secret")])), None);
        assert_eq!(Propagation::default().of(&inbound), None);
    }

    #[test]
    fn what_the_request_sets_itself_stays() {
        let inbound = headers(&[
            ("traceparent", TRACE),
            ("tracestate", "a=1"),
            ("baggage", "a=1"),
            ("baggage", "b=2"),
            ("x-request-id", "theirs"),
        ]);
        let own = "00-11111111111111111111111111111111-2222222222222222-00";
        let mut request = headers(&[("x-request-id", "ours"), ("traceparent", own)]);
        usual().of(&inbound).unwrap().add_to(&mut request);
        // The state of a trace says nothing of another.
        let expected = [
            ("x-request-id", "ours"),
            ("traceparent", own),
            ("baggage", "a=1"),
            ("baggage", "b=2"),
        ];
        assert_eq!(request, headers(&expected));
    }

    #[test]
    fn what_is_no_trace_is_left_out_with_its_state() {
        for no_trace in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            let inbound =
                headers(&[("traceparent", no_trace), ("tracestate", "a=1"), ("x-request-id", "r")]);
            assert_eq!(sent(&inbound), headers(&[("x-request-id", "r")]), "{no_trace}");
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert_eq!(sent(&headers(&[("traceparent", later)])).len(), 1);
        assert!(sent(&headers(&[("traceparent", TRACE), ("traceparent", TRACE)])).is_empty());
    }

    #[test]
    fn what_is_not_text_is_left_out() {
        let mut inbound = headers(&[("baggage", "a=1")]);
        inbound.insert("x-request-id", HeaderValue::from_bytes(b"\xff\x80").unwrap());
        assert_eq!(sent(&inbound), headers(&[("baggage", "a=1")]));
    }

    #[test]
    fn eight_kib_are_the_most_in_all() {
        let fits = "a".repeat(MOST - "baggage".len());
        assert_eq!(sent(&headers(&[("baggage", &fits)])).len(), 1);
        let over = format!("{fits}a");
        let inbound = headers(&[("baggage", &over), ("x-request-id", "r")]);
        assert_eq!(sent(&inbound), headers(&[("x-request-id", "r")]));
        let half = "a".repeat(MOST / 2);
        let inbound = headers(&[("baggage", &half), ("x-request-id", &half)]);
        assert_eq!(sent(&inbound), headers(&[("baggage", &half)]));
        // All values of a header or none.
        let inbound = headers(&[("baggage", &half), ("baggage", &half), ("x-request-id", "r")]);
        assert_eq!(sent(&inbound), headers(&[("x-request-id", "r")]));
    }

    #[test]
    fn the_id_of_a_request() {
        let both = headers(&[("traceparent", TRACE), ("x-request-id", "r-1")]);
        assert_eq!(request_id(&both), Some("r-1"));
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(request_id(&headers(&[("traceparent", TRACE)])), Some(trace));
        let long = "a".repeat(LONGEST_ID + 1);
        assert_eq!(request_id(&headers(&[("x-request-id", &long)])), None);
        assert_eq!(request_id(&HeaderMap::new()), None);
    }
}
