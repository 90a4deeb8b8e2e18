# RISC Zero's own executor beside ours. Its crates are built for this target only.

.PHONY: risc0-diff
risc0-diff: ## run published guests, official tests and random programs on RISC Zero's executor and ours
	$(CARGO) test -p lockstep-harness --features risc0 --test risc0 -- --nocapture
