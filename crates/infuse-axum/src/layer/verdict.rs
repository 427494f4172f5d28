//! What an answer of which the headers are there says about the service.

use http::{HeaderMap, StatusCode};
use infuse_storage::{Fault, FaultKind, Outcome, core::Verdict};
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
    let fault = match outcome {
        // Who answers 200 and says in another way that it failed has no status to show.
        Outcome::Failure if status.as_u16() < 400 => Some(Fault::new(FaultKind::Error)),
        Outcome::Failure => Some(Fault::status(status.as_u16())),
        _ => None,
    };
    Judged::Given(Verdict::from(outcome).retry_after(retry_after(status, headers)).fault(fault))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn judge(status: u16, classified: ClassifiedResponse<(), ()>) -> Judged<()> {
        of_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), classified)
    }

    fn ignored() -> Judged<()> {
        Judged::Given(Outcome::Ignored.into())
    }

    fn failed(fault: Fault) -> Judged<()> {
        Judged::Given(Verdict::from(Outcome::Failure).fault(fault))
    }

    #[test]
    fn the_classifier_has_the_say() {
        for status in [404, 429, 500, 503] {
            let judged = judge(status, ClassifiedResponse::Ready(Err(())));
            assert_eq!(judged, failed(Fault::status(status)));
        }
        let judged = judge(200, ClassifiedResponse::Ready(Err(())));
        assert_eq!(judged, failed(Fault::new(FaultKind::Error)));
        for status in [200, 404, 500, 503] {
            let judged = judge(status, ClassifiedResponse::Ready(Ok(())));
            assert_eq!(judged, Judged::AtTheEnd(None), "{status}");
        }
        let judged = judge(200, ClassifiedResponse::RequiresEos(()));
        assert_eq!(judged, Judged::AtTheEnd(Some(())));
    }

    #[test]
    fn what_classifiers_do_not_know() {
        assert_eq!(judge(429, ClassifiedResponse::Ready(Ok(()))), ignored());
        assert_eq!(judge(429, ClassifiedResponse::RequiresEos(())), ignored());
        let judged = judge(503, ClassifiedResponse::RequiresEos(()));
        assert_eq!(judged, failed(Fault::status(503)));
    }

    #[test]
    fn how_long_to_leave_it_alone() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("30"));
        let judge = |status, classified: ClassifiedResponse<(), ()>| {
            of_answer(StatusCode::from_u16(status).unwrap(), &headers, classified)
        };
        let ready = ClassifiedResponse::Ready;
        let asked = |outcome: Outcome, fault: Option<Fault>| {
            let verdict = Verdict::from(outcome).retry_after(Duration::from_secs(30));
            Judged::Given(verdict.fault(fault))
        };
        let failed_and_asked = |status| asked(Outcome::Failure, Some(Fault::status(status)));
        assert_eq!(judge(503, ready(Err(()))), failed_and_asked(503));
        assert_eq!(judge(429, ready(Err(()))), failed_and_asked(429));
        assert_eq!(judge(429, ready(Ok(()))), asked(Outcome::Ignored, None));
        assert_eq!(judge(503, ClassifiedResponse::RequiresEos(())), failed_and_asked(503));
        // Only of these two, and not where the classifier calls it a success.
        assert_eq!(judge(500, ready(Err(()))), failed(Fault::status(500)));
        assert_eq!(judge(503, ready(Ok(()))), Judged::AtTheEnd(None));
    }
}
