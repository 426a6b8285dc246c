#!/usr/bin/env bash
# The store and the metrics of the server beside their peers. Rows of metrics (M1 M3 M4 M5 M6) run the server itself next to
# Prometheus, which promdiff builds once, and to Debian's victoria-metrics when it is installed; all other rows run in one
# process. Arguments: rows, none for all but S1, and a size (series for rows of metrics, MiB for the others).
# S1 MINUTES: half of what the server can take, for so long, with a clock that runs twenty times as fast (needs libfaketime).
# BENCH_BINARY: a release binary that is built already. BENCH_SERVE: flags of `serve`, "--samples-per-second 0" when not set. BENCH_PEERS: which peers, "prometheus victoria" when not set.
. "$(dirname "$0")/env.sh"
metrics=() rest=() size=() asked=no
for word in "$@"; do
  case $word in
  M1 | M3 | M4 | M5 | M6 | S1) metrics+=("$word") asked=yes ;;
  [A-Z]*) rest+=("$word") asked=yes ;;
  *) size=("$word") ;;
  esac
done
[ "$asked" = yes ] || { metrics=(M1 M3 M4 M5 M6) rest=(L1 L2 L3 L4 L5 T1 M2); }
if [ ${#rest[@]} -gt 0 ]; then
  cargo run --quiet --release --package ph-store --example bench_search -- "${rest[@]}" "${size[@]}"
fi
[ ${#metrics[@]} -gt 0 ] || exit 0
if [ -z "${BENCH_BINARY:-}" ]; then
  scripts/web.sh build
  cargo build --release -q -p pilothouse
fi
subjects=("pilothouse=${BENCH_BINARY:-$CARGO_TARGET_DIR/release/pilothouse}")
for peer in ${BENCH_PEERS-prometheus victoria}; do
  case $peer in
  prometheus)
    program=$(ls -d "${XDG_CACHE_HOME:-$HOME/.cache}"/pilothouse/promdiff/prometheus-v* 2>/dev/null | tail -1)
    [ -n "$program" ] || { cargo xtask promdiff --count 1 && program=$(ls -d "${XDG_CACHE_HOME:-$HOME/.cache}"/pilothouse/promdiff/prometheus-v* | tail -1); }
    subjects+=("prometheus=$program")
    ;;
  victoria)
    if have victoria-metrics; then
      subjects+=("victoria=$(command -v victoria-metrics)")
    else
      say "victoria-metrics is not installed (apt-get install victoria-metrics): its columns are left out"
    fi
    ;;
  *) die "BENCH_PEERS: $peer is neither prometheus nor victoria" ;;
  esac
done
cargo run --quiet --release --package ph-receive --example bench_metrics -- "${metrics[@]}" "${size[@]}" "${subjects[@]}"
