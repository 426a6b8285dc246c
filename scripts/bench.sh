#!/usr/bin/env bash
# The benchmarks of all crates, in release. Arguments pick some, as `cargo bench` takes them.
. "$(dirname "$0")/env.sh"
scripts/setup.sh build
scripts/web.sh build
cargo bench --workspace --benches "$@"
