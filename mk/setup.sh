#!/usr/bin/env bash
# Installs the Debian packages that the demo and the tests use, or says which are missing.
set -euo pipefail

# command that must exist -> package that brings it
needs=(
  cc:gcc
  riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf
  riscv64-unknown-elf-objdump:binutils-riscv64-unknown-elf
  gdb-multiarch:gdb-multiarch
  lldb:lldb
  python3:python3
  g++:g++
  dtc:device-tree-compiler
  qemu-riscv32:qemu-user
  qemu-system-riscv32:qemu-system-misc
)
# file that must exist -> package that brings it
files=(
  /usr/lib/picolibc/riscv64-unknown-elf/picolibc.specs:picolibc-riscv64-unknown-elf
)

missing=()
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null 2>&1 || missing+=("${need##*:}")
done
for file in "${files[@]}"; do
  [ -e "${file%%:*}" ] || missing+=("${file##*:}")
done
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)

if ! command -v cargo >/dev/null 2>&1; then
  echo "setup: cargo is not on PATH; install Rust 1.95 or newer with rustup" >&2
  exit 4
fi
if [ ${#missing[@]} -eq 0 ]; then
  echo "== setup: all packages are installed"
  exit 0
fi

install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "setup: some packages are missing; on Debian or Ubuntu install them with" >&2
  echo "  sudo apt-get update && sudo $install" >&2
  exit 4
fi
echo "== setup: installing ${missing[*]}"
log=$(mktemp)
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive $install; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "setup: apt-get failed (the end of its output is above)" >&2
  exit 4
fi
rm -f "$log"
