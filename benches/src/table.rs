use crate::Measured;

/// One cell of the table.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// What was measured.
    Measured(Measured),
    /// Why there is nothing to measure.
    NotThere(&'static str),
}

/// One row of the table: what was called, by how many threads, and a cell for every column.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was called.
    pub name: &'static str,
    /// By how many threads.
    pub threads: usize,
    /// A cell for every column.
    pub cells: Vec<Cell>,
}

const NAME: usize = 28;
const LABEL: usize = 10;
const WIDTH: usize = 15;

/// Prints the table. `reference` is the column that ratios are taken to.
pub fn print_table(columns: &[&str], reference: usize, rows: &[Row]) {
    let heads: String = columns.iter().map(|column| format!("{column:>WIDTH$}")).collect();
    println!("{:NAME$}{:LABEL$}{heads}", "", "");
    for row in rows {
        let threads = if row.threads == 1 { "thread" } else { "threads" };
        println!("{}", "-".repeat(NAME + LABEL + WIDTH * columns.len()));
        line(row.name, "ns a call", row, |m| figure(m.median), |why| why.to_owned());
        let name = format!("  {} {threads}", row.threads);
        let blank = |_: &str| String::new();
        line(&name, "min-max", row, |m| format!("{}-{}", figure(m.min), figure(m.max)), blank);
        line(
            "",
            "over bare",
            row,
            |m| {
                let sign = if m.over_first < 0.0 { "-" } else { "+" };
                format!("{sign}{}", figure(m.over_first.abs()))
            },
            blank,
        );
        if let Some(Cell::Measured(to)) = row.cells.get(reference) {
            line("", "ratio", row, |m| format!("{:.1}x", m.median / to.median), blank);
        }
    }
}

/// Three digits or so: more would be noise.
fn figure(nanos: f64) -> String {
    match nanos {
        10.0..100.0 => format!("{nanos:.1}"),
        100.0.. => format!("{nanos:.0}"),
        _ => format!("{nanos:.2}"),
    }
}

fn line(
    name: &str,
    label: &str,
    row: &Row,
    show: impl Fn(&Measured) -> String,
    missing: impl Fn(&str) -> String,
) {
    let cells = row.cells.iter().map(|cell| match cell {
        Cell::Measured(measured) => show(measured),
        Cell::NotThere(why) => missing(why),
    });
    let cells: String = cells.map(|cell| format!("{cell:>WIDTH$}")).collect();
    println!("{name:NAME$}{label:LABEL$}{cells}");
}
