//! Commands end to end.
