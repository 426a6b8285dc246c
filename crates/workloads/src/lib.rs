//! Room `workloads`.
