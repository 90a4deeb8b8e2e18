# The simulators that Lockstep is compared with.

.PHONY: references bench-lockstep

references: ## fetch and build the reference simulators (Spike, 209 MB) into target/references
	@mk/references.sh || [ $$? -eq 4 ]

bench-lockstep: build references ## measure how fast each reference runs beside us, at each depth
	$(CARGO) run --release -q -p lockstep-cli --example bench_lockstep
