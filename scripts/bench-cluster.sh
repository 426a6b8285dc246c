#!/usr/bin/env bash
# Memory of the cluster-agent that leads, with 1,000 pods and then 5,000, on nodes that kwok plays. Needs root.
# BENCH_PODS: the numbers of pods, in order ("1000 5000"). BENCH_SPAN: seconds of each measurement (60).
. "$(dirname "$0")/bench-stack.sh"
read -ra steps <<<"${BENCH_PODS:-1000 5000}"
span=${BENCH_SPAN:-60}
kwok=$(scripts/peer.sh kwok)

fake_nodes() { # how many
  local n
  for n in $(seq "$1"); do
    cat <<YAML
---
apiVersion: v1
kind: Node
metadata:
  name: fake-$n
  labels: {type: kwok}
  annotations: {kwok.x-k8s.io/node: fake}
spec:
  taints: [{key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}]
status:
  allocatable: {cpu: "64", memory: 256Gi, pods: "600"}
  capacity: {cpu: "64", memory: 256Gi, pods: "600"}
YAML
  done
}
# Twenty Deployments share the pods.
workloads() {
  local n
  for n in $(seq 20); do
    cat <<YAML
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: fleet-$n, labels: {app: fleet-$n, team: bench}}
spec:
  replicas: 0
  selector: {matchLabels: {app: fleet-$n}}
  template:
    metadata: {labels: {app: fleet-$n, team: bench, app.kubernetes.io/version: "1.4.2"}}
    spec:
      nodeSelector: {type: kwok}
      tolerations: [{operator: Exists}]
      containers:
      - {name: app, image: "registry.example/fleet:1.4.2", resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}}
      - {name: proxy, image: "registry.example/proxy:2", resources: {requests: {cpu: 10m, memory: 32Mi}}}
YAML
  done
}
leader() {
  local holder pid
  holder=$(kube -n pilothouse get lease -o jsonpath='{.items[0].spec.holderIdentity}')
  for pid in $(pids_of cluster-agent); do
    if tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "POD_NAME=$holder"; then echo "$pid"; fi
  done
}
running() { [ "$(kube get pods -l team=bench --field-selector=status.phase=Running -o name | wc -l)" -ge "$1" ]; }
told() { # what, line of `bed usage`
  printf '%-28s %6s MiB RSS  %6s MiB own  %6s MiB peak  %6.2f %% of a core\n' "$1" "$(mib "$(field rss_bytes "$2")")" \
    "$(mib "$(field anonymous_bytes "$2")")" "$(mib "$(field peak_bytes "$2")")" \
    "$(awk -v c="$(field cores "$2")" 'BEGIN { print c * 100 }')"
}

stack_up
agents_up observe
until_true 60 "a cluster-agent leads" test -n "$(leader)"
inside "$kwok" --kubeconfig "$node/admin.kubeconfig" --manage-all-nodes=false \
  --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake >"$work/kwok.log" 2>&1 &
started+=($!)
fake_nodes 10 | kube apply -f - >/dev/null
workloads | kube apply -f - >/dev/null
sign_in
sleep 10
told "cluster-agent, few pods" "$("$tool" usage "$(leader)" 20)"
for pods in "${steps[@]}"; do
  kube scale deployment -l team=bench --replicas=$((pods / 20)) >/dev/null
  until_true 600 "$pods pods run" running "$pods"
  say "$pods pods run; half a minute to settle, $span s to measure"
  sleep 30
  told "cluster-agent, $pods pods" "$("$tool" usage "$(leader)" "$span")"
  echo "the server knows $(api summary | sed -n 's/.*"pods":\([0-9]*\).*/\1/p') pods"
done
echo "load average: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
