# Sourced by the benchmarks that need a cluster: a bed, a server of the release build in its network, and our agents as pods
# of the manifests that `cluster join` prints. Needs root. All of it goes when the script ends.
# BENCH_BINARY: a release binary that is built already; BENCH_BED: the same of the testbed's tool.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
[ "$(id -u)" = 0 ] || die "this needs root: it runs containers"
image=bed.local/pilothouse:bench
url=http://127.0.0.1:8000     # inside the bed
agents_dial=10.244.1.1:8443   # the first node's address, which pods reach

# Built with the same choice of packages as elsewhere, so that no dependency is built again with other features.
if [ -z "${BENCH_BINARY:-}" ]; then
  scripts/web.sh build
  cargo build --release -q -p pilothouse -p testbed
fi
[ -x "${BENCH_BED:-}" ] || cargo build -q -p testbed --bin bed
pilothouse=${BENCH_BINARY:-$CARGO_TARGET_DIR/release/pilothouse}
tool=${BENCH_BED:-$CARGO_TARGET_DIR/debug/bed}
work=$(mktemp -d "${TMPDIR:-/tmp}/phbench-XXXX")
node=$work/node started=()

finish() {
  local status=$?
  trap - EXIT
  # With what they started: of a function in the background the shell knows only its own copy that runs it.
  for pid in "${started[@]}"; do pkill -P "$pid" || true; kill "$pid" 2>/dev/null || true; done
  [ ! -d "$node" ] || "$tool" down "$node" || true
  if [ "$status" = 0 ]; then rm -rf "$work"; else say "logs are kept in $work" >&2; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

inside() { "$tool" run "$node" "$@"; }
kube() { "$tool" kubectl "$node" "$@"; }
# The client, as the installation's owner: `client COMMAND… --data "$work/data"`.
client() { inside env XDG_CONFIG_HOME="$work/config" "$pilothouse" "$@"; }
mib() { awk -v b="$1" 'BEGIN { printf "%.1f", b / 1048576 }'; }
field() { # name, one line of `bed usage`
  local rest=" $2"
  rest=${rest#* "$1"=}
  echo "${rest%% *}"
}
# Waits until a command succeeds, at most so many seconds.
until_true() { # seconds, what is awaited, command…
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >"$work/last" 2>&1; do
    [ $SECONDS -lt $end ] || die "waited in vain: $what; last it said: $(tail -3 "$work/last")"
    sleep 0.2
  done
}

stack_up() { # flags of `bed up`
  "$tool" up "$node" "$@" >/dev/null
  # Without symbols, as an image has it: the kernel does not read them.
  strip -o "$work/pilothouse" "$pilothouse"
  "$tool" load "$node" "$("$tool" pack "$node" "$image" "$work/pilothouse" --setcap cap_dac_read_search+p --busybox)"
  inside "$pilothouse" serve --data "$work/data" --listen "$url" --listen "https://$agents_dial" \
    --public-url "https://$agents_dial" >"$work/serve.log" 2>&1 &
  server=$!
  started+=("$server")
  until_true 60 "the server is ready" inside curl -fsS "$url/readyz"
}

agents_up() { # tier
  client cluster join bench --tier "$1" --image "$image" --data "$work/data" 2>>"$work/client.log" | kube apply -f - >/dev/null
  kube -n pilothouse rollout status deployment/cluster-agent --timeout=120s >/dev/null
  kube -n pilothouse rollout status daemonset/node-agent --timeout=120s >/dev/null
}
# Process of the only container of a workload's pods; pods of the Deployment that do not lead have one too.
pids_of() { # command's first argument
  local pid
  for pid in $("$tool" pids "$node" pilothouse); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q "pilothouse $1 "; then echo "$pid"; fi
  done
}
# Signs curl in; the cookies lie in $work/jar.
sign_in() {
  local token
  token=$(client sign-in-link owner@localhost --data "$work/data" 2>>"$work/client.log" | sed -n 's/.*#token=\([^ ]*\).*/\1/p' | head -1)
  inside curl -fsS -c "$work/jar" -H 'content-type: application/json' -H 'sec-fetch-site: same-origin' \
    -d "{\"token\":\"$token\"}" "$url/api/v1/auth/link" >/dev/null
}
api() { # path, further arguments of curl
  local path=$1
  shift
  inside curl -fsS -b "$work/jar" -H 'sec-fetch-site: same-origin' "$@" "$url/api/v1/$path"
}
