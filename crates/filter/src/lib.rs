//! Room `filter`.
