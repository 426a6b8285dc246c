#!/usr/bin/env bash
# Builds a program that benchmarks run beside ours, into the cache, once per state of its sources; prints its path.
# `peer.sh otelcol`: the OpenTelemetry collector with the node pipeline's parts, about three minutes cold.
# `peer.sh kwok`: plays the kubelet of nodes that do not exist, for clusters of thousands of pods.
. "$(dirname "$0")/env.sh"
name=${1:-}
kwok_version=v0.7.0
case $name in
  otelcol | kwok) have go || die "go is missing: install Go 1.26 or newer from https://go.dev/dl/" ;;
  *) die "no peer is called '$name'; there are: otelcol, kwok" ;;
esac
if [ "$name" = kwok ]; then
  built=$cache/kwok-$kwok_version
  if [ ! -x "$built" ]; then
    say "building kwok (once on this machine)" >&2
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    GOBIN=$work/bin go install "sigs.k8s.io/kwok/cmd/kwok@$kwok_version" >&2
    mkdir -p "$cache"
    mv "$work/bin/kwok" "$built"
  fi
  echo "$built"
  exit
fi
built=$cache/otelcol-$(hash_of testbed/peers/otelcol/builder.yaml)
if [ ! -x "$built" ]; then
  say "building the OpenTelemetry collector (once on this machine)" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  GOBIN=$work/bin go install go.opentelemetry.io/collector/cmd/builder@v0.149.0 >&2
  cp testbed/peers/otelcol/builder.yaml "$work/"
  (cd "$work" && CGO_ENABLED=0 bin/builder --config builder.yaml >&2)
  mkdir -p "$cache"
  mv "$work/out/otelcol-peer" "$built.new"
  mv "$built.new" "$built"
fi
echo "$built"
