//! End to end: the real binary against a real Kubernetes, a real Docker host and a real browser.
//!
//! Needs root, Linux and what `make setup` installs. Elsewhere each test writes a line that begins with "skipped:";
//! with `CI=true` a missing prerequisite is a failure. Run one at a time: `--test-threads=1`.

#[path = "e2e/bed.rs"]
mod bed;
#[path = "e2e/desktop.rs"]
mod desktop;
#[path = "e2e/docker.rs"]
mod docker;
#[path = "e2e/parity.rs"]
mod parity;
#[path = "e2e/platform.rs"]
mod platform;
#[path = "e2e/stack.rs"]
mod stack;
