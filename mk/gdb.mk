# The debugger's server.

.PHONY: bench-gdb test-gdb fuzz-gdb gdb-suite

bench-gdb: build ## measure the debugger's server against QEMU's, in one run: a table, and target/gdb/bench.json
	$(CARGO) run --release -p lockstep-harness --example bench_gdb -- --json target/gdb/bench.json

test-gdb: ## run the debugger's own tests: sessions of gdb and lldb, hostile clients, the way back
	$(CARGO) test -p lockstep-vm --test gdb_session --test gdb_suite --test gdb_hostile --test gdb_properties \
	  --test gdb_watch --test timeline
	$(CARGO) test -p lockstep-cli --test gdb

FUZZ_FACTOR ?= 100

fuzz-gdb: ## try the properties of the debugger's server on FUZZ_FACTOR (100) times as many conversations
	LOCKSTEP_FUZZ_FACTOR=$(FUZZ_FACTOR) $(CARGO) test --release -p lockstep-vm --test gdb_properties

gdb-suite: build ## run scripts of GDB's own testsuite (Debian's gdb-source and dejagnu) against the server
	mk/gdbsuite.sh
