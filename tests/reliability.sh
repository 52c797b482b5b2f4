#!/bin/sh
# SPDX-License-Identifier: MIT
# Takes what the parts of the proof have said (OUT/records, see prove.sh) into docs/reliability.tsv, where the
# last run of each part stays until the next one, and writes docs/RELIABILITY.md from that.
set -eu

cd "$(dirname "$0")/.."
out=${OUT:-build/release}
rows=docs/reliability.tsv
page=docs/RELIABILITY.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT

# goal, part, commit, day, seconds, and what it said; a line of each "proof:".
row_of() {
	goal=$(basename "$(dirname "$1")")
	part=$goal-$(basename "$1" .txt)
	awk -v part="$part" '
	/^goal: / { goal = substr($0, 7) }
	/^commit: / { commit = substr($0, 9) }
	/^ended: / { day = $2 }
	/^seconds: / { seconds = $2 }
	/^status: / { status = $2 }
	function tell(text) {
		if (status != 0)
			text = text " (and FAILED)"
		printf "%s\t%s\t%s\t%s\t%s\t%s\n", goal, part, commit, day, seconds, text
		told++
	}
	/^proof: / { tell(substr($0, 8)) }
	END {
		# What it said in another run must not stay.
		if (!told) {
			status = 1
			tell(part " said nothing")
		}
	}' "$1"
}

for record in "$out"/records/*/*.txt; do
	[ ! -e "$record" ] || row_of "$record"
done >"$new"
[ -s "$new" ] || {
	echo "reliability: nothing was run: there are no records in $out/records" >&2
	exit 1
}
if [ -e $rows ]; then
	awk -F '\t' 'NR == FNR { is_new[$2] = 1; next } !($2 in is_new)' "$new" $rows >"$new.old"
	cat "$new.old" >>"$new"
	rm -f "$new.old"
fi
sort -t "$(printf '\t')" -k1,2 -s "$new" >$rows

table() {
	awk -F '\t' -v goal="$1" '
	$1 == goal {
		is_first = $2 != last
		last = $2
		printf "| %s | %s | %s | %s |\n", $6, is_first ? $3 : "", is_first ? $4 : "",
			is_first ? $5 " s" : ""
	}' $rows
}

section() {
	[ -n "$(table "$1")" ] || return 0
	printf '\n## %s\n\n%s\n\n| what was run: what came of it | commit | day | took |\n|---|---|---|---|\n' "$2" "$3"
	table "$1"
}

{
	cat <<'TEXT'
<!-- SPDX-License-Identifier: MIT -->
<!-- Written by `make reliability`; do not edit. -->
# Reliability

What stepbus says of itself is tried, by programs that anybody can run. Each line below is what such a program
printed, on which commit, and how long it took; the table is made from their output and from nothing else. A
line that ends in FAILED is a run that failed.

Of `kill`, `stall`, `life`, `crowd` and a part of `sim`, an outside observer writes down what was called and
answered, to a file of its own; `stepbus-check` (`tests/torture/check.c`) reads that and the rows that are left, and
judges twenty rules without any code of the library. [Not each run can see each rule](proof/rules.md), and one of
them, and half of another, no run can see yet. That it can find a violation is shown by damaging histories, and by putting faults into the
library (`make mutants`). `power`, `faults`, `famine`, `reenter` and `poison` have judges of their own, which the
comment at the top of each program describes, and, but for `poison`, controls that these must find. What can be done to lose data is
on [a page of its own](HOW-TO-LOSE-DATA.md).
TEXT
	section torture-quick "Each commit" "\`make torture-quick\`, which runs in CI:"
	section torture "For up to an hour" "\`make torture\`:"
	section torture-long "For a night" "\`make torture-long\`:"
	section mutants "Faults in the library" "\`make mutants\`: each must be found, and 20 of them by the checker."
	section sim "Simulation" "\`make sim\`: one thread, a clock and a disk that are made up, faults from a seed that replays."
	section fuzz "Hostile input" "\`make fuzz\`: libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer."
	section model "The protocol" "\`make model\`: [tests/model/lease.pml](../tests/model/lease.pml), checked by Spin."
	section soak "Growth" "\`make soak\`:"
	section sanitized "Under sanitizers" "\`make sanitized\`, beside the tests, all of which run under them in CI:"
	section coverage "Coverage" "\`make coverage\`, without what processes ran that were killed:"
} >$page
echo "1 passed, 0 failed"
