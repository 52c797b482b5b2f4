#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the proof: prove.sh torture-quick|torture|torture-long|mutants|sim|fuzz|model|soak|coverage|reliability.
# Each part is a script or a program of its own that prints what it does and ends with "N passed, N failed"; what
# a part has shown it also says in lines "proof: NAME: COUNT WHAT: RESULT", which are kept in OUT/records, from
# where `make reliability` takes them.
# Settings from the environment: OUT (build/release), CC.
set -eu

cd "$(dirname "$0")/.."
out=${OUT:-build/release}
goal=${1:-}
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
mkdir -p "$out/records"
commit=$(git rev-parse --short HEAD 2>/dev/null || echo none)
[ -z "$(git status --porcelain 2>/dev/null)" ] || commit="$commit, changed"

# Counts what a part's closing line says; a part that has none, or fails in spite of it, has failed.
count() {
	counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -1)
	passed=$((passed + ${counts%% *}))
	failed=$((failed + ${counts##* }))
	if [ "$1" -ne 0 ] && [ "${counts##* }" = 0 ]; then
		failed=$((failed + 1))
	fi
}

# prove NAME COMMAND...
prove() {
	name=$1
	shift
	echo "== $name"
	begun=$(date +%s)
	status=0
	{ "$@" 2>&1 || echo "$?" >"$log.status"; } | tee "$log"
	if [ -e "$log.status" ]; then
		status=$(cat "$log.status")
		rm -f "$log.status"
	fi
	if grep -q '^[0-9]* passed, [0-9]* failed$' "$log"; then
		count "$status"
	else
		echo "$name ended with $status and told nothing"
		failed=$((failed + 1))
	fi
	{
		echo "goal: $goal"
		echo "commit: $commit"
		echo "ended: $(date -u +%Y-%m-%d)"
		echo "seconds: $(($(date +%s) - begun))"
		echo "status: $status"
		grep '^proof: ' "$log" || true
	} >"$out/records/$goal-$name.txt"
}

proof=$out/proof
case $goal in
torture-quick)
	prove check "$proof/check" self
	prove kill "$proof/kill" 200
	prove stall "$proof/kill" stall 10
	prove poison "$proof/kill" poison 1
	prove crowd "$proof/crowd" 5000
	prove power "$proof/power" 5000
	prove famine "$proof/famine" quick
	prove faults "$proof/faults" quick
	prove reenter "$proof/reenter" 50
	prove sim "$proof/sim" 500
	prove model tests/model/run.sh quick
	prove fuzz tests/fuzz/run.sh 0
	;;
torture)
	prove check "$proof/check" self
	prove kill "$proof/kill" 10000
	prove stall "$proof/kill" stall 500
	prove life "$proof/kill" life 1
	prove poison "$proof/kill" poison 20
	prove crowd "$proof/crowd" 100000
	prove crowd-control "$proof/crowd" control
	prove power "$proof/power" 1000000
	prove famine "$proof/famine" all
	prove faults "$proof/faults" torture
	prove reenter "$proof/reenter" 5000
	;;
torture-long)
	prove kill "$proof/kill" 100000
	prove stall "$proof/kill" stall 5000
	prove power "$proof/power" 10000000
	prove famine "$proof/famine" all
	prove faults "$proof/faults" long
	prove reenter "$proof/reenter" 20000
	prove sim "$proof/sim" 200000
	;;
mutants)
	prove mutants tests/torture/mutants.sh
	;;
sim)
	prove sim "$proof/sim" "${SEEDS:-20000}"
	;;
fuzz)
	prove fuzz tests/fuzz/run.sh "${SECONDS_EACH:-60}"
	;;
model)
	prove model tests/model/run.sh full
	;;
soak)
	prove soak-control "$proof/soak" control 60
	prove soak "$proof/soak" "${SOAK_SECONDS:-3600}"
	;;
coverage)
	prove coverage tests/coverage.sh
	;;
reliability)
	tests/reliability.sh
	exit 0
	;;
*)
	echo "tests/prove.sh: no part of the proof is called '$goal'" >&2
	exit 2
	;;
esac
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
