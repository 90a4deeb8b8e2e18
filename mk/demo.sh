#!/usr/bin/env bash
# The demo: a C program with a bug is compiled, run, and debugged until the bug is found.
set -euo pipefail
cd "$(dirname "$0")/.."

lockstep=target/release/lockstep
work=target/demo
program=$work/bug.elf
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

say "1. Compile examples/guests/bug.c, a weather service with a bug, for RV32IM"
show $lockstep cc examples/guests/bug.c -o $program

say "2. Run it: it prints one line of four and faults"
status=0
show $lockstep run $program || status=$?
echo "(exit code $status)"
[ $status -eq 139 ] || { echo "demo: the program should have ended with a fault, exit code 139" >&2; exit 1; }

say "3. Debug it with gdb: which instruction wrote the pointer that the program followed?"
commands=$work/find-the-bug.gdb
cat >$commands <<'GDB'
set confirm off
set pagination off
set print frame-arguments all
echo \n(gdb) continue\n
continue
echo \n(gdb) backtrace\n
backtrace
echo \n(gdb) print *first_station      <- next is no address, but a temperature\n
print *first_station
echo \n(gdb) watch first_station->next      <- who wrote it?\n
watch -location first_station->next
echo \n(gdb) reverse-continue      <- run backwards to the write\n
reverse-continue
echo \n(gdb) info args, print station->next_place      <- tenths has 7 places, 0 to 6\n
info args
print station->next_place
kill
GDB

log=$work/gdb-server.log
$lockstep gdb $program --listen 127.0.0.1:0 2>$log &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  address=$(sed -n 's/.* on \(127\.0\.0\.1:[0-9]*\).*/\1/p' $log)
  [ -n "$address" ] && break
  sleep 0.05
done
[ -n "$address" ] || { cat $log >&2; echo "demo: lockstep gdb does not listen" >&2; exit 4; }

session=$work/session.txt
show gdb-multiarch -nx -batch -ex "target remote $address" -x $commands 2>&1 | grep -v '^warning: File transfers' | tee $session
grep -q 'record (station=.*bug.c' $session || { echo "demo: gdb did not find the write" >&2; exit 1; }

say "Found: record() wrote tenths[7], one place behind the end, and with it the pointer to the next station."
echo "Try it by hand: $lockstep gdb $program --at-fault"
