use std::{io, thread, time::Duration};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    TICK,
    draw::draw,
    ear::Heard,
    view::{Move, View, Watched},
};
use crate::{Failure, Fleet, paint};

/// How many lines a page has.
const PAGE: usize = 10;

/// Shows circuits on the full screen until a key says to leave. The terminal is put in order however
/// this ends, be it that it is dropped.
pub(super) async fn show(fleet: &Fleet, mut heard: watch::Receiver<Heard>) -> Result<(), Failure> {
    let failed = |error| Failure::Output("the terminal", error);
    let mut screen = Screen::enter().map_err(failed)?;
    let mut keys = keys();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut view = View::new(&fleet.settings.environment);
    let colours = paint::are_wanted();
    let began = Instant::now();
    loop {
        take(&mut view, fleet, &mut heard, began.elapsed());
        let now = began.elapsed();
        screen.0.draw(|frame| draw(frame, &view, now, colours)).map_err(failed)?;
        tokio::select! {
            _ = ticks.tick() => {}
            key = keys.recv() => match key {
                Some(Ok(event)) => match meaning(&event) {
                    Some(Key::Leave) => return Ok(()),
                    Some(Key::Go(there)) => view.go(there),
                    None => {}
                },
                Some(Err(error)) => return Err(failed(error)),
                None => return Ok(()),
            }
        }
    }
}

fn take(view: &mut View, fleet: &Fleet, heard: &mut watch::Receiver<Heard>, now: Duration) {
    let heard = heard.borrow_and_update().clone();
    view.instances = heard.instances;
    view.lost = heard.lost.map(|(since, why)| (since.elapsed(), why));
    let watched = fleet
        .circuits
        .all()
        .into_iter()
        .map(|circuit| Watched::new(circuit.snapshot(), circuit.policy()));
    view.update(watched.collect(), now);
}

/// The terminal while it is ours.
struct Screen(DefaultTerminal);

impl Screen {
    fn enter() -> io::Result<Self> {
        // From here on a panic puts the terminal in order, before it says anything.
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                // Half of it may be done. What that fails of is no news.
                let _ = ratatui::try_restore();
                Err(error)
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Of a terminal that is gone there is nothing to put in order.
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Leave,
    Go(Move),
}

fn meaning(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        // The terminal is raw: it makes no signal of them.
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Key::Leave);
    }
    Some(match key.code {
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Key::Leave,
        KeyCode::Up | KeyCode::Char('k') => Key::Go(Move::Up(1)),
        KeyCode::Down | KeyCode::Char('j') => Key::Go(Move::Down(1)),
        KeyCode::PageUp => Key::Go(Move::Up(PAGE)),
        KeyCode::PageDown => Key::Go(Move::Down(PAGE)),
        KeyCode::Home => Key::Go(Move::First),
        KeyCode::End => Key::Go(Move::Last),
        _ => return None,
    })
}

/// What is typed. A thread reads it, because reading blocks; it ends with the process.
fn keys() -> mpsc::UnboundedReceiver<io::Result<Event>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        while !sender.is_closed() {
            let read = match event::poll(TICK) {
                Ok(false) => continue,
                Ok(true) => event::read(),
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            // Nobody there any more, or nothing to read.
            if sender.send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
        meaning(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    #[test]
    fn keys_leave_and_choose() {
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        for (code, modifiers, means) in [
            (KeyCode::Char('q'), none, Some(Key::Leave)),
            (KeyCode::Char('Q'), KeyModifiers::SHIFT, Some(Key::Leave)),
            (KeyCode::Esc, none, Some(Key::Leave)),
            (KeyCode::Char('c'), control, Some(Key::Leave)),
            (KeyCode::Char('d'), control, Some(Key::Leave)),
            (KeyCode::Char('c'), none, None),
            (KeyCode::Char('q'), control, None),
            (KeyCode::Down, none, Some(Key::Go(Move::Down(1)))),
            (KeyCode::Char('k'), none, Some(Key::Go(Move::Up(1)))),
            (KeyCode::PageDown, none, Some(Key::Go(Move::Down(PAGE)))),
            (KeyCode::End, none, Some(Key::Go(Move::Last))),
        ] {
            assert_eq!(key(code, modifiers), means, "{code:?} {modifiers:?}");
        }
        assert_eq!(meaning(&Event::Resize(1, 1)), None);
        let mut released = KeyEvent::new(KeyCode::Char('q'), none);
        released.kind = KeyEventKind::Release;
        assert_eq!(meaning(&Event::Key(released)), None);
    }
}
