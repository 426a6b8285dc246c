# Sourced by every script: where things are, and how a step is told.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
cache=${PILOTHOUSE_CACHE:-${HOME:?HOME is not set}/.cache/pilothouse}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
export PATH=$PATH:/usr/local/go/bin:$HOME/.cargo/bin:/usr/sbin:/sbin
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
# A file's or folder's SHA-256 by name and content, without what is built in it.
hash_of() {
  find "$@" -type d \( -name node_modules -o -name dist -o -name test-results \) -prune -o -type f -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}
# The testbed's tool, built when its sources changed.
bed() { cargo build -q -p testbed --bin bed && "$CARGO_TARGET_DIR/debug/bed" "$@"; }
