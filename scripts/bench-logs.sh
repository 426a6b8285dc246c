#!/usr/bin/env bash
# The log engine and `pilothouse logs` against grep, ripgrep, jq, awk and tail, on two cores. Arguments: rows (B1, B2, …);
# none: all that need no root. BENCH_ROUNDS: how often each side runs (5). BENCH_BINARY: a release build of pilothouse.
# CORPUS: a folder that holds the inputs already, or is to hold them (3 GiB).
. "$(dirname "$0")/env.sh"
for need in rg:ripgrep jq:jq gawk:gawk /usr/bin/time:time taskset:util-linux; do
  have "${need%%:*}" || [ -x "${need%%:*}" ] || die "${need%%:*} is missing: apt-get install ${need#*:}"
done
corpus=${CORPUS:-$root/target/corpus/logs}
if [ -z "${BENCH_BINARY:-}" ]; then
  scripts/web.sh build
  cargo build --release -q -p pilothouse -p testbed
fi
cargo build --release -q -p ph-taillog --examples
cargo build -q -p xtask
CARGO_MANIFEST_DIR=$root/xtask "$CARGO_TARGET_DIR/debug/xtask" corpus logs --rng 1 --out "$corpus" >/dev/null
CARGO_MANIFEST_DIR=$root/xtask taskset -c 0,1 "$CARGO_TARGET_DIR/debug/xtask" race \
  --binary "${BENCH_BINARY:-$CARGO_TARGET_DIR/release/pilothouse}" --examples "$CARGO_TARGET_DIR/release/examples" \
  --corpus "$corpus" --rounds "${BENCH_ROUNDS:-5}" "$@"
