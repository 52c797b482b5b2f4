#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Writes down what a built library offers, for lint/abi.sh to hold later ones against:
# tools/abi.sh HEADERS LIBRARY. Says nothing of the machine, of paths, or of types that are not public.
set -eu
[ $# -eq 2 ] || { echo "usage: abi.sh HEADERS LIBRARY" >&2; exit 2; }
command -v abidw >/dev/null || { echo "abi: no abidw: install abigail-tools" >&2; exit 2; }
# Those who have no debug information have no types.
objdump -h "$2" | grep -q '\.debug_info' || { echo "abi: $2 was built without -g" >&2; exit 2; }

exec abidw --headers-dir "$1" --drop-private-types --exported-interfaces-only --type-id-style hash \
	--no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-architecture "$2"
