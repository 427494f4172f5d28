use std::sync::OnceLock;

use crate::sync::AtomicU32;

/// A row of words that grows and never moves, so that it can be read while it grows: in pieces of
/// 16, 16, 32, 64 and so on, each twice the row before it.
#[derive(Debug, Default)]
pub(super) struct Slots {
    pieces: [OnceLock<Box<[AtomicU32]>>; PIECES],
}

const FIRST: usize = 16;
/// Enough for 16,384.
const PIECES: usize = 11;

impl Slots {
    /// Makes room for so many.
    pub(super) fn reserve(&self, slots: usize) {
        let Some(last) = slots.checked_sub(1) else { return };
        for (piece, cell) in self.pieces.iter().enumerate().take(place(last).0 + 1) {
            cell.get_or_init(|| (0..len(piece)).map(|_| AtomicU32::new(0)).collect());
        }
    }

    /// The word at an index that there is room for.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&AtomicU32> {
        let (piece, at) = place(index);
        self.pieces.get(piece)?.get()?.get(at)
    }
}

fn len(piece: usize) -> usize {
    FIRST << piece.saturating_sub(1)
}

/// The piece that an index is in, and where in it.
#[inline]
fn place(index: usize) -> (usize, usize) {
    if index < FIRST {
        return (0, index);
    }
    let power = index.ilog2();
    ((power - FIRST.ilog2()) as usize + 1, index - (1 << power))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn every_index_has_a_word_of_its_own() {
        let slots = Slots::default();
        for size in [1_usize, 16, 17, 33, 100, 10_000] {
            slots.reserve(size);
            for index in 0..size {
                slots.get(index).unwrap().store(index as u32, Ordering::Relaxed);
            }
            for index in 0..size {
                assert_eq!(slots.get(index).unwrap().load(Ordering::Relaxed), index as u32);
            }
        }
        assert!(Slots::default().get(0).is_none());
        assert!(slots.get(usize::MAX).is_none());
    }

    #[test]
    fn a_small_row_takes_little_room() {
        let slots = Slots::default();
        slots.reserve(16);
        assert!(slots.get(15).is_some());
        assert!(slots.get(16).is_none());
    }
}
