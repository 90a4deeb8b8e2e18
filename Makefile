# Lockstep. `make` lists the targets; each area has its own in mk/.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

CARGO ?= cargo
LOCKSTEP := target/release/lockstep

.PHONY: help setup build demo test ci fmt clippy doc clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-18s %s\n", $$1, $$2 }'

setup: ## install what demo and test need (names the Debian packages; installs them when root)
	@mk/setup.sh

build: ## build the command: target/release/lockstep
	$(CARGO) build --release -p lockstep-cli

demo: setup build ## compile a C program with a bug, run it, and find the bug with gdb
	@mk/demo.sh

test: setup ## run every test
	@echo "== tests of the workspace"
	$(CARGO) test --workspace
	@$(MAKE) --no-print-directory prove-some

ci: fmt clippy doc test ## all that CI runs

fmt: ## check the formatting
	@echo "== formatting"
	$(CARGO) fmt --all --check

clippy: ## lint, warnings are errors
	@echo "== lints"
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy -p lockstep-harness --features fuzz --example fuzz_gdb -- -D warnings

doc: ## build the documentation, warnings are errors
	@echo "== documentation"
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

clean: ## remove what was built, and the downloaded suites
	$(CARGO) clean

include $(wildcard mk/*.mk)
