#!/usr/bin/env bash
# `test.sh all`: crates, web, end to end. `test.sh e2e [FILTER]`: the last alone. With CI=true nothing is skipped.
. "$(dirname "$0")/env.sh"
scripts/setup.sh all
scripts/web.sh build
if [ "${1:-all}" = all ]; then
  say "crates"
  cargo test --workspace
  if [ -f web/package.json ]; then
    say "web"
    npm --prefix web test
    PICTURES="$(mktemp -d)" npm --prefix web run test:browser
  fi
fi
say "end to end"
# The same packages as above, so that no dependency is built again with other features.
cargo test --workspace --test e2e -- --test-threads=1 "${@:2}"
