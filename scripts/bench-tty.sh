#!/usr/bin/env bash
# How long a key typed into a terminal in a container takes to come back, while readers pull logs through the same server.
# The key travels pilothouse exec → server → link → cluster-agent → API server → kubelet → container, and back; the logs come
# over the node-agent's link, as they do in every cluster. Needs root.
# One link alone, terminal and 50 MB/s of log batches on it, is measured first, by the link's own test.
# BENCH_KEYS: keys of a round (600). BENCH_ROUNDS: rounds with bulk (3). BENCH_READERS: readers of logs side by side (3).
. "$(dirname "$0")/bench-stack.sh"
keys=${BENCH_KEYS:-600} rounds=${BENCH_ROUNDS:-3} readers=${BENCH_READERS:-3}

if [ -z "${BENCH_BINARY:-}" ]; then
  say "one link, terminal and bulk on it"
  cargo test -q --release -p ph-link --lib echoes_pass -- --nocapture | grep '^echo'
fi

# A log of some 200 MB in files large enough to stay.
pods() {
  cat <<YAML
apiVersion: v1
kind: Pod
metadata: {name: bulk}
spec:
  containers:
  - {name: lines, image: "bed.local/emitter:1", args: [lines, --rate, "20000", --bytes, "500", --for, 20s, --linger]}
---
apiVersion: v1
kind: Pod
metadata: {name: terminal}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: sh, image: "bed.local/emitter:1", args: [sleep]}
YAML
}
reader() { # its number; pulls the whole log again and again and counts what came
  while [ ! -e "$work/enough" ]; do
    client logs default:bulk --all --data "$work/data" </dev/null 2>>"$work/reader.log" | count >>"$work/bytes.$1"
  done
}
# How many bytes came, told every 4 MiB.
count() {
  local n
  while n=$(head -c 4194304 | wc -c) && [ "$n" -gt 0 ]; do echo "$n"; done
}
total() { cat "$work"/bytes.* 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'; }
type_keys() {
  "$tool" keystrokes "$keys" 20 \
    "$tool run $node $pilothouse exec -it default:terminal --data $work/data -- sh -c 'echo ready; exec cat'"
}

stack_up --log-max-size 300Mi
pods | kube apply -f - >/dev/null
agents_up debug
kube wait --for=condition=Ready pod/bulk pod/terminal --timeout=60s >/dev/null
until_true 60 "the server knows the terminal's pod" client exec default:terminal --data "$work/data" -- true
sleep 25
echo "no bulk:        $(type_keys)   load $(cut -d' ' -f1 /proc/loadavg)"
for n in $(seq "$readers"); do
  reader "$n" &
  started+=($!)
done
sleep 3
for round in $(seq "$rounds"); do
  before=$(total) began=$(date +%s%3N)
  seen=$(type_keys)
  took=$(($(date +%s%3N) - began))
  echo "bulk, round $round:  $seen   $(awk -v b=$(($(total) - before)) -v ms="$took" 'BEGIN { printf "%.1f", b / ms / 1000 }') MB/s of log text   load $(cut -d' ' -f1 /proc/loadavg)"
done
touch "$work/enough"
