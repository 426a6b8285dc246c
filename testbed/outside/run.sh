#!/usr/bin/env bash
# Outside clients against a server of its own: OpenTelemetry's SDK over HTTP and gRPC, Prometheus as a server that writes to us
# and scrapes us, Prometheus as an agent that writes to us.
#
#   run.sh PILOTHOUSE PROMETHEUS PYTHON
#
# PYTHON has opentelemetry-sdk and opentelemetry-exporter-otlp. Prints what arrived; everything it starts ends with it.
set -euo pipefail
pilothouse=$1 prometheus=$2 python=$3
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
pids=()
end() {
  # Writers before those whom they write to.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap end EXIT
port=$(python3 -c 'import socket; s=[socket.socket() for _ in range(6)]; [x.bind(("127.0.0.1",0)) for x in s]; print(*[x.getsockname()[1] for x in s])')
read -r main http grpc own a b <<<"$port"
url=http://127.0.0.1:$main

"$pilothouse" serve --listen "$url" --intake "http://127.0.0.1:$http" --intake "http://127.0.0.1:$grpc" --data "$dir/data" \
  --metrics "127.0.0.1:$own" --probes off >"$dir/serve.log" 2>&1 &
pids+=($!)
for _ in $(seq 300); do curl -sf "$url/readyz" >/dev/null && break; sleep 0.2; done
token=$(grep -o 'token=[A-Za-z0-9_-]*' "$dir/serve.log" | head -1 | cut -d= -f2)
ask() { curl -sS -b "$dir/cookies" -H 'sec-fetch-site: same-origin' "$@"; }
ask -c "$dir/cookies" -H 'content-type: application/json' -d "{\"token\":\"$token\"}" "$url/api/v1/auth/link" >/dev/null
key=$(ask -H 'content-type: application/json' -d '{"name":"outside","role":"ingest"}' "$url/api/v1/keys" |
  python3 -c 'import json,sys; print(json.load(sys.stdin)["secret"])')
value() {
  ask --data-urlencode "query=$1" "$url/prometheus/api/v1/query" |
    python3 -c 'import json,sys; d=json.load(sys.stdin)
print(sys.argv[1], "=", "; ".join(str(r["metric"])+" "+r["value"][1] for r in d["data"]["result"]) if d["status"]=="success" else d)' "$1"
}

echo "== OpenTelemetry's SDK"
for protocol in http grpc; do
  port=${!protocol}
  trace=$("$python" "$here/otel_sdk.py" "$protocol" "http://127.0.0.1:$port" "$key")
  echo "$protocol: trace $trace"
  ask "$url/api/v1/traces/$trace" | python3 -c 'import json,sys
t=json.load(sys.stdin); print("  spans", sorted((s["name"], s["service"], s["status"]) for s in t["spans"]))'
  ask "$url/api/v1/logs/trace/$trace" | python3 -c 'import json,sys
print("  lines", [(l["message"], l["level"], l["service"]) for l in json.load(sys.stdin)["items"]])'
done
for kind in cumulative delta; do
  value "sum by (service_name) (outside_${kind}_orders_total)"
  value "sum by (service_name, le) (outside_${kind}_took_seconds_bucket{le=~\"0.005|5.0|[+]Inf\"})"
  value "outside_${kind}_took_seconds_sum"
done

echo "== what spans became"
for _ in $(seq 20); do
  [ "$(ask --data-urlencode 'query=count(pilothouse_span_calls_total)' "$url/prometheus/api/v1/query" | grep -c '"4"')" = 1 ] && break
  sleep 1
done
value 'sum by (service_name, name, status) (pilothouse_span_calls_total)'
value 'sum(pilothouse_span_duration_seconds_bucket{le="+Inf"})'
echo "== LogQL"
ask -G --data-urlencode 'query={service_name=~"outside-.*"} |= "reserved"' "$url/loki/api/v1/query_range" |
  python3 -c 'import json,sys
print("  ", sorted((s["stream"]["service_name"], v[1]) for s in json.load(sys.stdin)["data"]["result"] for v in s["values"]))'

config() { # WRITE-VERSION EXTRA
  cat <<YML
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: pilothouse
    static_configs: [{ targets: ["127.0.0.1:$own"] }]
remote_write:
  - url: $url/api/v1/write
    authorization: { credentials: $key }
    protobuf_message: $1
    send_exemplars: true
    write_relabel_configs: [{ target_label: sender, replacement: $2 }]
YML
}
echo "== Prometheus, remote write 1.0, and scraping us"
config prometheus.WriteRequest server >"$dir/server.yml"
"$prometheus" --config.file="$dir/server.yml" --storage.tsdb.path="$dir/p1" --web.listen-address="127.0.0.1:$a" --log.level=error &
pids+=($!)
echo "== Prometheus as an agent, remote write 2.0"
config io.prometheus.write.v2.Request agent >"$dir/agent.yml"
"$prometheus" --agent --config.file="$dir/agent.yml" --storage.agent.path="$dir/p2" --web.listen-address="127.0.0.1:$b" --log.level=error &
pids+=($!)
for _ in $(seq 60); do
  [ "$(ask --data-urlencode 'query=count(count_over_time(up{job="pilothouse"}[1m]) >= 10)' "$url/prometheus/api/v1/query" | grep -c '"2"')" = 1 ] && break
  sleep 1
done
value 'sum by (sender) (up{job="pilothouse"})'
value 'count by (sender) ({job="pilothouse"})'
# The same expression of both at one time: equal values.
at=$(date -d '5 seconds ago' +%s)
number() { python3 -c 'import json,sys; print(json.load(sys.stdin)["data"]["result"][0]["value"][1])'; }
for query in 'count({job="pilothouse"@})' 'sum(pilothouse_ingest_items_total{signal="spans"@})' 'sum(avg_over_time(scrape_samples_scraped{job="pilothouse"@}[10s]))'; do
  theirs=$(curl -sS --data-urlencode "query=${query/@/}" -d "time=$at" "http://127.0.0.1:$a/api/v1/query" | number)
  ours=$(ask --data-urlencode "query=${query/@/,sender=\"server\"}" -d "time=$at" "$url/prometheus/api/v1/query" | number)
  echo "${query/@/} at $at: Prometheus $theirs, here $ours"
done
