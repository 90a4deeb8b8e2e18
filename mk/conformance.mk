# Official tests on every engine. The suites come from package registries at the first run (riscv-tests/MANIFEST.json).

.PHONY: conformance
conformance: ## run the official tests on every engine: target/conformance/report.json (FEATURES=risc0-executor adds RISC Zero's)
	$(CARGO) build --release -p lockstep-cli --features "$(FEATURES)"
	$(LOCKSTEP) conformance

.PHONY: mutants
mutants: ## seed bugs in a copy of the core; which suite finds each: target/mutants/report.json
	$(CARGO) run -q -p lockstep-harness --example mutants
