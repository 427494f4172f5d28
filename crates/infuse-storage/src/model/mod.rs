//! A check of the protocol: an exhaustive search through what processes and a storage can come to.
//!
//! What decides is real: `memory::record::Record` is the storage, and a process goes by `Known`,
//! `Count`, `Trust`, `Suspected`, `Run` and the decision about reports. What stands around them in
//! the replicator (tasks, locks, timers, and the breaker) is mirrored here without them, and each
//! piece names the function that it stands for. Whoever changes that function changes its mirror.
//!
//! # How
//!
//! A `World` is a storage, a few processes, and the messages between them. Everything that may come
//! next is an `Action`; the search takes all of them, the shortest traces first, and knows worlds
//! that go on alike by their `fingerprint`. Properties are checked at each step, and at each world
//! by an `epilogue`: nothing goes wrong any more, what is under way arrives or does not, and then
//! processes and storage have to agree, and calls to be let through. Time goes in ticks, of which
//! the timeouts are a few. Where the search does not come, walks that chance leads come.
//!
//! `INFUSE_MODEL_WORLDS` and `INFUSE_MODEL_WALKS` say how far it goes (in each of the settings of
//! `tests`; a million worlds take 2 GB and, with `--release`, 10 s).
//!
//! # What is covered
//!
//! - Two processes and one circuit (three in one setting), `max_failure` 1 to 4,
//!   `half_open_max_calls` 1 and 2, `success_threshold` 1, `min_reporters` 1 and 2.
//! - Verbs, answers and pushes that are late, lost, repeated or out of order. An answer that is
//!   awaited comes within a tick, or its process loses the storage; what was given up may arrive
//!   at any time later, or never.
//! - A process that dies, with or without a lease; that loses the storage and finds it; a caller
//!   that leaves; a storage that forgets everything, that goes back to what it was before its last
//!   change, or that is two masters for a while; a stranger that opens or closes; manual commands
//!   and seeds, late ones too; an override that is put on, taken away, and ends; a service that asks
//!   to be left alone; a fallback. Up to two faults (in two settings three) come together.
//! - By default 300,000 worlds in 49 settings, which is all that is 3 to 8 steps from where each
//!   begins (closed, due for a trial, half-open with a trial, or suspect), in 15 s of a debug build
//!   and 60 MB; and 15,000 walks of 80 steps. With 60,000 worlds in each setting, all that is 5 to
//!   11 steps away.
//!
//! # What is not
//!
//! - The scripts of a storage on Redis (a differential test holds them to `Record`), and what only
//!   they know: the plain keys, strangers' failure counts, rubbish.
//! - Threads: a process does one thing at a time.
//! - Rates, ramps, open times that grow, modes but for `isolated`, failures of our own side.
//! - What opened a circuit, who changed it and why, which decides nothing.
//! - Budgets and pace, expiry of records, thresholds that differ or change, clocks that run
//!   differently, `success_threshold` above 1, calls that span a change of state.
//! - A storage that lost writes may give a generation out twice, and do again what it did. Then a
//!   process may learn of a trial that succeeded while the open time runs that it knew of, commands
//!   may be repeated, cleared suspicions come true, and overrides be lost.
//! - A lease that is asked for again by a straggler after it was settled is granted again. Nobody
//!   holds it: it ends by itself.

mod action;
mod answers;
mod applied;
mod breaker;
mod calls;
mod encode;
mod encode_messages;
mod epilogue;
mod fingerprint;
mod learning;
mod losing;
mod process;
mod property;
mod search;
mod setting;
mod storage;
mod suspecting;
mod telling;
mod tests;
mod time;
mod twist;
mod verb;
mod walk;
mod world;
