#!/usr/bin/env bash
# How fast the store takes samples, then log rows, each acknowledged once the disk has it. Arguments: durability (`sync`),
# seconds of each (10).
. "$(dirname "$0")/env.sh"
durability=${1:-sync} seconds=${2:-10}
for what in metrics logs; do
  say "$what, $durability, $seconds s"
  cargo run --quiet --release -p ph-store --example bench_append -- "$what" "$durability" "$seconds"
done
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
