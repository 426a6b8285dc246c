#!/usr/bin/env bash
# Installs what is missing, and only that. `setup.sh build`: to build and run; `setup.sh all`: the testbed too.
. "$(dirname "$0")/env.sh"
what=${1:-all}

missing=()
need() { # program or file, Debian package
  case $1 in /*) [ -e "$1" ] ;; *) have "$1" ;; esac || missing+=("$2")
}
need cc build-essential
need curl curl
if [ "$(uname -s)" = Linux ]; then need mold mold; fi
if [ "$what" = all ] && [ "$(uname -s)" = Linux ]; then
  need containerd containerd
  need runc runc
  need busybox busybox
  need ip iproute2
  need iptables iptables
  need nft nftables
  need conntrack conntrack
  need /usr/lib/cni/bridge containernetworking-plugins
  need openssl openssl
  need socat socat
  need setcap libcap2-bin
  need dockerd docker.io
  need chromium chromium
  need brotli brotli
fi
if [ ${#missing[@]} -gt 0 ]; then
  have apt-get || die "missing: ${missing[*]} (Debian's package names); install them and run this again"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    have sudo || die "missing packages: ${missing[*]}; as root run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  # No service of theirs is to start: the testbed runs its own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  say "installed ${missing[*]}"
fi

have cargo || die "cargo is missing: install Rust from https://rustup.rs (the version is in rust-toolchain.toml)"
if [ -f web/package.json ]; then
  have npm || die "npm is missing: install Node.js 20.19 or newer from https://nodejs.org"
  scripts/web.sh install
fi
if [ "$what" = all ] && [ "$(uname -s)" = Linux ]; then
  have go || die "go is missing: install Go 1.26 or newer from https://go.dev/dl/ (the testbed's Kubernetes is built with it)"
  say "testbed programs"
  bed build
fi
say "set up"
