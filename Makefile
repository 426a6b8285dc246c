# The verbs of this repository; what they do is in scripts/. Everything that is built lies outside the clone,
# in ${PILOTHOUSE_CACHE:-~/.cache/pilothouse}, except web/node_modules and web/dist.

.DEFAULT_GOAL := help
.PHONY: help setup web run demo test e2e fmt lint bench clean-testbed

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing and build the testbed's programs
	@scripts/setup.sh all

web: ## build the web interface into web/dist, when its sources changed
	@scripts/web.sh build

run: ## build and serve on http://127.0.0.1:8000 with this host as the first source
	@scripts/run.sh

demo: ## two real clusters with sample workloads, some broken on purpose, on http://127.0.0.1:8000
	@scripts/demo.sh

test: ## everything: crates, web, end to end on a real cluster
	@scripts/test.sh all

e2e: ## the end-to-end tests alone; FILTER=name picks some
	@scripts/test.sh e2e $(FILTER)

fmt: ## format all sources
	@scripts/lint.sh fix

lint: ## format check, clippy, house rules, web checks
	@scripts/lint.sh check

bench: ## the benchmarks of all crates
	@scripts/bench.sh

clean-testbed: ## take down every testbed of this machine
	@scripts/clean-testbed.sh
