//! The whole store: append, ask, flush, restart, crash.

mod backup;
mod bed;
mod catalogue;
mod conforms;
mod crash;
mod exemplars;
mod following;
mod heads;
mod indexed;
mod keeping;
mod managing;
mod merging;
mod model;
mod picked;
mod promoted;
mod pruning;
mod questions;
mod rolled;
mod scale;
mod spansets;
mod standing;
mod traces;
mod versions;

use bed::{Bed, line, lines, org};
