#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs tests and proof in a build that counts, and says how much of src/ they ran: coverage.sh [SUMMARY_ONLY].
# What processes ran that were killed is not in it. Counted is also where something failed, which is told.
set -eu

cd "$(dirname "$0")/.."
out=build/coverage
line_goal=95
branch_goal=85

ran=1
if [ "${1:-}" != summary ]; then
	mkdir -p $out
	"${MAKE:-make}" --no-print-directory VARIANT=coverage OUT=$out CC="${CC:-cc}" run-tests torture-quick \
		>$out/runs.log 2>&1 || ran=0
	# Indented: what they have shown, they have shown in a build that counts, and is not to be kept.
	sed 's/^/    /' $out/runs.log
fi

# One line for each file of src/: name, lines, lines run, branches, branches taken.
mkdir -p $out/report
rm -f $out/report/*
count_file() {
	source=${1#"$out"/}
	source=${source%.gcno}.c
	gcov -b -c -p -o "$1" "$source" 2>/dev/null |
		awk -v name="$source" '
		/^File / { is_it = index($0, "\047" name "\047") > 0 }
		is_it && /^Lines executed:/ { split($0, p, /[:% ]+/); line_share = p[3]; lines = p[5] }
		is_it && /^Taken at least once:/ { split($0, p, /[:% ]+/); branch_share = p[5]; branches = p[7] }
		END { printf "%s %d %d %d %d\n", name, lines, lines * line_share / 100 + 0.5,
			branches, branches * branch_share / 100 + 0.5 }'
}
for notes in $(find $out/src -name '*.gcno' | sort); do
	count_file "$notes"
done >$out/report/files.txt
for text in ./*.gcov; do
	[ ! -e "$text" ] || mv "$text" $out/report/
done

awk -v ran=$ran -v line_goal=$line_goal -v branch_goal=$branch_goal '
{
	lines += $2; run += $3; branches += $4; taken += $5
	printf "%-36s %5d of %5d lines, %5d of %5d branches\n", $1, $3, $2, $5, $4
}
END {
	line_share = lines > 0 ? 100 * run / lines : 0
	branch_share = branches > 0 ? 100 * taken / branches : 0
	printf "proof: coverage: %.1f %% of %d lines and %.1f %% of %d branches of src/ were run: goals %d and %d\n",
		line_share, lines, branch_share, branches, line_goal, branch_goal
	if (!ran)
		print "some of what was to be run failed"
	passed = ran + (line_share >= line_goal) + (branch_share >= branch_goal)
	printf "%d passed, %d failed\n", passed, 3 - passed
	exit passed < 3
}' $out/report/files.txt
