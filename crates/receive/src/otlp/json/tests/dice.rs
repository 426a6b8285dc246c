//! Choices drawn from a test's bytes, so that a failing case shrinks with them.

use std::cell::RefCell;

pub struct Dice(RefCell<std::vec::IntoIter<u8>>);

impl Dice {
    pub fn new(seed: Vec<u8>) -> Self {
        Self(RefCell::new(seed.into_iter()))
    }

    /// The next byte; 0 when they are used up.
    pub fn byte(&self) -> u8 {
        self.0.borrow_mut().next().unwrap_or(0)
    }

    pub fn coin(&self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn below(&self, n: u8) -> u8 {
        self.byte() % n
    }

    pub fn u64(&self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => u64::MAX,
            2 => u64::from(self.byte()),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    pub fn i64(&self) -> i64 {
        match self.below(3) {
            0 => i64::MIN,
            _ => self.u64() as i64,
        }
    }

    pub fn u32(&self) -> u32 {
        self.u64() as u32
    }

    pub fn i32(&self) -> i32 {
        self.u64() as i32
    }

    /// Any but NaN, which equals nothing.
    pub fn f64(&self) -> f64 {
        match self.below(6) {
            0 => 0.0,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => f64::from(self.byte()) / 8.0,
            4 => -1.5e300,
            _ => {
                let any = f64::from_bits(self.u64());
                if any.is_nan() { 1.0 } else { any }
            }
        }
    }

    pub fn text(&self) -> String {
        let words = ["", "a", "http.method", "über\u{1f980}", "tab\tquote\"\\", "\u{0}null", "NaN", "12"];
        words[usize::from(self.below(8))].to_owned()
    }

    pub fn bytes(&self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.byte()).collect()
    }

    pub fn many<T>(&self, one: impl Fn() -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| one()).collect()
    }

    pub fn perhaps<T>(&self, one: impl Fn() -> T) -> Option<T> {
        self.coin().then(one)
    }
}
