use std::time::Duration;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph, Row, Table, TableState, Wrap},
};

use infuse_storage::State;

use super::view::{View, Watched};
use crate::{
    clean::clean,
    details::details,
    list,
    paint::Tone,
    row::{HEADS, row},
    table::Cell,
    time,
};

/// Lines that a screen must have for details of the chosen circuit, and for changes.
const FOR_DETAILS: u16 = 18;
const FOR_CHANGES: u16 = 26;
const DETAILS: u16 = 9;
const CHANGES: u16 = 7;
/// What the columns of the list take at least, before the last. Names are cut at 40.
const WIDTHS: [u16; 6] = [7, 9, 9, 8, 8, 8];
const LONGEST_NAME: u16 = 40;

/// Draws what there is to see, so long after the beginning.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View, now: Duration, colours: bool) {
    let paint = |tone| style(tone, colours);
    let height = frame.area().height;
    let lines = |shown: bool, lines| Constraint::Length(if shown { lines } else { 0 });
    let areas = Layout::vertical([
        Constraint::Length(1),
        lines(view.lost.is_some(), 1),
        Constraint::Min(3),
        lines(height >= FOR_DETAILS && !view.circuits.is_empty(), DETAILS),
        lines(height >= FOR_CHANGES, CHANGES),
        Constraint::Length(1),
    ]);
    let [head, lost, circuits, details, changes, foot] = areas.areas(frame.area());

    frame.render_widget(header(view, &paint), head);
    if let Some((since, why)) = &view.lost {
        let text = format!(
            " Redis cannot be reached, for {}; this is what was heard before. {}",
            time::ago(*since),
            clean(why)
        );
        frame.render_widget(
            Line::styled(text, paint(Tone::Bad).add_modifier(Modifier::REVERSED)),
            lost,
        );
    }
    if view.circuits.is_empty() {
        let nothing = Paragraph::new(list::nothing(&view.environment)).wrap(Wrap { trim: true });
        frame.render_widget(nothing.block(Block::bordered()), circuits);
    } else {
        list_of(frame, view, circuits, &paint);
        details_of(frame, view, details, &paint);
    }
    changes_of(frame, view, now, changes, &paint);
    let keys = Line::styled(" q leave   ↑ ↓ choose", paint(Tone::Dim));
    frame.render_widget(keys, foot);
}

fn header<'a>(view: &View, paint: &impl Fn(Tone) -> Style) -> Line<'a> {
    let open = view.circuits.iter().filter(|it| it.snapshot.state != State::Closed).count();
    let tone = if open == 0 { Tone::Good } else { Tone::Bad };
    Line::from(vec![
        Span::styled(format!(" {}", view.environment), paint(Tone::Head)),
        Span::raw(format!("   {}, ", counted(view.circuits.len(), "circuit"))),
        Span::styled(format!("{open} not closed"), paint(tone)),
        Span::styled(format!("   {}", counted(view.instances.len(), "instance")), paint(Tone::Dim)),
    ])
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn list_of(frame: &mut Frame<'_>, view: &View, area: Rect, paint: &impl Fn(Tone) -> Style) {
    let cell = |cell: Cell| ratatui::widgets::Cell::new(cell.text).style(paint(cell.tone));
    let line = |it: &Watched| Row::new(row(&it.snapshot, &it.policy, &view.instances).map(cell));
    let mut widths = WIDTHS;
    let names = view.circuits.iter().map(|it| it.snapshot.service.chars().count());
    let longest = names.max().and_then(|longest| u16::try_from(longest).ok()).unwrap_or(u16::MAX);
    widths[0] = widths[0].max(longest.min(LONGEST_NAME));
    let widths = widths.map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]);
    let table = Table::new(view.circuits.iter().map(line), widths)
        .header(Row::new(HEADS).style(paint(Tone::Dim)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .column_spacing(2)
        .block(Block::new().borders(Borders::TOP));
    let mut state = TableState::new().with_selected(view.chosen());
    frame.render_stateful_widget(table, area, &mut state);
}

fn details_of(frame: &mut Frame<'_>, view: &View, area: Rect, paint: &impl Fn(Tone) -> Style) {
    let Some(it) = view.chosen().and_then(|chosen| view.circuits.get(chosen)) else { return };
    let line = |(about, cell): (&str, Cell)| {
        let about = Span::styled(format!(" {about:<11} "), paint(Tone::Dim));
        Line::from(vec![about, Span::styled(cell.text, paint(cell.tone))])
    };
    let about = details(&it.snapshot, &it.policy, &view.instances).into_iter().map(line);
    let title = format!(" {} ", clean(&it.snapshot.service));
    let block = Block::new().borders(Borders::TOP).title(title);
    let apart = apart(view, it);
    let lines = about.chain(apart.map(line)).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// How many of the instances that have the circuit think otherwise.
fn apart(view: &View, it: &Watched) -> Option<(&'static str, Cell)> {
    let state = it.snapshot.state.as_str();
    let said: Vec<_> = view
        .instances
        .iter()
        .filter_map(|instance| Some((instance, instance.circuit(&it.snapshot.service)?)))
        .collect();
    let apart: Vec<_> = said
        .iter()
        .filter(|(_, circuit)| circuit["state"].as_str() != Some(state))
        .map(|(instance, _)| clean(&instance.name()))
        .collect();
    let (text, tone) = match (said.len(), apart.is_empty()) {
        (0, _) => return None,
        (all, true) => (format!("{all} say the same"), Tone::Plain),
        (all, false) => {
            (format!("{all}, of which did not say so yet: {}", apart.join(", ")), Tone::Warn)
        }
    };
    Some(("instances", Cell::new(text, tone)))
}

fn changes_of(
    frame: &mut Frame<'_>,
    view: &View,
    now: Duration,
    area: Rect,
    paint: &impl Fn(Tone) -> Style,
) {
    let line = |change: &super::view::Change| {
        let ago = time::ago(now.saturating_sub(change.at));
        let ago = Span::styled(format!(" {ago:>8} ago  "), paint(Tone::Dim));
        Line::from(vec![ago, Span::styled(change.text.clone(), paint(change.tone))])
    };
    let lines: Vec<_> = view.changes.iter().take(area.height.into()).map(line).collect();
    let block = Block::new().borders(Borders::TOP).title(" changes ");
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn style(tone: Tone, colours: bool) -> Style {
    let style = match tone {
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Warn => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Tone::Dim => Style::new().add_modifier(Modifier::DIM),
        Tone::Head => Style::new().add_modifier(Modifier::BOLD),
        Tone::Plain => Style::new(),
    };
    if colours { style } else { Style { fg: None, ..style } }
}

#[cfg(test)]
mod tests {
    use infuse_storage::{Mode, Override, ProcessId};
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::{announced::Announced, watch::view::tests::circuits};

    fn drawn(view: &View, size: (u16, u16), colours: bool) -> (Vec<String>, bool) {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        terminal.draw(|frame| draw(frame, view, Duration::from_secs(5), colours)).unwrap();
        let buffer = terminal.backend().buffer();
        let coloured = buffer.content().iter().any(|cell| cell.fg != Color::Reset);
        let line = |y| (0..size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let lines = (0..size.1).map(|y| line(y).trim_end().to_owned()).collect();
        (lines, coloured)
    }

    async fn view() -> View {
        let mut view = View::new("production");
        let mut now = circuits(&["payments", "users"]).await;
        view.update(now.clone(), Duration::ZERO);
        let it = &mut now[0].snapshot;
        it.state = State::Open;
        it.retry_after = Some(Duration::from_secs(12));
        it.overridden =
            Some(Override::new(Mode::Enabled).by("ada").because("moving\u{1b}[2Jhouse"));
        view.update(now, Duration::from_secs(2));
        let text = r#"{"name": "orders-1",
            "circuits": [{"service": "payments", "state": "closed"}]}"#;
        view.instances = vec![Announced::new(ProcessId::from_u64(7), Duration::ZERO, text)].into();
        view
    }

    #[tokio::test]
    async fn it_shows_circuits_details_and_changes() {
        let (lines, coloured) = drawn(&view().await, (100, 30), true);
        let all = lines.join("\n");
        assert_eq!(lines[0], " production   2 circuits, 1 not closed   1 instance");
        assert!(lines[2].starts_with("CIRCUIT   STATE      RETRY IN   MODE"), "{all}");
        assert!(lines[3].starts_with("payments  open       12s        enabled"), "{all}");
        assert!(lines[4].starts_with("users     closed"), "{all}");
        assert!(all.contains("state       open, a trial call in 12s"), "{all}");
        assert!(all.contains("instances   1, of which did not say so yet: orders-1"), "{all}");
        assert!(all.contains("3s ago  payments closed → open"), "{all}");
        assert!(all.contains("moving�[2Jhouse"), "{all}");
        assert!(all.ends_with(" q leave   ↑ ↓ choose"), "{all}");
        assert!(coloured && !all.contains("Redis"), "{all}");
    }

    #[tokio::test]
    async fn it_says_that_the_storage_is_away_and_has_no_colours_where_none_are_wanted() {
        let mut view = view().await;
        view.lost = Some((Duration::from_secs(4), "refused\u{1b}".into()));
        let (lines, coloured) = drawn(&view, (100, 30), false);
        assert_eq!(
            lines[1],
            " Redis cannot be reached, for 4s; this is what was heard before. refused�"
        );
        assert!(!coloured);
    }

    #[tokio::test]
    async fn it_says_that_there_is_nothing() {
        let (lines, _) = drawn(&View::new("staging"), (60, 20), true);
        assert!(lines.join("\n").contains("no circuits in the environment staging"), "{lines:#?}");
    }

    #[tokio::test]
    async fn no_size_of_a_terminal_is_too_small() {
        let mut view = view().await;
        view.lost = Some((Duration::from_secs(4), "refused".into()));
        for size in [(1, 1), (2, 40), (80, 2), (10, 5), (30, 17), (300, 100)] {
            drawn(&view, size, true);
            drawn(&View::default(), size, true);
        }
    }

    #[tokio::test]
    async fn the_chosen_circuit_is_in_sight() {
        let names: Vec<_> = (0..200).map(|number| format!("circuit-{number:03}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut view = View::new("production");
        view.update(circuits(&names).await, Duration::ZERO);
        view.go(crate::watch::view::Move::Last);
        let (lines, _) = drawn(&view, (80, 24), true);
        assert!(lines.iter().any(|line| line.starts_with("circuit-199")), "{lines:#?}");
    }
}
