#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The bindings without memory: in scenarios that call everything which the bindings call, the 1st, the
# 2nd, … allocation of the addon, of libstepbus, SQLite, libevent and cJSON fails, alone and with all behind
# it; so do the addon's calls of Node-API, and the interpreter's own allocations in Python. Nothing may
# crash, hang or leak; the answer is right or an exception that says ENOMEM, ESYSTEM or ESTORE; the same
# call with memory succeeds; and the store has every step that was acknowledged, once, and no other.
#
#   starve.sh                      some 5 points of each scenario, and the negative controls
#   STARVE_STRIDE=1 starve.sh      each point: hours
#   starve.sh node|python [PART]   one binding; the scenarios whose name has this in it
#   starve.sh control              planted faults, each of which must be found
#
# STARVE_DIRECTORY: where the stores lie; by default in memory, since nothing here is about disks.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(realpath -m "${OUT:-build/release}")
export OUT=$out STARVE_BUILD=$out/starve STEPBUS_LIBRARY=$out/libstepbus.so.0
directory=${STARVE_DIRECTORY:-/dev/shm}
[ -w "$directory" ] || directory=${TMPDIR:-/tmp}
STARVE_DIRECTORY=$(mktemp -d "$directory/stepbus-starve-XXXXXX")
export STARVE_DIRECTORY
trap 'rm -rf "$STARVE_DIRECTORY"' EXIT
python=${PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=python3
export PYTHON=$python
passed=0
failed=0

run() {
	local log=$STARVE_DIRECTORY/log status=0
	"$python" tests/bindings/starve/starve.py "$@" | tee "$log" || status=$?
	passed=$((passed + $(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$log" | tail -n 1 | grep . || echo 0)))
	failed=$((failed + $(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$log" | tail -n 1 | grep . || echo 1)))
	[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
}

tests/bindings/starve/build.sh preload
tests/bindings/starve/build.sh node
if [ $# -gt 0 ]; then
	run "$@"
else
	run control
	run node
	run python
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
