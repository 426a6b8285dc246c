#!/usr/bin/env bash
# The web interface. `web.sh install`: npm packages as the lock file says; `web.sh build`: web/dist too. Each does
# nothing when its inputs are those of the last time.
. "$(dirname "$0")/env.sh"
[ -f web/package.json ] || { say "no web interface in this tree"; exit 0; }

lock=$(hash_of web/package.json web/package-lock.json)
if [ "$(cat web/node_modules/.installed 2>/dev/null)" != "$lock" ]; then
  say "npm packages"
  npm --prefix web ci --no-audit --no-fund
  echo "$lock" > web/node_modules/.installed
fi
[ "${1:-build}" = build ] || exit 0

sources=$(hash_of web)
if [ ! -f web/dist/index.html ] || [ "$(cat web/node_modules/.built 2>/dev/null)" != "$sources" ]; then
  say "web interface"
  npm --prefix web run --silent build
  echo "$sources" > web/node_modules/.built
fi
