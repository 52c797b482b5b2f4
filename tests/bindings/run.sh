#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs every script beside it, each of which tests the bindings of one language or what they stand on,
# ends with its counts, and fails where one of them failed. Shows what was skipped, what failed, and the
# sum.
set -u
# The scripts build for themselves: what they call must not look for the jobs of the make above.
unset MAKEFLAGS MFLAGS MAKELEVEL
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
passed=0
failed=0

# The number before a word in the last line of a script.
count_of() {
	tail -n 1 "$work/log" | sed -n "s/^\(.* \)*\([0-9][0-9]*\) $1.*/\2/p"
}

run() {
	timeout "${BINDING_TIMEOUT_S:-900}" "$1" >"$work/log" 2>&1
	status=$?
	ok=$(count_of passed)
	bad=$(count_of failed)
	# Without counts, or dead behind them: that is a failure more.
	[ -n "$ok" ] || bad=$((${bad:-0} + 1))
	[ "$status" -eq 0 ] || [ "${bad:-0}" -gt 0 ] || bad=1
	passed=$((passed + ${ok:-0}))
	failed=$((failed + ${bad:-0}))
	if [ "${bad:-0}" -eq 0 ]; then
		printf '%-28s %s passed\n' "$(basename "$1")" "$ok"
		grep '^SKIPPED' "$work/log" | sed 's/^/    /'
	else
		echo "$(basename "$1") FAILED with status $status$([ "$status" -eq 124 ] && echo ' (time is up)')"
		sed 's/^/    /' "$work/log"
	fi
}

for script in tests/bindings/*.sh; do
	[ "$(basename "$script")" = run.sh ] || run "$script"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
