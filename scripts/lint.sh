#!/usr/bin/env bash
# `lint.sh fix` formats; `lint.sh check` changes nothing and fails on the first thing that is not as it should be.
. "$(dirname "$0")/env.sh"
# The packages' own scripts, those that are there.
web() { [ ! -f web/package.json ] || { scripts/web.sh install && npm --prefix web run --if-present "$1"; }; }
if [ "${1:-check}" = fix ]; then
  cargo fmt --all
  if have gofmt; then gofmt -w testbed/kubebed testbed/emitter; fi
  web fmt
  exit 0
fi
cargo fmt --all --check
if have gofmt; then
  unformatted=$(gofmt -l testbed/kubebed testbed/emitter)
  [ -z "$unformatted" ] || die "not formatted: $unformatted (run \`make fmt\`)"
fi
if have shellcheck; then shellcheck -x scripts/*.sh; fi
scripts/web.sh build
cargo clippy --workspace --all-targets -- -D warnings
cargo xtask tidy
web lint
web typecheck
