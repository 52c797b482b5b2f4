#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks the model of leases and completions, and that each fault put into it is found:
# tests/model/run.sh [quick|full]. Quick takes some seconds, full some minutes and 2 GB.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
form=${1:-full}
passed=0
failed=0
states=0
runs=0
most=0 # workers of a configuration
found=0
missed=0
violated=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# check HOW DEFINES...: whether what the defines say holds, in all states (safety) or in the end (liveness).
check() {
	how=$1
	shift
	case $how in
	safety) options="-DSAFETY -DNOCLAIM" ;;
	liveness) options="-DNFAIR=8" ;;
	esac
	spin -a "$@" "$here/lease.pml" >spin.txt 2>&1 || { cat spin.txt; return 2; }
	# shellcheck disable=SC2086 # several words
	cc -O2 -DCOLLAPSE $options -o pan pan.c 2>cc.txt || { cat cc.txt; return 2; }
	if [ "$how" = safety ]; then
		./pan -m1000000 >pan.txt 2>&1
	else
		./pan -m1000000 -a -f >pan.txt 2>&1
	fi
	if ! grep -q 'errors: [0-9]' pan.txt || grep -q 'max search depth too small' pan.txt; then
		cat pan.txt
		return 2
	fi
	count=$(sed -n 's/^ *\([0-9e+.]*\) states, stored.*/\1/p' pan.txt)
	grep -q 'errors: 0$' pan.txt
}

holds() {
	if check "$@"; then
		passed=$((passed + 1))
		states=$((states + $(printf '%.0f' "$count")))
		runs=$((runs + 1))
		workers=$(printf '%s\n' "$@" | sed -n 's/^-DWORKERS=//p')
		[ "$workers" -le "$most" ] || most=$workers
		echo "holds in $count states: $*"
	else
		failed=$((failed + 1))
		runs=$((runs + 1))
		violated=$((violated + 1))
		echo "VIOLATED: $*: $(grep '^pan:1' pan.txt)"
	fi
}

finds() {
	status=0
	check "$@" || status=$?
	if [ "$status" -eq 1 ]; then
		passed=$((passed + 1))
		found=$((found + 1))
		echo "found: $*: $(sed -n 's/^pan:1: \(.*\) (at.*/\1/p' pan.txt)"
	else
		failed=$((failed + 1))
		missed=$((missed + 1))
		echo "MISSED: $*"
	fi
}

# Every function that the model says it stands for is there, under that name and in that file.
names_are_true() {
	grep -o '[a-z_]*\.c: sb_[a-z_]*' "$here/lease.pml" | sort -u >names.txt
	while read -r file name; do
		if ! grep -q "^[a-z].*[ *]$name(" "$here/../../src/handlers/${file%:}"; then
			echo "lease.pml names $name in src/handlers/${file%:}, where it is not"
			return 1
		fi
	done <names.txt
	[ "$(wc -l <names.txt)" -ge 8 ]
}
if names_are_true; then
	passed=$((passed + 1))
	echo "the functions that the model stands for are there: $(wc -l <names.txt)"
else
	failed=$((failed + 1))
fi

two=-DWORKERS=2
brief="-DDEATHS=1 -DFREE=0 -DOPERATIONS=0"
# shellcheck disable=SC2086 # lists of words
{
	for fault in NO_FENCE NO_STATE LATE_CHARGE REAP_LIVE KEEP_MARK BLAME_ALL; do
		finds safety $two -DOPERATIONS=0 -D$fault
	done
	for fault in DEAF_CANCEL OLD_TOKEN; do
		finds safety $two -DDEATHS=1 -D$fault
	done
	crashes="-DATTEMPTS=4 -DDEATHS=3 -DFREE=0 -DOPERATIONS=0"
	finds safety $two $crashes -DFORGET_CRASH
	finds liveness $two $brief -DLIVE -DNO_REAPER
	holds safety $two $crashes
	holds safety $two -DDEATHS=1
	holds liveness $two $brief -DLIVE
	if [ "$form" = full ]; then
		holds safety $two
		holds safety -DWORKERS=3 $brief
		holds safety -DWORKERS=3 -DDEATHS=1 -DFREE=0
		holds safety -DWORKERS=3 -DDEATHS=1 -DOPERATIONS=0
		holds liveness $two -DDEATHS=1 -DOPERATIONS=0 -DLIVE
		holds liveness $two -DDEATHS=1 -DLIVE
	fi
}
echo "proof: model: one step, its leases and an operator in $runs configurations of up to $most workers, $states states in the sum of all: $violated violated"
echo "proof: model: $((found + missed)) faults put into the model: $found found"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
