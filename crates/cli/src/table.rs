//! Aligned columns for people.
//!
//! Never: control characters of a cell reach the terminal.

use std::io::{self, Write};

/// A table that is written once it is complete, since its columns are as wide as their widest cell.
#[derive(Debug)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells.into_iter().map(|c| shown(&c)).collect();
        row.resize(self.head.len(), String::new());
        self.rows.push(row);
    }

    /// Leaves a column out when no cell of it says anything.
    pub fn drop_when_empty(&mut self, head: &str) {
        let Some(at) = self.head.iter().position(|h| *h == head) else { return };
        if self.rows.iter().all(|r| r.get(at).is_none_or(|c| c.is_empty() || c == "-")) {
            self.head.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
    }

    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|i| {
                let cells = self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count());
                cells.chain([self.head.get(i).map_or(0, |h| h.len())]).max().unwrap_or(0)
            })
            .collect();
        let mut line = |cells: &mut dyn Iterator<Item = &str>| -> io::Result<()> {
            let mut text = String::new();
            for (cell, width) in cells.zip(&widths) {
                let cell = if cell.is_empty() { "-" } else { cell };
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width + 3 - cell.chars().count().min(*width)));
            }
            writeln!(out, "{}", text.trim_end())
        };
        line(&mut self.head.iter().copied())?;
        for row in &self.rows {
            line(&mut row.iter().map(String::as_str))?;
        }
        Ok(())
    }
}

fn shown(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_control_characters_stay_out() {
        let mut table = Table::new(&["NAME", "STATE", "NODE"]);
        table.row(["web-1".into(), "ok".into(), String::new()]);
        table.row(["a-longer-name".into(), "cr\u{1b}[2Jit".into(), String::new()]);
        table.drop_when_empty("NODE");
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        expect_test::expect![[r#"
            NAME            STATE
            web-1           ok
            a-longer-name   cr [2Jit
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }
}
