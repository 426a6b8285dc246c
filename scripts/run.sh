#!/usr/bin/env bash
# Builds what users run and serves it on loopback, with this host as the first source. Arguments go to `serve`.
. "$(dirname "$0")/env.sh"
scripts/setup.sh build
scripts/web.sh build
say "pilothouse (release)"
cargo build --release -p pilothouse
exec "$CARGO_TARGET_DIR/release/pilothouse" serve --listen http://127.0.0.1:8000 --with-host-agent "$@"
