use crate::paint::{Paint, Tone};

/// A text in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Lines under their heads, in columns two spaces apart. The last column is as long as it likes.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[Cell; N]], paint: Paint) -> String {
    let heads = heads.map(|head| Cell::new(head, Tone::Head));
    let lines: Vec<_> = std::iter::once(&heads).chain(rows).collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line.iter()) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |cells: &&[Cell; N]| {
        let mut line = String::new();
        // Spaces at the end of a line are in nobody's way but theirs who compare lines.
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        for (column, cell) in cells.iter().enumerate().take(last + 1) {
            line += &paint.text(cell.tone, &cell.text);
            if column < last {
                line += &" ".repeat(widths[column] - cell.width() + 2);
            }
        }
        line
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_texts() {
        let row = |texts: [&str; 3]| texts.map(|text| Cell::new(text, Tone::Plain));
        let rows = [row(["payments", "open", "moving house"]), row(["ü", "closed", ""])];
        assert_eq!(
            table(["NAME", "STATE", "WHY"], &rows, Paint::off()),
            "NAME      STATE   WHY\npayments  open    moving house\nü         closed"
        );
        assert_eq!(table(["A", "B"], &[], Paint::off()), "A  B");
    }
}
