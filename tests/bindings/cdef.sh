#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Lets foreign-function tools read include/stepbus.cdef.h, and holds what each says of every struct,
# field, value and function against what the C compiler says of include/stepbus.h. A tool that is not
# installed is named as skipped; STRICT=1 makes that a failure.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 2
OUT=${OUT:-build/release}
CC=${CC:-cc}
parts=tests/bindings/cdef
cdef=include/stepbus.cdef.h
library=$PWD/$OUT/libstepbus.so.0
modules=build/bindings
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
passed=0
failed=0

[ -r "$library" ] || { echo "cdef: there is no $library: build it first" >&2; exit 2; }
awk -f "$parts/names.awk" "$cdef" >"$work/names"
awk -v header=include/stepbus.h -f "$parts/program.awk" "$work/names" >"$work/program.c"
"$CC" -std=c99 -I. "$work/program.c" -o "$work/program" || exit 2
"$work/program" >"$work/expected"

# skip NAME WHY: the reader is not here.
skip() {
	echo "SKIPPED $1: $2"
	[ "${STRICT:-0}" = 0 ] || failed=$((failed + 1))
}

# reader NAME COMMAND...: reads the cdef, and says the same as the compiler.
reader() {
	name=$1
	shift
	if "$@" "$cdef" "$library" <"$work/names" >"$work/said" 2>"$work/errors" &&
		tr '\t' ' ' <"$work/said" | diff "$work/expected" - >>"$work/errors"; then
		echo "ok $name reads $(wc -l <"$work/expected") names"
		passed=$((passed + 1))
	else
		echo "not ok $name"
		head -20 "$work/errors" | sed 's/^/    /'
		failed=$((failed + 1))
	fi
}

python=
for candidate in python3 /usr/bin/python3; do
	"$candidate" -c 'import cffi' 2>/dev/null && python=$candidate && break
done

if [ -n "$python" ]; then reader cffi "$python" "$parts/read.py"; else skip cffi 'no python3-cffi'; fi
if command -v luajit >/dev/null; then reader luajit luajit "$parts/read.lua"; else skip luajit 'no luajit'; fi
if php -r 'exit(class_exists("FFI") ? 0 : 1);' 2>/dev/null; then
	reader php php "$parts/read.php"
else
	skip php 'no php-cli with FFI'
fi
if [ -d "$modules/node_modules/koffi" ] && command -v node >/dev/null; then
	# Node looks for modules beside the script.
	cp "$parts/read.cjs" "$modules/read.cjs"
	reader koffi node "$modules/read.cjs"
else
	skip koffi "no node, or no koffi in $modules"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
