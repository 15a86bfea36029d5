//! Tables for people.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table as Cells, Width, presets};

use super::out;

/// A table without lines, whose rows come a few at a time: its columns are as wide as the first rows ask for.
pub(super) struct Table {
    header: Vec<String>,
    right: Vec<usize>,
    widths: Vec<u16>,
}

impl Table {
    pub(super) fn with(header: &[&str]) -> Self {
        let header = header.iter().map(|name| name.to_uppercase()).collect();
        Self { header, right: Vec::new(), widths: Vec::new() }
    }

    /// Aligns columns of numbers to the right.
    pub(super) fn right(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// The lines of rows, after the header when these are the first.
    pub(super) fn lines(&mut self, rows: Vec<Vec<String>>) -> Vec<String> {
        let mut cells = Cells::new();
        cells.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.widths.is_empty() {
            cells.set_header(&self.header);
        }
        cells.add_rows(rows);
        for (column, width) in cells.column_iter_mut().zip(&self.widths) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*width)));
        }
        for index in &self.right {
            if let Some(column) = cells.column_mut(*index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        if self.widths.is_empty() {
            self.widths = cells.column_max_content_widths().iter().map(|width| width + 2).collect();
        }
        // Each cell has a space on both sides; the first of a line helps nobody.
        cells.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect()
    }

    /// Prints rows, after the header when these are the first.
    pub(super) fn rows(&mut self, rows: Vec<Vec<String>>) {
        for line in self.lines(rows) {
            out::line(line);
        }
    }
}

/// Prints a whole table.
pub(super) fn print(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    Table::with(header).rows(rows.into_iter().collect());
}

/// Prints names and values, the names one below the other.
pub(super) fn facts(facts: &[(&str, String)]) {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, value) in facts {
        out::line(format!("{name:width$}  {value}").trim_end());
    }
}
