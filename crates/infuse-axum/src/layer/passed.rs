use http::Request;
use infuse_storage::Circuit;

/// The circuits that a request is under way through. A part of an application may be guarded by one
/// circuit twice, at a route and around all of them: asked twice, the circuit would count each call
/// twice, and a trial would wait inside for the place that it takes itself.
#[derive(Clone, Default)]
struct Passed(Vec<Circuit>);

/// Notes that a request goes through a circuit; `false` if it was under way through it already.
pub(super) fn note<B>(request: &mut Request<B>, circuit: &Circuit) -> bool {
    let passed: &mut Passed = request.extensions_mut().get_or_insert_default();
    let first = passed.0.iter().all(|other| other.name() != circuit.name());
    if first {
        passed.0.push(circuit.clone());
    }
    first
}
