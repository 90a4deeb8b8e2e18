#!/usr/bin/env bash
# A RUSTC_WRAPPER: counts the edges of the debugger's server, of gdbstub and of the target, for `make fuzz-gdb-coverage`.
# What else is linked (Cranelift, hashes) is run as it is, and its edges would only hide ours.
set -euo pipefail
flags=()
case " $* " in
  *" --crate-name lockstep "* | *" --crate-name gdbstub "* | *" --crate-name fuzz_gdb "*)
    flags=(-Cpasses=sancov-module -Ccodegen-units=1)
    for option in level=3 inline-8bit-counters pc-table; do
      flags+=("-Cllvm-args=-sanitizer-coverage-$option")
    done ;;
esac
exec "$@" ${flags[@]+"${flags[@]}"}
