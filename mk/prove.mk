# Proving. A heavy build: Plonky3 is compiled for the machine at hand.

PROVE_RUSTFLAGS = RUSTFLAGS="-C target-cpu=native"

.PHONY: prove-build
prove-build: ## build the command with prove, verify, inspect and image-id
	$(PROVE_RUSTFLAGS) $(CARGO) build --release -p lockstep-cli --features prove --target-dir target/prove

.PHONY: prove-tests
prove-tests: ## prove and verify every official test (PROVE_FILTER=text for some)
	$(PROVE_RUSTFLAGS) $(CARGO) test --release -p lockstep-cli --features prove --target-dir target/prove --test prove_official -- --nocapture
