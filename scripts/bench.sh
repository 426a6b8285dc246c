#!/usr/bin/env bash
# The benchmarks, in release. Arguments pick some: names, or `--list`.
. "$(dirname "$0")/env.sh"
scripts/setup.sh build
cargo xtask bench "$@"
