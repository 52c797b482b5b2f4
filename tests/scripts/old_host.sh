#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds the old hosts of tests/abi, each from the declarations of its time, and runs them with the
# shared library of today.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
OUT=${OUT:-build/release}
CC=${CC:-cc}
library=$OUT/libstepbus.so.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM

[ -r "$library" ] || { echo "old_host: there is no $library: build it first" >&2; exit 1; }
# Sizes are those of 64-bit machines, which is where binaries are exchanged.
[ "$(getconf LONG_BIT)" -eq 64 ] || { echo 'old_host: skipped: not a 64-bit machine'; exit 0; }

for source in tests/abi/host_*.c; do
	name=$(basename "$source" .c)
	! grep -n 'stepbus\.h' "$source" || { echo "old_host: $source is not frozen" >&2; exit 1; }
	"$CC" -std=c11 -Wall -Wextra -Werror -Itests "$source" -o "$work/$name" "$library" -pthread
	LD_LIBRARY_PATH="$(dirname "$library")" "$work/$name"
done
