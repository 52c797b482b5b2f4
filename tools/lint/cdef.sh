#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Checks that the cdef is what tools/cdef.sh makes of the header.
set -u
lint=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] || { echo "usage: cdef.sh HEADER CDEF" >&2; exit 2; }
made=$(mktemp) || exit 2
trap 'rm -f "$made"' EXIT
sh "$lint/../cdef.sh" "$1" >"$made" || exit 2

findings=$(diff -u "$2" "$made" 2>&1) && exit 0
printf '%s\n' "$findings" | head -n 40
echo "$2 is not what $1 says: run \"make cdef\""
exit 1
