#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the proof: prove.sh torture-quick|torture|torture-long|mutants|sim|fuzz|model|soak|sanitized|
# coverage|reliability.
# Each part is a script or a program of its own that prints what it does and ends with "N passed, N failed"; what
# a part has shown it also says in lines "proof: NAME: COUNT WHAT: RESULT", which are kept in OUT/records/GOAL, from
# where `make reliability` takes them. Two parts run at a time (JOBS), and each is shown when it is over. One that
# is not over in time is ended, and has failed.
# Settings from the environment: OUT (build/release), CC, JOBS, SEED, SECONDS_EACH, SOAK_SECONDS.
set -eu

cd "$(dirname "$0")/.."
out=${OUT:-build/release}
proof=$out/proof
records=$out/records
goal=${1:-}

# The parts of a goal, one in a line: a name, and its command. The longest come first.
parts() {
	case $1 in
	torture-quick)
		echo "faults $proof/faults quick"
		echo "reenter $proof/reenter 50"
		echo "famine $proof/famine quick"
		echo "power $proof/power 60000 2026"
		echo "model tests/model/run.sh quick"
		echo "fuzz tests/fuzz/run.sh 0"
		echo "kill $proof/kill 200"
		echo "life $proof/kill life 60"
		echo "poison $proof/kill poison 1"
		echo "kill-control $proof/kill control"
		echo "sim-memory $proof/sim 500 1 memory 300"
		echo "sim-sqlite $proof/sim 200 1 sqlite 300"
		echo "crowd $proof/crowd 2000"
		echo "check $proof/check self"
		;;
	torture)
		echo "faults $proof/faults torture"
		echo "famine $proof/famine all"
		echo "kill $proof/kill 10000"
		echo "life $proof/kill life 1"
		echo "stall $proof/kill stall 300"
		echo "power $proof/power 1000000 2026 1"
		echo "sim-sqlite $proof/sim 4000 1 sqlite 400"
		echo "sim-memory $proof/sim 4000 1 memory 1000"
		echo "reenter $proof/reenter 5000"
		echo "poison $proof/kill poison 5"
		echo "kill-control $proof/kill control"
		echo "crowd $proof/crowd 20000"
		echo "crowd-control $proof/crowd control"
		echo "guests env FIRE_KILLS=300 tests/bindings/fire.sh"
		echo "starve env STARVE_STRIDE=~40 tests/bindings/starve.sh"
		echo "check $proof/check self"
		;;
	torture-long)
		echo "faults $proof/faults long"
		echo "kill $proof/kill 100000"
		echo "power $proof/power 10000000"
		echo "stall $proof/kill stall 5000"
		echo "poison $proof/kill poison 200"
		echo "sim-sqlite $proof/sim 40000 1 sqlite 400"
		echo "sim-memory $proof/sim 40000 1 memory 1000"
		echo "reenter $proof/reenter 20000"
		echo "guests env FIRE_KILLS=5000 tests/bindings/fire.sh"
		echo "starve env STARVE_STRIDE=1 tests/bindings/starve.sh"
		;;
	mutants) echo "mutants tests/torture/mutants.sh" ;;
	sim)
		echo "sim-sqlite $proof/sim 2000 ${SEED:-1} sqlite 400"
		echo "sim-memory $proof/sim 4000 ${SEED:-1} memory 1000"
		;;
	fuzz)
		for target in $(tests/fuzz/run.sh names); do
			echo "$target tests/fuzz/run.sh ${SECONDS_EACH:-60} $target"
		done
		;;
	model) echo "model tests/model/run.sh full" ;;
	soak)
		echo "soak-control $proof/soak control 30"
		echo "soak $proof/soak ${SOAK_SECONDS:-3600}"
		;;
	sanitized)
		echo "asan tests/sanitized.sh asan"
		echo "tsan tests/sanitized.sh tsan"
		;;
	coverage) echo "coverage tests/coverage.sh" ;;
	*)
		echo "tests/prove.sh: no part of the proof is called '$1'" >&2
		return 2
		;;
	esac
}

# How long a part may take: several times what it takes where nothing is wrong.
limit_s() {
	case $1 in
	torture-quick) echo 900 ;;
	torture-long) echo 86400 ;;
	fuzz) echo $((${SECONDS_EACH:-60} + 900)) ;;
	soak) echo $((${SOAK_SECONDS:-3600} * 2 + 600)) ;;
	*) echo 7200 ;;
	esac
}

commit() {
	git rev-parse --short HEAD 2>/dev/null || echo none
	[ -z "$(git status --porcelain 2>/dev/null)" ] || echo ", changed"
}

# Runs one part, and keeps what it says; its counts go into a file of their own, for the sum.
run_part() {
	goal=$1
	name=${2%% *}
	command=${2#* }
	record=$records/$goal/$name
	log=$record.log
	mkdir -p "$records/$goal"
	begun=$(date +%s)
	begun_at=$(commit | tr -d '\n')
	status=0
	# shellcheck disable=SC2086 # the words of a command
	timeout -k 30 "$(limit_s "$goal")" $command >"$log" 2>&1 || status=$?
	[ "$status" -ne 124 ] || echo "its time was up" >>"$log"
	counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -1)
	# One that counts nothing, says nothing of what it has shown, or fails in spite of both, has failed.
	[ -n "$counts" ] || counts="0 1"
	if ! grep -q '^proof: ' "$log"; then
		echo "it has not said what it has shown" >>"$log"
		counts="${counts% *} 1"
	fi
	if [ "$status" -ne 0 ] && [ "${counts##* }" = 0 ]; then
		counts="${counts% *} 1"
	fi
	{
		echo "goal: $goal"
		echo "commit: $begun_at"
		echo "ended: $(date -u +%Y-%m-%d)"
		echo "seconds: $(($(date +%s) - begun))"
		echo "status: $status"
		sed -n '/^proof: /p' "$log"
	} >"$record.txt"
	echo "$counts" >"$record.counts"
	printf '== %s (%s s, status %s)\n%s\n' "$name" "$(($(date +%s) - begun))" "$status" "$(tail -n 300 "$log")"
}

case $goal in
part)
	run_part "$2" "$3"
	exit 0
	;;
reliability)
	exec tests/reliability.sh
	;;
esac

wanted=$(parts "$goal")
mkdir -p "$records/$goal"
rm -f "$records/$goal"/*
printf '%s\n' "$wanted" | xargs -d '\n' -P "${JOBS:-2}" -n 1 "$0" part "$goal"
cat "$records/$goal"/*.counts | awk -v parts="$(printf '%s\n' "$wanted" | wc -l)" '
	{ passed += $1; failed += $2 }
	END {
		if (NR < parts) {
			print parts - NR " parts did not come to an end"
			failed += parts - NR
		}
		printf "%d passed, %d failed\n", passed, failed
		exit failed > 0 || passed == 0
	}'
