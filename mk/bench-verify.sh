#!/usr/bin/env bash
# How long `lockstep verify` takes as a command: `bench-verify.sh LOCKSTEP PROGRAM [ARGUMENT]...`.
# Prints the least, the median and the most of 20 runs, wall time in milliseconds, start of the process included.
set -euo pipefail
lockstep=$1 program=$2
shift 2
receipt=$(dirname "$program")/verify.lsp
"$lockstep" prove "$program" "${@/#/--arg=}" -o "$receipt"
id=$("$lockstep" image-id "$program")
for _ in $(seq 20); do
  start=$(date +%s%N)
  "$lockstep" verify "$receipt" --image-id "$id" > /dev/null
  echo $((($(date +%s%N) - start) / 10000))
done | sort -n | awk '{ ms[NR] = $1 / 100 } END { printf "lockstep verify: %.1f ms at least, %.1f median, %.1f at most\n", ms[1], ms[int((NR + 1) / 2)], ms[NR] }'
