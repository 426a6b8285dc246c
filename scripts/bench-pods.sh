#!/usr/bin/env bash
# Logs of pods of a real node, beside kubectl, stern and curl: all of a 512 MB log, and a follow of 50 pods. Needs root.
# Each side writes into `wc` or `gawk`; sides take turns; the best of the rounds counts, and answers are compared by their bytes.
# BENCH_ROUNDS: how often each side runs (3). BENCH_PODS: pods of the follow (50). BENCH_STERN: a stern binary; without it,
# it is built from its Go module. BENCH_MB: size of the long log (512).
. "$(dirname "$0")/bench-stack.sh"
rounds=${BENCH_ROUNDS:-3} pods=${BENCH_PODS:-50} mb=${BENCH_MB:-512}
have gawk || die "gawk is missing: apt-get install gawk"
stern=${BENCH_STERN:-$work/stern/stern}
if [ ! -x "$stern" ]; then
  say "stern"
  mkdir -p "$work/stern"
  printf 'module sternpeer\n\ngo 1.26\n\nrequire github.com/stern/stern v1.33.1\n' >"$work/stern/go.mod"
  printf '//go:build tools\n\npackage tools\n\nimport _ "github.com/stern/stern/cmd"\n' >"$work/stern/tools.go"
  (cd "$work/stern" && GOFLAGS=-mod=mod go build -o "$stern" github.com/stern/stern)
fi

long_pod() {
  cat <<YAML
apiVersion: v1
kind: Pod
metadata: {name: bulk}
spec:
  containers:
  - {name: lines, image: "bed.local/emitter:1", args: [lines, --rate, "200000", --bytes, "180", --count, "$((mb * 1000000 / 180))", --linger]}
YAML
}
followed_pods() {
  cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: load}
spec:
  replicas: $pods
  selector: {matchLabels: {app: load}}
  template:
    metadata: {labels: {app: load}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: lines, image: "bed.local/emitter:1", args: [lines, --rate, "40"]}
YAML
}
# One value of the administrator's kubeconfig; what it holds itself comes decoded.
credential() { # jsonpath without -data, target file
  local path
  path=$(kube config view --raw -o "jsonpath={$1}")
  if [ -n "$path" ]; then cp "$path" "$2"; else kube config view --raw -o "jsonpath={$1-data}" | base64 -d >"$2"; fi
}

stack_up --log-max-size 2Gi
long_pod | kube apply -f - >/dev/null
agents_up debug
kube wait --for=condition=Ready pod/bulk --timeout=60s >/dev/null
until_true 60 "the server knows the pod" client exec default:bulk --data "$work/data" -- true
api_server=$(kube config view --raw -o 'jsonpath={.clusters[0].cluster.server}')
credential '.clusters[0].cluster.certificate-authority' "$work/ca.crt"
credential '.users[0].user.client-certificate' "$work/user.crt"
credential '.users[0].user.client-key' "$work/user.key"

side_kubectl() { kube logs bulk; }
side_stern() { inside "$stern" --no-follow --tail -1 -o raw --color never '^bulk$' 2>>"$work/stern.log"; }
side_curl() {
  inside curl -fsS --cacert "$work/ca.crt" --cert "$work/user.crt" --key "$work/user.key" \
    "$api_server/api/v1/namespaces/default/pods/bulk/log"
}
side_agent() { client logs default:bulk --all -o raw --backend agent --data "$work/data" </dev/null 2>>"$work/client.log"; }
side_kube() { client logs bulk --all -o raw --backend kube </dev/null 2>>"$work/client.log"; }

# The log has come to its end when it stays as long as it was.
size=0
until [ "$size" -gt 0 ] && [ "$size" = "$(side_curl | wc -c)" ]; do
  sleep 3
  size=$(side_curl | wc -c)
done
say "all of a log of $size bytes, best of $rounds"
declare -A best
for _ in $(seq "$rounds"); do
  for side in kubectl stern curl kube agent; do
    began=$(date +%s%N)
    bytes=$("side_$side" | wc -c)
    took=$((($(date +%s%N) - began) / 1000000))
    [ "$bytes" = "$size" ] || echo "$side gave $bytes bytes, not $size: its row is void"
    [ "${best[$side]:-999999999}" -le "$took" ] || best[$side]=$took
  done
done
for side in kubectl stern curl kube agent; do
  echo "$side $size ${best[$side]}"
done | awk '{ ms[$1] = $3; bytes = $2 } END {
  for (side in ms) printf "%-8s %8.0f ms  %7.1f MB/s\n", side, ms[side], bytes / ms[side] / 1000
  printf "agent %.2f x kubectl (gate 5), %.2f x stern; kube %.2f x curl (gate 0.9), %.2f x kubectl, %.2f x stern\n",
    ms["kubectl"] / ms["agent"], ms["stern"] / ms["agent"], ms["curl"] / ms["kube"], ms["kubectl"] / ms["kube"], ms["stern"] / ms["kube"] }'
echo "load $(cut -d' ' -f1 /proc/loadavg)"

say "a follow of $pods pods, 40 lines a second each"
kube delete pod bulk --wait=false >/dev/null
followed_pods | kube apply -f - >/dev/null
kube rollout status deployment/load --timeout=180s >/dev/null
# From the time within a line to its arrival here.
latencies() {
  gawk -l time -v name="$1" 'match($0, /time=([0-9-]+)T([0-9:]+)(\.[0-9]+)Z/, t) {
      day = t[1]; clock = t[2]; gsub(/[-:]/, " ", day); gsub(/:/, " ", clock)
      late = gettimeofday() - mktime(day " " clock, 1) - t[3]
      # What was written before the follow began is no delay.
      if (!began) began = gettimeofday()
      if (gettimeofday() - began > 3) ms[++n] = late * 1000
    }
    END { asort(ms); printf "%-8s %6d lines  p50 %7.1f ms  p99 %7.1f ms  max %7.1f ms\n", name, n, ms[int(n / 2)], ms[int(n * 0.99)], ms[n] }'
}
follow_kubectl() { kube logs -f -l app=load --tail 0 --max-log-requests "$pods"; }
follow_stern() { inside "$stern" --tail 0 -o raw --color never --max-log-requests "$pods" -l app=load 2>>"$work/stern.log"; }
follow_agent() { client logs -n default -l app=load -f --tail 0 -o raw --backend agent --data "$work/data" </dev/null 2>>"$work/client.log"; }
follow_kube() { client logs -l app=load -f --tail 0 -o raw --backend kube --max-concurrent "$pods" </dev/null 2>>"$work/client.log"; }
for side in kubectl stern kube agent; do
  { "follow_$side" & echo $! >"$work/follower"; wait $!; } 2>/dev/null | latencies "$side" &
  sleep 20
  pkill -P "$(cat "$work/follower")" || true
  kill "$(cat "$work/follower")" 2>/dev/null || true
  wait $! || true
done
echo "load $(cut -d' ' -f1 /proc/loadavg)"
