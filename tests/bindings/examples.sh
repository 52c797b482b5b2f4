#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds and runs the examples of all languages against an installed stepbus, as a user does. A language
# that is not installed is named as skipped; STRICT=1 makes that a failure. `tools/deps.sh bindings`
# installs them.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 2
OUT=${OUT:-build/release}
CC=${CC:-cc}
CXX=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
passed=0
failed=0

# The jobs of an outer make are not ours to use.
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL OUT="$OUT" "${MAKE:-make}" --no-print-directory install \
	DESTDIR="$work" PREFIX=/usr >"$work/install" 2>&1 || {
	cat "$work/install" >&2
	exit 2
}
export PKG_CONFIG_PATH="$work/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$work"
export LD_LIBRARY_PATH="$work/usr/lib"
flags=$(pkg-config --cflags --libs stepbus) || exit 2

# example LANGUAGE TOOL COMMAND: builds and runs it, if there is the tool; it says what it has done.
example() {
	if ! command -v "$2" >/dev/null; then
		echo "SKIPPED $1: no $2"
		[ "${STRICT:-0}" = 0 ] || failed=$((failed + 1))
	elif timeout "${TEST_TIMEOUT_S:-120}" sh -euc "$3" >"$work/output" 2>&1 &&
		[ "$(cat "$work/output")" = '1000 of 1000 steps are completed' ]; then
		echo "ok $1"
		passed=$((passed + 1))
	else
		echo "not ok $1"
		sed 's/^/    /' "$work/output"
		failed=$((failed + 1))
	fi
}

example C "$CC" "$CC -std=c11 -Wall -Wextra -Werror examples/pull.c -o $work/c $flags; $work/c"
example C++ "$CXX" "$CXX -std=c++17 -Wall -Wextra -Werror examples/pull.cc -o $work/cc $flags; $work/cc"
example Go go "GOFLAGS=-mod=mod GOCACHE=$work/go go run examples/go/pull.go"
example LuaJIT luajit 'luajit examples/pull.lua'
example Ruby ruby 'ruby -W examples/pull.rb'
example Rust rustc "rustc --edition 2021 -D warnings -L $work/usr/lib examples/pull.rs -o $work/rs; $work/rs"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
