//! Room `taillog`.
