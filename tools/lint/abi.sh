#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Holds the built library against the ABI that is written down. What an old binary needs may not go;
# what is changed or added has to be looked at, and written down with "make abi".
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 3 ] || { echo "usage: abi.sh HEADERS ABI LIBRARY" >&2; exit 2; }
headers=$1 abi=$2 library=$3
for file in "$abi" "$library"; do
	[ -r "$file" ] || { echo "abi: no $file: make it first" >&2; exit 2; }
done
command -v abidiff >/dev/null || { echo "abi: no abidiff: install abigail-tools" >&2; exit 2; }
# Sizes are those of 64-bit machines, which is where binaries are exchanged.
[ "$(getconf LONG_BIT)" -eq 64 ] || { echo "skipped: $abi is of 64-bit machines"; exit 0; }

made=$(mktemp) || exit 2
trap 'rm -f "$made"' EXIT
sh "$lint/../abi.sh" "$headers" "$library" >"$made" || exit 2
findings=$(abidiff --no-architecture --no-corpus-path "$abi" "$made" 2>&1)
status=$?
[ "$status" -ne 0 ] || exit 0
printf '%s\n' "$findings"
# A set of bits: 1 and 2, it could not compare; 4, something changed; 8, so that old binaries fail.
[ $((status & 3)) -eq 0 ] || exit 2
if [ $((status & 8)) -ne 0 ]; then
	echo "$library breaks hosts that were built against $abi: take that back, or make it a new ABI version"
else
	echo "$library offers something else than $abi: if old hosts go on working, run \"make abi\""
fi
exit 1
