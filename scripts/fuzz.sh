#!/usr/bin/env bash
# `fuzz.sh TARGET|all [SECONDS]`: gives a target of fuzz/ to libFuzzer, 60 s unless told. What it finds is kept and said.
. "$(dirname "$0")/env.sh"
target="${1:?name a target of fuzz/fuzz_targets, or all}"
seconds="${2:-60}"
host="$(rustc -vV | sed -n 's/^host: //p')"
home="$cache/fuzz"
cargo run -q -p ph-fuzz --example seeds -- "$home/corpus"
# What `cargo fuzz --sanitizer none` sets.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing"
features=()
# It needs the store, which takes long to build.
if [ "$target" = traceql ] || [ "$target" = all ]; then features=(--features traces); fi
cargo build --release "${features[@]}" --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$home/target"
names="$target"
if [ "$target" = all ]; then names="$(for f in fuzz/fuzz_targets/*.rs; do basename "$f" .rs; done)"; fi
for name in $names; do
  say "fuzz $name for $seconds s"
  mkdir -p "$home/artifacts/$name"
  "$home/target/$host/release/$name" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="$home/artifacts/$name/" "$home/corpus/$name"
done
