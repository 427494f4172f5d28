//! What an answer of which the headers are there says about the service.

use http::{HeaderMap, StatusCode};
use infuse_storage::{Outcome, core::Verdict};
use tower_http::classify::ClassifiedResponse;

use crate::retry_after::retry_after;

/// What is known once the headers of an answer are there.
#[derive(Debug, PartialEq)]
pub(super) enum Judged<E> {
    /// All of it.
    Given(Verdict),
    /// It is no failure so far: the end of the body decides, by this if there is such a thing.
    AtTheEnd(Option<E>),
}

/// Judges an answer by what the classifier says of it.
pub(super) fn of_answer<F, E>(
    status: StatusCode,
    headers: &HeaderMap,
    classified: ClassifiedResponse<F, E>,
) -> Judged<E> {
    let failed = match &classified {
        ClassifiedResponse::Ready(result) => result.is_err(),
        // Not what the classifier took it for: a proxy's page in place of an answer of gRPC.
        ClassifiedResponse::RequiresEos(_) => status.is_server_error(),
    };
    let outcome = match status {
        _ if failed => Outcome::Failure,
        // We are too many, which says nothing about whether the service works.
        StatusCode::TOO_MANY_REQUESTS => Outcome::Ignored,
        _ => {
            return Judged::AtTheEnd(match classified {
                ClassifiedResponse::RequiresEos(eos) => Some(eos),
                ClassifiedResponse::Ready(_) => None,
            });
        }
    };
    Judged::Given(Verdict::from(outcome).retry_after(retry_after(status, headers)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn judge(status: u16, classified: ClassifiedResponse<(), ()>) -> Judged<()> {
        of_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), classified)
    }

    fn given(outcome: Outcome) -> Judged<()> {
        Judged::Given(outcome.into())
    }

    #[test]
    fn the_classifier_has_the_say() {
        for status in [200, 404, 429, 500, 503] {
            assert_eq!(judge(status, ClassifiedResponse::Ready(Err(()))), given(Outcome::Failure));
        }
        for status in [200, 404, 500, 503] {
            let judged = judge(status, ClassifiedResponse::Ready(Ok(())));
            assert_eq!(judged, Judged::AtTheEnd(None), "{status}");
        }
        let judged = judge(200, ClassifiedResponse::RequiresEos(()));
        assert_eq!(judged, Judged::AtTheEnd(Some(())));
    }

    #[test]
    fn what_classifiers_do_not_know() {
        assert_eq!(judge(429, ClassifiedResponse::Ready(Ok(()))), given(Outcome::Ignored));
        assert_eq!(judge(429, ClassifiedResponse::RequiresEos(())), given(Outcome::Ignored));
        assert_eq!(judge(503, ClassifiedResponse::RequiresEos(())), given(Outcome::Failure));
    }

    #[test]
    fn how_long_to_leave_it_alone() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("30"));
        let judge = |status, classified: ClassifiedResponse<(), ()>| {
            of_answer(StatusCode::from_u16(status).unwrap(), &headers, classified)
        };
        let ready = ClassifiedResponse::Ready;
        let asked = |outcome: Outcome| {
            Judged::Given(Verdict::from(outcome).retry_after(Duration::from_secs(30)))
        };
        assert_eq!(judge(503, ready(Err(()))), asked(Outcome::Failure));
        assert_eq!(judge(429, ready(Err(()))), asked(Outcome::Failure));
        assert_eq!(judge(429, ready(Ok(()))), asked(Outcome::Ignored));
        assert_eq!(judge(503, ClassifiedResponse::RequiresEos(())), asked(Outcome::Failure));
        // Only of these two, and not where the classifier calls it a success.
        assert_eq!(judge(500, ready(Err(()))), given(Outcome::Failure));
        assert_eq!(judge(503, ready(Ok(()))), Judged::AtTheEnd(None));
    }
}
