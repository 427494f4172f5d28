//! The last so many calls, in a ring.

use super::{
    Call, Counts, Judgement,
    age::Age,
    slot::{Change, Slot, Sums},
    slots::Slots,
    tally::{Tally, since},
};
use crate::{
    seats::{ROWS, Rows},
    sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, lock},
};

/// A ring with a slot for each of the last calls, the sums of what is in the slots, and the place
/// of the next call.
///
/// A call takes a place, goes into the slot there, and changes the sums by what it brings and what
/// it found. So the sums are what the slots hold when nobody is at it. Two things spare most calls
/// this. A ring that is full of calls that were well is the same after one more. And a thread that
/// has a [seat](crate::seats) to itself keeps the successes back by which it changes a full ring, up to
/// a [sixteenth](most_kept_back) of it, and brings them in with the next call that failed or was slow,
/// before that call.
///
/// So the calls of each thread are in the ring in their order, and none is judged too late. But of
/// the calls of other threads the last few successes may not be in yet, and as many older calls still
/// are. That is the whole error, and a lone thread makes none.
///
/// Sums and slots say which era they are of. What is of an older one is as good as empty, so nobody
/// has to empty the ring; and who finds a newer one has come too late. A place that was taken by such
/// a call is left as it is for a round, which is all the harm that it does.
#[derive(Debug)]
pub(super) struct CallRing {
    /// It only ever rises.
    next: Apart<AtomicU64>,
    sums: Apart<Judged>,
    slots: Slots,
    tallies: Rows<Tally>,
    handed: Mutex<Handed>,
}

/// In cache lines of its own; two, since they are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

#[derive(Debug, Default)]
struct Judged {
    sums: AtomicU64,
    /// Set when who judges goes by other numbers: a success, too, is to be judged by them.
    again: AtomicBool,
}

/// What was handed out, for each seat, in an era.
#[derive(Debug, Default)]
struct Handed {
    era: u64,
    counts: Option<Box<[Counts; ROWS]>>,
}

/// How many successes a seat may keep back from a ring of this size: few enough that all seats
/// together leave most of the ring as it is.
#[inline]
fn most_kept_back(size: u32) -> u64 {
    if cfg!(loom) { u64::from(size / 2) } else { u64::from(size / 16).min(16) }
}

impl CallRing {
    pub(super) fn new() -> Self {
        Self {
            next: Apart::default(),
            sums: Apart::default(),
            slots: Slots::default(),
            tallies: Rows::new(),
            handed: Mutex::default(),
        }
    }

    /// Makes room for so many calls. Before anybody counts in a ring of that size.
    pub(super) fn reserve(&self, size: u32) {
        self.slots.reserve(size as usize);
    }

    /// Has the next call judged, whatever it is.
    pub(super) fn look_again(&self) {
        // Relaxed: calls that end at this moment may go by what was before.
        self.sums.0.again.store(true, Ordering::Relaxed);
    }

    /// Counts a success that was not slow, if it can make no difference to a rate; whether it did.
    #[inline]
    pub(super) fn add_quietly(&self, era: u64, size: u32) -> bool {
        let Judged { sums, again } = &self.sums.0;
        // Relaxed: what it happens to find.
        let found = Sums::from_bits(sums.load(Ordering::Relaxed));
        if again.load(Ordering::Relaxed) || !found.is_full(era, size) {
            return false;
        }
        // Where all is well, it would push out one like itself.
        let needed = found != Sums::all_well(era, size);
        let mine = self.tallies.mine();
        if mine.is_alone() {
            mine.row.keep_back(era, most_kept_back(size), needed)
        } else {
            !needed && mine.row.add_among_others(era, Call::WELL).is_some()
        }
    }

    /// Counts a call in a ring of `size`, and has it judged by what is in the ring then.
    pub(super) fn add<T>(
        &self,
        era: u64,
        size: u32,
        call: Call,
        judge: impl FnOnce(Counts) -> Judgement<T>,
    ) -> Option<T> {
        let mine = self.tallies.mine();
        let kept_back = if mine.is_alone() {
            mine.row.add_alone(era, call)?
        } else {
            mine.row.add_among_others(era, call)?
        };
        self.bring_in(era, size, kept_back, call, judge)
    }

    /// Puts so many successes into the ring, and then the call.
    fn bring_in<T>(
        &self,
        era: u64,
        size: u32,
        kept_back: u64,
        call: Call,
        judge: impl FnOnce(Counts) -> Judgement<T>,
    ) -> Option<T> {
        // Relaxed: each takes other places, and that is all. Not a swap, of which one of two
        // threads would have to begin anew.
        let first = self.next.0.fetch_add(kept_back + 1, Ordering::Relaxed);
        let mut place = (first % u64::from(size)) as usize;
        let mut change = Change::NONE;
        for nth in 0..=kept_back {
            let slot = Slot::new(era, if nth < kept_back { Call::WELL } else { call });
            let evicted = slot.put(self.slots.get(place)?, era).ok()?;
            change = change.and(slot, evicted);
            place = if place + 1 < size as usize { place + 1 } else { 0 };
        }
        let counts = if change == Change::NONE {
            self.sums(era, size)?
        } else {
            self.turn(era, change)?.counts(size)
        };
        match judge(counts) {
            Judgement::Opens(answer) => Some(answer),
            Judgement::Room(_) => {
                let again = &self.sums.0.again;
                // Relaxed: see `look_again`.
                if again.load(Ordering::Relaxed) {
                    again.store(false, Ordering::Relaxed);
                }
                None
            }
        }
    }

    /// Changes the sums, unless they are of a newer era.
    ///
    /// Each call is added once, and taken off once by whoever put something in its place. Of two
    /// calls, the one that comes last here sees what the other did to the sums, and its slot: so one
    /// of them opens the circuit if both together do.
    fn turn(&self, era: u64, change: Change) -> Option<Sums> {
        let word = &self.sums.0.sums;
        // Relaxed: only the swap hands anything on.
        let mut found = Sums::from_bits(word.load(Ordering::Relaxed));
        loop {
            let before = match found.age(era) {
                Age::Same => found,
                Age::Older => Sums::empty(era),
                Age::Newer => return None,
            };
            let to = before.changed(change);
            // AcqRel: of two calls, the later at the sums sees what the earlier did before.
            let swap = word.compare_exchange_weak(
                found.bits(),
                to.bits(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            match swap {
                Ok(_) => return Some(to),
                Err(other) => found = Sums::from_bits(other),
            }
        }
    }

    /// What the sums say is counted: for a moment, some calls more or less than there are.
    /// `None` if there is nothing of this era.
    fn sums(&self, era: u64, size: u32) -> Option<Counts> {
        // Relaxed: a call that changed nothing judges by what it happens to find.
        let sums = Sums::from_bits(self.sums.0.sums.load(Ordering::Relaxed));
        (sums.age(era) == Age::Same).then(|| sums.counts(size))
    }

    /// What is counted, with what is kept back.
    pub(super) fn counts(&self, era: u64, size: u32) -> Counts {
        let mut counts = self.sums(era, size).unwrap_or_default();
        let oldest = self.oldest(size).take(self.kept_back(era) as usize);
        for slot in oldest.filter_map(|word| Slot::load(word, era)) {
            counts = counts.without(Counts { calls: 0, ..slot.counts() });
        }
        counts
    }

    fn kept_back(&self, era: u64) -> u64 {
        self.tallies.iter().map(|(_, tally)| tally.kept_back(era)).sum()
    }

    /// The slots, the oldest call's first.
    fn oldest(&self, size: u32) -> impl Iterator<Item = &AtomicU32> {
        let next = self.next.0.load(Ordering::Relaxed) % u64::from(size);
        let (next, size) = (next as usize, size as usize);
        (next..size).chain(0..next).filter_map(|index| self.slots.get(index))
    }

    /// The calls that were counted here and not yet handed out: of more than the ring holds, those
    /// in the ring.
    pub(super) fn take(&self, era: u64, size: u32) -> Counts {
        let mut handed = lock(&self.handed);
        let Some((sum, now)) = self.untold(era, &handed) else { return Counts::NONE };
        // A failure whose call was handed out before goes with the next call.
        if sum.calls == 0 {
            return Counts::NONE;
        }
        *handed = Handed { era, counts: Some(now) };
        if sum.calls <= size.into() { sum } else { self.told_of_ring(era, size) }
    }

    /// Whether [`take`](Self::take) would hand out anything.
    pub(super) fn has_more(&self, era: u64) -> bool {
        self.untold(era, &lock(&self.handed)).is_some_and(|(sum, _)| sum.calls > 0)
    }

    /// What was counted in this era and not yet handed out, and what is counted in all; `None` if
    /// that of a newer one was.
    fn untold(&self, era: u64, handed: &Handed) -> Option<(Counts, Box<[Counts; ROWS]>)> {
        if handed.era > era {
            return None;
        }
        let told = handed.counts.as_ref().filter(|_| handed.era == era);
        let (mut sum, mut now) = (Counts::NONE, Box::new([Counts::NONE; ROWS]));
        for (seat, tally) in self.tallies.iter() {
            now[seat] = tally.counts(era);
            sum += since(told.map_or(Counts::NONE, |told| told[seat]), now[seat]);
        }
        Some((sum, now))
    }

    /// The calls in the ring, with what is kept back, that are to be handed out at all.
    pub(super) fn told_of_ring(&self, era: u64, size: u32) -> Counts {
        let kept_back = self.kept_back(era).min(size.into());
        let slots = self.oldest(size).skip(kept_back as usize);
        let slots = slots.filter_map(|word| Slot::load(word, era)).filter(|slot| !slot.is_local());
        let kept_back = Counts { calls: kept_back, ..Counts::NONE };
        slots.fold(kept_back, |sum, slot| sum + slot.counts())
    }

    /// Whether a failure that is not handed out is in the ring.
    pub(super) fn has_local(&self, era: u64, size: u32) -> bool {
        self.oldest(size).filter_map(|word| Slot::load(word, era)).any(Slot::is_local)
    }
}
