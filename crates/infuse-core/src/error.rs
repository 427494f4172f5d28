use crate::Rejected;

/// What a guarded call returns when it did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The circuit rejected the call: it was not made.
    #[error(transparent)]
    Rejected(Rejected),
    /// The call failed and opened the circuit. Only with
    /// [`PolicyBuilder::error_on_trip`](crate::PolicyBuilder::error_on_trip).
    #[error("the call failed and opened the circuit")]
    Opened {
        /// What further calls are told.
        rejected: Rejected,
        /// The error of the call.
        #[source]
        error: E,
    },
    /// The call was made and returned this error.
    #[error(transparent)]
    Inner(E),
}

impl<E> CallError<E> {
    /// Whether the call was not made.
    pub fn is_rejected(&self) -> bool {
        matches!(self, CallError::Rejected(_))
    }

    /// The rejection: of this call, or what further calls are told since this one opened the
    /// circuit.
    pub fn rejected(&self) -> Option<Rejected> {
        match self {
            CallError::Rejected(rejected) | CallError::Opened { rejected, .. } => Some(*rejected),
            CallError::Inner(_) => None,
        }
    }

    /// The error of the call, if it was made.
    pub fn into_inner(self) -> Option<E> {
        match self {
            CallError::Rejected(_) => None,
            CallError::Opened { error, .. } | CallError::Inner(error) => Some(error),
        }
    }
}
