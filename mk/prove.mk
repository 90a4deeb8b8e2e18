# Proving. A heavy build: Plonky3 is compiled for the machine at hand.

PROVE_RUSTFLAGS = RUSTFLAGS="-C target-cpu=native"

.PHONY: prove-build
prove-build: ## build the command with prove, verify, inspect and image-id
	$(PROVE_RUSTFLAGS) $(CARGO) build --release -p lockstep-cli --features prove --target-dir target/prove

# Some of each kind: arithmetic, jumps, memory, modes and traps. `make test` proves them, `make prove-tests` all.
PROVE_SOME := rv32ui-p-auipc,rv32ui-p-jalr,rv32ui-p-sra,rv32ui-p-lh,rv32ui-p-sb,rv32um-p-div,rv32um-p-mulhsu,own/illegal,own/io,own/modes,own/vectors,own/jump_misaligned,own/windows

.PHONY: prove-some
prove-some: ## the commands of the prover, and a dozen official tests proved and verified
	@echo "== proofs"
	PROVE_FILTER=$(PROVE_SOME) $(CARGO) test -p lockstep-cli --features prove --test prove --test risc0 --test prove_official

.PHONY: prove-tests
prove-tests: ## prove and verify every official test (PROVE_FILTER=text for some)
	$(PROVE_RUSTFLAGS) $(CARGO) test --release -p lockstep-cli --features prove --target-dir target/prove --test prove_official -- --nocapture

# The mixed guest with as much work as makes just under 2^16, 2^18 and 2^20 instructions, each in a process of its own.
PROVE_BENCH_SCALES ?= 11 46 186

.PHONY: bench-prove
bench-prove: $(BENCH)/mixed.elf ## what proving costs: speed, memory, phases and chips at 2^16, 2^18 and 2^20 instructions
	$(PROVE_RUSTFLAGS) $(CARGO) build --release -q -p lockstep-prove --example bench --target-dir target/prove
	@for scale in $(PROVE_BENCH_SCALES); do target/prove/release/examples/bench $(BENCH)/mixed.elf $$scale; done | tee $(BENCH)/prove.md

.PHONY: bench-verify
bench-verify: prove-build $(BENCH)/mixed.elf ## how long the command verify takes, on a receipt of 2^18 instructions
	@mk/bench-verify.sh target/prove/release/lockstep $(BENCH)/mixed.elf 46
