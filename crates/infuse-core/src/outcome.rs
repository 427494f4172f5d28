/// What a call says about the service that it went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Outcome {
    /// The service works.
    Success,
    /// The service does not work.
    Failure,
    /// The call says nothing about the service: it changes no count, and a place that it took
    /// while the circuit was half-open goes to the next caller.
    Ignored,
}
