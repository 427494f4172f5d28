use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

use super::{
    CALL_DURATION, CALLS, DROPPED, LAG, MODE, PUSHED, STATE, STORAGE_COMMANDS, STORAGE_LOSSES,
    STORAGE_UP, TRANSITIONS, TRIALS, VIEW_AGE,
};

/// Says what the metrics are. Said again it is not heard, and a recorder may come late.
pub(super) fn describe() {
    describe_counter!(CALLS, "Calls, by the circuit and by what became of them");
    describe_counter!(TRIALS, "Trial calls that were let through");
    describe_histogram!(
        CALL_DURATION,
        Unit::Seconds,
        "How long services kept the calls waiting that were let through"
    );
    describe_gauge!(STATE, "1 for the state that the circuit is in, 0 for the others");
    describe_gauge!(MODE, "1 for the mode of the circuit that holds, 0 for the others");
    describe_counter!(TRANSITIONS, "Changes of the circuit's state");
    describe_gauge!(VIEW_AGE, Unit::Seconds, "How long ago the storage last spoke of the circuit");
    describe_gauge!(STORAGE_UP, "0 while the storage is lost, 1 otherwise");
    describe_counter!(STORAGE_LOSSES, "How often the storage was lost");
    describe_counter!(STORAGE_COMMANDS, "What was asked of the storage");
    describe_gauge!(
        LAG,
        Unit::Seconds,
        "How long the oldest of what is to be told to the storage has been waiting"
    );
    describe_gauge!(PUSHED, "1 while changes by others are pushed to this process");
    describe_counter!(DROPPED, "Events that the channel of a listener had no room for");
}
