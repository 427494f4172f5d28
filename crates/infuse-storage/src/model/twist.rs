//! Rules that are broken on purpose, to show that the search finds it.

/// A broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    /// The storage grants one lease more than it may.
    OneLeaseMore,
    /// The storage grants leases that never end.
    EndlessLeases,
    /// A storage that lost writes takes what is presented, whatever it has itself.
    MendBlindly,
    /// A storage does not mend: it answers with what it has.
    MendNothing,
    /// A process does not notice that its breaker stands apart.
    StandApart,
    /// A process that finds the storage tells what it did alone.
    TellWhatWasAlone,
    /// A process that finds the storage closed closes, though it has opened by itself.
    CloseUntried,
    /// Whoever raised a suspicion opens the circuit, whether it stands or not.
    SettleCleared,
    /// A process does not clear suspicions that its calls refute.
    ClearNothing,
    /// A storage that lost writes mends without the override that is presented.
    ForgetOverride,
    /// The storage opens for whoever trips, however many have seen failures.
    BelieveOne,
    /// A process goes by any push, however old.
    TakeOldPushes,
}
