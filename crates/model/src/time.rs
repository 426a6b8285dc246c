//! Half-open time ranges. Metrics use milliseconds, rows nanoseconds, both since 1970 in UTC.

macro_rules! range {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            pub from: i64,
            pub to: i64,
        }

        impl $name {
            pub const ALL: Self = Self { from: i64::MIN, to: i64::MAX };

            pub fn new(from: i64, to: i64) -> Self {
                Self { from, to }
            }

            pub fn contains(&self, t: i64) -> bool {
                self.from <= t && t < self.to
            }

            /// Whether some instant lies in both `self` and the **closed** interval `[first, last]`.
            pub fn touches(&self, first: i64, last: i64) -> bool {
                self.from <= last && first < self.to
            }

            pub fn is_empty(&self) -> bool {
                self.from >= self.to
            }
        }
    };
}

range!(
    /// `[from, to)` in milliseconds since 1970, UTC.
    RangeMs
);
range!(
    /// `[from, to)` in nanoseconds since 1970, UTC.
    RangeNs
);
