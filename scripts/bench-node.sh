#!/usr/bin/env bash
# What collecting costs on a node with 60 containers, by the OpenTelemetry collector's node pipeline: resident memory
# and cores over a minute, at rest and with 5,000 log lines a second. Needs root.
# Figures of other processes in the same bed: `bed pids DIR PROGRAM`, `bed usage PID SECONDS`.
. "$(dirname "$0")/env.sh"
[ "$(id -u)" = 0 ] || die "this needs root: it runs containers"
otelcol=$(scripts/peer.sh otelcol)
emitter=$(bed build | tail -1)
tool=$CARGO_TARGET_DIR/debug/bed
dir=$(mktemp -d "${TMPDIR:-/tmp}/phbench-XXXX") started=()
finish() {
  trap - EXIT
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  "$tool" down "$dir/node" || true
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

"$tool" up "$dir/node" >/dev/null
"$tool" kubectl "$dir/node" apply -f testbed/peers/sixty.yaml >/dev/null
"$tool" kubectl "$dir/node" rollout status deployment/sixty --timeout=180s
"$tool" run "$dir/node" "$emitter" serve --listen 127.0.0.1:24318 &
started+=($!)
"$tool" run "$dir/node" --node 1 "$otelcol" --config "$root/testbed/peers/otelcol/collector.yaml" >"$dir/otelcol.log" 2>&1 &
collector=$!
started+=("$collector")

say "at rest: half a minute to settle, a minute to measure"
sleep 30
kill -0 "$collector" 2>/dev/null || { tail -5 "$dir/otelcol.log" >&2; die "the collector ended"; }
echo "otelcol 60 containers, no logs:      $("$tool" usage "$collector" 60)"
"$tool" kubectl "$dir/node" apply -f testbed/peers/writer.yaml >/dev/null
"$tool" kubectl "$dir/node" wait --for=condition=Ready pod/writer --timeout=60s
say "shipping 5,000 lines/s"
sleep 20
echo "otelcol 60 containers, 5,000 lines/s: $("$tool" usage "$collector" 60)"
"$tool" run "$dir/node" curl -fsS http://127.0.0.1:24318/metrics | grep '^emitter_sunk'
