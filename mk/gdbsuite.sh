#!/usr/bin/env bash
# GDB's own testsuite, from the Debian package gdb-source, against `lockstep gdb`.
# Usage: mk/gdbsuite.sh [script ...]     (default: those in harness/src/gdbsuite/scripts.txt)
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
version=13.1-3
sha256=337bff2adcf544f59c01d1f4119aa1b15074d4470b298ddfadfc92972bddc4cb
cache=$root/target/gdbsuite

if ! command -v runtest >/dev/null; then
  install="apt-get install -y --no-install-recommends dejagnu"
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "gdbsuite: runtest is missing; on Debian or Ubuntu: sudo $install" >&2
    exit 4
  fi
  echo "== gdbsuite: installing dejagnu"
  { apt-get update && DEBIAN_FRONTEND=noninteractive $install; } >"$root/target/gdbsuite.log" 2>&1 || {
    tail -n 20 "$root/target/gdbsuite.log" >&2; echo "gdbsuite: apt-get failed (the end of its output is above)" >&2; exit 4; }
fi
mkdir -p "$cache"
if [ ! -e "$cache/include/dwarf2.h" ]; then
  (cd "$cache" && apt-get download -q "gdb-source=$version" >/dev/null 2>&1) || {
    echo "gdbsuite: the package gdb-source $version cannot be fetched" >&2; exit 4; }
  deb=$(ls "$cache"/gdb-source_*.deb)
  echo "$sha256  $deb" | sha256sum -c --quiet || { echo "gdbsuite: $deb is not the pinned one" >&2; exit 4; }
  dpkg-deb -x "$deb" "$cache/package"
  tar -xf "$cache/package/usr/src/gdb.tar.xz" -C "$cache" --strip-components=1 --wildcards '*/gdb/testsuite/*' '*/include/dwarf2.*'
fi

scripts=("$@")
if [ ${#scripts[@]} -eq 0 ]; then
  while read -r folder names; do
    for name in $names; do scripts+=("${folder%:}/$name.exp"); done
  done < <(grep -E '^gdb\.' "$root/harness/src/gdbsuite/scripts.txt")
fi

work=$cache/work
rm -rf "$work" && mkdir -p "$work/boards" && cd "$work"
mkdir -p gdb.base gdb.reverse gdb.mi gdb.python gdb.opt gdb.cp outputs
cp "$root/harness/src/gdbsuite/lockstep.exp" boards/
cat > site.exp <<SITE
set srcdir "$cache/gdb/testsuite"
set objdir "$work"
set subdir "."
set tool gdb
set host_triplet $(gcc -dumpmachine)
set build_triplet $(gcc -dumpmachine)
set target_triplet riscv32-unknown-elf
set GDB gdb-multiarch
set GDBFLAGS ""
set enable_libctf no
lappend boards_dir "$work/boards"
SITE
export LOCKSTEP=$root/target/release/lockstep
LOCKSTEP_FLAGS=$("$LOCKSTEP" cc --print-flags)
export LOCKSTEP_FLAGS
status=0
# In a session of its own: a script that ends early leaves its server behind. runtest does not lead it: a terminal that
# it opens for a program would become the session's, and its end everyone's.
setsid --wait bash -c 'echo $$ >session; runtest "$@"; exit $?' - --tool gdb --target_board=lockstep \
  --srcdir "$cache/gdb/testsuite" --status "${scripts[@]}" >runtest.out 2>&1 || status=$?
pkill -s "$(cat session)" || true
grep -E '^(FAIL|UNRESOLVED|KFAIL|XPASS|ERROR)' gdb.sum | sort | uniq > failures.txt || true
grep -E '^# of' gdb.sum || { tail -n 20 runtest.out >&2; exit 4; }
unexplained=$(grep -vxFf <(grep -v '^#' "$root/harness/src/gdbsuite/explained.txt") failures.txt || true)
if [ -n "$unexplained" ]; then
  echo "not explained in harness/src/gdbsuite/explained.txt:"
  echo "$unexplained"
  exit 1
fi
# A script that was not run has not passed: the whole list has at least this many passes.
passes=$(grep -c '^PASS' gdb.sum || true)
if [ $# -eq 0 ] && [ "$passes" -lt 34835 ]; then
  echo "only $passes passes, 34835 are pinned"
  exit 1
fi
