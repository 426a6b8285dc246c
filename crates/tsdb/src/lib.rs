//! Room `tsdb`.
