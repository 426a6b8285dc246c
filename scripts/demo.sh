#!/usr/bin/env bash
# Two real clusters on this machine, watched by one server: `harbor` (two nodes, sample workloads, some broken on
# purpose) and `pier` (one node) beside it. Ctrl-C ends and removes all of it.
# The server runs in harbor's network; 127.0.0.1:PORT of the machine leads there. DEMO_PORT changes 8000.
. "$(dirname "$0")/env.sh"
[ "$(uname -s)" = Linux ] || die "the demo needs Linux: it runs containers"
[ "$(id -u)" = 0 ] || die "the demo needs root for containers and network namespaces; run \`sudo make demo\`"
port=${DEMO_PORT:-8000}
image=bed.local/pilothouse:demo
agents_dial=10.250.1.1:8443   # harbor's end of the wire, which pods of both clusters reach

scripts/setup.sh all
scripts/web.sh build
say "pilothouse (release)"
cargo build --release -p pilothouse
cargo build -q -p testbed --bin bed
pilothouse=$CARGO_TARGET_DIR/release/pilothouse
bed=$CARGO_TARGET_DIR/debug/bed

demo=$(mktemp -d "${TMPDIR:-/tmp}/phdemo-XXXX")
harbor=$demo/harbor pier=$demo/pier serve=
finish() {
  local status=$?
  trap - EXIT INT TERM
  say "taking the demo down"
  [ -z "$serve" ] || kill "$serve" 2>/dev/null || true
  [ -z "$serve" ] || wait "$serve" 2>/dev/null || true
  for one in "$harbor" "$pier"; do [ ! -f "$one/bed.json" ] || "$bed" down "$one"; done
  if [ "$status" = 0 ] || [ "$status" = 130 ]; then rm -rf "$demo"; else say "logs are kept in $demo"; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 0' INT TERM

say "two clusters"
"$bed" up "$harbor" --name harbor --nodes 2 >/dev/null &
first=$!
"$bed" up "$pier" --name pier >/dev/null
wait "$first"
"$bed" connect "$harbor" "$pier" 1
archive=$("$bed" pack "$harbor" "$image" "$pilothouse" --setcap cap_dac_read_search+p --busybox)
"$bed" load "$harbor" "$archive"
"$bed" load "$pier" "$archive"

say "server"
# Everything a client or the server keeps goes into the demo's own folder.
export XDG_DATA_HOME=$demo/data XDG_CONFIG_HOME=$demo/config
"$bed" run "$harbor" "$pilothouse" serve --data "$demo/data/pilothouse" \
  --listen "http://127.0.0.1:8000" --listen "https://$agents_dial" --public-url "https://$agents_dial" \
  >"$demo/serve.log" 2>&1 &
serve=$!
for _ in $(seq 300); do
  if "$bed" run "$harbor" curl -fsS -o /dev/null http://127.0.0.1:8000/readyz 2>/dev/null; then break; fi
  kill -0 "$serve" 2>/dev/null || { cat "$demo/serve.log" >&2; serve=; die "the server ended at once"; }
  sleep 0.1
done
"$bed" forward "$harbor" "127.0.0.1:$port" 127.0.0.1:8000 >/dev/null

join() { # name, bed's folder
  "$bed" run "$harbor" "$pilothouse" cluster join "$1" --tier debug --image "$image" --data "$demo/data/pilothouse" |
    "$bed" kubectl "$2" apply -f - >/dev/null
}
say "agents"
join harbor "$harbor"
join pier "$pier"
say "workloads"
"$bed" kubectl "$harbor" apply -f deploy/demo >/dev/null
"$bed" kubectl "$pier" apply -f deploy/demo/00-namespaces.yaml -f deploy/demo/front.yaml -f deploy/demo/worker.yaml >/dev/null

say "open this:"
"$bed" run "$harbor" "$pilothouse" sign-in-link owner@localhost --data "$demo/data/pilothouse" | sed "s#http://127.0.0.1:8000#http://127.0.0.1:$port#; s#https://$agents_dial#http://127.0.0.1:$port#"
say "kubectl: $bed kubectl $harbor get pods -A      logs: $demo/serve.log      Ctrl-C ends the demo"
wait "$serve"
