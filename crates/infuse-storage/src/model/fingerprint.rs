//! Two worlds that go on alike have one fingerprint: times are told from now on, what is past and
//! decides nothing is left out, and processes that are alike may change places.

use std::time::Duration;

use infuse_core::{Cause, State};

use super::{time::span, world::World};
use crate::{ProcessId, SuspicionId, Token};

/// The smallest over all orders of the processes.
pub(super) fn fingerprint(world: &World) -> u64 {
    let alike = world.masters[1].is_none() && world.processes.len() == 2;
    let straight = Encoder::of(world, [0, 1, 2]);
    if alike { straight.min(Encoder::of(world, [1, 0, 2])) } else { straight }
}

/// Takes in numbers, and what is made of them.
pub(super) struct Encoder<'a> {
    pub(super) world: &'a World,
    /// Where each process stands.
    pub(super) place: [usize; 3],
    /// The generation from which all others are told.
    base: u64,
    pub(super) hash: u64,
}

impl<'a> Encoder<'a> {
    fn of(world: &'a World, place: [usize; 3]) -> u64 {
        let base = world.masters[0].as_ref().map_or(0, |record| record.generation);
        let mut this = Self { world, place, base, hash: 0x9e37_79b9_7f4a_7c15 };
        this.world();
        this.hash
    }

    pub(super) fn put(&mut self, number: u64) {
        let mixed =
            u128::from(self.hash ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.hash = (mixed >> 64) as u64 ^ (mixed as u64).rotate_left(29);
    }

    pub(super) fn flags<const N: usize>(&mut self, flags: [bool; N]) {
        self.put(flags.into_iter().fold(1, |sum, flag| sum << 1 | u64::from(flag)));
    }

    pub(super) fn number(&mut self, number: u32) {
        self.put(u64::from(number));
    }

    pub(super) fn state(&mut self, state: State) {
        self.put(state as u64);
    }

    pub(super) fn time(&mut self, time: Duration) {
        self.put(time.as_secs() << 32 | u64::from(time.subsec_nanos()));
    }

    /// What is left until then.
    pub(super) fn until(&mut self, time: Duration) {
        self.time(time.saturating_sub(span(self.world.now)));
    }

    pub(super) fn ago(&mut self, time: Duration) {
        self.time(span(self.world.now).saturating_sub(time));
    }

    pub(super) fn some<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.put(u64::MAX),
            Some(value) => put(self, value),
        }
    }

    pub(super) fn process(&mut self, id: ProcessId) {
        let id = id.as_u64();
        self.put((id / 16) << 8 | self.place[(id % 16) as usize] as u64);
    }

    /// How many tokens its process has made since.
    pub(super) fn number_of(&mut self, token: Token) {
        let owner = self.world.processes.iter().find(|process| process.id == token.process);
        self.put(owner.map_or(token.number, |owner| owner.numbers - token.number) | 1 << 32);
    }

    /// Generations matter by how they compare, and whether there ever was one.
    pub(super) fn generation(&mut self, generation: u64) {
        self.put((generation + 1_000 - self.base) << 1 | u64::from(generation == 0));
    }

    pub(super) fn token(&mut self, token: Token) {
        self.process(token.process);
        self.number_of(token);
    }

    pub(super) fn suspicion(&mut self, id: SuspicionId) {
        self.generation(id.generation);
        self.ago(Duration::from_micros(id.raised_at));
        let cleared = self.world.past.cleared.contains(&id);
        self.flags([cleared]);
    }
}

/// Those that a storage tells have names of different lengths.
pub(super) fn cause(cause: Cause) -> u64 {
    cause.as_str().len() as u64
}
