# The default kernel. tests/kernel.rs builds it with the same command and compares.

KERNEL_CC = riscv64-unknown-elf-gcc
# --nmagic: no padding of the file to the linker's idea of a page.
# --discard-all: keeps functions, drops the labels inside them.
KERNEL_FLAGS = -march=rv32im -mabi=ilp32 -nostdlib -ffreestanding -Wl,--nmagic,--discard-all,--build-id=none,--no-relax

.PHONY: kernel
kernel: ## Build the default kernel, src/kernel/default.elf, from its source
	cd src/kernel && $(KERNEL_CC) $(KERNEL_FLAGS) -T default.ld default.S -o default.elf
