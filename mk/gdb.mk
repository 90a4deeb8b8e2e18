# The debugger's server.

.PHONY: bench-gdb test-gdb fuzz-gdb fuzz-gdb-coverage fuzz-gdb-build fuzz-gdb-replay fuzz-gdb-compare gdb-suite

bench-gdb: build ## measure the debugger's server against QEMU's, in one run: a table, and target/gdb/bench.json
	$(CARGO) run --release -p lockstep-harness --example bench_gdb -- --json target/gdb/bench.json

test-gdb: ## run the debugger's own tests: sessions of gdb and lldb, hostile clients, the way back
	$(CARGO) test -p lockstep-vm --test gdb_session --test gdb_suite --test gdb_hostile --test gdb_properties \
	  --test gdb_watch --test timeline
	$(CARGO) test -p lockstep-cli --test gdb

FUZZ_FACTOR ?= 100

fuzz-gdb: ## try the properties of the debugger's server on FUZZ_FACTOR (100) times as many conversations
	LOCKSTEP_FUZZ_FACTOR=$(FUZZ_FACTOR) $(CARGO) test --release -p lockstep-vm --test gdb_properties

# Coverage-guided: libFuzzer, compiled from the crate libfuzzer-sys, on a stable compiler. mk/sancov.sh counts edges.
FUZZ_SECONDS ?= 600
FUZZ_SEED ?= 1
FUZZ_GDB := target/fuzz/gdb
FUZZER := target/fuzz/fuzz/examples/fuzz_gdb
FUZZ_RUN := $(FUZZER) -timeout=20 -rss_limit_mb=3000

fuzz-gdb-build:
	RUSTC_WRAPPER=$(CURDIR)/mk/sancov.sh $(CARGO) build --profile fuzz -p lockstep-harness --features fuzz \
	  --example fuzz_gdb --target-dir target/fuzz

fuzz-gdb-coverage: fuzz-gdb-build ## search conversations with the debugger's server by edge coverage, for FUZZ_SECONDS (600)
	@mkdir -p $(FUZZ_GDB)/corpus $(FUZZ_GDB)/seeds $(FUZZ_GDB)/found
	@awk -v RS= '{ printf "%s", $$0 > sprintf("$(FUZZ_GDB)/seeds/%03d", NR) }' harness/corpus/gdb/seeds.txt
	@cp harness/corpus/gdb/found/* $(FUZZ_GDB)/seeds/
	$(FUZZ_RUN) $(FUZZ_GDB)/corpus $(FUZZ_GDB)/seeds -dict=harness/corpus/gdb/words.dict -max_len=2048 -seed=$(FUZZ_SEED) \
	  -artifact_prefix=$(FUZZ_GDB)/found/ -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 || { \
	  echo "replay and shrink it: make fuzz-gdb-replay FILE=<the file named above>"; exit 1; }

fuzz-gdb-replay: ## replay the conversation FILE that fuzz-gdb-coverage found, and shrink it
	@test -n "$(FILE)" || { echo "FILE=<a file of $(FUZZ_GDB)/found>"; exit 2; }
	-$(FUZZ_RUN) -minimize_crash=1 -runs=2000 -exact_artifact_path=$(FUZZ_GDB)/found/shrunk $(FILE) >$(FUZZ_GDB)/shrink.log 2>&1
	@if [ -e $(FUZZ_GDB)/found/shrunk ]; then echo "shrunk: $(FUZZ_GDB)/found/shrunk"; cat -A $(FUZZ_GDB)/found/shrunk; echo; fi
	$(FUZZ_RUN) $(FILE)

fuzz-gdb-compare: fuzz-gdb-build ## say how many edges the conversations of fuzz-gdb reach, and those of fuzz-gdb-coverage
	@rm -rf $(FUZZ_GDB)/random && mkdir -p $(FUZZ_GDB)/random $(FUZZ_GDB)/corpus
	LOCKSTEP_FUZZ_FACTOR=$(FUZZ_FACTOR) LOCKSTEP_FUZZ_KEEP=$(CURDIR)/$(FUZZ_GDB)/random \
	  $(CARGO) test --release -p lockstep-vm --test gdb_properties one_reply
	@for folder in random corpus; do $(FUZZ_RUN) -runs=0 -max_len=65536 $(FUZZ_GDB)/$$folder 2>&1 | \
	  sed -n "s/.*DONE *cov: \([0-9]*\).*/$$folder: \1 edges/p"; done

gdb-suite: build ## run scripts of GDB's own testsuite (Debian's gdb-source and dejagnu) against the server
	mk/gdbsuite.sh
