#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Holds include/stepbus.cdef.h against include/stepbus.h: it needs no preprocessor, and declares the
# same functions, structs and values, and all of them. tests/bindings/cdef.sh lets real readers read it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
CC=${CC:-cc}
header=include/stepbus.h
cdef=${1:-include/stepbus.cdef.h}
parts=tests/bindings/cdef
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM

fail() {
	echo "cdef: $*" >&2
	exit 1
}

! grep -nE '^ *#|__|STEPBUS_API|\\$|<<' "$cdef" || fail "$cdef is not free of what tools cannot read"
! sed 1,3d "$cdef" | grep -nE '/\*|//' || fail "$cdef has comments"
"$CC" -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -include stddef.h -include stdint.h \
	-x c "$cdef" || fail "$cdef does not compile alone"

# The compiler sees both at once.
{
	printf '#include "%s"\n' "$header"
	awk -f "$parts/agreement.awk" "$cdef"
} >"$work/agreement.c"
"$CC" -std=c11 -I. -fsyntax-only "$work/agreement.c" || fail "$cdef does not agree with $header"

# And each alone says the same numbers.
awk -f "$parts/names.awk" "$cdef" >"$work/names"
say_numbers() {
	awk -v header="$1" -f "$parts/program.awk" "$work/names" >"$work/program.c"
	"$CC" -std=c99 -I. "$work/program.c" -o "$work/program" || fail "$1 does not compile"
	"$work/program"
}
say_numbers "$header" >"$work/expected"
say_numbers "$cdef" | diff "$work/expected" - || fail "$cdef and $header differ in numbers"

# What the header has, counted by its layout, is there: names KIND, and how many the header has.
need() {
	there=$(grep -c "^$1 " "$work/names")
	[ "$there" -eq "$2" ] || fail "$cdef has $there ${1}s, $header has $2"
}
count() { sed -n "$1" "$header" | grep -cE "$2"; }
need size "$(count p '^\} stepbus_[a-z_]+;')"
need offset "$(count '/^typedef struct .*{$/,/^}/p' '^	.*;$')"
need value "$(($(count '/^enum {/,/^}/p' '^	STEPBUS_') + $(count p '^#define [A-Z_]+ [0-9]+$')))"
need function "$(count p '^STEPBUS_API')"

echo "cdef: $(wc -l <"$work/names") names of $header are declared alike"
