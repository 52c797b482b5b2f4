#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs test programs, each under a time limit, shows what fails, and counts: tests/run.sh PROGRAM...
set -u

passed=0
failed=0
log=$(mktemp)
failures=$(mktemp)
trap 'rm -f "$log" "$failures"' EXIT

# Takes the counts out of cmocka's closing lines; a program that died counts as one failure.
count() {
	ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -1)
	bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | tail -1)
	passed=$((passed + ${ok:-0}))
	failed=$((failed + ${bad:-0}))
	if [ "$1" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; then
		failed=$((failed + 1))
	fi
}

# At once, and once more at the end, where it is not lost among what passed.
show_failure() {
	{
		echo "$1"
		sed 's/^/    /' "$log"
	} | tee -a "$failures"
}

for program in "$@"; do
	timeout "${TEST_TIMEOUT_S:-120}" "$program" >"$log" 2>&1
	status=$?
	count "$status"
	name=${program##*/}
	if [ "$status" -eq 0 ] && [ "${ok:-0}" -gt 0 ]; then
		printf '%-28s %s passed\n' "$name" "$ok"
	elif [ "$status" -eq 0 ]; then
		printf '%-28s ran no test\n' "$name"
		failed=$((failed + 1))
	else
		show_failure "$name FAILED with status $status$([ "$status" -eq 124 ] && echo ' (time is up)')"
	fi
done

# Programs of the shell count as one test each.
for script in tests/scripts/*.sh; do
	if [ "${SCRIPTS:-1}" != 1 ] || [ ! -e "$script" ]; then
		continue
	fi
	if timeout "${TEST_TIMEOUT_S:-120}" "$script" >"$log" 2>&1; then
		printf '%-28s passed\n' "${script##*/}"
		passed=$((passed + 1))
	else
		show_failure "${script##*/} FAILED"
		failed=$((failed + 1))
	fi
done

if [ "$failed" -gt 0 ]; then
	echo "What failed, once more:"
	tail -200 "$failures"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
