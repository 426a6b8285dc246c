#!/usr/bin/env bash
# What collecting costs on a node with 60 containers: our node-agent, as the pod of our manifests, and beside it in the same
# minutes the OpenTelemetry collector's node pipeline. Resident memory, the part of it that is the process's own, and
# processor time; at rest and with 5,000 log lines a second. Needs root.
# BENCH_ROUNDS: how many minutes are measured of each (2). BENCH_SPAN: seconds of one (60).
. "$(dirname "$0")/bench-stack.sh"
rounds=${BENCH_ROUNDS:-2} span=${BENCH_SPAN:-60}
otelcol=$(scripts/peer.sh otelcol)
emitter=$("$tool" build | tail -1)

stack_up
kube apply -f testbed/peers/sixty.yaml >/dev/null
kube rollout status deployment/sixty --timeout=180s >/dev/null
agents_up observe
inside "$emitter" serve --listen 127.0.0.1:24318 &
started+=($!)
"$tool" run "$node" --node 1 "$otelcol" --config "$root/testbed/peers/otelcol/collector.yaml" >"$work/otelcol.log" 2>&1 &
collector=$!
started+=("$collector")

measure() { # phase
  local ours before sunk seen one name round
  ours=$(pids_of node-agent)
  kill -0 "$collector" 2>/dev/null || { tail -5 "$work/otelcol.log" >&2; die "the collector ended"; }
  for round in $(seq "$rounds"); do
    mapfile -t seen < <("$tool" usage "$ours,$collector" "$span")
    [ "${#seen[@]}" = 2 ] || die "one of the two ended"
    for one in 0 1; do
      name=(node-agent otelcol)
      printf '%-8s %d  %-10s  %6s MiB RSS  %6s MiB own  %6s MiB peak  %6.2f %% of a core\n' "$1" "$round" "${name[$one]}" \
        "$(mib "$(field rss_bytes "${seen[$one]}")")" "$(mib "$(field anonymous_bytes "${seen[$one]}")")" \
        "$(mib "$(field peak_bytes "${seen[$one]}")")" \
        "$(awk -v c="$(field cores "${seen[$one]}")" 'BEGIN { print c * 100 }')"
    done
    awk -v a="$(field rss_bytes "${seen[0]}")" -v b="$(field rss_bytes "${seen[1]}")" \
      -v own="$(field anonymous_bytes "${seen[0]}")" -v own2="$(field anonymous_bytes "${seen[1]}")" \
      -v c="$(field cores "${seen[0]}")" -v d="$(field cores "${seen[1]}")" -v phase="$1" -v round="$round" \
      'BEGIN { printf "%-8s %d  ratio       %6.2f RSS      %6.2f own      %22.2f processor time\n", phase, round, a / b, own / own2, c / d }'
  done
}

say "at rest: half a minute to settle, then $rounds × $span s"
sleep 30
measure rest
kube apply -f testbed/peers/writer.yaml >/dev/null
kube wait --for=condition=Ready pod/writer --timeout=60s >/dev/null
say "shipping 5,000 lines/s: 20 s to settle, then $rounds × $span s"
sleep 20
# What arrived meanwhile on both sides says that both did the work.
sunk() { inside curl -fsS http://127.0.0.1:24318/metrics | sed -n 's/^emitter_sunk_bytes_total //p'; }
before=$(sunk)
measure shipping
echo "the collector's sink took $(mib $(($(sunk) - before))) MiB, compressed"
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
