#!/usr/bin/env bash
# What a server costs that has nothing to do, and how soon the first sample of its own host is there: from the start of the
# process to the answer of the API that holds it. Needs no root.
# BENCH_ROUNDS: how often it starts (3). BENCH_SPAN: seconds that memory and processor time are measured (60).
# BENCH_BINARY: a release binary that is built already.
. "$(dirname "$0")/env.sh"
rounds=${BENCH_ROUNDS:-3} span=${BENCH_SPAN:-60}
if [ -z "${BENCH_BINARY:-}" ]; then
  scripts/web.sh build
  cargo build --release -q -p pilothouse -p testbed
fi
cargo build -q -p testbed --bin bed
pilothouse=${BENCH_BINARY:-$CARGO_TARGET_DIR/release/pilothouse}
work=$(mktemp -d "${TMPDIR:-/tmp}/phbench-XXXX") started=()
finish() {
  trap - EXIT
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

millis() { date +%s%3N; }
start() { # round, port, flags
  local round=$1 port=$2
  shift 2
  "$pilothouse" serve --data "$work/$round" --listen "http://127.0.0.1:$port" --metrics off --probes off "$@" \
    >"$work/$round.out" 2>"$work/$round.err" &
  server=$!
  started+=("$server")
}
# From the start of a fresh server to its host's first sample, ms.
first_sample() { # round
  local began token headers=(-H 'content-type: application/json' -H 'sec-fetch-site: same-origin')
  began=$(millis)
  start "$1" 18790 --with-host-agent
  until token=$(sed -n 's/.*#token=\([^ ]*\).*/\1/p' "$work/$1.out" 2>/dev/null) && [ -n "$token" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$work/$1.err" >&2; die "the server ended at once"; }
    sleep 0.02
  done
  curl -fsS -o /dev/null -c "$work/$1.jar" "${headers[@]}" -d "{\"token\":\"$token\"}" \
    --retry 50 --retry-delay 0 --retry-connrefused http://127.0.0.1:18790/api/v1/auth/link
  until curl -fsS -b "$work/$1.jar" "${headers[@]}" http://127.0.0.1:18790/api/v1/summary | grep -q '"newest_ms":[0-9]'; do
    [ $(($(millis) - began)) -lt 60000 ] || die "no sample of the host within a minute"
    sleep 0.05
  done
  echo "$(($(millis) - began))"
}
told() { # what, line of `bed usage`
  awk -v what="$1" '{ for (i = 1; i <= NF; i++) { split($i, f, "="); v[f[1]] = f[2] }
    printf "%-34s %6.1f MiB RSS  %6.1f MiB own  %6.1f MiB peak  %6.2f %% of a core\n", what, v["rss_bytes"] / 1048576,
      v["anonymous_bytes"] / 1048576, v["peak_bytes"] / 1048576, v["cores"] * 100 }' <<<"$2"
}

for round in $(seq "$rounds"); do
  first_sample "$round" >"$work/took"
  echo "start to first host sample in the API: $(cat "$work/took") ms"
  [ "$round" = "$rounds" ] || { kill "$server"; wait "$server" 2>/dev/null || true; }
done
hosting=$server
start idle 18791
say "idle: half a minute to settle, then $span s"
sleep 30
mapfile -t seen < <("$CARGO_TARGET_DIR/debug/bed" usage "$server,$hosting" "$span")
told "serve, idle" "${seen[0]:-}"
told "serve --with-host-agent, idle" "${seen[1]:-}"
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
