use std::sync::OnceLock;

use super::seat::{self, OWN, ROWS};

/// What is counted for each seat: a row of its own, made when somebody on that seat needs it first.
#[derive(Debug)]
pub(crate) struct Rows<R>([OnceLock<Box<R>>; ROWS]);

/// The row that the present thread writes to.
#[derive(Debug)]
pub(crate) struct Mine<'a, R> {
    pub(crate) row: &'a R,
    pub(crate) seat: usize,
}

impl<R> Mine<'_, R> {
    /// Whether no other thread writes to it.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.seat < OWN
    }
}

impl<R: Default> Rows<R> {
    pub(crate) fn new() -> Self {
        // Loom, which does not know the cell, wants what is in it made before its threads begin.
        let row = |_| if cfg!(loom) { Box::<R>::default().into() } else { OnceLock::new() };
        Self(std::array::from_fn(row))
    }

    #[inline]
    pub(crate) fn mine(&self) -> Mine<'_, R> {
        let seat = seat::mine();
        let cell = &self.0[seat];
        Mine { row: cell.get().unwrap_or_else(|| cell.get_or_init(Box::default)), seat }
    }

    /// The row of the present thread, where it is known already and no other thread writes to it.
    #[inline]
    pub(crate) fn own(&self) -> Option<&R> {
        let seat = seat::known();
        if seat < OWN { self.0[seat].get().map(|row| &**row) } else { None }
    }

    /// Those that anybody has written to, with their seats.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &R)> {
        self.0.iter().enumerate().filter_map(|(seat, cell)| Some((seat, &**cell.get()?)))
    }
}
