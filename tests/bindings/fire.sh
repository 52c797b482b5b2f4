#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Workers in Python and in Node share a store with those in C, and all of them are killed, stopped, and
# ended by their own handlers, over and over; the checker of the proof judges what an observer saw
# (tests/torture/kill.c, kill/guest.h). Then guests lie, and must be found out.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
OUT=${OUT:-build/release}
case $OUT in /*) out=$OUT ;; *) out=$root/$OUT ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV MAKEFLAGS MFLAGS MAKELEVEL
export PYTHONDONTWRITEBYTECODE=1
# The bindings are those of the source tree, on the library of this build.
export STEPBUS_LIBRARY="$out/libstepbus.so.0"
passed=0
failed=0

count_of() {
	tail -n 1 "$work/log" | sed -n "s/^\(.* \)*\([0-9][0-9]*\) $1.*/\2/p"
}

# run ARGUMENT...: adds what a run of the proof says of itself, and shows what it has proved.
run() {
	status=0
	"$OUT/proof/kill" "$@" >"$work/log" 2>&1 || status=$?
	ok=$(count_of passed)
	bad=$(count_of failed)
	[ "$status" -eq 0 ] || [ "${bad:-0}" -gt 0 ] || bad=1
	passed=$((passed + ${ok:-0}))
	failed=$((failed + ${bad:-0}))
	if [ "${bad:-0}" -eq 0 ] && [ -n "$ok" ]; then
		grep '^proof:' "$work/log"
	else
		[ -n "$ok" ] || failed=$((failed + 1))
		sed 's/^/    /' "$work/log"
	fi
}

tools/deps.sh bindings >/dev/null
"${MAKE:-make}" -s -C bindings/node OUT="$out" >&2
"${MAKE:-make}" -s OUT="$OUT" all "$OUT/proof/kill" >&2
run guests "${FIRE_KILLS:-60}" ${FIRE_SEED:+"$FIRE_SEED"}
run guests control
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
