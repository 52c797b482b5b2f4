#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Holds docs/STATES.md against what the table of states prints. `make states` writes it anew.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
OUT=${OUT:-build/release}

[ -x "$OUT/tools/states" ] || {
	echo "states: there is no $OUT/tools/states: build it first" >&2
	exit 1
}
"$OUT/tools/states" | diff -u docs/STATES.md - || {
	echo "states: docs/STATES.md is not what the table says: run 'make states'" >&2
	exit 1
}
