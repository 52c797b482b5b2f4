#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints a header as foreign-function tools read it, without a preprocessor: tools/cdef.sh HEADER
set -eu
[ $# -eq 1 ] || { echo "usage: cdef.sh HEADER" >&2; exit 2; }
[ -r "$1" ] || { echo "cdef: no $1" >&2; exit 2; }
tools=$(cd "$(dirname "$0")" && pwd)
cat <<TEXT
/* SPDX-License-Identifier: MIT */
/* Made from $(basename "$1") by "make cdef", for foreign-function tools, which have no preprocessor. */
/* clang-format off */
TEXT
awk -f "$tools/lint/strip.awk" "$1" | awk -f "$tools/cdef.awk"
