//! Columns of text.

use super::print::{Colour, Screen, plain};

/// A cell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Cell {
    text: String,
    colour: Colour,
}

impl Cell {
    /// A cell; an empty text shows as `-`, so that scripts can count columns.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self::coloured(text, Colour::None)
    }

    /// A cell in a colour.
    pub(super) fn coloured(text: impl AsRef<str>, colour: Colour) -> Self {
        let text = plain(text.as_ref());
        Self { text: if text.is_empty() { "-".to_owned() } else { text }, colour }
    }

    /// A cell of what may be unknown.
    pub(super) fn of(text: Option<impl ToString>) -> Self {
        Self::new(text.map_or_else(String::new, |text| text.to_string()))
    }
}

/// Rows under a header, each column as wide as its widest cell; nothing where there is no row.
pub(super) fn render(screen: Screen, header: &[&str], rows: &[Vec<Cell>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.text.chars().count()).max();
        widest.unwrap_or_default().max(header.get(column).map_or(0, |name| name.len()))
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let head: Vec<_> = header.iter().copied().map(Cell::new).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text.push_str(&screen.paint(cell.colour, &cell.text));
            if column + 1 < row.len() {
                let gap = width - cell.text.chars().count() + 3;
                text.extend(std::iter::repeat_n(' ', gap));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            vec![Cell::new("app"), Cell::new("True"), Cell::new("")],
            vec![Cell::new("mön-groupe"), Cell::new("Unknown"), Cell::new("x\ny")],
        ];
        let text = render(Screen::new(true), &["NAME", "READY", "REASON"], &rows);
        let want = "NAME         READY     REASON\n\
                    app          True      -\n\
                    mön-groupe   Unknown   x y\n";
        assert_eq!(text, want);
    }

    #[test]
    fn no_row_no_header() {
        assert_eq!(render(Screen::new(true), &["NAME"], &[]), "");
    }
}
