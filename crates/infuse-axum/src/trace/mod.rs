//! Spans around calls to services.
//!
//! A [`ServiceClient`](crate::ServiceClient) puts each guarded call into a span of the target
//! `infuse::call` and the level `debug`. It begins before the circuit is asked and ends with the
//! verdict: what is logged of the circuit meanwhile, that it opens above all, is inside of it. In a
//! program whose filter leaves these spans out, a call pays for looking at a flag.
//!
//! | field | |
//! |---|---|
//! | `otel.name` | `GET /payments/{id}`; the method alone where no [template](crate::ServiceRequest::url_template) is known |
//! | `otel.kind` | `client` |
//! | `otel.status_code` | `ERROR`, if there is an `error.type` |
//! | `http.request.method` | `_OTHER` for one that is not of RFC 9110 or 5789 |
//! | `http.response.status_code` | if there was an answer |
//! | `server.address`, `server.port` | of the base URL |
//! | `url.template` | as it was given; never a path or a query |
//! | `error.type` | a status from 400 on, the [kind of the fault](crate::FaultKind), or `rejected` |
//! | `infuse.circuit` | the service, or the circuit below it that guards the call too: `payments/refunds` |
//! | `infuse.state` | of that circuit when it let the call through: `half-open` for a trial. Of a rejection the state of the circuit that rejected it |
//! | `infuse.outcome` | `success`, `failure`, `ignored` or `rejected` |
//! | `request_id` | the `x-request-id` that the call is sent with, or the trace of its `traceparent` |

mod call;
mod span;

pub(crate) use call::About;
pub(crate) use span::CallSpan;
