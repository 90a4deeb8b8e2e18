# The default kernel. tests/kernel.rs runs this target too and compares.

KERNEL_CC = riscv64-unknown-elf-gcc
# --nmagic: no padding of the file to the linker's idea of a page.
# --discard-all: keeps functions, drops the labels inside them.
KERNEL_FLAGS = -march=rv32im -mabi=ilp32 -nostdlib -ffreestanding -Wl,--nmagic,--discard-all,--build-id=none,--no-relax
KERNEL_ELF = src/kernel/default.elf

.PHONY: kernel
kernel: ## Build the default kernel, src/kernel/default.elf, from its source
	$(KERNEL_CC) $(KERNEL_FLAGS) -T src/kernel/default.ld src/kernel/default.S -o $(KERNEL_ELF)
