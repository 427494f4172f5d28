use std::sync::OnceLock;

use super::seat::{self, OWN, ROWS};

/// What is counted for each seat: a row of its own, made when somebody on that seat needs it first.
#[derive(Debug)]
pub(super) struct Rows<R>([OnceLock<Box<R>>; ROWS]);

/// The row that the present thread writes to.
#[derive(Debug)]
pub(super) struct Mine<'a, R> {
    pub(super) row: &'a R,
    pub(super) seat: usize,
}

impl<R> Mine<'_, R> {
    /// Whether no other thread writes to it.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.seat < OWN
    }
}

impl<R: Default> Rows<R> {
    pub(super) fn new() -> Self {
        // Loom, which does not know the cell, wants what is in it made before its threads begin.
        let row = |_| if cfg!(loom) { Box::<R>::default().into() } else { OnceLock::new() };
        Self(std::array::from_fn(row))
    }

    #[inline]
    pub(super) fn mine(&self) -> Mine<'_, R> {
        let seat = seat::mine();
        let cell = &self.0[seat];
        Mine { row: cell.get().unwrap_or_else(|| cell.get_or_init(Box::default)), seat }
    }

    /// Those that anybody has written to, with their seats.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &R)> {
        self.0.iter().enumerate().filter_map(|(seat, cell)| Some((seat, &**cell.get()?)))
    }
}
