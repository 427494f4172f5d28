//! The calls of the last so long, in buckets by time.

use std::sync::OnceLock;

use super::{
    Call, Counts, Judgement,
    age::Age,
    bucket::{Buckets, RING},
    stamp::{MOST, Stamped, Stretch},
};
use crate::{
    seats::{ROWS, Rows},
    sync::{AtomicU64, Mutex, Ordering, fence, lock},
};

/// Into how many buckets a window is cut. The newest is still filling, so that what is counted
/// spans between nine and ten tenths of the window: a bucket falls out whole.
pub(super) const BUCKETS: u64 = if cfg!(loom) { 2 } else { 10 };

/// Buckets for each seat, so that a call writes to nothing that another thread writes to.
///
/// Few calls have to add them up. Within a stretch nothing falls out, so what a call has found holds
/// for the rest of it: with enough calls, a success can only lower a rate; and where so many
/// failures are missing to a rate, each seat may have [some of them](Marks) without looking.
#[derive(Debug)]
pub(super) struct TimeRing {
    rows: Rows<Buckets>,
    marks: Marks,
    /// Failures that are not handed out.
    locals: OnceLock<Box<Buckets>>,
    handed: Mutex<Option<Box<Handed>>>,
}

/// What is written seldom, and read by every call.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Marks {
    /// The number of the newest stretch, or of one near it: it spares most calls a division.
    newest: AtomicU64,
    /// So many calls at least are in the window that ends with this stretch.
    floor: AtomicU64,
    /// The stretch in which little is missing to a rate: every failure looks.
    strict: AtomicU64,
    /// Up to which count of troubles in a row's newest bucket nobody has to look.
    leave: [AtomicU64; ROWS],
}

/// How much leave a row has at most.
const MOST_LEAVE: u64 = if cfg!(loom) { 1 } else { 64 };
/// So much has to be missing to a rate for there to be any leave: all the leave that all rows can
/// have, and as many calls again as may end at this moment. So no rate is reached unseen.
const ENOUGH_ROOM: u64 = (MOST_LEAVE + LATE) * ROWS as u64;
/// Calls of a row that may end at one moment.
const LATE: u64 = if cfg!(loom) { 1 } else { 8 };

/// What was handed out of each bucket.
type Handed = [(Stretch, Counts); RING];

impl TimeRing {
    pub(super) fn new() -> Self {
        Self {
            rows: Rows::new(),
            marks: Marks::default(),
            locals: if cfg!(loom) { Box::<Buckets>::default().into() } else { OnceLock::new() },
            handed: Mutex::new(None),
        }
    }

    /// The stretch that `now` is in; `now` and `width` in microseconds.
    #[inline]
    pub(super) fn stretch(&self, era: u64, now: u64, width: u32) -> Stretch {
        let width = u64::from(width.max(1));
        // Relaxed, also below: a guess, that is right if it fits.
        let guess = self.marks.newest.load(Ordering::Relaxed);
        if now.wrapping_sub(guess.wrapping_mul(width)) < width {
            return Stretch::new(era, guess);
        }
        let number = now / width;
        self.marks.newest.store(number, Ordering::Relaxed);
        Stretch::new(era, number)
    }

    /// Counts a call in a stretch, and has it judged by what is in the window then, unless that
    /// can have made no difference. With so many calls as `minimum` a success makes none; without
    /// it, every call does.
    #[inline]
    pub(super) fn add<T>(
        &self,
        stretch: Stretch,
        call: Call,
        minimum: Option<u32>,
        judge: impl FnOnce(Counts) -> Judgement<T>,
    ) -> Option<T> {
        if call.local {
            // Before it is among the rest, so that it is never handed out.
            self.locals.get_or_init(Box::default).add_among_others(stretch, call);
        }
        let mine = self.rows.mine();
        let troubles = if mine.is_alone() {
            mine.row.add_alone(stretch, call)?
        } else {
            mine.row.add_among_others(stretch, call)?
        };
        if minimum.is_some_and(|minimum| self.floor(stretch) >= minimum.into())
            && (!call.is_troubled() || self.has_leave(stretch, mine.seat, troubles))
        {
            return None;
        }
        self.look(stretch, mine.seat, troubles, minimum, judge)
    }

    /// Adds everything up and has it judged.
    #[inline(never)]
    fn look<T>(
        &self,
        stretch: Stretch,
        seat: usize,
        troubles: u64,
        minimum: Option<u32>,
        judge: impl FnOnce(Counts) -> Judgement<T>,
    ) -> Option<T> {
        // SeqCst: of two calls that have each written to a row of their own and now look at the
        // other's, one at least sees both. Else neither would open what both together do.
        fence(Ordering::SeqCst);
        let counts = self.counts(stretch);
        let room = match judge(counts) {
            Judgement::Opens(answer) => return Some(answer),
            Judgement::Room(room) => room,
        };
        // Relaxed, here and where they are read: of several who say so at once, any is right; and
        // for who comes a moment late there is enough room.
        let marks = &self.marks;
        match room.checked_sub(ENOUGH_ROOM) {
            Some(room) => {
                // Of what is missing, half among all rows.
                let leave = (room / (2 * ROWS as u64)).min(MOST_LEAVE);
                let until = troubles.saturating_add(leave).min(MOST);
                marks.leave[seat].store(Stamped::new(stretch, until).bits(), Ordering::Relaxed);
            }
            // Nor is it taken from a newer one, by someone late.
            None if self.is_strict(stretch) || is_newer(&marks.strict, stretch) => {}
            None => marks.strict.store(Stamped::new(stretch, 0).bits(), Ordering::Relaxed),
        }
        // Not more often than it is of use: every call reads what is written here.
        if minimum.is_some_and(|minimum| self.floor(stretch) < minimum.into())
            && !is_newer(&marks.floor, stretch)
        {
            marks.floor.store(Stamped::new(stretch, counts.calls).bits(), Ordering::Relaxed);
        }
        None
    }

    /// Whether so many troubles in the newest bucket of a row are known to make no rate.
    #[inline]
    fn has_leave(&self, stretch: Stretch, seat: usize, troubles: u64) -> bool {
        let leave = Stamped::from_bits(self.marks.leave[seat].load(Ordering::Relaxed));
        leave.of(stretch).is_some_and(|leave| troubles <= leave) && !self.is_strict(stretch)
    }

    fn is_strict(&self, stretch: Stretch) -> bool {
        Stamped::from_bits(self.marks.strict.load(Ordering::Relaxed)).of(stretch).is_some()
    }

    /// How many calls there are at least in the window that ends with this stretch; 0 if that is
    /// not known.
    #[inline]
    fn floor(&self, stretch: Stretch) -> u64 {
        Stamped::from_bits(self.marks.floor.load(Ordering::Relaxed)).of(stretch).unwrap_or(0)
    }

    /// Has the next call look at everything. What leave there is may stay: if so little is missing
    /// now that it could matter, that call has every other look too.
    pub(super) fn look_again(&self) {
        // Relaxed: calls that end at this moment may go by what was before.
        self.marks.floor.store(0, Ordering::Relaxed);
    }

    /// What is counted in the window that ends with this stretch.
    pub(super) fn counts(&self, stretch: Stretch) -> Counts {
        stretch.back(BUCKETS).fold(Counts::NONE, |sum, stretch| sum + self.bucket(stretch))
    }

    fn bucket(&self, stretch: Stretch) -> Counts {
        self.rows.iter().fold(Counts::NONE, |sum, (_, row)| sum + row.counts(stretch))
    }

    /// The calls of one bucket that are there to be handed out.
    fn to_hand_out(&self, stretch: Stretch) -> Counts {
        // In the other order than they are written: what is among all is among these.
        let all = self.bucket(stretch);
        let locals = self.locals.get().map_or(Counts::NONE, |locals| locals.counts(stretch));
        all.without(locals)
    }

    /// What was counted here and not yet handed out, of the window that ends with this stretch.
    pub(super) fn take(&self, stretch: Stretch) -> Counts {
        let mut handed = lock(&self.handed);
        let handed = handed.get_or_insert_default();
        let (mut sum, mut now) = (Counts::NONE, **handed);
        for stretch in stretch.back(BUCKETS) {
            let entry = &mut now[stretch.index(RING)];
            // Whoever asks comes too late.
            if entry.0.is_after(stretch) {
                continue;
            }
            let counts = self.to_hand_out(stretch);
            let before = if entry.0 == stretch { entry.1 } else { Counts::NONE };
            sum += counts.without(before);
            // It can be less for a moment, when a call that is not handed out is half counted.
            *entry = (stretch, counts.max(before));
        }
        // A failure whose call was handed out before goes with the next call.
        if sum.calls == 0 {
            return Counts::NONE;
        }
        **handed = now;
        sum
    }

    /// What is counted in the window that ends with this stretch, but for what is not handed out.
    pub(super) fn shared_counts(&self, stretch: Stretch) -> Counts {
        stretch.back(BUCKETS).fold(Counts::NONE, |sum, stretch| sum + self.to_hand_out(stretch))
    }

    /// Whether [`take`](Self::take) would hand out anything.
    pub(super) fn has_more(&self, stretch: Stretch) -> bool {
        let handed = lock(&self.handed);
        stretch.back(BUCKETS).any(|stretch| {
            let before = handed.as_ref().map(|handed| handed[stretch.index(RING)]);
            let before =
                before.filter(|(of, _)| *of == stretch).map_or(0, |(_, counts)| counts.calls);
            self.to_hand_out(stretch).calls > before
        })
    }

    /// Whether a failure that is not handed out is in the window that ends with this stretch.
    pub(super) fn has_local(&self, stretch: Stretch) -> bool {
        let Some(locals) = self.locals.get() else { return false };
        stretch.back(BUCKETS).any(|stretch| locals.counts(stretch) != Counts::NONE)
    }
}

fn is_newer(mark: &AtomicU64, stretch: Stretch) -> bool {
    Stamped::from_bits(mark.load(Ordering::Relaxed)).age(stretch) == Age::Newer
}
