//! A list on the terminal to choose from: typing narrows it, Tab marks several, Enter takes, Esc leaves.
//!
//! Out:    on standard error's terminal, so that output can go elsewhere.
//! Never:  leaves the terminal raw, whatever happens.

use std::io::{self, IsTerminal, Write};

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, queue, style, terminal};

use super::output::shown;
use crate::failure::{Doing, Failure, code};

/// Lines of the list at most.
const LINES: usize = 15;

/// Whether somebody can choose.
pub fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The place of the one that was chosen; `None` where nobody can choose.
pub fn one(title: &str, options: &[String]) -> Result<Option<usize>, Failure> {
    if !is_possible() {
        return Ok(None);
    }
    Ok(choose(title, options, Marks::One)?.into_iter().next())
}

/// The places of those that were chosen, at least one.
pub fn several(title: &str, options: &[String]) -> Result<Vec<usize>, Failure> {
    choose(title, options, Marks::Several)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    One,
    Several,
}

/// The list as it stands: no terminal in it, so that it can be tested.
#[derive(Debug)]
struct List<'a> {
    options: &'a [String],
    typed: String,
    /// Places of the options that fit, best first.
    fitting: Vec<usize>,
    at: usize,
    marked: Vec<usize>,
}

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Go,
    Take(Vec<usize>),
    Leave,
}

impl<'a> List<'a> {
    fn new(options: &'a [String]) -> Self {
        let mut list = Self { options, typed: String::new(), fitting: Vec::new(), at: 0, marked: Vec::new() };
        list.narrow();
        list
    }

    fn narrow(&mut self) {
        let mut scored: Vec<(usize, usize)> =
            self.options.iter().enumerate().filter_map(|(i, o)| Some((score(&self.typed, o)?, i))).collect();
        scored.sort_unstable();
        self.fitting = scored.into_iter().map(|(_, i)| i).collect();
        self.at = 0;
    }

    fn key(&mut self, key: KeyCode, control: KeyModifiers, marks: Marks) -> Step {
        match (key, control.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Esc, _) | (KeyCode::Char('c' | 'd'), true) => return Step::Leave,
            (KeyCode::Enter, _) => {
                let here = self.fitting.get(self.at).copied();
                let taken =
                    if self.marked.is_empty() { here.into_iter().collect() } else { self.marked.clone() };
                return if taken.is_empty() { Step::Go } else { Step::Take(taken) };
            }
            (KeyCode::Tab, _) if marks == Marks::Several => {
                if let Some(here) = self.fitting.get(self.at).copied() {
                    match self.marked.iter().position(|m| *m == here) {
                        Some(at) => drop(self.marked.remove(at)),
                        None => self.marked.push(here),
                    }
                    self.at = (self.at + 1).min(self.fitting.len().saturating_sub(1));
                }
            }
            (KeyCode::Down, _) | (KeyCode::Char('n'), true) => {
                self.at = (self.at + 1).min(self.fitting.len().saturating_sub(1));
            }
            (KeyCode::Up, _) | (KeyCode::Char('p'), true) => self.at = self.at.saturating_sub(1),
            (KeyCode::PageDown, _) => self.at = (self.at + LINES).min(self.fitting.len().saturating_sub(1)),
            (KeyCode::PageUp, _) => self.at = self.at.saturating_sub(LINES),
            (KeyCode::Backspace, _) => {
                self.typed.pop();
                self.narrow();
            }
            (KeyCode::Char('u'), true) => {
                self.typed.clear();
                self.narrow();
            }
            (KeyCode::Char(c), false) => {
                self.typed.push(c);
                self.narrow();
            }
            _ => {}
        }
        Step::Go
    }
}

/// How well typed letters fit, smaller is better; `None` when they do not stand in it in their order. A blank parts words, each of
/// which must fit.
fn score(typed: &str, option: &str) -> Option<usize> {
    let option = option.to_lowercase();
    let mut sum = 0;
    for word in typed.to_lowercase().split_whitespace() {
        if let Some(at) = option.find(word) {
            sum += at.min(50);
            continue;
        }
        let mut rest = option.chars().enumerate();
        let mut last = 0;
        for wanted in word.chars() {
            let (at, _) = rest.by_ref().find(|(_, c)| *c == wanted)?;
            sum += 100 + at - last;
            last = at;
        }
    }
    Some(sum)
}

/// Gives the terminal back as it was.
struct Raw;

impl Raw {
    fn begin() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = execute!(io::stderr(), cursor::Show, terminal::Clear(terminal::ClearType::FromCursorDown));
        let _ = terminal::disable_raw_mode();
    }
}

fn choose(title: &str, options: &[String], marks: Marks) -> Result<Vec<usize>, Failure> {
    if options.is_empty() {
        return Err(Failure::new(code::NO_SOURCE, "there is nothing to choose from")
            .next("pilothouse get pods lists what there is"));
    }
    let mut list = List::new(options);
    let raw = Raw::begin().doing(|| "use the terminal".to_owned())?;
    let taken = loop {
        draw(title, &list, marks).doing(|| "write to the terminal".to_owned())?;
        match event::read().doing(|| "read the terminal".to_owned())? {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                match list.key(key.code, key.modifiers, marks) {
                    Step::Go => {}
                    Step::Take(taken) => break Some(taken),
                    Step::Leave => break None,
                }
            }
            _ => {}
        }
    };
    drop(raw);
    taken.ok_or_else(|| Failure::quiet(code::INTERRUPTED))
}

fn draw(title: &str, list: &List<'_>, marks: Marks) -> io::Result<()> {
    let mut err = io::stderr().lock();
    let (width, height) = terminal::size().unwrap_or((80, 24));
    let rows = LINES.min(usize::from(height).saturating_sub(3)).max(1);
    let keys = if marks == Marks::Several {
        "Tab marks, Enter takes, Esc leaves"
    } else {
        "Enter takes, Esc leaves"
    };
    let cut = |text: &str| text.chars().take(usize::from(width).saturating_sub(4)).collect::<String>();
    let head = format!("{title} ({} of {}; {keys})", list.fitting.len(), list.options.len());
    queue!(err, cursor::Hide, terminal::Clear(terminal::ClearType::FromCursorDown))?;
    queue!(
        err,
        style::Print(cut(&head)),
        style::Print("\r\n> "),
        style::Print(cut(&list.typed)),
        style::Print("\r\n")
    )?;
    let first = list.at.saturating_sub(rows.saturating_sub(1));
    let mut drawn = 0;
    for (row, option) in list.fitting.iter().enumerate().skip(first).take(rows) {
        let here = if row == list.at { "> " } else { "  " };
        let mark = if list.marked.contains(option) { "* " } else { "  " };
        let text = list.options.get(*option).map_or("", String::as_str);
        queue!(
            err,
            style::Print(here),
            style::Print(mark),
            style::Print(cut(&shown(text))),
            style::Print("\r\n")
        )?;
        drawn += 1;
    }
    queue!(err, cursor::MoveUp(drawn + 2), cursor::MoveToColumn(0))?;
    err.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(options: &[&str], keys: &[KeyCode], marks: Marks) -> (Vec<String>, Step) {
        let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
        let mut list = List::new(&options);
        let mut step = Step::Go;
        for key in keys {
            step = list.key(*key, KeyModifiers::NONE, marks);
        }
        (list.fitting.iter().map(|i| options[*i].clone()).collect(), step)
    }

    #[test]
    fn typing_narrows_and_the_best_comes_first() {
        let keys: Vec<KeyCode> = "web".chars().map(KeyCode::Char).collect();
        let (left, _) = typed(&["prod@shop:worker-beta/app", "prod@shop:web-1/app", "x"], &keys, Marks::One);
        assert_eq!(left, ["prod@shop:web-1/app", "prod@shop:worker-beta/app"]);
        let keys: Vec<KeyCode> = "app sho".chars().map(KeyCode::Char).collect();
        assert_eq!(typed(&["shop:app", "shop:db"], &keys, Marks::One).0, ["shop:app"]);
    }

    #[test]
    fn keys_take_and_leave() {
        let options = ["a", "b", "c"];
        assert_eq!(typed(&options, &[KeyCode::Down, KeyCode::Enter], Marks::One).1, Step::Take(vec![1]));
        assert_eq!(typed(&options, &[KeyCode::Esc], Marks::One).1, Step::Leave);
        let two = [KeyCode::Tab, KeyCode::Down, KeyCode::Tab, KeyCode::Enter];
        assert_eq!(typed(&options, &two, Marks::Several).1, Step::Take(vec![0, 2]));
        let none = [KeyCode::Char('z'), KeyCode::Enter];
        assert_eq!(typed(&options, &none, Marks::One).1, Step::Go, "nothing fits, so nothing is taken");
    }
}
