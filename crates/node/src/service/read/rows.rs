//! How many records may still be sent, when lines after the last match belong to it.

/// The limit on matching records of one read.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// `None`: no limit.
    left: Option<u64>,
    /// Lines of context that follow each match.
    after: u32,
    /// Of those, how many may still follow the last match.
    owed: u32,
}

impl Rows {
    pub fn new(limit: Option<u64>, after: u32) -> Self {
        Self { left: limit, after, owed: 0 }
    }

    /// Takes one record's place; false when it is beyond the limit.
    pub fn take(&mut self, context: bool) -> bool {
        let Some(left) = &mut self.left else { return true };
        match (*left, context) {
            (0, true) if self.owed > 0 => self.owed -= 1,
            (0, _) => {
                self.owed = 0;
                return false;
            }
            (_, true) => {}
            (_, false) => {
                *left -= 1;
                self.owed = self.after;
            }
        }
        true
    }

    /// Takes places for so many matches and says how many there were.
    pub fn take_many(&mut self, wanted: usize) -> usize {
        let Some(left) = &mut self.left else { return wanted };
        let taken = usize::try_from(*left).map_or(wanted, |left| left.min(wanted));
        *left -= taken as u64;
        taken
    }

    /// Whether no further match may be sent.
    pub fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether nothing further may be sent.
    pub fn is_over(&self) -> bool {
        self.is_full() && self.owed == 0
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn lines_after_the_last_match_still_go_out() {
        let mut rows = Rows::new(Some(2), 2);
        let taken: Vec<bool> = [true, false, true, true, true, false, true, true, true]
            .map(|context| rows.take(context))
            .to_vec();
        assert_eq!(taken, [true, true, true, true, true, true, true, true, false]);
        assert!(rows.is_over());
        let mut rows = Rows::new(Some(1), 3);
        assert!(
            rows.take(false) && rows.is_full() && !rows.is_over() && rows.take(true) && !rows.take(false)
        );
        assert_eq!((Rows::new(Some(3), 0).take_many(5), Rows::new(None, 0).take_many(5)), (3, 5));
    }
}
